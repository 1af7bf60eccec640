//! `agenttrust approvals`: a person decides what is held.

use std::env;
use std::process::ExitCode;

use agenttrust::AgentTrustError;
use agenttrust::client::{ApprovalFilter, DecisionOptions};
use agenttrust::model::{Approval, ApprovalDecision, ApprovalStatus};
use clap::{Args, Subcommand};

use super::out;
use super::remote::{self, Remote, in_our_words};
use crate::domain::GuardianError;

/// The number of characters of an input that a list shows.
const LISTED_CHARS: usize = 60;

/// The arguments of `agenttrust approvals`.
#[derive(Debug, Subcommand)]
pub(super) enum Approvals {
    /// List the approvals that wait for an approver, or those that stand otherwise
    List {
        /// pending, approved, denied, expired or consumed
        #[arg(long, default_value = "pending")]
        status: ApprovalStatus,
        /// Only those of this agent
        #[arg(long, value_name = "ID")]
        agent: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show everything about an approval, with the input where it was disclosed
    Show {
        /// The id of the approval, apr_…
        id: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Approve a held call, which then runs when it is tried again
    Approve(Decide),
    /// Deny a held call
    Deny(Decide),
}

/// The arguments of a decision.
#[derive(Debug, Args)]
pub(super) struct Decide {
    /// The id of the approval, apr_…
    id: String,
    /// The reason, which the caller sees and which is recorded
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The name of the approver, recorded beside the key; by default the user of this machine
    #[arg(long = "as", value_name = "NAME")]
    decided_by: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// The members of the API, and the options that give them here.
const OPTIONS: [(&str, &str); 4] = [
    ("decided_by", "--as"),
    ("agent_id", "--agent"),
    ("reason", "--reason"),
    ("status", "--status"),
];

/// Says what the Guardian said, with the option that is meant.
fn failed(error: AgentTrustError) -> GuardianError {
    in_our_words(remote::failed(error), &OPTIONS)
}

impl Approvals {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            Self::List { status, agent, remote } => list(status, agent, &remote).await?,
            Self::Show { id, remote } => show(&id, &remote).await?,
            Self::Approve(decide) => decide.run(true).await?,
            Self::Deny(decide) => decide.run(false).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(
    status: ApprovalStatus,
    agent: Option<String>,
    remote: &Remote,
) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let mut filter = ApprovalFilter::default().status(status);
    filter.agent_id.clone_from(&agent);
    let approvals = client.approvals().list(&filter).await.map_err(failed)?;
    if remote.json {
        return out::json(&approvals);
    }
    if approvals.is_empty() {
        let of = agent.map(|agent| format!(" of agent {agent:?}")).unwrap_or_default();
        return out::say(&format!("no approval{of} is {status}"));
    }
    let rows: Vec<_> = approvals
        .iter()
        .map(|approval| {
            [
                approval.id.clone(),
                who_asks(approval),
                approval.action_name.clone(),
                approval.action_effect.clone(),
                shortened(&what_is_seen(approval)),
                out::when(approval.expires_at),
            ]
        })
        .collect();
    out::table(["APPROVAL", "AGENT", "TOOL", "EFFECT", "INPUT", "EXPIRES"], &rows)
}

async fn show(id: &str, remote: &Remote) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let approval = client.approvals().get(id).await.map_err(failed)?;
    if remote.json {
        return out::json(&approval);
    }
    out::facts(&about(&approval))
}

/// Returns everything about an approval, line by line.
fn about(approval: &Approval) -> Vec<(&'static str, String)> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let votes = match (approval.approvals, approval.quorum) {
        (Some(votes), Some(quorum)) => format!("{votes} of {quorum}{}", who_approved(approval)),
        _ => String::new(),
    };
    vec![
        ("approval", approval.id.clone()),
        ("status", approval.status.to_string()),
        ("agent", who_asks(approval)),
        ("tool", approval.action_name.clone()),
        ("effect", approval.action_effect.clone()),
        ("scopes", approval.scopes.join(", ")),
        ("session", approval.session_id.clone()),
        ("held because", text(&approval.reason)),
        ("bound to", approval.bound_to.to_string()),
        ("input", what_is_seen(approval)),
        ("", how_to_see(approval).to_owned()),
        ("approved by", votes),
        ("held", out::when_exactly(approval.created_at)),
        ("expires", out::when_exactly(approval.expires_at)),
        ("decided by", text(&approval.decided_by)),
        ("decided", out::when_exactly(approval.decided_at)),
        ("reason", text(&approval.decision_reason)),
        ("used by", text(&approval.used_by_check)),
    ]
}

/// Names the approvers so far: as they called themselves, and by their keys.
fn who_approved(approval: &Approval) -> String {
    let approvers: Vec<String> = approval
        .approvers
        .iter()
        .map(|approver| match &approver.name {
            Some(name) => format!("{name} ({})", approver.key_id),
            None => approver.key_id.clone(),
        })
        .collect();
    match approvers.is_empty() {
        true => String::new(),
        false => format!(": {}", approvers.join(", ")),
    }
}

/// Returns the agent that asks, and those for which it asks: their names for people, and their ids,
/// because several may have one name.
fn who_asks(approval: &Approval) -> String {
    let agent = match &approval.agent_name {
        Some(name) => format!("{name} ({})", approval.agent_id),
        None => approval.agent_id.clone(),
    };
    let givers = approval.on_behalf_of.iter();
    let givers = givers.map(|giver| format!(", for {} ({})", giver.agent_name, giver.agent_id));
    std::iter::once(agent).chain(givers).collect()
}

/// Returns what the approver is shown of the input.
fn what_is_seen(approval: &Approval) -> String {
    let summary = approval.action_input_summary.as_deref();
    match (&approval.input, approval.input_shown) {
        (Some(input), _) => input.to_string(),
        (None, Some(false)) => {
            format!("not shown {}", summary.unwrap_or_default()).trim().to_owned()
        }
        (None, _) => summary.unwrap_or("not shown").to_owned(),
    }
}

/// Returns as much of an input as a line of a list has room for; `show` has all of it.
fn shortened(input: &str) -> String {
    match input.char_indices().nth(LISTED_CHARS) {
        Some((end, _)) => format!("{}…", &input[..end]),
        None => input.to_owned(),
    }
}

/// Returns why the input is not there, and how it would be.
fn how_to_see(approval: &Approval) -> &'static str {
    match (&approval.input, approval.input_shown) {
        (None, Some(false)) => {
            "the guard that asked keeps the input: build it with `disclose_on_elevation(true)` to show it"
        }
        (None, Some(true)) => "the input is shown to keys of role operator or admin",
        _ => "",
    }
}

impl Decide {
    async fn run(self, approve: bool) -> Result<(), GuardianError> {
        let client = self.remote.client()?;
        let mut options = DecisionOptions::new(self.decided_by.unwrap_or_else(user));
        options.reason = self.reason;
        let approvals = client.approvals();
        let decided = match approve {
            true => approvals.approve_with(&self.id, &options).await,
            false => approvals.deny_with(&self.id, &options).await,
        };
        let decided = decided.map_err(failed)?;
        if self.remote.json {
            return out::json(&decided);
        }
        out::say(&out::harmless(&said(&self.id, &decided)))
    }
}

/// Returns what became of a decision.
fn said(id: &str, decided: &ApprovalDecision) -> String {
    let ApprovalDecision { status, approvals, quorum, repeated, .. } = decided;
    let so_far = format!("{} of {}", approvals.unwrap_or(0), quorum.unwrap_or(1));
    match (status, repeated) {
        (ApprovalStatus::Pending, false) => {
            format!("{id} has {so_far} approvals; another key has to approve it too")
        }
        (ApprovalStatus::Pending, true) => format!(
            "{id} still has {so_far} approvals: this key had approved it before, or another one of its owner \
             or of the same making, which counts once; the key of another approver has to approve it too"
        ),
        (status, false) => format!("{id} is {status}"),
        (status, true) => format!("{id} is {status}: this key had said so before"),
    }
}

/// Returns the user of this machine, as the environment tells.
fn user() -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| env::var(name).ok());
    named
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "an unknown user of this machine".to_owned())
}
