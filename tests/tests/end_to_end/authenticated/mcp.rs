//! Agents that come to an MCP server: each is asked about as itself, whether the layer reads the
//! messages or the handler is guarded.

use std::sync::Arc;

use agenttrust::AgentTrustGuard;
use agenttrust_tests::bounded::in_a_runtime;
use agenttrust_tests::runs::Runs;
use agenttrust_tests::socket::Socket;
use agenttrust_tower::rmcp::GuardedHandlerExt;
use agenttrust_tower::{AuthenticateLayer, McpHttpLayer};
use anyhow::{Context, Result};
use axum::Router;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use serde_json::{Value, json};

use crate::authenticated::counting_guardian::CountingGuardian;

#[derive(Clone)]
struct Notes {
    runs: Runs,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Note {
    name: String,
}

#[tool_router]
impl Notes {
    /// Reads a note.
    #[tool(annotations(read_only_hint = true))]
    async fn notes_read(&self, Parameters(Note { name }): Parameters<Note>) -> String {
        self.runs.ran(&name);
        format!("the text of {name}")
    }
}

#[tool_handler]
impl ServerHandler for Notes {}

/// The place of the guard.
#[derive(Clone, Copy, Debug)]
enum Guarded {
    InFront,
    AroundTheHandler,
}

fn server(runs: &Runs, guard: &AgentTrustGuard, guarded: Guarded) -> Router {
    let mut config = StreamableHttpServerConfig::default();
    config.legacy_session_mode = false;
    config.json_response = true;
    let notes = Notes { runs: runs.clone() };
    let sessions = Arc::new(LocalSessionManager::default());
    match guarded {
        Guarded::AroundTheHandler => {
            let handler = notes.guarded(guard.clone());
            let service = StreamableHttpService::new(move || Ok(handler.clone()), sessions, config);
            Router::new().route_service("/mcp", service)
        }
        Guarded::InFront => {
            let service = StreamableHttpService::new(move || Ok(notes.clone()), sessions, config);
            Router::new().route_service("/mcp", service).layer(McpHttpLayer::new(guard.clone()))
        }
    }
}

async fn call(url: &str, token: &str) -> Result<Value> {
    let params = json!({ "name": "notes_read", "arguments": { "name": "plan" } });
    let message = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params });
    let response = reqwest::Client::new()
        .post(format!("{url}/mcp"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-06-18")
        .body(message.to_string())
        .send()
        .await?;
    Ok(serde_json::from_slice(&response.bytes().await?)?)
}

#[test]
fn each_agent_calls_the_tools_of_a_server_as_itself() -> Result<()> {
    in_a_runtime(async || {
        for guarded in [Guarded::InFront, Guarded::AroundTheHandler] {
            let guardian = CountingGuardian::open()?;
            let gateway = guardian.gateway().await?;
            let guard = AgentTrustGuard::gateway(gateway.clone()).build();
            let runs = Runs::default();
            let router = server(&runs, &guard, guarded).layer(AuthenticateLayer::new(gateway));
            let socket = Socket::serve(router)?;

            let reader = guardian.agent(&["notes:read"]).await?;
            let other = guardian.agent(&["mail:send"]).await?;
            let of_reader = guardian.token(&reader, &["notes:read"], &[], 300).await?.token;
            let of_other = guardian.token(&other, &["mail:send"], &[], 300).await?.token;

            let denied = call(&socket.url(), &of_other).await?;
            assert_eq!(denied["id"], 7, "{guarded:?}: {denied}");
            assert_eq!(denied["result"]["isError"], true, "{guarded:?}: {denied}");
            let text = denied["result"]["content"][0]["text"].as_str().context("no text")?;
            assert!(text.contains("is denied"), "{text}");
            assert!(runs.so_far().is_empty(), "{guarded:?}");

            let allowed = call(&socket.url(), &of_reader).await?;
            let text = &allowed["result"]["content"][0]["text"];
            assert_eq!(text, "the text of plan", "{guarded:?}: {allowed}");
            assert_eq!(runs.so_far(), ["plan"]);

            guard.close().await?;
            for (agent, outcomes) in [(&reader, 1), (&other, 0)] {
                let decisions = guardian.admin().audited(&agent.id, "decision").await?;
                assert_eq!(decisions.len(), 1, "{guarded:?}: {decisions:?}");
                assert_eq!(decisions[0]["tool"], "notes_read");
                let told = guardian.admin().audited(&agent.id, "outcome").await?;
                assert_eq!(told.len(), outcomes, "{guarded:?}: {told:?}");
            }
        }
        Ok(())
    })
}
