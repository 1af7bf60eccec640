//! Two servers of the same tools: over HTTP for many agents, and over stdio for one.

use std::path::Path;
use std::time::Duration;

use agenttrust::{AgentIdentity, AgentTrustClient, AgentTrustGuard};
use agenttrust_tower::{AuthenticateLayer, GuardLayer};
use anyhow::Context as _;
use axum::Router;
use tower::ServiceBuilder;
use tower::timeout::TimeoutLayer;
use tower_mcp::{HttpTransport, StdioTransport};

use crate::tools;

/// Serves over HTTP: every `tools/call` is checked as the agent behind the request's token.
///
/// `gateway` has a key of the role `gateway`.
pub(crate) fn over_http(folder: &Path, gateway: AgentTrustClient) -> (Router, AgentTrustGuard) {
    let guard = AgentTrustGuard::gateway(gateway.clone()).build();
    let layers = ServiceBuilder::new()
        // For the check and the tool together.
        .layer(TimeoutLayer::new(Duration::from_secs(60)))
        // The tools are `files/list` and so on, so that those of another server are others.
        .layer(GuardLayer::mcp_router(guard.clone()).server("files"));
    let router = HttpTransport::new(tools::all(folder))
        // Once, with all layers: a second `.layer(..)` would take the place of this one, and of its guard.
        .layer(layers)
        // What a layer outside knows of a request, the one inside is told.
        .bridge_extension::<AgentIdentity>()
        // Nobody goes on in an MCP session that another agent opened.
        .session_principal_from_extension(|agent: &AgentIdentity| agent.agent_id().to_owned())
        .into_router_at("/mcp")
        .layer(AuthenticateLayer::new(gateway).audience("files").realm("files"));
    (router, guard)
}

/// Serves over stdio: there is one agent, whose key is in the environment, and here one tool is guarded by itself.
pub(crate) async fn over_stdio(folder: &Path) -> anyhow::Result<()> {
    let agent = std::env::var("AGENTTRUST_AGENT_ID").context("AGENTTRUST_AGENT_ID is not set")?;
    // AGENTTRUST_URL and AGENTTRUST_API_KEY
    let guard = AgentTrustGuard::new(AgentTrustClient::from_env()?, &agent);
    let router = tools::with_delete_guarded(folder, guard.clone());
    StdioTransport::new(router).run().await?;
    guard.close().await?;
    Ok(())
}
