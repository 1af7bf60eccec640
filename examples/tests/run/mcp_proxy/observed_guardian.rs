//! A Guardian, agents of it, the proxy, and a server behind that says what it was sent.

use std::sync::{Arc, Mutex};

use agenttrust::{CreateAgentRequest, IssueTokenRequest};
use agenttrust_examples::Served;
use agenttrust_guardian::{Guardian, Role};
use agenttrust_testkit::eventually_within;
use anyhow::Result;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::middleware::{Next, from_fn};
use axum::routing::any;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::running::{Running, STEP_TIMEOUT, example};

/// Returns an agent that may use two tools, and a token of it for that server.
pub(crate) async fn agent(
    guardian: &Guardian,
    name: &str,
    server: &str,
) -> Result<(String, String)> {
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
pub(crate) struct ObservedGuardian {
    served: Served,
    gateway_key: String,
    pub(crate) token: String,
    reports: Arc<Mutex<Vec<Value>>>,
    pub(crate) guardian: Guardian,
}

impl ObservedGuardian {
    pub(crate) async fn start() -> Result<Self> {
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

    /// Returns the proxy in front of a server, and where it listens.
    pub(crate) async fn proxy(&self, upstream: &str) -> Result<(Running, String)> {
        let mut command = example("mcp_proxy");
        command.args(["--upstream", upstream]);
        command
            .env("AGENTTRUST_URL", self.served.url())
            .env("AGENTTRUST_API_KEY", &self.gateway_key);
        started(&mut command).await
    }

    /// Waits for so many reports; returns tool and outcome of each.
    pub(crate) async fn reported(&self, count: usize) -> Vec<(String, String)> {
        let all = async || {
            let reports = self.reports.lock().expect("no panic").clone();
            (reports.len() >= count).then_some(reports)
        };
        let reports = eventually_within(STEP_TIMEOUT, "the reports took too long", all).await;
        let outcome = |report: &Value| match &report["success"] {
            Value::Bool(true) => "success".to_owned(),
            _ => report["error_type"].as_str().unwrap_or("?").to_owned(),
        };
        let tool = |report: &Value| report["tool_name"].as_str().unwrap_or("?").to_owned();
        reports.iter().map(|report| (tool(report), outcome(report))).collect()
    }
}

pub(crate) async fn started(command: &mut Command) -> Result<(Running, String)> {
    let mut running = Running::start(command)?;
    let line = running.said("listening on ").await?;
    Ok((running, line.trim_start_matches("listening on ").to_owned()))
}

/// Returns a server of our own that says what it was sent.
pub(crate) async fn mirror() -> Result<(Served, Arc<Mutex<Vec<HeaderMap>>>)> {
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

pub(crate) fn call(tool: &str) -> Value {
    let params = json!({ "name": tool, "arguments": { "message": "x" } });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })
}

/// Sends a call of `echo`, or what has no body, in this session.
pub(crate) async fn sent(
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
