//! A task is cancelled: here, or by its target where that works at it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::reading::Woken;
use super::{Caller, adopt, delivery, interfaces, reading, records, work};
use crate::domain::Error;
use crate::domain::task::{Phase, Task, TaskError, TaskState};
use crate::engine::Engine;
use crate::outbound::a2a::{SendError, Way};
use crate::store::{TaskMessageRow, TaskRow};

/// The time that a target is waited for that is asked to cancel.
const TARGET_CANCEL_TIMEOUT: Duration = Duration::from_secs(15);
/// The time that a message is waited for that is just being sent: one that has arrived is cancelled by its target.
const ARRIVES_WITHIN: Duration = Duration::from_secs(1);
/// The code by which a target says that it does not cancel a task.
const NOT_CANCELABLE: i64 = -32002;

/// Cancels a task, as [`super::cancel`] says.
pub(super) async fn cancel(
    engine: &Arc<Engine>,
    caller: &Caller,
    target: Option<&str>,
    id: &str,
) -> Result<Task, TaskError> {
    let begun = Instant::now();
    let mut woken = Woken::by(engine, id);
    loop {
        let task = reading::visible(engine, caller, target, id).await?;
        if !caller.may_cancel(&task) {
            return Err(Error::forbidden(format!(
                "task {id:?} is another agent's, which cancels it; the agent that was asked fails it from its inbox"
            ))
            .into());
        }
        need_going_on(&task)?;
        engine.ensure_auditable()?;
        let newest = engine.store.newest_task_message(task.id.clone()).await?;
        let phase = newest.as_ref().map_or(Phase::Ended, |newest| newest.phase);
        if phase == Phase::Sent || task.upstream.is_some() && phase != Phase::InDoubt {
            return at_target(engine, task).await;
        }
        if let Some(task) = here(engine, &task, newest.as_ref()).await? {
            return Ok(task);
        }
        let left = ARRIVES_WITHIN.saturating_sub(begun.elapsed());
        if left.is_zero() || !woken.within(left).await {
            return Err(TaskError::BeingSent(task.id));
        }
    }
}

fn need_going_on(task: &TaskRow) -> Result<(), TaskError> {
    let state = task.state();
    match state.is_terminal() {
        true => Err(TaskError::NotCancelable { id: task.id.clone(), state }),
        false => Ok(()),
    }
}

/// Ends what has not gone out yet, or is only in an inbox; `None` where a message of it is just being sent.
async fn here(
    engine: &Engine,
    task: &TaskRow,
    newest: Option<&TaskMessageRow>,
) -> Result<Option<Task>, TaskError> {
    let now = engine.clock.now();
    let doubted = newest.is_some_and(|newest| newest.phase == Phase::InDoubt);
    let text = match doubted {
        true => "cancelled here; it is not known whether its agent received it",
        false => "cancelled before its agent began",
    };
    let ended = engine.store.end_task(task.id.clone(), now, move |row| {
        adopt::say(&mut row.task, TaskState::Canceled, text, now, None);
    });
    let Some(stepped) = ended.await? else {
        let now = engine.store.task(task.id.clone(), task.org_id.clone()).await?;
        now.as_ref().map_or(Ok(()), need_going_on)?;
        return Ok(None);
    };
    if let Some(message) = newest {
        records::ended(engine, &stepped.task, message).await;
    }
    work::follow(engine).await?;
    Ok(Some(stepped.task.task))
}

/// Asks the target to cancel what it works at.
async fn at_target(engine: &Arc<Engine>, task: TaskRow) -> Result<Task, TaskError> {
    let known = interfaces::of(engine, &task.org_id, &task.target_agent_id).await?;
    let upstream = task.upstream.as_ref();
    let place =
        upstream.and_then(|upstream| Some((interfaces::again(&known, upstream)?, upstream)));
    let Some((place, upstream)) = place else {
        return Err(TaskError::Unsupported(format!(
            "the agent is not reached any more where it works at task {:?}, so it cannot be told to cancel it",
            task.id
        )));
    };
    let way = Way { outbound: &engine.outbound, interface: place, timeout: TARGET_CANCEL_TIMEOUT };
    match way.cancel(&upstream.task_id).await {
        Ok(theirs) => {
            let kept = reading::keep(engine, &task, Ok(theirs)).await?;
            Ok(kept.map_or(task.task, |stepped| stepped.task.task))
        }
        Err(SendError::Refused { code: NOT_CANCELABLE, .. }) => {
            let (id, state) = (task.id.clone(), task.state());
            let now = reading::ask_after(engine, &task).await;
            let state = now.map_or(state, |now| now.state());
            Err(TaskError::NotCancelable { id, state })
        }
        Err(SendError::Refused { code: delivery::TASK_NOT_FOUND, message }) => {
            let code = delivery::TASK_NOT_FOUND;
            let refused = Err(SendError::Refused { code, message });
            reading::keep(engine, &task, refused).await?;
            Err(TaskError::NotCancelable { id: task.id, state: TaskState::Failed })
        }
        Err(SendError::Refused { message, code }) => Err(TaskError::Unsupported(format!(
            "the agent does not cancel task {:?}: {message} ({code})",
            task.id
        ))),
        Err(error) => {
            tracing::warn!(%error, task_id = task.id, "a target was not told to cancel a task");
            let why = match error {
                SendError::NotSent(_) => "its agent could not be told to cancel it",
                _ => "its agent gave no answer, so it is not known whether it cancels it",
            };
            Err(TaskError::NotTold { id: task.id, why })
        }
    }
}
