//! A Guardian with what nearly every test of it needs: one who works, and one who decides.

use std::ops::Deref;

use crate::{Answer, Api};

/// A Guardian, an agent of it that may call everything, and the keys of those around it.
#[derive(Debug)]
pub struct Harness<G> {
    api: Api<G>,
    /// The agent.
    pub agent: String,
    /// The agent's key.
    pub key: String,
    /// The key of an operator, who decides.
    pub operator: String,
}

impl<G> Deref for Harness<G> {
    type Target = Api<G>;

    fn deref(&self) -> &Api<G> {
        &self.api
    }
}

impl<G> Harness<G> {
    /// Makes the agent and the keys.
    pub async fn new(api: Api<G>) -> Self {
        let (agent, key) = api.worker().await;
        let operator = api.key("operator", &[]).await;
        Self { api, agent, key, operator }
    }

    /// Asks whether the agent may call `tool`.
    pub async fn asks(&self, tool: &str) -> Answer {
        self.check(&self.key, &self.agent, tool).await
    }

    /// Asks in a session.
    pub async fn asks_in(&self, session: &str, tool: &str) -> Answer {
        self.check_in(&self.key, &self.agent, tool, session).await
    }

    /// Asks with these headers.
    pub async fn asks_with(&self, headers: &[(&str, &str)], tool: &str) -> Answer {
        self.with(headers).check(&self.key, &self.agent, tool).await
    }
}
