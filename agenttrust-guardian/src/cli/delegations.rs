//! `agenttrust delegations`: what one agent lets another do in its place.

use std::process::ExitCode;
use std::time::Duration;

use agenttrust::client::DelegationFilter;
use agenttrust::model::{
    CreateDelegationRequest, Delegation, DelegationRestrictions, DelegationState,
};
use agenttrust::{AgentTrustError, Timestamp};
use clap::Subcommand;

use super::agents::id_of;
use super::remote::{self, Remote, in_our_words};
use super::{out, revoked};
use crate::domain::{GuardianError, duration};

/// The arguments of `agenttrust delegations`.
#[derive(Debug, Subcommand)]
pub(super) enum Delegations {
    /// Let an agent do part of what another one may do, and print the id of the delegation
    Create {
        #[command(flatten)]
        new: Box<New>,
        #[command(flatten)]
        remote: Remote,
    },
    /// List the delegations, revoked and expired ones too
    List {
        /// Only those that this agent gave or was given
        #[arg(long, value_name = "AGENT")]
        agent: Option<String>,
        /// Only those that stand so: active, expired or revoked
        #[arg(long)]
        state: Option<DelegationState>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show everything about a delegation
    Show {
        /// The id of the delegation, dlg_…
        id: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Revoke a delegation, with all that was made from it
    Revoke {
        /// The id of the delegation, dlg_…
        id: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Open the session of a delegation and print its id, for AGENTTRUST_SESSION_ID
    ///
    /// Take it in two steps, SESSION=$(agenttrust delegations session ID) || exit, then export
    /// AGENTTRUST_SESSION_ID=$SESSION: an empty variable counts as unset, and the agent would act on its own.
    Session {
        /// The id of the delegation, dlg_…
        id: String,
        #[command(flatten)]
        remote: Remote,
    },
}

/// A delegation that is to be made.
#[derive(Debug, clap::Args)]
pub(super) struct New {
    /// The agent that gives: its id, or its name where only one has it
    #[arg(long, value_name = "AGENT")]
    from: String,
    /// The agent that is given to, likewise
    #[arg(long, value_name = "AGENT")]
    to: String,
    /// The scopes that are given, such as files:read or refund; may be given several times
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scope: Vec<String>,
    /// The time that it lives, such as 30m or 2h, and never longer than the one that it is made from
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = lifetime)]
    ttl: Duration,
    /// The delegation that it is made from, which was given to the agent that gives
    #[arg(long, value_name = "DELEGATION")]
    parent: Option<String>,
    /// Restrict it to this tool, such as github/issues/*; may be given several times
    #[arg(long = "tool", value_name = "TOOL")]
    tools: Vec<String>,
    /// Restrict it to the tools of this server; may be given several times
    #[arg(long = "server", value_name = "SERVER")]
    servers: Vec<String>,
    /// Let so many calls through in all
    #[arg(long, value_name = "NUMBER")]
    max_calls: Option<u32>,
    /// End it then at the latest, such as 2026-12-31T18:00:00Z
    #[arg(long, value_name = "TIME")]
    not_after: Option<Timestamp>,
}

/// The longest life of a delegation.
const LIVES_MOST: Duration = Duration::from_secs(30 * 86_400);

fn lifetime(text: &str) -> Result<Duration, String> {
    let parsed = duration::parse(text, &duration::UNITS, LIVES_MOST);
    parsed.ok_or_else(|| "write it as 90s, 30m, 2h or 7d; 30d is the most".to_owned())
}

impl New {
    fn request(self) -> CreateDelegationRequest {
        let mut restrictions = DelegationRestrictions::default();
        restrictions.tools = Some(self.tools).filter(|tools| !tools.is_empty());
        restrictions.servers = Some(self.servers).filter(|servers| !servers.is_empty());
        restrictions.max_calls = self.max_calls;
        restrictions.not_after = self.not_after;
        CreateDelegationRequest {
            from_agent_id: self.from,
            to_agent_id: self.to,
            scope: self.scope,
            ttl_seconds: Some(self.ttl.as_secs()),
            restrictions: Some(restrictions).filter(|it| *it != DelegationRestrictions::default()),
            parent_delegation_id: self.parent,
        }
    }
}

/// The members of the API, and the options that give them here.
const OPTIONS: [(&str, &str); 9] = [
    ("from_agent_id", "--from"),
    ("to_agent_id", "--to"),
    ("ttl_seconds", "--ttl"),
    ("parent_delegation_id", "--parent"),
    ("restrictions.tools", "--tool"),
    ("restrictions.servers", "--server"),
    ("restrictions.max_calls", "--max-calls"),
    ("restrictions.not_after", "--not-after"),
    ("scope", "--scope"),
];

/// Says what the Guardian said, with the option that is meant.
fn failed(error: AgentTrustError) -> GuardianError {
    in_our_words(remote::failed(error), &OPTIONS)
}

impl Delegations {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            Self::Create { new, remote } => create(*new, &remote).await?,
            Self::List { agent, state, remote } => list(agent, state, &remote).await?,
            Self::Show { id, remote } => {
                let delegation = remote.client()?.delegations().get(&id).await.map_err(failed)?;
                match remote.json {
                    true => out::json(&delegation)?,
                    false => out::facts(&about(&delegation))?,
                }
            }
            Self::Revoke { id, remote } => {
                let client = remote.client()?;
                let taken = client.delegations().take_back(&id).await.map_err(failed)?;
                revoked::tell(&id, &taken, remote.json)?;
            }
            Self::Session { id, remote } => {
                let session =
                    remote.client()?.delegations().init_session(&id).await.map_err(failed)?;
                match remote.json {
                    true => out::json(&session)?,
                    false => out::say(&session.session_id)?,
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn create(new: New, remote: &Remote) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let mut request = new.request();
    for named in [&mut request.from_agent_id, &mut request.to_agent_id] {
        *named = id_of(&client, named).await?;
    }
    let delegation = client.delegations().create(&request).await.map_err(failed)?;
    match remote.json {
        true => out::json(&delegation),
        false => out::say(&delegation.id),
    }
}

async fn list(
    agent: Option<String>,
    state: Option<DelegationState>,
    remote: &Remote,
) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let mut filter = DelegationFilter::default();
    if let Some(named) = agent {
        filter.agent_id = Some(id_of(&client, &named).await?);
    }
    filter.state = state;
    let filtered = filter.agent_id.is_some() || state.is_some();
    let mut found = Vec::new();
    loop {
        let page = client.delegations().list_with(&filter).await.map_err(failed)?;
        found.extend(page.items);
        match page.next {
            Some(next) => filter.before = Some(next),
            None => break,
        }
    }
    if remote.json {
        return out::json(&found);
    }
    if found.is_empty() && filtered {
        return out::say("there is no delegation of that agent or state");
    }
    if found.is_empty() {
        return out::say("no delegation is there; make one with `agenttrust delegations create`");
    }
    let rows: Vec<_> = found
        .iter()
        .map(|it| {
            let scope = it.scope.join(", ");
            let state = match it.usable {
                Some(false) if it.state == DelegationState::Active => {
                    "active, not usable".to_owned()
                }
                _ => it.state.to_string(),
            };
            [it.id.clone(), it.from_agent_id.clone(), it.to_agent_id.clone(), state, scope]
        })
        .collect();
    out::table(["DELEGATION", "FROM", "TO", "STATE", "SCOPE"], &rows)
}

/// Returns everything about a delegation, line by line.
fn about(delegation: &Delegation) -> Vec<(&'static str, String)> {
    let restrictions = &delegation.restrictions;
    let listed = |names: &Option<Vec<String>>| names.as_deref().unwrap_or_default().join(", ");
    vec![
        ("delegation", delegation.id.clone()),
        ("from", delegation.from_agent_id.clone()),
        ("to", delegation.to_agent_id.clone()),
        ("state", delegation.state.to_string()),
        ("not usable", delegation.unusable_because.clone().unwrap_or_default()),
        ("scope", delegation.scope.join(", ")),
        ("tools", listed(&restrictions.tools)),
        ("servers", listed(&restrictions.servers)),
        ("calls at most", restrictions.max_calls.map(|most| most.to_string()).unwrap_or_default()),
        ("made from", delegation.delegation_chain.join(", ")),
        ("made with key", delegation.created_by.clone().unwrap_or_default()),
        ("made", out::when_exactly(delegation.created_at)),
        ("ends", out::when_exactly(delegation.expires_at)),
        ("revoked", out::when_exactly(delegation.revoked_at)),
    ]
}
