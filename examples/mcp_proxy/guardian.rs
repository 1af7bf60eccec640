//! Who is asked: a Guardian of this process, or the one that the environment names.

use agenttrust::{AgentTrustClient, CreateAgentRequest, IssueTokenRequest};
use agenttrust_guardian::{Guardian, Role};

/// A client with a gateway's key, and whatever has to live for as long as it is used.
///
/// A gateway may ask for any agent, and only inside of a session made from that agent's token.
pub(crate) struct Asked {
    client: AgentTrustClient,
    _guardian: Option<Guardian>,
}

impl Asked {
    /// Asks the Guardian of `AGENTTRUST_URL`, with a key of the role `gateway` in `AGENTTRUST_API_KEY`; without a URL
    /// one of this process, and prints a token of an agent to try it with: for that only, since every reader of the
    /// output has the token. In earnest a token goes to its agent and nowhere else.
    pub(crate) async fn from_env(server: &str) -> anyhow::Result<Self> {
        let set = |name| std::env::var(name).is_ok_and(|value| !value.is_empty());
        if set("AGENTTRUST_URL") {
            return Ok(Self { client: AgentTrustClient::from_env()?, _guardian: None });
        }
        let guardian = Guardian::in_memory().await?;
        let admin = guardian.client();
        // Of the tools of that server these and no others: its `get-env` shows the whole environment.
        let tools = ["echo", "get-sum", "trigger-long-running-operation"];
        let visitor = CreateAgentRequest {
            name: "visitor".to_owned(),
            capabilities: tools.map(|tool| format!("{server}/{tool}")).to_vec(),
            ..Default::default()
        };
        let agent = admin.agents().create(&visitor).await?;
        let token = IssueTokenRequest {
            agent_id: agent.id,
            scope: agent.capabilities,
            audience: vec![server.to_owned()],
            ttl: 600,
        };
        let token = admin.tokens().issue(&token).await?;
        eprintln!(
            "for trying only, and for 10 minutes, an agent that may use {}: Authorization: Bearer {}",
            tools.join(", "),
            token.token
        );
        let key = guardian.create_key(Role::Gateway, &[]).await?;
        Ok(Self { client: guardian.client_with_key(&key)?, _guardian: Some(guardian) })
    }

    pub(crate) fn client(&self) -> AgentTrustClient {
        self.client.clone()
    }
}
