//! Who is asked: a Guardian of this process, or the one that the environment names.

use agenttrust::{AgentTrustClient, AgentTrustGuard, CreateAgentRequest};
use agenttrust_examples::Served;
use agenttrust_guardian::{Guardian, Role};
use anyhow::{Context as _, bail};

use crate::desk::Desk;

/// The server's name at the Guardian: its tools are `files/read`, `files/delete`, and so on.
pub(crate) const SERVER: &str = "files";

/// The guard, and whatever has to live for as long as it is used.
pub(crate) struct Asked {
    guard: AgentTrustGuard,
    _guardian: Option<(Guardian, Served, Desk)>,
}

impl Asked {
    /// Asks the Guardian of `AGENTTRUST_URL`, with the key of `AGENTTRUST_API_KEY`, as the agent of
    /// `AGENTTRUST_AGENT_ID`; without a URL one of this process, where `approve` approves everything.
    pub(crate) async fn from_env(approve: bool) -> anyhow::Result<Self> {
        if set("AGENTTRUST_URL").is_none() {
            return Self::by_one_of_our_own(approve).await;
        }
        if approve {
            // This process has an agent's key, and an agent does not approve its own calls.
            bail!("--approve is for the built-in Guardian; approve where AGENTTRUST_URL points to");
        }
        let agent = set("AGENTTRUST_AGENT_ID").context(
            "AGENTTRUST_URL is set: set AGENTTRUST_AGENT_ID to the id of the agent that this server is",
        )?;
        let guard = guard(AgentTrustClient::from_env()?, &agent);
        Ok(Self { guard, _guardian: None })
    }

    async fn by_one_of_our_own(approve: bool) -> anyhow::Result<Self> {
        // In memory, and as strict as one that is served.
        let guardian = Guardian::in_memory().await?;
        let server = CreateAgentRequest {
            name: "file-server".to_owned(),
            capabilities: vec![format!("{SERVER}/*")],
            ..Default::default()
        };
        let agent = guardian.client().agents().create(&server).await?;
        let key = guardian.create_key(Role::Agent, &[&agent.id]).await?;
        let guard = guard(guardian.client_with_key(&key)?, &agent.id);

        // On a socket too, so that a person can approve from anywhere on this machine.
        let served = Served::on_loopback(guardian.router()).await?;
        let operators = guardian.create_key(Role::Operator, &[]).await?;
        let operator = guardian.client_with_key(&operators)?;
        let desk = Desk::start(operator, served.url(), &operators, approve)?;
        Ok(Self { guard, _guardian: Some((guardian, served, desk)) })
    }

    pub(crate) fn guard(&self) -> AgentTrustGuard {
        self.guard.clone()
    }
}

fn guard(client: AgentTrustClient, agent_id: &str) -> AgentTrustGuard {
    AgentTrustGuard::builder(client, agent_id)
        // Whoever approves sees what: the arguments of a held call, and of no other, go to the Guardian.
        .disclose_on_elevation(true)
        .build()
}

fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
