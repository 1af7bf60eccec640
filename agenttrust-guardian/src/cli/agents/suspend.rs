//! `agenttrust agents suspend` and `reactivate`: an agent that may do nothing for a while.

use clap::Args;
use serde_json::json;

use super::super::out;
use super::super::remote::Remote;
use super::{failed, id_of};
use crate::domain::GuardianError;

/// An agent, and why it is suspended or reactivated.
#[derive(Debug, Args)]
pub(in crate::cli) struct Suspension {
    /// The id of the agent, agt_…, or its name where only one has it
    agent: String,
    /// The reason, which is recorded
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    remote: Remote,
}

impl Suspension {
    /// Suspends the agent.
    pub(in crate::cli) async fn suspend(self) -> Result<(), GuardianError> {
        let client = self.remote.client()?;
        let id = id_of(&client, &self.agent).await?;
        client.agents().suspend(&id, &self.reason).await.map_err(failed)?;
        self.tell(&id, "suspended", "is suspended")
    }

    /// Lets the agent act again.
    pub(in crate::cli) async fn reactivate(self) -> Result<(), GuardianError> {
        let client = self.remote.client()?;
        let id = id_of(&client, &self.agent).await?;
        client.agents().reactivate(&id, &self.reason).await.map_err(failed)?;
        self.tell(&id, "active", "is active again")
    }

    fn tell(&self, id: &str, status: &str, sentence: &str) -> Result<(), GuardianError> {
        match self.remote.json {
            true => out::json(&json!({ "id": id, "status": status })),
            false => out::say(&out::harmless(&format!("{id} {sentence}"))),
        }
    }
}
