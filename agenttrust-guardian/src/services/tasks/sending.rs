//! A message is kept, begun, and waited for as long as its sender wants to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::Timestamp;

use super::asked::{self, Checked, shown};
use super::reading::{self, Woken};
use super::work::{self, Claimed};
use super::{Asked, Caller};
use crate::domain::task::{
    CONTEXT_PREFIX, Phase, TASK_PREFIX, Task, TaskError, TaskState, TaskStatus,
};
use crate::domain::{Error, ids};
use crate::engine::Engine;
use crate::services::agents::{active, known};
use crate::store::{
    Begun, Standing, TASKS_UNDER_WAY_BETWEEN_MOST, TASKS_UNDER_WAY_MOST, TaskMessageRow, TaskRow,
    Whole,
};

/// The longest task that takes one more message, as JSON, in bytes.
const TASK_MAX_BYTES: usize = 8 << 20;
/// The time that a sender waits at least for the decision on its message.
const DECIDED_WITHIN: Duration = Duration::from_secs(4);
/// The longest time that a sender waits for a worker to end what is in an inbox: the worker may be away for days, and
/// clients wait 5 s unless they are told otherwise.
const INBOX_WITHIN: Duration = Duration::from_secs(4);

/// Sends a message, as [`super::send`] says.
pub(super) async fn send(
    engine: &Arc<Engine>,
    caller: &Caller,
    asked: Asked,
) -> Result<Task, TaskError> {
    let (target, wait) = (asked.target_agent_id.clone(), asked.wait);
    let checked = asked::checked(asked)?;
    engine.need_key(&caller.key)?;
    if let Some(source) = &caller.agent_id {
        active(&*known(engine, &caller.key.org_id, source)?)?;
    }
    let entry = known(engine, &caller.key.org_id, &target)?;
    let before = already(engine, caller, &checked).await?;
    let message = match before {
        Some(message) => message,
        None => {
            active(&entry)?;
            engine.ensure_auditable()?;
            for id in &checked.body.message.reference_task_ids {
                reading::visible(engine, caller, None, id).await?;
            }
            begin(engine, caller, &target, checked).await?
        }
    };
    settled(engine, caller, &message, wait).await
}

/// Returns the message that was sent under this id before, which is the same one. Where it is in doubt, it is begun
/// again.
async fn already(
    engine: &Arc<Engine>,
    caller: &Caller,
    checked: &Checked,
) -> Result<Option<TaskMessageRow>, TaskError> {
    let message_id = checked.body.message.message_id.clone();
    let (org_id, source) = (caller.key.org_id.clone(), caller.source().to_owned());
    let found = engine.store.task_message_of(org_id, source, message_id).await?;
    let Some(message) = found else { return Ok(None) };
    same(&message, checked)?;
    if message.phase == Phase::InDoubt
        && let Some(claimed) = Claimed::take(engine, message.id.clone(), true).await?
    {
        work::start(engine, claimed);
    }
    Ok(Some(message))
}

fn same(known: &TaskMessageRow, checked: &Checked) -> Result<(), TaskError> {
    if known.digest == checked.digest {
        return Ok(());
    }
    Err(TaskError::Invalid(format!(
        "messageId {:?} was used for another message; give each message an id of its own",
        known.message_id
    )))
}

/// Keeps a new message, and begins to move it on.
async fn begin(
    engine: &Arc<Engine>,
    caller: &Caller,
    target: &str,
    checked: Checked,
) -> Result<TaskMessageRow, TaskError> {
    let (at, now) = (Instant::now(), engine.clock.now());
    let (claim, until) = work::claim(now);
    let goes_on = checked.body.message.task_id.clone();
    let task = match &goes_on {
        Some(id) => going_on(engine, caller, target, (id, &checked)).await?,
        None => task(caller, target, &checked, now),
    };
    let message = TaskMessageRow {
        id: ids::new("tmsg_"),
        task_id: task.id.clone(),
        org_id: task.org_id.clone(),
        source: task.source.clone(),
        message_id: checked.body.message.message_id.clone(),
        target_agent_id: target.to_owned(),
        digest: checked.digest.clone(),
        body: checked.body.clone(),
        key_id: caller.key.id.clone(),
        session_id: caller.session_id.clone(),
        phase: Phase::Checking,
        approval_id: None,
        check_id: None,
        claim: Some(claim.clone()),
        claimed_until: until,
        next_at: now,
        attempts: 1,
        state_before: goes_on.is_some().then(|| task.state()),
        created_at: now,
        begun_at: now,
        approved_by: None,
    };
    let kept = match goes_on {
        Some(_) => engine.store.begin_message(message.clone()).await?,
        None => engine.store.begin_task(task, message.clone()).await?,
    };
    match kept {
        Begun::Kept => {
            work::start(engine, Claimed { message: message.clone(), claim, at, doubted: false });
            Ok(message)
        }
        // It was sent at the same moment.
        Begun::Known(known) => same(&known, &checked).map(|()| *known),
        Begun::After(open) if open.phase == Phase::Held => Ok(*open),
        Begun::After(open) => Err(not_yet(&open)),
        Begun::Over(Some(state)) => Err(over(&message.task_id, state)),
        Begun::Over(None) => Err(TaskError::NotFound(message.task_id)),
        Begun::Full(whole) => Err(full(whole).into()),
    }
}

/// Says of what as much is under way as may be, and when there is room again.
fn full(whole: Whole) -> Error {
    Error::too_many(match whole {
        Whole::Share => format!(
            "{TASKS_UNDER_WAY_BETWEEN_MOST} tasks of this sender are under way for this agent, which is its share, and the \
             rest is kept for others; cancel some, or send this one again once some have ended"
        ),
        Whole::Sender => format!(
            "{TASKS_UNDER_WAY_MOST} tasks of this sender are under way, which is the most; cancel some, or send this one \
             again once some have ended"
        ),
        Whole::Target => format!(
            "{TASKS_UNDER_WAY_MOST} tasks are under way for this agent, which is the most; send this one again once some \
             have ended"
        ),
    })
}

/// Returns the task that a message goes on with: its sender's own, with the same target.
async fn going_on(
    engine: &Arc<Engine>,
    caller: &Caller,
    target: &str,
    (id, checked): (&str, &Checked),
) -> Result<TaskRow, TaskError> {
    let task = reading::visible(engine, caller, None, id).await?;
    if task.source != caller.source() {
        return Err(TaskError::NotFound(id.to_owned()));
    }
    if task.target_agent_id != target {
        let agent_id = task.target_agent_id;
        return Err(TaskError::Elsewhere { id: task.id, agent_id });
    }
    let said = &checked.body.message.context_id;
    if said.as_ref().is_some_and(|context_id| *context_id != task.context_id) {
        return Err(TaskError::Invalid(format!(
            "contextId is not that of task {id:?}; leave it out, or send {:?}",
            task.context_id
        )));
    }
    if task.state().is_terminal() {
        return Err(over(id, task.state()));
    }
    if serde_json::json!(task.task).to_string().len() > TASK_MAX_BYTES {
        return Err(TaskError::Unsupported(format!(
            "task {id:?} holds more than {TASK_MAX_BYTES} bytes and takes no more messages; send one without taskId, in \
             the same context"
        )));
    }
    Ok(task)
}

fn over(id: &str, state: TaskState) -> TaskError {
    TaskError::Unsupported(format!(
        "task {id:?} is {state} and takes no more messages; send one without taskId, in the same context"
    ))
}

fn not_yet(open: &TaskMessageRow) -> TaskError {
    let id = &open.task_id;
    let said = &open.message_id;
    match open.phase {
        Phase::Inbox | Phase::Leased => TaskError::Unsupported(format!(
            "task {id:?} is in the inbox of its agent, which takes one message of each; send this one without taskId, \
             in the same context"
        )),
        Phase::InDoubt => Error::conflict(format!(
            "it is not known whether the agent received message {said:?} of task {id:?}; send that one again first"
        ))
        .into(),
        _ => Error::conflict(format!(
            "message {said:?} of task {id:?} is on its way; send this one once that has arrived"
        ))
        .into(),
    }
}

/// Returns the task that a message begins.
fn task(caller: &Caller, target: &str, checked: &Checked, now: Timestamp) -> TaskRow {
    let said = &checked.body.message;
    let id = ids::new(TASK_PREFIX);
    let context_id = said.context_id.clone().unwrap_or_else(|| ids::new(CONTEXT_PREFIX));
    let status = TaskStatus { state: TaskState::Submitted, message: None, timestamp: Some(now) };
    let task = Task {
        history: vec![shown(said, &id, &context_id)],
        id: id.clone(),
        context_id: context_id.clone(),
        status,
        artifacts: Vec::new(),
        metadata: serde_json::Map::new(),
    };
    TaskRow {
        id,
        org_id: caller.key.org_id.clone(),
        context_id,
        source: caller.source().to_owned(),
        source_agent_id: caller.agent_id.clone(),
        target_agent_id: target.to_owned(),
        task,
        upstream: None,
        asked_at: now,
        created_at: now,
        changed_at: now,
        seen: None,
    }
}

/// Waits until it is decided what becomes of a message, and then, for as long as its sender wants to, until its task
/// has ended or waits for something.
async fn settled(
    engine: &Arc<Engine>,
    caller: &Caller,
    message: &TaskMessageRow,
    wait: Duration,
) -> Result<Task, TaskError> {
    let begun = Instant::now();
    let mut woken = Woken::by(engine, &message.task_id);
    loop {
        // Only how it stands: all that wait hold no tasks.
        let (id, org_id) = (message.task_id.clone(), message.org_id.clone());
        let Some(Standing { state, phase, .. }) =
            engine.store.task_standing(id, org_id, false).await?
        else {
            return Err(TaskError::NotFound(message.task_id.clone()));
        };
        let least = match phase {
            Phase::Checking => DECIDED_WITHIN.max(wait),
            Phase::Inbox | Phase::Leased => INBOX_WITHIN.min(wait),
            _ => wait,
        };
        let done = state.is_terminal()
            || phase == Phase::InDoubt
            || phase != Phase::Checking && state.is_interrupted();
        let left = least.saturating_sub(begun.elapsed());
        if done || left.is_zero() || !woken.within(left).await {
            return Ok(reading::visible(engine, caller, None, &message.task_id).await?.task);
        }
        if phase == Phase::Sent {
            let task = reading::visible(engine, caller, None, &message.task_id).await?;
            reading::ask_after(engine, &task).await;
        }
    }
}
