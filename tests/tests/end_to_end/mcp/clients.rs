//! Clients that other people wrote, in each version of the protocol that they speak: every tool of a server answers
//! them behind the Guardian, and what travels beside the answers arrives.

use std::path::Path;

use agenttrust_tests::bounded::in_a_runtime;
use anyhow::Result;
use tokio::process::Command;

use super::guardian_with_agent::GuardianWithAgent;
use super::peers::{Peer, folder, node, run};
use crate::programs::python_script;
use crate::python::python_with;

/// The version of the official SDK for Python.
const PYTHON_SDK: &str = "2.3.0";

/// The MCP server of a test.
#[derive(Clone, Copy, Debug)]
enum Server {
    /// The official server of up to 2025-11-25.
    Everything,
    /// The official server of 2026-07-28.
    Conformant,
}

/// Runs a client with a server that is registered with a Guardian.
async fn behind_the_guardian(node: &Path, server: Server, mut script: Command) -> Result<()> {
    let (peer, name) = match server {
        Server::Everything => (Peer::everything(node).await?, "everything"),
        Server::Conformant => (Peer::conformant(node).await?, "conformant"),
    };
    let guardian = GuardianWithAgent::start().await?;
    let server_id = guardian.register(name, &peer.url).await?;
    script
        .env("MCP_URL", guardian.proxied(&server_id))
        .env("MCP_HEADERS", guardian.headers_as_json());
    run(&mut script).await
}

fn typescript(server: Server, script: &'static str, args: &'static [&str]) -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let mut command = Command::new(&node);
        command.arg(folder().join("clients").join(script)).args(args);
        behind_the_guardian(&node, server, command).await
    })
}

fn python(server: Server, mode: &'static str) -> Result<()> {
    let (Some(node), Some(python)) = (node(), python_with("mcp", PYTHON_SDK)) else {
        return Ok(());
    };
    in_a_runtime(async move || {
        let mut command = Command::new(python);
        command.arg(python_script("mcp_clients.py")).arg(mode);
        behind_the_guardian(&node, server, command).await
    })
}

#[test]
fn the_typescript_sdk_1_calls_every_tool_and_hears_all_beside_the_answers() -> Result<()> {
    typescript(Server::Everything, "sdk1.mjs", &[])
}

#[test]
fn the_typescript_client_2_calls_every_tool_by_the_protocol_up_to_2025_11_25() -> Result<()> {
    typescript(Server::Everything, "client2.mjs", &["legacy"])
}

#[test]
fn the_typescript_client_2_calls_every_tool_by_the_protocol_of_2026_07_28() -> Result<()> {
    typescript(Server::Conformant, "client2.mjs", &["modern"])
}

#[test]
fn the_python_sdk_2_calls_every_tool_by_the_protocol_up_to_2025_11_25() -> Result<()> {
    python(Server::Everything, "legacy")
}

#[test]
fn the_python_sdk_2_calls_the_tools_by_the_protocol_of_2026_07_28() -> Result<()> {
    python(Server::Conformant, "modern")
}

#[test]
fn the_published_python_client_registers_a_server_and_calls_its_tools() -> Result<()> {
    let (Some(node), Some(python)) = (node(), python_with("agenttrustid", "0.4.0")) else {
        return Ok(());
    };
    in_a_runtime(async move || {
        let peer = Peer::everything(&node).await?;
        let guardian = GuardianWithAgent::start().await?;
        let mut command = Command::new(python);
        command.arg(python_script("mcp_clients.py")).arg("agenttrustid").env("MCP_URL", &peer.url);
        command
            .env("AGENTTRUST_URL", guardian.served.url())
            .env("AGENTTRUST_API_KEY", guardian.served.admin_key())
            .env("AGENT_ID", &guardian.agent_id);
        run(&mut command).await
    })
}
