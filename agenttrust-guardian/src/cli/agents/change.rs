//! `agenttrust agents grant`, `withdraw` and `edit`: an agent that is there, changed.

use std::path::PathBuf;

use agenttrust::model::UpdateAgentRequest;
use clap::Args;

use super::super::out;
use super::super::remote::Remote;
use super::{about, failed, id_of, one_capability, read_public_key};
use crate::domain::GuardianError;

/// Some of an agent's capabilities.
#[derive(Debug, Args)]
pub(in crate::cli) struct Capabilities {
    /// The id of the agent, agt_…, or its name where only one has it
    agent: String,
    /// Capabilities, such as files:* or refund
    #[arg(value_name = "CAPABILITY", required = true, value_parser = one_capability)]
    capabilities: Vec<String>,
    #[command(flatten)]
    remote: Remote,
}

/// The changes that an agent is to get.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("changes").required(true).multiple(true))]
pub(in crate::cli) struct Edit {
    /// The id of the agent, agt_…, or its name where only one has it
    agent: String,
    /// Give it this name
    #[arg(long, value_name = "TEXT", group = "changes")]
    name: Option<String>,
    /// Give it these capabilities and no others; may be given several times
    #[arg(long = "capability", value_name = "CAPABILITY", group = "changes",
          value_parser = one_capability)]
    capabilities: Vec<String>,
    /// Put it into these groups and no others; may be given several times
    #[arg(long = "group", value_name = "GROUP", group = "changes")]
    groups: Vec<String>,
    /// Take it out of every group
    #[arg(long, group = "changes", conflicts_with = "groups")]
    no_groups: bool,
    /// Keep this text in its metadata; with nothing after the `=`, take it out. May be given several times
    #[arg(long, value_name = "MEMBER=TEXT", group = "changes", value_parser = one_member)]
    metadata: Vec<(String, Option<String>)>,
    /// Have every check of it need a proof that it has its private key, whatever the API key is; or need none, with false
    #[arg(long, value_name = "BOOL", group = "changes")]
    require_proof: Option<bool>,
    /// Give it this public key instead of the one that it has, a file of PEM; - reads it from standard input. What is
    /// bound to the one that it had, its workload tokens and sessions, ends at once
    #[arg(long, value_name = "FILE", group = "changes")]
    public_key: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

/// Returns one member of the metadata.
fn one_member(text: &str) -> Result<(String, Option<String>), String> {
    match text.split_once('=') {
        Some((member, value)) if !member.is_empty() => {
            Ok((member.to_owned(), Some(value.to_owned()).filter(|value| !value.is_empty())))
        }
        _ => {
            Err("it is no member of the metadata; write MEMBER=TEXT, as in team=billing".to_owned())
        }
    }
}

impl Capabilities {
    /// Gives them to the agent.
    pub(in crate::cli) async fn grant(self) -> Result<(), GuardianError> {
        update(&self.agent, &UpdateAgentRequest::new().grant(self.capabilities), &self.remote).await
    }

    /// Takes them from the agent.
    pub(in crate::cli) async fn withdraw(self) -> Result<(), GuardianError> {
        let request = UpdateAgentRequest::new().withdraw(self.capabilities);
        update(&self.agent, &request, &self.remote).await
    }
}

impl Edit {
    /// Changes the agent.
    pub(in crate::cli) async fn run(self) -> Result<(), GuardianError> {
        let mut request = UpdateAgentRequest::new();
        request.name = self.name;
        request.capabilities = Some(self.capabilities).filter(|all| !all.is_empty());
        request.groups = Some(self.groups).filter(|groups| self.no_groups || !groups.is_empty());
        request.requires_proof = self.require_proof;
        request.public_key = self.public_key.as_deref().map(read_public_key).transpose()?;
        for (member, value) in self.metadata {
            request = request.metadata(member, value);
        }
        update(&self.agent, &request, &self.remote).await
    }
}

async fn update(
    named: &str,
    request: &UpdateAgentRequest,
    remote: &Remote,
) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let id = id_of(&client, named).await?;
    let agent = client.agents().update(&id, request).await.map_err(failed)?;
    if remote.json {
        return out::json(&agent);
    }
    out::facts(&about(&agent))
}
