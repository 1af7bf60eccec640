//! A Guardian that may reach servers on this machine, and an agent that may do all there.

use std::collections::HashMap;

use agenttrust::AgentTrustClient;
use agenttrust_guardian::Role;
use agenttrust_tests::served::{Serve, Served};
use agenttrust_tests::test_guardian::bot;
use anyhow::{Context, Result};
use http::{HeaderName, HeaderValue, Method};
use serde_json::json;
use tempfile::TempDir;

use crate::AGENTTRUST;

/// The policies: the test is about how messages travel, so each call that an agent asks for is
/// allowed.
const POLICY: &str =
    "@id(\"all\") @reason(\"all of it is tried\") permit (principal, action, resource);";

/// A served Guardian, and the key of its agent.
#[derive(Debug)]
pub(crate) struct GuardianWithAgent {
    pub(crate) served: Served,
    pub(crate) agent_id: String,
    pub(crate) key: String,
    _policies: Option<TempDir>,
}

impl GuardianWithAgent {
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// Starts a Guardian with these settings.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Result<Self> {
        let policies = TempDir::with_prefix("policies-")?;
        std::fs::write(policies.path().join("all.cedar"), POLICY)?;
        let serve =
            reaching_here(settings).flag("--policies", policies.path().display().to_string());
        Self::of(serve, Some(policies)).await
    }

    /// Starts a Guardian with the policies that every Guardian has, by which what is destructive is
    /// held.
    pub(crate) async fn cautious() -> Result<Self> {
        Self::of(reaching_here(&[]), None).await
    }

    async fn of(serve: Serve, policies: Option<TempDir>) -> Result<Self> {
        let served = serve.start()?;
        let client = client(&served, served.admin_key())?;
        let agent_id = client.agents().create(&bot(&["*"])).await?.id;
        let key = served.admin().create_key(Role::Agent, &[&agent_id]).await?;
        Ok(Self { served, agent_id, key, _policies: policies })
    }

    /// Puts a server behind the Guardian, and returns its id.
    pub(crate) async fn register(&self, name: &str, url: &str) -> Result<String> {
        let body = json!({ "name": name, "url": url, "capabilities": ["echo"] });
        let made = self.served.admin().ask(Method::POST, "/mcp/servers", Some(body)).await?;
        Ok(made["id"].as_str().context("the answer shows no id")?.to_owned())
    }

    /// Returns where a server is reached behind the Guardian.
    pub(crate) fn proxied(&self, server_id: &str) -> String {
        format!("{}/mcp/{server_id}", self.served.url())
    }

    /// Returns a client with the agent's key.
    pub(crate) fn client(&self) -> Result<AgentTrustClient> {
        client(&self.served, &self.key)
    }

    /// Returns a client with an admin's key.
    pub(crate) fn admin_client(&self) -> Result<AgentTrustClient> {
        client(&self.served, self.served.admin_key())
    }

    /// Returns the headers that say who asks.
    pub(crate) fn headers(&self) -> [(&'static str, &str); 2] {
        [("x-api-key", &self.key), ("x-agent-id", &self.agent_id)]
    }

    /// Returns the same, as JSON for a script.
    pub(crate) fn headers_as_json(&self) -> String {
        json!(HashMap::from(self.headers())).to_string()
    }

    /// Returns the same, as rmcp takes them.
    pub(crate) fn header_map(&self) -> Result<HashMap<HeaderName, HeaderValue>> {
        let pairs = self.headers().into_iter();
        pairs.map(|(name, value)| Ok((HeaderName::from_static(name), value.parse()?))).collect()
    }
}

/// Returns how to start one that may reach servers on this machine.
fn reaching_here(settings: &[(&str, &str)]) -> Serve {
    let serve = Serve::new(AGENTTRUST).flag("--allow-outbound", "127.0.0.0/8");
    settings.iter().fold(serve, |serve, (name, value)| serve.flag(name, *value))
}

fn client(served: &Served, key: &str) -> Result<AgentTrustClient> {
    Ok(AgentTrustClient::builder().base_url(served.url()).api_key(key).build()?)
}
