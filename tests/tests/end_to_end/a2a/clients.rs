//! The official clients, in each version of A2A that they speak, and the official agent, in each version and binding
//! that it has. What the clients do with it directly they do through the Guardian too.

use agenttrust_tests::bounded::in_a_runtime;
use anyhow::Result;
use tokio::process::Command;

use super::targets::{Interface, Target, address, python};
use crate::mcp::guardian_with_agent::GuardianWithAgent;
use crate::programs::{node_of, packages_of, python_script, run};

/// Runs the client for Python in this version, with the agent behind this interface.
fn python_client(version: &'static str, interface: Interface) -> Result<()> {
    let Some(python) = python() else { return Ok(()) };
    in_a_runtime(async move || {
        let mut command = Command::new(&python);
        command.arg(python_script("a2a_clients.py")).args([version, "JSONRPC"]);
        through_the_guardian(&python, interface, command).await
    })
}

/// Runs the client for JavaScript in the same way.
fn javascript_client(version: &'static str, interface: Interface) -> Result<()> {
    let (Some(python), Some(node)) = (python(), node_of("a2a")) else { return Ok(()) };
    in_a_runtime(async move || {
        let mut command = Command::new(node);
        command.arg(packages_of("a2a").join("clients/client.mjs")).args([version, "JSONRPC"]);
        through_the_guardian(&python, interface, command).await
    })
}

async fn through_the_guardian(
    python: &std::path::Path,
    interface: Interface,
    mut script: Command,
) -> Result<()> {
    let (guardian, target) = (GuardianWithAgent::start().await?, Target::start(python).await?);
    let id = target.behind(&guardian, interface).await?;
    script
        .env("A2A_URL", address(&guardian, &id))
        .env("A2A_HEADERS", guardian.headers_as_json())
        .env("KEYS_URL", format!("{}/.well-known/jwks.json", guardian.served.url()));
    run(&mut script).await
}

#[test]
fn the_python_client_of_1_0_reaches_an_agent_by_json_rpc() -> Result<()> {
    python_client("1.0", Interface::JsonRpc)
}

#[test]
fn the_python_client_of_1_0_reaches_an_agent_by_http_and_json() -> Result<()> {
    python_client("1.0", Interface::HttpJson)
}

#[test]
fn the_python_client_of_1_0_reaches_an_agent_of_0_3() -> Result<()> {
    python_client("1.0", Interface::Old)
}

#[test]
fn the_python_client_of_0_3_reaches_an_agent_of_1_0() -> Result<()> {
    python_client("0.3", Interface::HttpJson)
}

#[test]
fn the_python_client_of_0_3_reaches_an_agent_of_0_3() -> Result<()> {
    python_client("0.3", Interface::Old)
}

#[test]
fn the_javascript_client_of_1_0_reaches_an_agent_and_verifies_its_card() -> Result<()> {
    javascript_client("1.0", Interface::JsonRpc)
}

#[test]
fn the_javascript_client_of_0_3_reaches_an_agent_and_verifies_its_card() -> Result<()> {
    javascript_client("0.3", Interface::JsonRpc)
}
