//! `agenttrust tasks`: what agents ask of each other.

mod inbox;

use std::io::Read;
use std::process::ExitCode;

use agenttrust::AgentTrustClient;
use agenttrust::client::{SendMessageOptions, TaskFilter};
use agenttrust::model::{A2ATask, MessageTask, TaskMessage, TaskState};
use clap::Subcommand;
use serde::Deserialize;
use serde_json::Value;

use super::agents::id_of;
use super::out;
use super::remote::{Remote, failed, in_our_words};
use crate::domain::GuardianError;

/// The arguments of `agenttrust tasks`.
#[derive(Debug, Subcommand)]
pub(super) enum Tasks {
    /// Send a message to an agent, and print the task that comes of it
    ///
    /// A key of the role operator or admin sends as itself unless --as names an agent; then no policy is asked. Exits
    /// with 1 where the task has failed or was rejected by then.
    Send {
        #[command(flatten)]
        new: Box<New>,
        #[command(flatten)]
        remote: Remote,
    },
    /// List the tasks, those that have ended too
    List {
        /// Only those that are asked of this agent: its id, or its name where only one has it
        #[arg(long, value_name = "AGENT")]
        to: Option<String>,
        /// Only those that stand so, such as working, auth-required or completed
        #[arg(long)]
        state: Option<TaskState>,
        /// Only those of this conversation
        #[arg(long, value_name = "CONTEXT")]
        context: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show everything about a task
    Show {
        /// The id of the task, task_…
        id: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Cancel a task that has not ended
    Cancel {
        /// The id of the task, task_…
        id: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Fetch, complete and fail what is asked of an agent that has no endpoint of its own
    #[command(subcommand)]
    Inbox(inbox::Inbox),
}

/// A message that is to be sent.
#[derive(Debug, clap::Args)]
pub(super) struct New {
    /// The agent that is asked: its id, or its name where only one has it
    agent: String,
    /// The text that is sent; - reads it from standard input
    text: String,
    /// The agent that asks, likewise, for a key that speaks for more than one. Without it a key of the role operator
    /// or admin asks for itself, which no policy is asked about
    #[arg(long = "as", value_name = "AGENT")]
    from: Option<String>,
    /// The id of the message: sent again under it, it is asked once
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
    /// Say more about this task instead of asking for a new one
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Ask within this conversation
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,
}

impl Tasks {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            Self::Send { new, remote } => return send(*new, &remote).await,
            Self::List { to, state, context, remote } => {
                let mut filter = TaskFilter::default();
                filter.state = state;
                filter.context_id = context;
                list(filter, to, &remote).await?;
            }
            Self::Show { id, remote } => {
                let task = remote.client()?.a2a().get_task(&id).await.map_err(failed)?;
                match remote.json {
                    true => out::json(&task)?,
                    false => out::facts_and_texts(&about(&task), &TEXTS)?,
                }
            }
            Self::Cancel { id, remote } => {
                let task = remote.client()?.a2a().cancel_task(&id).await.map_err(failed)?;
                match remote.json {
                    true => out::json(&task)?,
                    false => out::say(&format!("{id} is {}", stands(&task)))?,
                }
            }
            Self::Inbox(inbox) => inbox.run().await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn send(new: New, remote: &Remote) -> Result<ExitCode, GuardianError> {
    let client = remote.client()?;
    let agent = id_of(&client, &new.agent).await?;
    let mut options = SendMessageOptions::default();
    if let Some(named) = &new.from {
        options.as_agent = Some(id_of(&client, named).await?);
    }
    options.message_id = new.message_id;
    options.task_id = new.task;
    options.context_id = new.context;
    let text = said(new.text)?;
    let sent = client.a2a().send_message_with(&agent, &text, &options).await;
    let task = sent.map_err(|error| in_our_words(failed(error), &OPTIONS))?;
    match remote.json {
        true => out::json(&task)?,
        false => tell(&task)?,
    }
    if options.as_agent.is_none() && is_of_a_key(&client, &task.id).await {
        eprintln!(
            "note: the key itself sent it, so no policy was asked; --as AGENT sends it as an agent, which is asked about"
        );
    }
    Ok(match task.status.state {
        TaskState::Failed | TaskState::Rejected => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

/// Returns whether no agent asks for this task, as far as the Guardian tells.
async fn is_of_a_key(client: &AgentTrustClient, task_id: &str) -> bool {
    let task = client.a2a().get_task(task_id).await;
    task.is_ok_and(|task| task.source_agent_id.is_empty())
}

/// The names that the Guardian has for a header or a member, and the option that is meant here.
const OPTIONS: [(&str, &str); 5] = [
    ("X-Agent-ID: is missing", "--as is missing"),
    ("X-Agent-ID is missing", "--as is missing"),
    ("name the agent in it", "say which one asks with --as AGENT"),
    ("without taskId", "without --task"),
    ("the header X-Agent-ID", "--as"),
];

/// Prints what is known of a task that was just sent, or ended.
fn tell(task: &MessageTask) -> Result<(), GuardianError> {
    out::facts_and_texts(&about_sent(task), &TEXTS)
}

/// The facts that are texts of other people or agents, over several lines where they have them.
const TEXTS: [&str; 3] = ["said", "asked", "result"];

/// Returns what is said, which standard input has where it is `-`.
fn said(text: String) -> Result<String, GuardianError> {
    /// The bytes that are read at most: more than any Guardian takes.
    const MOST: u64 = 16 << 20;
    if text != "-" {
        return Ok(text);
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(MOST).read_to_string(&mut text);
    read.map_err(|error| {
        GuardianError::Invalid(format!("standard input cannot be read as text: {error}"))
    })?;
    Ok(text)
}

async fn list(
    mut filter: TaskFilter,
    to: Option<String>,
    remote: &Remote,
) -> Result<(), GuardianError> {
    let client = remote.client()?;
    if let Some(named) = to {
        filter.target_agent_id = Some(id_of(&client, &named).await?);
    }
    let filtered =
        filter.target_agent_id.is_some() || filter.state.is_some() || filter.context_id.is_some();
    let mut found = Vec::new();
    loop {
        let page = client.a2a().list_tasks_with(&filter).await.map_err(failed)?;
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
        return out::say("there is no task of that agent, state or conversation");
    }
    if found.is_empty() {
        return out::say("no task is there; send one with `agenttrust tasks send`");
    }
    let rows: Vec<_> = found
        .iter()
        .map(|it| {
            let (from, to) = (it.source_agent_id.clone(), it.target_agent_id.clone());
            [it.id.clone(), from, to, stands(it), out::when(it.updated_at)]
        })
        .collect();
    out::table(["TASK", "FROM", "TO", "STATE", "CHANGED"], &rows)
}

/// Returns how a task stands, in the finest words that there are.
fn stands(task: &A2ATask) -> String {
    let state = task.state.map_or(task.status.as_str(), TaskState::as_str);
    match task.in_doubt() {
        true => format!("{state}, in doubt"),
        false => state.to_owned(),
    }
}

/// Returns everything about a task, line by line.
fn about(task: &A2ATask) -> Vec<(&'static str, String)> {
    vec![
        ("task", task.id.clone()),
        ("from", task.source_agent_id.clone()),
        ("to", task.target_agent_id.clone()),
        ("state", stands(task)),
        ("waits for", task.approval_id().unwrap_or_default().to_owned()),
        ("conversation", task.context_id.clone().unwrap_or_default()),
        ("said", text_of(task.status_message.as_ref())),
        ("asked", text_of(task.message.as_ref())),
        ("result", task.text()),
        ("made", out::when_exactly(task.created_at)),
        ("changed", out::when_exactly(task.updated_at)),
    ]
}

/// Returns the text of a message, which may be nothing else.
fn text_of(message: Option<&Value>) -> String {
    match message {
        Some(Value::String(text)) => text.clone(),
        Some(said) => TaskMessage::deserialize(said).unwrap_or_default().text(),
        None => String::new(),
    }
}

/// Returns what is known of a task that was just sent, or ended.
fn about_sent(task: &MessageTask) -> Vec<(&'static str, String)> {
    let state = match task.in_doubt() {
        true => format!("{}, in doubt", task.status.state),
        false => task.status.state.to_string(),
    };
    vec![
        ("task", task.id.clone()),
        ("state", state),
        ("waits for", task.approval_id().unwrap_or_default().to_owned()),
        ("conversation", task.context_id.clone()),
        ("said", task.text()),
    ]
}
