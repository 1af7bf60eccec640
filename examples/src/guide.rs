//! Somewhere for the guide's examples to run: an embedded Guardian, or the one of the environment.

use agenttrust::{AgentTrustClient, AgentTrustError, CreateAgentRequest, blocking};
use agenttrust_guardian::{Guardian, Role};

use crate::Served;

/// A Guardian behind an address, and a key for it.
#[derive(Debug)]
pub struct Gateway {
    client: AgentTrustClient,
    key: String,
    /// Keeps the socket of an embedded Guardian open.
    _served: Option<Served>,
}

/// Returns the gateway of the environment where `AGENTTRUST_URL` names one; else a Guardian of this process,
/// on a free port of this machine.
///
/// The guide has one client ask and approve, so the Guardian of this process allows self-approval.
/// Outside of examples, leave that off: give the agent an agent's key and the approver an operator's.
///
/// # Errors
///
/// When the environment holds no URL, or the Guardian does not start.
pub async fn gateway_or_env() -> anyhow::Result<Gateway> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    if set("AGENTTRUST_URL").or_else(|| set("AGENTTRUST_BASE_URL")).is_some() {
        let key = set("AGENTTRUST_API_KEY").unwrap_or_default();
        return Ok(Gateway { client: AgentTrustClient::from_env()?, key, _served: None });
    }
    // The MCP server of section 10 is on this machine.
    let builder = Guardian::builder().allow_self_approval(true).allow_outbound("127.0.0.0/8");
    let guardian = builder.build().await?;
    let key = guardian.create_key(Role::Admin, &[]).await?;
    let served = Served::on_loopback(guardian.router()).await?;
    let client = AgentTrustClient::builder().base_url(served.url()).api_key(&key).build()?;
    Ok(Gateway { client, key, _served: Some(served) })
}

impl Gateway {
    /// Returns a client with the gateway's key.
    #[must_use]
    pub fn client(&self) -> AgentTrustClient {
        self.client.clone()
    }

    /// Returns the gateway's key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Runs both halves of an example, one after the other, with clients of the same gateway.
///
/// # Errors
///
/// The first error of either half, or of starting the Guardian.
pub fn run(
    asynchronous: impl AsyncFnOnce(AgentTrustClient) -> Result<(), AgentTrustError>,
    blocking: impl FnOnce(blocking::AgentTrustClient) -> Result<(), AgentTrustError>,
) -> anyhow::Result<()> {
    // It has threads of its own, so the Guardian goes on answering while `blocking` holds this one.
    let runtime = tokio::runtime::Runtime::new()?;
    let gateway = runtime.block_on(gateway_or_env())?;
    println!("async:");
    runtime.block_on(asynchronous(gateway.client()))?;
    println!("blocking:");
    blocking(blocking::AgentTrustClient::from(gateway.client()))?;
    Ok(())
}

/// Returns the agent of the guide with the capabilities that an example needs.
#[must_use]
pub fn bot(capabilities: &[&str]) -> CreateAgentRequest {
    CreateAgentRequest {
        name: "research-bot".to_string(),
        framework: "langchain".to_string(),
        capabilities: capabilities.iter().map(ToString::to_string).collect(),
        ..Default::default()
    }
}
