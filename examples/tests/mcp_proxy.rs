//! `mcp_proxy` between the official TypeScript client and the official "everything" server, neither of
//! which knows of it; and in front of servers that are up to no good.
//!
//! The packages are those of `peers/`, after `npm ci` in there. Where they are not, or no `node`, their
//! test skips and says so.

#[expect(dead_code, reason = "a server over stdio needs more of it")]
mod running;

use std::path::Path;
use std::sync::{Arc, Mutex};

use agenttrust::{CreateAgentRequest, IssueTokenRequest};
use agenttrust_examples::Served;
use agenttrust_guardian::{Guardian, Role};
use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use axum::routing::any;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;

use self::running::{Running, example, in_time, node_with_the_peers};

/// An agent that may use two tools, and a token of it for that server.
async fn agent(guardian: &Guardian, name: &str, server: &str) -> Result<(String, String)> {
    let admin = guardian.client();
    let agent = CreateAgentRequest {
        name: name.to_owned(),
        capabilities: vec![
            "everything/echo".to_owned(),
            "everything/trigger-long-running-operation".to_owned(),
        ],
        ..Default::default()
    };
    let agent = admin.agents().create(&agent).await?;
    let token = IssueTokenRequest {
        agent_id: agent.id.clone(),
        scope: agent.capabilities,
        audience: vec![server.to_owned()],
        ttl: 600,
    };
    Ok((agent.id, admin.tokens().issue(&token).await?.token))
}

/// A Guardian on a socket, which shows what is reported to it.
struct House {
    served: Served,
    gateway_key: String,
    token: String,
    reports: Arc<Mutex<Vec<Value>>>,
    guardian: Guardian,
}

impl House {
    async fn open() -> Result<Self> {
        let guardian = Guardian::in_memory().await?;
        let (_, token) = agent(&guardian, "visitor", "everything").await?;
        let gateway_key = guardian.create_key(Role::Gateway, &[]).await?;
        let reports = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&reports);
        let watched = from_fn(move |request: Request, next: Next| {
            let seen = Arc::clone(&seen);
            async move {
                if request.uri().path() != "/api/v1/telemetry/report" {
                    return next.run(request).await;
                }
                let (head, body) = request.into_parts();
                let text = to_bytes(body, usize::MAX).await.expect("a whole report");
                let report: Value = serde_json::from_slice(&text).expect("JSON");
                let answer = next.run(Request::from_parts(head, Body::from(text))).await;
                if answer.status().is_success() {
                    let events = report["events"].as_array().cloned().unwrap_or_default();
                    seen.lock().expect("no panic").extend(events);
                }
                answer
            }
        });
        let served = Served::on_loopback(guardian.router().layer(watched)).await?;
        Ok(Self { served, gateway_key, token, reports, guardian })
    }

    /// The proxy in front of a server, and where it listens.
    async fn proxy(&self, upstream: &str) -> Result<(Running, String)> {
        let mut command = example("mcp_proxy");
        command.args(["--upstream", upstream]);
        command
            .env("AGENTTRUST_URL", self.served.url())
            .env("AGENTTRUST_API_KEY", &self.gateway_key);
        started(&mut command).await
    }

    /// Waits for so many reports; returns tool and outcome of each.
    async fn reported(&self, count: usize) -> Result<Vec<(String, String)>> {
        let all = async {
            loop {
                let reports = self.reports.lock().expect("no panic").clone();
                if reports.len() >= count {
                    return reports;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        let reports = in_time("the reports", all).await?;
        let outcome = |report: &Value| match &report["success"] {
            Value::Bool(true) => "success".to_owned(),
            _ => report["error_type"].as_str().unwrap_or("?").to_owned(),
        };
        let tool = |report: &Value| report["tool_name"].as_str().unwrap_or("?").to_owned();
        Ok(reports.iter().map(|report| (tool(report), outcome(report))).collect())
    }
}

async fn started(command: &mut Command) -> Result<(Running, String)> {
    let mut running = Running::start(command)?;
    let line = running.said("listening on ").await?;
    Ok((running, line.trim_start_matches("listening on ").to_owned()))
}

/// The "everything" server on a free port, and its URL.
async fn everything(mut node: Command) -> Result<(Running, String)> {
    // Freed again at once: it takes a port and no socket.
    let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
    node.arg("streamableHttp").env("PORT", port.to_string());
    let mut running = Running::start(&mut node)?;
    running.said("listening on port").await?;
    Ok((running, format!("http://127.0.0.1:{port}/mcp")))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_and_server_work_through_it_and_only_what_is_allowed_runs() -> Result<()>
{
    let server = "node_modules/@modelcontextprotocol/server-everything/dist/index.js";
    let (Some(server), Some(mut script)) =
        (node_with_the_peers(server).await, node_with_the_peers("mcp_proxy.mjs").await)
    else {
        return Ok(());
    };
    let house = House::open().await?;
    let (_server, upstream) = everything(server).await?;
    let (_proxy, url) = house.proxy(&upstream).await?;
    script.env("PROXY", Path::new(&url)).env("TOKEN", &house.token);
    let output = in_time("the script", script.output()).await??;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && printed.trim_end().ends_with("all of it"),
        "{}\n{printed}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let slow = "everything/trigger-long-running-operation";
    let mut reported = house.reported(4).await?;
    // The one that was given up is reported when its stream ends, whenever that is.
    reported.sort_by_key(|(tool, outcome)| (tool.clone(), outcome != "success"));
    let expected = [
        ("everything/echo", "success"),
        ("everything/echo", "ToolError"),
        (slow, "success"),
        (slow, reported.get(3).map_or("", |(_, outcome)| outcome)),
    ];
    let expected = expected.map(|(tool, outcome)| (tool.to_owned(), outcome.to_owned()));
    ensure!(reported == expected, "{reported:?}");
    let given_up = &reported[3].1;
    ensure!(matches!(given_up.as_str(), "Cancelled" | "NoReply"), "{given_up}");
    Ok(())
}

/// A server of our own that says what it was sent.
async fn mirror() -> Result<(Served, Arc<Mutex<Vec<HeaderMap>>>)> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let remembered = Arc::clone(&seen);
    let mirror = any(move |request: Request| {
        let (head, body) = request.into_parts();
        remembered.lock().expect("no panic").push(head.headers);
        async move {
            let text = to_bytes(body, usize::MAX).await.expect("a body");
            let message: Value = serde_json::from_slice(&text).unwrap_or_default();
            let result = json!({ "uri": head.uri.to_string(), "params": message["params"] });
            let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
            let headers = [("set-cookie", "a=b"), ("server", "x"), ("mcp-session-id", "s1")];
            (headers, axum::Json(answer))
        }
    });
    Ok((Served::on_loopback(Router::new().fallback(mirror)).await?, seen))
}

fn call(tool: &str) -> Value {
    let params = json!({ "name": tool, "arguments": { "message": "x" } });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_shown_the_message_and_nothing_of_who_sent_it() -> Result<()> {
    let house = House::open().await?;
    let (mirror, seen) = mirror().await?;
    let (_proxy, url) = house.proxy(&format!("{}/here?x=1", mirror.url())).await?;
    let opened = sent(&url, Method::POST, &house.token, None).await?;
    ensure!(opened.headers()["mcp-session-id"] == "s1", "{opened:?}");
    let answer = reqwest::Client::new()
        .post(format!("{url}?x=2"))
        .bearer_auth(&house.token)
        .header("cookie", "a=b")
        .header("x-api-key", "k")
        .header("x-forwarded-host", "elsewhere")
        .header("proxy-authorization", "Basic YTpi")
        .header("te", "trailers")
        .header("mcp-protocol-version", "2025-11-25")
        .header("mcp-session-id", "s1")
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .body(call("echo").to_string())
        .send()
        .await?;
    ensure!(answer.headers()["mcp-session-id"] == "s1", "{answer:?}");
    ensure!(answer.headers().get("set-cookie").is_none(), "{answer:?}");
    let answer: Value = serde_json::from_slice(&answer.bytes().await?)?;
    ensure!(
        answer["result"]["uri"] == "/here?x=1",
        "the upstream is the one that was named: {answer}"
    );
    let seen = seen.lock().expect("no panic").clone();
    ensure!(seen.len() == 2, "{seen:?}");
    let mut names: Vec<_> = seen[1].keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "accept",
        "content-length",
        "content-type",
        "host",
        "mcp-protocol-version",
        "mcp-session-id",
    ];
    ensure!(names == expected, "{names:?}");
    let reported = house.reported(2).await?;
    ensure!(reported[1] == ("everything/echo".to_owned(), "success".to_owned()), "{reported:?}");
    Ok(())
}

/// Sends a call of `echo`, or what has no body, in this session.
async fn sent(
    url: &str,
    method: Method,
    token: &str,
    session: Option<&str>,
) -> Result<reqwest::Response> {
    let mut request = reqwest::Client::new().request(method.clone(), url).bearer_auth(token);
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    if method == Method::POST {
        request = request.body(call("echo").to_string());
    }
    Ok(request.send().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_used_and_ended_by_the_agent_that_opened_it_and_by_no_other() -> Result<()> {
    let house = House::open().await?;
    let (_, other) = agent(&house.guardian, "other", "everything").await?;
    let (mirror, seen) = mirror().await?;
    let (_proxy, url) = house.proxy(mirror.url()).await?;
    let heard = || seen.lock().expect("no panic").len();
    ensure!(sent(&url, Method::POST, &house.token, None).await?.status().is_success());
    // It is told of the same session, and does not get it by that.
    ensure!(sent(&url, Method::POST, &other, None).await?.status().is_success());
    ensure!(heard() == 2, "{}", heard());

    for method in [Method::POST, Method::GET, Method::DELETE] {
        for (token, session) in [(&other, "s1"), (&other, "s2"), (&house.token, "s2")] {
            let answer = sent(&url, method.clone(), token, Some(session)).await?;
            ensure!(answer.status() == StatusCode::NOT_FOUND, "{method} {session}: {answer:?}");
            let answer: Value = serde_json::from_slice(&answer.bytes().await?)?;
            ensure!(answer["error"]["code"] == -32001 && answer["id"].is_null(), "{answer}");
        }
        let both = reqwest::Client::new().request(method.clone(), &url).bearer_auth(&house.token);
        let both = both.header("mcp-session-id", "s1").header("mcp-session-id", "s2").send();
        ensure!(both.await?.status() == StatusCode::NOT_FOUND, "{method} in two sessions");
    }
    ensure!(heard() == 2, "the server heard of it");

    for method in [Method::POST, Method::GET, Method::DELETE] {
        let answer = sent(&url, method.clone(), &house.token, Some("s1")).await?;
        ensure!(answer.status().is_success(), "{method}: {answer:?}");
    }
    ensure!(heard() == 5, "{}", heard());
    let ended = sent(&url, Method::POST, &house.token, Some("s1")).await?;
    ensure!(ended.status() == StatusCode::NOT_FOUND && heard() == 5, "it goes on: {ended:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_another_server_and_one_that_was_revoked_are_none_here() -> Result<()> {
    let house = House::open().await?;
    let (mirror, seen) = mirror().await?;
    let (_proxy, url) = house.proxy(mirror.url()).await?;
    let (_, elsewhere) = agent(&house.guardian, "elsewhere", "filesystem").await?;
    let refused = sent(&url, Method::GET, &elsewhere, None).await?;
    ensure!(refused.status() == StatusCode::UNAUTHORIZED, "{refused:?}");
    ensure!(seen.lock().expect("no panic").is_empty(), "the server heard of it");

    let (id, token) = agent(&house.guardian, "leaving", "everything").await?;
    ensure!(sent(&url, Method::GET, &token, None).await?.status().is_success());
    house.guardian.client().agents().revoke(&id, "it left").await?;
    // What was known of it a moment ago is forgotten when the Guardian says so, and not after 30 seconds.
    let refused = async {
        while sent(&url, Method::GET, &token, None).await?.status() != StatusCode::UNAUTHORIZED {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Ok(())
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), refused).await?
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_denied_never_reaches_the_server() -> Result<()> {
    let house = House::open().await?;
    let (mirror, seen) = mirror().await?;
    let (_proxy, url) = house.proxy(mirror.url()).await?;
    let client = reqwest::Client::new();
    for tool in ["get-env", "Echo", "echo/x", "everything/echo"] {
        let sent = client.post(&url).bearer_auth(&house.token).body(call(tool).to_string());
        let answer: Value = serde_json::from_slice(&sent.send().await?.bytes().await?)?;
        ensure!(answer["result"]["isError"] == true, "{tool}: {answer}");
    }
    for token in ["at_made_up", "sk_live_1", ""] {
        let sent = client.post(&url).bearer_auth(token).body(call("echo").to_string());
        ensure!(sent.send().await?.status() == StatusCode::UNAUTHORIZED, "{token}");
    }
    ensure!(seen.lock().expect("no panic").is_empty(), "the server heard of it");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_to_its_own_server_only_wherever_that_would_send_it() -> Result<()> {
    let house = House::open().await?;
    let (elsewhere, seen) = mirror().await?;
    let target = format!("{}/mcp", elsewhere.url());
    let sends_away = any(move || {
        let target = target.clone();
        async move { (StatusCode::TEMPORARY_REDIRECT, [("location", target)]).into_response() }
    });
    let server = Served::on_loopback(Router::new().fallback(sends_away)).await?;
    let (_proxy, url) = house.proxy(server.url()).await?;
    let sent = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let sent = sent.post(&url).bearer_auth(&house.token).body(call("echo").to_string());
    let answer = sent.send().await?;
    ensure!(answer.status() == StatusCode::TEMPORARY_REDIRECT, "{answer:?}");
    ensure!(answer.headers().get("location").is_none(), "nor does it send the client: {answer:?}");
    ensure!(seen.lock().expect("no panic").is_empty(), "it followed");

    server.stop().await?;
    let sent = reqwest::Client::new().post(&url).bearer_auth(&house.token);
    let answer = sent.body(call("echo").to_string()).send().await?;
    ensure!(answer.status() == StatusCode::BAD_GATEWAY, "{answer:?}");
    ensure!(!answer.text().await?.contains("127.0.0.1"), "it says where the server is");
    let outcomes: Vec<_> =
        house.reported(2).await?.into_iter().map(|(_, outcome)| outcome).collect();
    ensure!(outcomes[1] == "http 502", "{outcomes:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_guardian_in_the_environment_it_brings_one_and_a_token_to_try_it() -> Result<()> {
    let (mirror, _seen) = mirror().await?;
    let mut command = example("mcp_proxy");
    let mut running = Running::start(command.args(["--upstream", mirror.url()]))?;
    let line = running.said("Authorization: Bearer at_").await?;
    let (_, token) = line.split_once("Bearer ").context("a token")?;
    let url = running.said("listening on ").await?;
    let url = url.trim_start_matches("listening on ");
    for (tool, allowed) in [("echo", true), ("get-env", false)] {
        let sent = reqwest::Client::new().post(url).bearer_auth(token);
        let answer = sent.body(call(tool).to_string()).send().await?.bytes().await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        ensure!(answer["result"]["isError"].is_null() == allowed, "{tool}: {answer}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_how_it_is_used_where_that_is_asked() -> Result<()> {
    for (name, args) in [
        ("mcp_proxy", &["--help"][..]),
        ("mcp_proxy", &["--upstream", "http://127.0.0.1:9", "-h"]),
        ("mcp_rmcp_server", &["-h"]),
        ("tower_mcp_server", &["--help"]),
    ] {
        let output = in_time("its end", example(name).args(args).output()).await??;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success() && said.starts_with(&format!("use {name} ")), "{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_is_missing_and_ends() -> Result<()> {
    for (args, complaint) in [
        (&[][..], "no server to guard"),
        (&["--upstream"], "--upstream needs a value"),
        (&["--upstream", "nowhere"], "\"nowhere\" is no URL"),
        (&["--upstream", "file:///etc/passwd"], "is not over HTTP"),
        (&["--up", "x"], "\"--up\" is not understood"),
    ] {
        let mut command = example("mcp_proxy");
        let output = in_time("its end", command.args(args).output()).await??;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success() && said.contains(complaint), "{args:?}: {said}");
    }
    Ok(())
}
