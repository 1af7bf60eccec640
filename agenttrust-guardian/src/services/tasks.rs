//! Tasks that one agent asks of another: sent, read, cancelled, listed and followed.
//!
//! A message is kept before anything is done about it, asked about, and handed on at most once: to the interfaces that
//! the target's operator named, else into the target's inbox. What is held for an approval goes on by itself once that
//! is decided, at whichever replica is there by then.

mod adopt;
mod asked;
mod caller;
mod cancelling;
mod check;
mod delivery;
pub(crate) mod due;
mod following;
pub(crate) mod inbox;
pub(crate) mod interfaces;
mod outward;
pub(crate) mod parties;
pub(crate) mod pushes;
mod reading;
mod records;
mod sending;
mod subscribed;
mod target_updates;
mod work;

use std::sync::Arc;
use std::time::Duration;

use agenttrust::Timestamp;
use serde_json::{Map, Value};
use tokio::sync::broadcast::Receiver;

pub(crate) use self::caller::Caller;
use self::following::LastSeen;
use self::reading::Woken;
use crate::domain::Trace;
use crate::domain::task::{Message, Shown, Spelled, Task, TaskError, TaskState};
use crate::engine::{Engine, LatestRow, Piece};

/// A message that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The agent that it is for.
    pub(crate) target_agent_id: String,
    /// The message; its ids of tasks and contexts are ours.
    pub(crate) message: Message,
    /// The metadata of the request, apart from that of the message.
    pub(crate) metadata: Map<String, Value>,
    /// The notation of the numbers in both, by which one message is told from another.
    pub(crate) spelled: Spelled,
    /// The media types that its sender takes; all of them where the list is empty.
    pub(crate) accepted_output_modes: Vec<String>,
    /// Whether what the target tells is wanted piece by piece, which [`follow`] hears.
    pub(crate) streams: bool,
    /// The trace that its sender is in.
    pub(crate) trace: Option<Trace>,
    /// The time to wait until the task has ended or waits for something; zero not to wait.
    pub(crate) wait: Duration,
}

/// The choice of tasks to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskFilter {
    pub(crate) target_agent_id: Option<String>,
    pub(crate) context_id: Option<String>,
    pub(crate) state: Option<TaskState>,
    /// The time since which a task's status must be, if only such tasks are wanted.
    pub(crate) since: Option<Timestamp>,
    /// The place where an earlier page ended.
    pub(crate) cursor: Option<String>,
    /// The largest number of tasks; 1 to 100.
    pub(crate) limit: usize,
}

/// A page of tasks, the one that changed last first.
#[derive(Clone, Debug)]
pub(crate) struct TaskPage {
    pub(crate) tasks: Vec<Task>,
    /// The place where the next page begins; absent at the end.
    pub(crate) next: Option<String>,
    /// The number of tasks on all pages.
    pub(crate) total: u64,
}

/// Returns what is checked where a message is sent to this agent.
fn action(target_agent_id: &str) -> String {
    format!("a2a/{target_agent_id}")
}

/// Sends a message, and returns its task as it stands then: held for an approval it is `auth-required`, denied it is
/// `rejected`. The same message sent again returns the same task, and is sent once more only where it is not known
/// whether the target received it.
///
/// # Errors
///
/// Not found for a target or a task that the caller does not reach; invalid for a message that cannot be one, and for a
/// `messageId` that was used for another; unsupported for a task that has ended or takes no more messages.
///
/// # Cancel safety
///
/// What was begun goes on when it is dropped.
pub(crate) async fn send(
    engine: &Arc<Engine>,
    caller: &Caller,
    asked: Asked,
) -> Result<Task, TaskError> {
    sending::send(engine, caller, asked).await
}

/// Returns the task of this id, as it stands now; of this target, where one is given. One that goes on at its target is
/// asked after there, unless that was done a moment ago.
///
/// # Errors
///
/// Not found, also for a task that the caller may not see.
pub(crate) async fn get(
    engine: &Arc<Engine>,
    caller: &Caller,
    target: Option<&str>,
    id: &str,
) -> Result<Task, TaskError> {
    reading::get(engine, caller, target, id).await
}

/// Cancels a task, and returns it as it stands then. What the target works at it is asked to cancel.
///
/// # Errors
///
/// Not found; not cancellable for one that has ended, or that the target does not cancel.
pub(crate) async fn cancel(
    engine: &Arc<Engine>,
    caller: &Caller,
    target: Option<&str>,
    id: &str,
) -> Result<Task, TaskError> {
    cancelling::cancel(engine, caller, target, id).await
}

/// Returns the tasks that the caller may see, the one that changed last first. Targets are not asked.
///
/// # Errors
///
/// Invalid for a text that is not a cursor.
pub(crate) async fn list(
    engine: &Engine,
    caller: &Caller,
    filter: TaskFilter,
) -> Result<TaskPage, TaskError> {
    reading::list(engine, caller, filter).await
}

/// A task that is followed.
#[derive(Debug)]
pub(crate) struct Following {
    engine: Arc<Engine>,
    caller: Caller,
    /// Whether the caller sees only what has reached the target.
    is_only_asked: bool,
    id: String,
    context_id: String,
    /// The task as it stood when it began to be followed, until it is told.
    first: Option<Arc<Shown>>,
    /// Its row, which all of its followers share.
    latest: Arc<LatestRow>,
    known: LastSeen,
    /// The news of its target, where it is heard at this replica.
    pieces: Option<Receiver<Piece>>,
    /// Whether all of it is to be looked at.
    is_behind: bool,
    /// Whether its target was asked to tell of it.
    has_asked: bool,
    woken: Woken,
    over: bool,
}

impl Following {
    /// Returns the task as it stood when it began to be followed; once.
    pub(crate) fn first(&mut self) -> Option<Arc<Shown>> {
        self.first.take()
    }

    /// Returns how it stands as it was told so far.
    pub(crate) fn state(&self) -> TaskState {
        self.known.state()
    }

    /// Returns the ids of the task and of its context.
    pub(crate) fn about(&self) -> (&str, &str) {
        (&self.id, &self.context_id)
    }

    /// Returns what happens next to it; `None` once it has ended or its target waits for something, and when the
    /// Guardian stops. While an approval is waited for it goes on.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub(crate) async fn next(&mut self) -> Option<Arc<Shown>> {
        following::next(self).await
    }

    /// Returns whether the Guardian stops.
    fn is_stopped(&self) -> bool {
        *self.engine.closing().borrow()
    }
}

/// Follows a task from now on. One that has ended is followed by nothing: a caller that may not subscribe to such asks
/// [`Following::state`].
///
/// # Errors
///
/// Not found, also for a task that the caller may not see.
pub(crate) async fn follow(
    engine: &Arc<Engine>,
    caller: &Caller,
    target: Option<&str>,
    id: &str,
) -> Result<Following, TaskError> {
    following::follow(engine, caller, target, id).await
}
