//! Agents that are reached through a Guardian.

use std::path::{Path, PathBuf};

use agenttrust_tests::test_guardian::bot;
use anyhow::{Context, Result};
use http::Method;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::mcp::guardian_with_agent::GuardianWithAgent;
use crate::programs::{python_script, started};
use crate::python::python_with_all;

/// The packages that the scripts for Python stand on.
const PACKAGES: [(&str, &str); 4] = [
    ("a2a-sdk[http-server,signing]", "1.3.0"),
    ("uvicorn", "0.54.0"),
    ("joserfc", "1.8.0"),
    ("rfc8785", "0.1.4"),
];

/// Returns a Python with the official SDK of A2A. Where there is no such Python, prints why and returns `None`.
pub(crate) fn python() -> Option<PathBuf> {
    python_with_all(&PACKAGES)
}

/// The interface by which an agent is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Interface {
    /// JSON-RPC of 1.0.
    JsonRpc,
    /// HTTP+JSON of 1.0.
    HttpJson,
    /// JSON-RPC of 0.3.
    Old,
}

impl Interface {
    fn described(self, base: &str) -> Value {
        let (path, binding, version) = match self {
            Self::JsonRpc => ("rpc", "JSONRPC", "1.0"),
            Self::HttpJson => ("rest", "HTTP+JSON", "1.0"),
            Self::Old => ("rpc", "JSONRPC", "0.3"),
        };
        let url = format!("{base}/{path}");
        json!({ "url": url, "protocol_binding": binding, "protocol_version": version })
    }
}

/// An agent on the official SDK for Python, as a process, until this is dropped.
#[derive(Debug)]
pub(crate) struct Target {
    url: String,
    _process: Child,
}

impl Target {
    pub(crate) async fn start(python: &Path) -> Result<Self> {
        let mut command = Command::new(python);
        command.arg(python_script("a2a_target.py"));
        let (process, line) = started(command, "listening on ").await?;
        let url = line.trim_start_matches("listening on ").trim().to_owned();
        Ok(Self { url, _process: process })
    }

    /// Puts it behind a Guardian, and returns its id there.
    pub(crate) async fn behind(
        &self,
        guardian: &GuardianWithAgent,
        interface: Interface,
    ) -> Result<String> {
        published(guardian, Some(interface.described(&self.url))).await
    }

    /// Returns every message that it was given.
    pub(crate) async fn seen(&self) -> Result<Vec<Value>> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let answer = client.get(format!("{}/seen", self.url)).send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }
}

/// Registers an agent with a published card, which is reached by this interface, or else fetches its tasks itself.
pub(crate) async fn published(
    guardian: &GuardianWithAgent,
    interface: Option<Value>,
) -> Result<String> {
    let id = guardian.admin_client()?.agents().create(&bot(&["peer", "files:read"])).await?.id;
    let admin = guardian.served.admin();
    let options = json!({ "description": "An agent that is tried.", "interfaces": Vec::from_iter(interface) });
    let card = format!("/api/v1/agents/{id}/card");
    admin.ask(Method::POST, &card, Some(options)).await.context("a card")?;
    admin.ask(Method::PUT, &format!("{card}/publish"), None).await.context("a published card")?;
    Ok(id)
}

/// Returns where an agent is reached behind the Guardian.
pub(crate) fn address(guardian: &GuardianWithAgent, agent_id: &str) -> String {
    format!("{}/a2a/agents/{agent_id}", guardian.served.url())
}
