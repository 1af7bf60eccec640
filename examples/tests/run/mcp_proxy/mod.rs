//! `mcp_proxy` between the official TypeScript client and the official "everything" server, neither of
//! which knows of it; and in front of servers that are up to no good.
//!
//! The packages are those of `peers/`, after `npm ci` in there. Where they are not, or no `node`, their
//! test skips and says so.

mod observed_guardian;
mod sessions;

use std::path::Path;

use agenttrust_examples::Served;
use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::any;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Command;

use self::observed_guardian::{ObservedGuardian, call, mirror, sent};
use crate::running::{Running, example, in_time, node_with_the_peers};

/// Returns the "everything" server on a free port, and its URL.
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
    let guardian = ObservedGuardian::start().await?;
    let (_server, upstream) = everything(server).await?;
    let (_proxy, url) = guardian.proxy(&upstream).await?;
    script.env("PROXY", Path::new(&url)).env("TOKEN", &guardian.token);
    let output = in_time("the script", script.output()).await??;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && printed.trim_end().ends_with("all of it"),
        "{}\n{printed}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let slow = "everything/trigger-long-running-operation";
    let mut reported = guardian.reported(4).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_shown_the_message_and_nothing_of_who_sent_it() -> Result<()> {
    let guardian = ObservedGuardian::start().await?;
    let (mirror, seen) = mirror().await?;
    let (_proxy, url) = guardian.proxy(&format!("{}/here?x=1", mirror.url())).await?;
    let opened = sent(&url, Method::POST, &guardian.token, None).await?;
    ensure!(opened.headers()["mcp-session-id"] == "s1", "{opened:?}");
    let answer = reqwest::Client::new()
        .post(format!("{url}?x=2"))
        .bearer_auth(&guardian.token)
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
    let reported = guardian.reported(2).await;
    ensure!(reported[1] == ("everything/echo".to_owned(), "success".to_owned()), "{reported:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_denied_never_reaches_the_server() -> Result<()> {
    let guardian = ObservedGuardian::start().await?;
    let (mirror, seen) = mirror().await?;
    let (_proxy, url) = guardian.proxy(mirror.url()).await?;
    let client = reqwest::Client::new();
    for tool in ["get-env", "Echo", "echo/x", "everything/echo"] {
        let sent = client.post(&url).bearer_auth(&guardian.token).body(call(tool).to_string());
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
    let guardian = ObservedGuardian::start().await?;
    let (elsewhere, seen) = mirror().await?;
    let target = format!("{}/mcp", elsewhere.url());
    let sends_away = any(move || {
        let target = target.clone();
        async move { (StatusCode::TEMPORARY_REDIRECT, [("location", target)]).into_response() }
    });
    let server = Served::on_loopback(Router::new().fallback(sends_away)).await?;
    let (_proxy, url) = guardian.proxy(server.url()).await?;
    let sent = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let sent = sent.post(&url).bearer_auth(&guardian.token).body(call("echo").to_string());
    let answer = sent.send().await?;
    ensure!(answer.status() == StatusCode::TEMPORARY_REDIRECT, "{answer:?}");
    ensure!(answer.headers().get("location").is_none(), "nor does it send the client: {answer:?}");
    ensure!(seen.lock().expect("no panic").is_empty(), "it followed");

    server.stop().await?;
    let sent = reqwest::Client::new().post(&url).bearer_auth(&guardian.token);
    let answer = sent.body(call("echo").to_string()).send().await?;
    ensure!(answer.status() == StatusCode::BAD_GATEWAY, "{answer:?}");
    ensure!(!answer.text().await?.contains("127.0.0.1"), "it says where the server is");
    let outcomes: Vec<_> =
        guardian.reported(2).await.into_iter().map(|(_, outcome)| outcome).collect();
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
