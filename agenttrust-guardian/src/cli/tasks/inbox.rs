//! `agenttrust tasks inbox`: what is asked of an agent that has no endpoint of its own.

use std::time::Duration;

use agenttrust::client;
use agenttrust::model::TaskLease;
use clap::Subcommand;

use super::super::agents::id_of;
use super::super::out;
use super::super::remote::{Remote, failed};
use super::{TEXTS, said, tell};
use crate::domain::{GuardianError, duration};

/// The arguments of `agenttrust tasks inbox`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Inbox {
    /// Fetch the next task of an agent, and print what is asked and the lease that it is ended by
    Next {
        /// The agent: its id, or its name where only one has it
        agent: String,
        /// The time to wait for a task, such as 30s or 10m; by default no time
        #[arg(long, value_name = "DURATION", value_parser = span)]
        wait: Option<Duration>,
        /// The time to have it for, such as 5m; then the next worker that asks can get it
        #[arg(long, value_name = "DURATION", value_parser = span)]
        lease: Option<Duration>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Say that a task is done, and what came of it
    Complete {
        #[command(flatten)]
        leased: Leased,
        /// The result of the task; - reads it from standard input
        text: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Say that a task could not be done
    Fail {
        #[command(flatten)]
        leased: Leased,
        /// The reason, for the agent that asked; - reads it from standard input
        reason: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Keep a task for longer, and print when its lease ends
    Extend {
        #[command(flatten)]
        leased: Leased,
        /// For how long from now on, such as 5m
        #[arg(value_parser = span)]
        by: Duration,
        #[command(flatten)]
        remote: Remote,
    },
}

/// A task that was fetched.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Leased {
    /// The agent: its id, or its name where only one has it
    agent: String,
    /// The id of the task, task_…
    task: String,
    /// The lease that `next` printed
    lease: String,
}

/// The longest time that may be named.
const LASTS_MOST: Duration = Duration::from_secs(86_400);

fn span(text: &str) -> Result<Duration, String> {
    let parsed = duration::parse(text, &duration::UNITS, LASTS_MOST);
    parsed.ok_or_else(|| "write it as 30s, 5m or 2h; a day is the most".to_owned())
}

impl Leased {
    /// Returns the inbox, and the lease on a task in it.
    async fn open(&self, remote: &Remote) -> Result<(client::Inbox, TaskLease), GuardianError> {
        let client = remote.client()?;
        let inbox = client.inbox(&id_of(&client, &self.agent).await?);
        Ok((inbox, TaskLease::new(&self.task, &self.lease)))
    }
}

impl Inbox {
    pub(super) async fn run(self) -> Result<(), GuardianError> {
        match self {
            Self::Next { agent, wait, lease, remote } => next(&agent, wait, lease, &remote).await,
            Self::Complete { leased, text, remote } => {
                let (inbox, lease) = leased.open(&remote).await?;
                let task = inbox.complete(&lease, &said(text)?).await.map_err(failed)?;
                match remote.json {
                    true => out::json(&task),
                    false => tell(&task),
                }
            }
            Self::Fail { leased, reason, remote } => {
                let (inbox, lease) = leased.open(&remote).await?;
                let task = inbox.fail(&lease, &said(reason)?).await.map_err(failed)?;
                match remote.json {
                    true => out::json(&task),
                    false => tell(&task),
                }
            }
            Self::Extend { leased, by, remote } => {
                let (inbox, lease) = leased.open(&remote).await?;
                let ends = inbox.extend(&lease, by).await.map_err(failed)?;
                match remote.json {
                    true => out::json(&serde_json::json!({ "lease_expires_at": ends })),
                    false => out::say(&out::when_exactly(Some(ends))),
                }
            }
        }
    }
}

async fn next(
    agent: &str,
    wait: Option<Duration>,
    lease: Option<Duration>,
    remote: &Remote,
) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let mut inbox = client.inbox(&id_of(&client, agent).await?);
    if let Some(lease) = lease {
        inbox = inbox.lease(lease);
    }
    let asked = inbox.next(wait.unwrap_or_default()).await.map_err(failed)?;
    if remote.json {
        return out::json(&asked);
    }
    let Some(asked) = asked else { return out::say("no task came") };
    let facts = [
        ("task", asked.task.id.clone()),
        ("lease", asked.lease_id.clone()),
        ("lease ends", out::when_exactly(asked.lease_expires_at)),
        ("from", asked.source_agent_id.clone()),
        ("asked", asked.message.text()),
    ];
    out::facts_and_texts(&facts, &TEXTS)
}
