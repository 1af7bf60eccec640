//! Tasks are read: one, a page of them, and what their targets say of those that go on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::model::AgentStatus;
use agenttrust::{Timestamp, background};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::delivery::TASK_NOT_FOUND;
use super::{Caller, TaskFilter, TaskPage, adopt, interfaces, records};
use crate::clock::before;
use crate::domain::names::check_name;
use crate::domain::task::{TASK_PREFIX, TRUST_EXTENSION, Task, TaskError, TaskState};
use crate::engine::Engine;
use crate::outbound::a2a::{SendError, Way};
use crate::store::{Place, Sight, Stepped, StoreError, TaskQuery, TaskRow, TaskRows};

/// The age that what is known of a task at its target may have.
const FRESH: Duration = Duration::from_secs(1);
/// The time that a target is waited for that is asked after a task.
const TARGET_READ_TIMEOUT: Duration = Duration::from_secs(5);
/// The time after which waiting callers look again, whether a change was heard of or not.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The largest number of tasks on a page.
const PAGE_MOST: usize = 100;

/// Returns the task of this id, of this target where one is given, as the caller sees it.
///
/// # Errors
///
/// Not found.
pub(super) async fn visible(
    engine: &Engine,
    caller: &Caller,
    target: Option<&str>,
    id: &str,
) -> Result<TaskRow, TaskError> {
    let unknown = || TaskError::NotFound(id.chars().take(200).collect());
    if check_name("id", id).is_err() {
        return Err(unknown());
    }
    let org_id = caller.key.org_id.clone();
    let found = engine.reading_store.task(id.to_owned(), org_id).await?;
    let is_meant = |task: &TaskRow| target.is_none_or(|target| task.target_agent_id == target);
    found.filter(is_meant).and_then(|task| caller.view(task)).ok_or_else(unknown)
}

/// Returns the task, asked after at its target where that was not done a moment ago.
pub(super) async fn get(
    engine: &Arc<Engine>,
    caller: &Caller,
    target: Option<&str>,
    id: &str,
) -> Result<Task, TaskError> {
    let task = visible(engine, caller, target, id).await?;
    // What the target does it need not be told.
    if caller.is_only_asked(&task) {
        return Ok(task.task);
    }
    // Who is heard here says more than its row.
    if let Some(heard) = engine.tasks.heard(&task.id) {
        return Ok(heard);
    }
    match ask_after(engine, &task).await {
        Some(known) => Ok(known.task),
        None => Ok(task.task),
    }
}

/// Asks the target after a task that goes on there, unless that was done a moment ago; returns it as it stands then.
/// What cannot be asked, and what cannot be believed, leaves it as it was.
pub(super) async fn ask_after(engine: &Arc<Engine>, task: &TaskRow) -> Option<TaskRow> {
    let upstream = task.upstream.as_ref().filter(|_| !task.state().is_terminal())?;
    let target = engine.registry.agents.get(&task.org_id, &task.target_agent_id)?;
    if target.agent.status != AgentStatus::Active {
        return None;
    }
    let now = engine.clock.now();
    let ours = engine.store.ask_after_task(task.id.clone(), now, before(now, FRESH)).await;
    if !ours.ok()? {
        return None;
    }
    let known = interfaces::of(engine, &task.org_id, &task.target_agent_id).await.ok()?;
    let place = interfaces::again(&known, upstream)?;
    let way = Way { outbound: &engine.outbound, interface: place, timeout: TARGET_READ_TIMEOUT };
    let told = way.get(&upstream.task_id).await;
    match keep(engine, task, told).await {
        Ok(stepped) => stepped.map(|stepped| stepped.task),
        Err(error) => {
            tracing::warn!(%error, task_id = task.id, "what a target says of a task was not kept");
            None
        }
    }
}

/// Keeps what a target said of a task.
pub(super) async fn keep(
    engine: &Engine,
    task: &TaskRow,
    said: Result<Task, SendError>,
) -> Result<Option<Stepped>, StoreError> {
    let now = engine.clock.now();
    let seen = task.changed_at;
    let changed = match said {
        Ok(theirs) => {
            engine
                .store
                .change_task(task.id.clone(), now, move |row| {
                    // What was kept since it was asked is newer than its answer.
                    if row.changed_at == seen {
                        take_over(row, theirs, now);
                    }
                })
                .await?
        }
        Err(SendError::Refused { code: TASK_NOT_FOUND, .. }) => {
            let text = "its agent knows the task no more";
            engine
                .store
                .change_task(task.id.clone(), now, move |row| {
                    adopt::say(&mut row.task, TaskState::Failed, text, now, None);
                    row.sight(Sight::Shown, now);
                })
                .await?
        }
        Err(error) => {
            tracing::debug!(%error, task_id = task.id, "a target says nothing of a task");
            return Ok(None);
        }
    };
    if let Some(stepped) = changed.as_ref().filter(|stepped| stepped.ended) {
        let newest = engine.store.newest_task_message(task.id.clone()).await?;
        if let Some(message) = newest {
            records::ended(engine, &stepped.task, &message).await;
        }
    }
    engine.sync().await?;
    Ok(changed)
}

/// Takes over what a target says of a task. Where it stands there as it did before, what the Guardian has said of it
/// since then stays: that a later message is held, was denied or could not be handed on is not the target's to know.
fn take_over(row: &mut TaskRow, theirs: Task, now: Timestamp) {
    let (stood, shown) = (row.task.status.clone(), row.seen.clone());
    let word = row.task.metadata.get(TRUST_EXTENSION).cloned();
    adopt::task(&mut row.task, theirs, now);
    row.sight(Sight::Shown, now);
    let is_as_before = row
        .seen
        .as_ref()
        .zip(shown.as_ref())
        .is_some_and(|(now, before)| now.status == before.status);
    if is_as_before {
        row.task.status = stood;
        row.task.metadata.extend(word.map(|word| (TRUST_EXTENSION.to_owned(), word)));
    }
}

/// Returns a page of the tasks that the caller may see.
pub(super) async fn list(
    engine: &Engine,
    caller: &Caller,
    filter: TaskFilter,
) -> Result<TaskPage, TaskError> {
    let (rows, next, total) = rows(engine, caller, filter).await?;
    let tasks = rows.into_iter().map(|row| row.task).collect();
    Ok(TaskPage { tasks, next, total })
}

/// Returns the rows of such a page, where the next one begins, and how many there are on all.
pub(super) async fn rows(
    engine: &Engine,
    caller: &Caller,
    filter: TaskFilter,
) -> Result<(Vec<TaskRow>, Option<String>, u64), TaskError> {
    let limit = filter.limit.clamp(1, PAGE_MOST);
    let after = filter.cursor.as_deref().map(place).transpose()?;
    let wanted = TaskQuery {
        org_id: caller.key.org_id.clone(),
        of: caller.sees(),
        target_agent_id: filter.target_agent_id,
        context_id: filter.context_id,
        state: filter.state,
        since: filter.since,
        after,
        limit: i64::try_from(limit).unwrap_or(i64::MAX),
    };
    let TaskRows { rows, next, total } = engine.reading_store.tasks(wanted).await?;
    let next = next.map(|next| format!("{}.{}", next.created_at.unix_micros(), next.id));
    let rows = rows.into_iter().filter_map(|row| caller.view(row)).collect();
    Ok((rows, next, total.unsigned_abs()))
}

/// Returns the place that an answer said as next.
fn place(cursor: &str) -> Result<Place, TaskError> {
    let read = || {
        let (at, id) = cursor.split_once('.')?;
        check_name("cursor", id).ok()?;
        let created_at = Timestamp::from_unix_micros(at.parse().ok()?)?;
        id.starts_with(TASK_PREFIX).then(|| Place { created_at, id: id.to_owned() })
    };
    read().ok_or_else(|| {
        TaskError::Invalid("the page token is nothing that an answer of this list said".to_owned())
    })
}

/// The wait for a task: it ends when the row changes, and now and then.
#[derive(Debug)]
pub(super) struct Woken {
    task_id: String,
    changes: Receiver<Arc<str>>,
    closing: watch::Receiver<bool>,
}

impl Woken {
    /// Creates a wait for changes of this task from now on.
    pub(super) fn by(engine: &Engine, task_id: &str) -> Self {
        let (changes, closing) = (engine.tasks.listen(), engine.closing());
        Self { task_id: task_id.to_owned(), changes, closing }
    }

    /// Waits until something may have changed, for so long at most; returns false where the Guardian stops.
    ///
    /// # Cancel safety
    ///
    /// No change is lost when it is dropped: a caller looks at the task each time that it wakes.
    pub(super) async fn within(&mut self, left: Duration) -> bool {
        let deadline = Instant::now() + left.min(LOOK_EVERY);
        loop {
            if *self.closing.borrow() {
                return false;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match background::timeout(left, self.changes.recv()).await {
                Ok(Ok(changed)) if *changed == *self.task_id => return true,
                Ok(Ok(_)) => {}
                // Some were missed: it may be among them. Or the time is over.
                Ok(Err(RecvError::Lagged(_))) | Err(_) => return true,
                Ok(Err(RecvError::Closed)) => return false,
            }
        }
    }
}
