//! The inbox of an agent without an endpoint: its workers fetch tasks, and complete or fail them while their lease
//! runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::Timestamp;

use super::check::{self, Said};
use super::reading::LOOK_EVERY;
use super::work::{self, CLAIMED_FOR, Claimed, Ends};
use super::{adopt, records};
use crate::domain::names::{check_name, check_text};
use crate::domain::task::{Artifact, Message, Phase, Task, TaskState, trust};
use crate::domain::{Error, Key, ids};
use crate::engine::Engine;
use crate::services::agents::{active, known};
use crate::store::{Sight, Step, StoreError, TaskMessageRow, TaskRow};

/// The times that a lease may run in one go.
pub(crate) const LEASES: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3_600);
/// The largest number of results of a task ...
const ARTIFACTS_MOST: usize = 64;
/// ... and how many parts each.
const PARTS_MOST: usize = 256;

/// A task that a worker has.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) task: Task,
    /// The message that the worker is to answer.
    pub(crate) message: Message,
    pub(crate) source_agent_id: Option<String>,
    pub(crate) lease_id: String,
    pub(crate) lease_expires_at: Timestamp,
}

/// A task of an inbox, and the lease by which a worker has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease<'l> {
    pub(crate) agent_id: &'l str,
    pub(crate) task_id: &'l str,
    pub(crate) lease_id: &'l str,
}

/// The outcome of a task, as its worker says it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Completed(Vec<Artifact>),
    /// A task that could not be done, and why.
    Failed(String),
}

/// Returns the oldest task that waits for an agent: for `lease` the caller's alone. Waits for one as long as `wait`
/// says; `begin` says whether the caller may, and what it holds meanwhile.
///
/// # Errors
///
/// Not found or forbidden for an agent that is not there or not active; those of `begin`.
///
/// # Cancel safety
///
/// A task may have been taken by then, and is there again once its lease has run out.
pub(crate) async fn next<W>(
    engine: &Arc<Engine>,
    (key, agent_id): (&Key, &str),
    lease: Duration,
    wait: Duration,
    begin: impl FnOnce() -> Result<W, Error>,
) -> Result<Option<Fetched>, Error> {
    let begun = Instant::now();
    let mut news = engine.tasks.listen();
    let closing = engine.closing();
    let mut waits = None;
    let mut begin = Some(begin);
    loop {
        active(&*known(engine, &key.org_id, agent_id)?)?;
        engine.need_key(key)?;
        if let Some(fetched) = take(engine, key, agent_id, lease).await? {
            return Ok(Some(fetched));
        }
        let left = wait.saturating_sub(begun.elapsed());
        if left.is_zero() || *closing.borrow() {
            return Ok(None);
        }
        if let Some(begin) = begin.take() {
            waits = Some(begin()?);
        }
        // Whatever is told of any task: one that comes into the inbox is a new one. And a lease that runs out is told by
        // no one.
        let heard = agenttrust::background::timeout(left.min(LOOK_EVERY), news.recv());
        if matches!(heard.await, Ok(Err(tokio::sync::broadcast::error::RecvError::Closed))) {
            break;
        }
    }
    drop(waits);
    Ok(None)
}

/// Takes the oldest task that may be handed out as things are now; what may not is not there any more.
async fn take(
    engine: &Arc<Engine>,
    key: &Key,
    agent_id: &str,
    lease: Duration,
) -> Result<Option<Fetched>, Error> {
    loop {
        let (at, now) = (Instant::now(), engine.clock.now());
        // Until it is checked it is taken for a moment only, so that what stops here holds nothing up.
        let (claim, until) = (ids::new("lease_"), now.saturating_add(CLAIMED_FOR));
        let of = (key.org_id.clone(), agent_id.to_owned());
        let taken = engine.store.next_in_inbox(of, (claim.clone(), until), now).await?;
        let Some(message) = taken else { return Ok(None) };
        let (id, org_id) = (message.task_id.clone(), message.org_id.clone());
        let Some(task) = engine.store.task(id, org_id).await? else { continue };
        let claimed = Claimed { message, claim, at, doubted: false };
        // What a worker had before has reached its agent, and what none had is gone from its inbox.
        let sight = match task.state() {
            TaskState::Submitted => Sight::Withdrawn,
            _ => Sight::Kept,
        };
        match check::ask(engine, &task, &claimed.message).await? {
            Said::Allowed(_) => {
                if let Some(fetched) = hand_out(engine, claimed, lease).await? {
                    return Ok(Some(fetched));
                }
            }
            Said::Held { approval_id, why } => {
                let mut claimed = claimed;
                claimed.message.approval_id = Some(approval_id);
                work::hold(engine, &claimed, (Phase::Leased, sight), why).await?;
            }
            Said::Denied(why) => {
                let ends = Ends { from: Phase::Leased, state: TaskState::Rejected, sight };
                let text = format!("the message was not handed on: {why}");
                work::end(engine, &claimed, ends, text).await?;
            }
            Said::Undecided => {
                let back = claimed.step(Phase::Leased, Phase::Inbox);
                engine.store.step_task(back, now, |_| {}).await?;
                return Ok(None);
            }
        }
    }
}

/// Gives a task that was taken to its worker; `None` where it has ended meanwhile.
async fn hand_out(
    engine: &Engine,
    claimed: Claimed,
    lease: Duration,
) -> Result<Option<Fetched>, Error> {
    let Claimed { message, claim: lease_id, .. } = claimed;
    let now = engine.clock.now();
    let until = now.saturating_add(lease);
    if !engine.store.extend_lease(message.id.clone(), lease_id.clone(), until).await? {
        return Ok(None);
    }
    let working = engine.store.change_task(message.task_id.clone(), now, move |row| {
        if row.state() != TaskState::Working {
            adopt::stand(&mut row.task, TaskState::Working, now);
        }
        row.sight(Sight::Shown, now);
    });
    let Some(stepped) = working.await? else { return Ok(None) };
    work::follow(engine).await?;
    let Some(row) = stepped.task.into_seen() else { return Ok(None) };
    Ok(Some(Fetched {
        message: super::asked::shown(&message.body.message, &row.id, &row.context_id),
        source_agent_id: row.source_agent_id,
        task: row.task,
        lease_id,
        lease_expires_at: until,
    }))
}

/// Ends a task that a worker has, and returns it. The same said again with the same lease changes nothing.
///
/// # Errors
///
/// Not found for a task that is not in this inbox; conflict where another worker has it by now, and where it has ended;
/// invalid for results that cannot be kept.
pub(crate) async fn end(
    engine: &Arc<Engine>,
    key: &Key,
    lease: Lease<'_>,
    outcome: Outcome,
) -> Result<Task, Error> {
    let message = found(engine, key, lease).await?;
    let now = engine.clock.now();
    let (state, artifacts, why) = match outcome {
        Outcome::Completed(artifacts) => {
            check_artifacts(&artifacts)?;
            (TaskState::Completed, artifacts, None)
        }
        Outcome::Failed(why) => {
            check_text("reason", &why)?;
            (TaskState::Failed, Vec::new(), Some(why))
        }
    };
    engine.ensure_auditable()?;
    let step = Step {
        id: message.id.clone(),
        task_id: message.task_id.clone(),
        from: Phase::Leased,
        claim: lease.lease_id.to_owned(),
        to: Phase::Ended,
        approval_id: None,
        check_id: message.check_id.clone(),
        // What is said once more is known by it.
        next_claim: Some((lease.lease_id.to_owned(), now)),
        next_at: now,
    };
    let ended = engine.store.step_task(step, now, move |row| {
        match why {
            Some(why) => adopt::say(&mut row.task, state, why, now, None),
            None => adopt::stand(&mut row.task, state, now),
        }
        row.task.artifacts = artifacts;
        row.sight(Sight::Shown, now);
    });
    if let Some(stepped) = ended.await? {
        let mut record = records::record("task.ended", &stepped.task, &message);
        record.actor = Some(key.id.clone());
        records::enqueue(engine, record).await;
        records::outcome(engine, &stepped.task, &message, state).await;
        work::follow(engine).await?;
        return stepped.task.into_seen().map(|row| row.task).ok_or_else(|| lost(&message));
    }
    said_before(engine, lease, &message, state).await
}

/// Returns the task, where the same was said of it before.
async fn said_before(
    engine: &Engine,
    lease: Lease<'_>,
    message: &TaskMessageRow,
    state: TaskState,
) -> Result<Task, Error> {
    let (id, org_id) = (message.task_id.clone(), message.org_id.clone());
    let task = engine.store.task(id.clone(), org_id).await?;
    let now = engine.store.newest_task_message(id.clone()).await?;
    let is_mine = now.as_ref().is_some_and(|now| now.claim.as_deref() == Some(lease.lease_id));
    match task.and_then(TaskRow::into_seen) {
        Some(task) if task.state() == state && is_mine => Ok(task.task),
        Some(task) if task.state().is_terminal() => Err(Error::conflict(format!(
            "task {id:?} is {} already, so nothing more comes of it",
            task.state()
        ))),
        _ => Err(lost(now.as_ref().unwrap_or(message))),
    }
}

/// Lets a lease run for so long from now on, and returns when it ends.
///
/// # Errors
///
/// Not found for a task that is not in this inbox; conflict where another worker has it by now, and where it has ended.
pub(crate) async fn extend(
    engine: &Engine,
    key: &Key,
    lease: Lease<'_>,
    by: Duration,
) -> Result<Timestamp, Error> {
    let message = found(engine, key, lease).await?;
    let until = engine.clock.now().saturating_add(by);
    let extended =
        engine.store.extend_lease(message.id.clone(), lease.lease_id.to_owned(), until).await?;
    if extended {
        return Ok(until);
    }
    let now = engine.store.newest_task_message(message.task_id.clone()).await?;
    Err(lost(&now.unwrap_or(message)))
}

/// Says of a task that is not the worker's, by this lease, why not.
fn lost(message: &TaskMessageRow) -> Error {
    let id = &message.task_id;
    Error::conflict(match message.phase {
        Phase::Ended => format!("task {id:?} has ended; leave it, and fetch the next one"),
        Phase::Leased => format!(
            "task {id:?} is another worker's, by a lease of its own; leave it, and fetch the next one"
        ),
        _ => format!(
            "the lease of task {id:?} has run out; fetch the next one, which may be this one again"
        ),
    })
}

/// Returns the message of a task that is, or was, in this inbox.
async fn found(engine: &Engine, key: &Key, lease: Lease<'_>) -> Result<TaskMessageRow, Error> {
    active(&*known(engine, &key.org_id, lease.agent_id)?)?;
    check_name("lease_id", lease.lease_id)?;
    let unknown = || Error::unknown("task", lease.task_id);
    // What has not reached the agent is not there for it.
    let task = engine.store.task(lease.task_id.to_owned(), key.org_id.clone()).await?;
    task.and_then(TaskRow::into_seen).ok_or_else(unknown)?;
    let found: Result<_, StoreError> =
        engine.store.newest_task_message(lease.task_id.to_owned()).await;
    let is_there = |message: &TaskMessageRow| {
        message.org_id == key.org_id && message.target_agent_id == lease.agent_id
    };
    found?.filter(is_there).ok_or_else(unknown)
}

fn check_artifacts(artifacts: &[Artifact]) -> Result<(), Error> {
    if artifacts.len() > ARTIFACTS_MOST {
        let many = format!("has {} entries; {ARTIFACTS_MOST} is the most", artifacts.len());
        return Err(Error::invalid("artifacts", many));
    }
    for (place, artifact) in artifacts.iter().enumerate() {
        check_name(&format!("artifacts[{place}].artifactId"), &artifact.artifact_id)?;
        trust::refuse_artifact(artifact, &format!("artifacts[{place}]"))
            .map_err(|error| Error::invalid(&error.field, error.problem))?;
        let parts = artifact.parts.len();
        if !(1..=PARTS_MOST).contains(&parts) {
            let wrong = format!("has {parts} entries; use 1 to {PARTS_MOST}");
            return Err(Error::invalid(&format!("artifacts[{place}].parts"), wrong));
        }
        if super::asked::holds_nul(&serde_json::json!(artifact)) {
            let wrong = "holds a NUL character, which cannot be kept; remove it";
            return Err(Error::invalid(&format!("artifacts[{place}]"), wrong));
        }
    }
    Ok(())
}
