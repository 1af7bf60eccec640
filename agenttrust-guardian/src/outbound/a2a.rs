//! The way to an agent that is reached by A2A: what is sent to it, what comes back, and what may be believed of it.

mod exchange;
mod http_json;
mod json_rpc;
mod updates;
mod words;

use std::time::Duration;

use futures_util::stream::BoxStream;
use reqwest::Url;
use serde_json::{Map, Value};

use self::words::Call;
use super::Outbound;
use crate::domain::Trace;
pub(crate) use crate::domain::task::Version;
use crate::domain::task::{Artifact, Message, Task, TaskStatus};

/// The protocol by which the calls of an interface travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    JsonRpc,
    HttpJson,
}

/// The address at which an agent is reached, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) url: Url,
    pub(crate) binding: Binding,
    pub(crate) version: Version,
}

/// A message that is to be handed to an agent. Its ids are those that the agent knows its tasks by.
#[derive(Clone, Debug)]
pub(crate) struct Handed {
    pub(crate) message: Message,
    /// The media types that its sender takes; all of them where the list is empty.
    pub(crate) accepted_output_modes: Vec<String>,
    /// The metadata of the request, apart from that of the message.
    pub(crate) metadata: Map<String, Value>,
    /// The trace that its sender is in, which goes on at the agent.
    pub(crate) trace: Option<Trace>,
}

/// The answer of an agent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sent {
    /// A task, with the agent's own ids. It is the one that was asked for, where one was.
    Task(Box<Task>),
    /// A message, which is all that comes of it.
    Message(Box<Message>),
}

/// A piece of news from an agent that works, with its own ids.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Update {
    Task(Box<Task>),
    Message(Box<Message>),
    Status {
        task_id: String,
        context_id: String,
        status: TaskStatus,
        metadata: Map<String, Value>,
    },
    Artifact {
        task_id: String,
        context_id: String,
        artifact: Artifact,
        append: bool,
        last_chunk: bool,
        metadata: Map<String, Value>,
    },
}

/// The news from an agent, as it comes. An error is the last item; all items are about one task.
pub(crate) type Updates = BoxStream<'static, Result<Update, SendError>>;

/// The reason why an agent gave no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// A message that was not sent, or not taken in, so it may be tried again.
    #[error("the agent was not reached: {0}")]
    NotSent(String),
    /// A message that the agent may have received.
    #[error("it is not known whether the agent received it: {0}")]
    InDoubt(String),
    /// The agent refused it, in words of its protocol: a code of A2A or JSON-RPC, else of HTTP, and a sentence.
    #[error("the agent refused it: {message} ({code})")]
    Refused { code: i64, message: String },
    /// An answer that the agent should not give: another protocol, another task, too much.
    #[error("the agent's answer cannot be used: {0}")]
    Lies(String),
}

/// The way to one agent.
#[derive(Clone, Debug)]
pub(crate) struct Way<'w> {
    pub(crate) outbound: &'w Outbound,
    pub(crate) interface: &'w Interface,
    /// The time that an answer may take in all; of a stream, its first word.
    pub(crate) timeout: Duration,
}

impl Way<'_> {
    /// Hands a message to the agent, and has it answer at once rather than when it is done.
    ///
    /// # Errors
    ///
    /// Those of [`SendError`].
    pub(crate) async fn send(&self, handed: &Handed) -> Result<Sent, SendError> {
        let call = Call::Send(handed);
        words::sent(exchange::answered(self, &call).await?, self.interface.version, &call)
    }

    /// Hands a message to the agent, and hears what it tells until it is done. An agent that does not tell answers as
    /// to [`send`](Self::send), which is then all that is heard.
    ///
    /// # Errors
    ///
    /// Those of [`SendError`]. Once there are updates, the agent has received the message.
    pub(crate) async fn stream(&self, handed: &Handed) -> Result<Updates, SendError> {
        match updates::open(self, &Call::Stream(handed)).await {
            // An agent that cannot do this has done nothing.
            Err(SendError::Refused { code, .. }) if words::is_unsupported(code) => {
                let update = match self.send(handed).await? {
                    Sent::Task(task) => Update::Task(task),
                    Sent::Message(message) => Update::Message(message),
                };
                Ok(updates::only(update))
            }
            opened => opened,
        }
    }

    /// Hears what the agent tells of the task that it knows by this id, until it is done.
    ///
    /// # Errors
    ///
    /// Those of [`SendError`]; nothing is in doubt by listening.
    pub(crate) async fn subscribe(&self, task_id: &str) -> Result<Updates, SendError> {
        updates::open(self, &Call::Subscribe(task_id)).await
    }

    /// Asks the agent for the task that it knows by this id.
    ///
    /// # Errors
    ///
    /// Those of [`SendError`]; nothing is in doubt by asking.
    pub(crate) async fn get(&self, task_id: &str) -> Result<Task, SendError> {
        self.task(&Call::Get(task_id)).await
    }

    /// Asks the agent to cancel the task that it knows by this id, and returns it as it stands then.
    ///
    /// # Errors
    ///
    /// Those of [`SendError`].
    pub(crate) async fn cancel(&self, task_id: &str) -> Result<Task, SendError> {
        self.task(&Call::Cancel(task_id)).await
    }

    async fn task(&self, call: &Call<'_>) -> Result<Task, SendError> {
        words::task(exchange::answered(self, call).await?, self.interface.version, call)
    }
}
