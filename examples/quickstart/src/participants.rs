//! [`Participants`]: a Guardian, three agents with keys of their own, and an operator.

use agenttrust::{AgentTrustClient, AgentTrustGuard, CreateAgentRequest};
use agenttrust_guardian::{Guardian, Role};

/// The Guardian of the story, its agents and its operator.
#[derive(Debug)]
pub(crate) struct Participants {
    pub(crate) guardian: Guardian,
    /// The agent that may do everything with files.
    pub(crate) librarian: Agent,
    /// The agent that may list and read them.
    pub(crate) trainee: Agent,
    /// Serves them over HTTP.
    pub(crate) website: Agent,
    pub(crate) operator: Operator,
}

/// An agent: its key speaks for it and for no other, and cannot approve anything.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) name: &'static str,
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) client: AgentTrustClient,
    pub(crate) guard: AgentTrustGuard,
}

/// A person who decides what agents may not decide themselves.
#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) key: String,
    pub(crate) client: AgentTrustClient,
}

impl Participants {
    pub(crate) async fn assemble() -> anyhow::Result<Self> {
        // In memory, and as strict as one that is served.
        let guardian = Guardian::in_memory().await?;
        Ok(Self {
            librarian: Agent::register(&guardian, "librarian", &["files:*"]).await?,
            trainee: Agent::register(&guardian, "trainee", &["files:list", "files:read"]).await?,
            website: Agent::register(&guardian, "website", &["http/*"]).await?,
            operator: Operator::appoint(&guardian).await?,
            guardian,
        })
    }

    pub(crate) fn agents(&self) -> [&Agent; 3] {
        [&self.librarian, &self.trainee, &self.website]
    }
}

impl Agent {
    async fn register(
        guardian: &Guardian,
        name: &'static str,
        capabilities: &[&str],
    ) -> anyhow::Result<Self> {
        let request = CreateAgentRequest {
            name: name.to_string(),
            capabilities: capabilities.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        let id = guardian.client().agents().create(&request).await?.id;
        let key = guardian.create_key(Role::Agent, &[&id]).await?;
        let client = guardian.client_with_key(&key)?;
        let guard = AgentTrustGuard::new(client.clone(), &id);
        Ok(Self { name, id, key, client, guard })
    }
}

impl Operator {
    async fn appoint(guardian: &Guardian) -> anyhow::Result<Self> {
        let key = guardian.create_key(Role::Operator, &[]).await?;
        let client = guardian.client_with_key(&key)?;
        Ok(Self { key, client })
    }
}
