//! `agenttrust agents`: who may call tools.

mod change;
mod named;
mod suspend;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use agenttrust::model::{Agent, CreateKeyRequest, KeyRole};
use agenttrust::{AgentTrustError, CreateAgentRequest};
use clap::Subcommand;
use serde_json::json;

use self::change::{Capabilities, Edit};
pub(super) use self::named::id_of;
use self::suspend::Suspension;
use super::remote::{self, Remote, in_our_words};
use super::{given, out, revoked};
use crate::domain::GuardianError;
use crate::registry::{GROUPS, groups_of};

/// The most that is read of a public key, in bytes.
const PUBLIC_KEY_MOST: u64 = 16 << 10;

/// The arguments of `agenttrust agents`.
#[derive(Debug, Subcommand)]
pub(super) enum Agents {
    /// Register an agent and print its id
    Create {
        /// A name for people
        name: String,
        /// The capabilities of the agent, such as files:* or refund; may be given several times. Without any it may do
        /// nothing of its own: for an agent that only acts for others
        #[arg(long = "capability", value_name = "CAPABILITY",
              value_parser = one_capability)]
        capabilities: Vec<String>,
        /// A group that it is in, which policies name; may be given several times
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// The public half of its Ed25519 key, a file of PEM; - reads it from standard input. With it, it proves that it is
        /// the one that asks
        #[arg(long, value_name = "FILE")]
        public_key: Option<PathBuf>,
        /// Make an API key that is bound to it, too, and print it, once, in a line below the id
        #[arg(long)]
        key: bool,
        #[command(flatten)]
        remote: Remote,
    },
    /// List the agents, revoked ones too
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Show everything about an agent
    Show {
        /// The id of the agent, agt_…, or its name where only one has it
        id: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Give an agent more capabilities: for the tokens and sessions that begin from now on
    Grant(Capabilities),
    /// Take capabilities from an agent, and from its tokens and sessions
    Withdraw(Capabilities),
    /// Change what an agent is called, may use, is in and is described as
    Edit(Edit),
    /// Suspend an agent: it may do nothing until it is reactivated
    Suspend(Suspension),
    /// Lift the suspension of an agent
    Reactivate(Suspension),
    /// Revoke an agent for good, with its tokens and sessions
    Revoke {
        /// The id of the agent, agt_…
        id: String,
        /// The reason, which is recorded
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        #[command(flatten)]
        remote: Remote,
    },
}

/// Returns one capability. Several in one argument would be one that covers nothing.
fn one_capability(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it is empty; name a tool, as in files:read".to_owned()),
        text if text.contains(',') => {
            Err("it has a comma; give --capability once for each".to_owned())
        }
        text => Ok(text.to_owned()),
    }
}

/// The members of the API, and the options that give them here.
const OPTIONS: [(&str, &str); 7] = [
    ("public_key", "--public-key"),
    ("requires_proof", "--require-proof"),
    ("metadata.groups", "--group"),
    ("groups", "--group"),
    ("metadata", "--metadata"),
    ("capabilities", "--capability"),
    ("reason", "--reason"),
];

/// Says what the Guardian said, with the option that is meant.
fn failed(error: AgentTrustError) -> GuardianError {
    in_our_words(remote::failed(error), &OPTIONS)
}

impl Agents {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            Self::Create { name, capabilities, groups, public_key, key, remote } => {
                let mut request = CreateAgentRequest { name, capabilities, ..Default::default() };
                // Without one no pair is made: its private half would have to be shown and kept.
                let public_key = public_key.as_deref().map(read_public_key).transpose()?;
                request.public_key = Some(public_key.unwrap_or_default());
                if !groups.is_empty() {
                    request.metadata.insert(GROUPS.to_owned(), json!(groups));
                }
                create(request, key, &remote).await?;
            }
            Self::List { remote } => list(&remote).await?,
            Self::Show { id, remote } => show(&id, &remote).await?,
            Self::Grant(capabilities) => capabilities.grant().await?,
            Self::Withdraw(capabilities) => capabilities.withdraw().await?,
            Self::Edit(edit) => edit.run().await?,
            Self::Suspend(suspension) => suspension.suspend().await?,
            Self::Reactivate(suspension) => suspension.reactivate().await?,
            Self::Revoke { id, reason, remote } => {
                let client = remote.client()?;
                let id = named::id_to_revoke(&client, id).await?;
                let taken = client.agents().take_back(&id, &reason).await.map_err(failed)?;
                revoked::tell(&id, &taken, remote.json)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the public key in this file. A private one goes nowhere.
fn read_public_key(file: &Path) -> Result<String, GuardianError> {
    let pem = given::text(file, PUBLIC_KEY_MOST)?;
    let why = if pem.trim().is_empty() {
        "the public key is empty"
    } else if pem.contains("PRIVATE KEY") {
        "--public-key was given a private key, which stays with the agent and was not sent; its public half is what \
         `openssl pkey -pubout -in FILE` prints"
    } else {
        return Ok(pem);
    };
    Err(GuardianError::Invalid(why.to_owned()))
}

async fn create(
    request: CreateAgentRequest,
    with_key: bool,
    remote: &Remote,
) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let agent = client.agents().create(&request).await.map_err(failed)?;
    if agent.capabilities.is_empty() {
        eprintln!(
            "note: this agent may do nothing until it is given something: `agenttrust agents grant`, or a delegation"
        );
    }
    let key = match with_key {
        true => {
            let request = CreateKeyRequest::new(KeyRole::Agent).agents([&agent.id]);
            let made = client.keys().create(&request).await.map_err(|error| {
                let why = failed(error);
                GuardianError::Unavailable(format!(
                    "agent {} is registered, and its key could not be made: {why}",
                    agent.id
                ))
            })?;
            made.key
        }
        false => None,
    };
    let secret = key.as_ref().map(|key| key.as_str());
    if remote.json {
        return out::json_once(&json!({ "agent": agent, "key": secret }));
    }
    out::say(&agent.id)?;
    match secret {
        Some(secret) => out::secret_once(&out::harmless(secret)),
        None => Ok(()),
    }
}

async fn list(remote: &Remote) -> Result<(), GuardianError> {
    let agents = remote.client()?.agents().list().await.map_err(failed)?;
    if remote.json {
        return out::json(&agents);
    }
    if agents.is_empty() {
        return out::say("no agent is registered; make one with `agenttrust agents create`");
    }
    let rows: Vec<_> = agents
        .iter()
        .map(|agent| {
            let capabilities = agent.capabilities.join(", ");
            [agent.id.clone(), agent.name.clone(), agent.status.to_string(), capabilities]
        })
        .collect();
    out::table(["AGENT", "NAME", "STATUS", "CAPABILITIES"], &rows)
}

async fn show(named: &str, remote: &Remote) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let id = id_of(&client, named).await?;
    let agent = client.agents().get(&id).await.map_err(failed)?;
    if remote.json {
        return out::json(&agent);
    }
    out::facts(&about(&agent))
}

/// Returns everything about an agent, line by line.
fn about(agent: &Agent) -> Vec<(&'static str, String)> {
    vec![
        ("agent", agent.id.clone()),
        ("name", agent.name.clone()),
        ("status", agent.status.to_string()),
        ("framework", agent.framework.clone()),
        ("capabilities", agent.capabilities.join(", ")),
        ("groups", groups_of(agent).join(", ")),
        ("needs proof", if agent.requires_proof { "yes" } else { "no" }.to_owned()),
        ("organisation", agent.org_id.clone()),
        ("registered", out::when_exactly(agent.created_at)),
    ]
}
