//! A message is handed to its target: at most once, and what came of it is kept.
//!
//! That it is about to be sent is written down first, in one statement that only one replica can make, and in the
//! audit. Where the Guardian dies between that and the answer, it is in doubt, and only its sender has it sent once
//! more.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use agenttrust::background;
use futures_util::future::{Either, select};
use serde_json::json;

use super::work::{self, CLAIMED_FOR, Claimed, Ends, finished};
use super::{adopt, check, interfaces, outward, records, target_updates};
use crate::domain::task::{Phase, TRUST_EXTENSION, TaskState};
use crate::engine::Engine;
use crate::outbound::a2a::{Handed, Interface, SendError, Sent, Way};
use crate::store::{Sight, StoreError, TaskRow};

/// The time after which a claim is renewed while its message is on its way.
const RENEWED_EVERY: Duration = Duration::from_secs(3);
/// The time that a target is tried that is not reached ...
const TRIED_FOR: Duration = Duration::from_secs(300);
/// ... and how long the first and the longest wait in between are.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The time after which a task is asked after for the first time, once it was handed on.
pub(super) const ASKED_AFTER: Duration = Duration::from_secs(2);
/// The code by which a target says that it knows no such task.
pub(super) const TASK_NOT_FOUND: i64 = -32001;

/// Hands a message to its target, at one of these interfaces.
pub(super) async fn deliver(
    engine: &Arc<Engine>,
    claimed: Claimed,
    task: TaskRow,
    known: Vec<Interface>,
) -> Result<(), StoreError> {
    let places = match &task.upstream {
        // What goes on goes on where it is.
        Some(upstream) => interfaces::again(&known, upstream).into_iter().cloned().collect(),
        None => known,
    };
    if places.is_empty() {
        let text = "its agent is not reached any more where it works at this task".to_owned();
        let ends = Ends { from: Phase::Checking, state: TaskState::Failed, sight: Sight::Kept };
        return work::end(engine, &claimed, ends, text).await;
    }
    let Some((mut claimed, task)) = begin(engine, claimed, &task).await? else { return Ok(()) };
    let handed = outward::handed(engine, &claimed.message, &task).await?;
    let mut failed = SendError::NotSent("it has no interface".to_owned());
    let mut tried = false;
    for place in &places {
        // The place before may have taken its time.
        if tried && !check::is_allowed_still(engine, &task, &claimed.message).await? {
            break;
        }
        tried = true;
        // Another replica may take it for lost, and its sender send it again: then it is not sent here.
        if !claimed.is_fresh() && !claimed.renew(engine).await? {
            return Ok(());
        }
        match kept_alive(engine, &claimed, attempt(engine, &claimed, (&task, place), &handed)).await
        {
            Ok(()) => return Ok(()),
            // Nothing was sent there, so it may be sent elsewhere.
            Err(Failed::Sending(error @ SendError::NotSent(_))) => failed = error,
            Err(Failed::Sending(error)) => {
                failed = error;
                break;
            }
            Err(Failed::Keeping(error)) => return Err(error),
        }
    }
    not_handed(engine, &claimed, failed).await
}

/// Writes down that the message is about to be sent, and returns its task as it stands then; `None` where it is not to
/// be.
async fn begin(
    engine: &Engine,
    mut claimed: Claimed,
    task: &TaskRow,
) -> Result<Option<(Claimed, TaskRow)>, StoreError> {
    let (at, now) = (std::time::Instant::now(), engine.clock.now());
    let until = now.saturating_add(CLAIMED_FOR);
    let mut step = claimed.step(Phase::Checking, Phase::Sending);
    step.next_claim = Some((claimed.claim.clone(), until));
    let state = match claimed.message.state_before {
        None => TaskState::Submitted,
        Some(_) => TaskState::Working,
    };
    let doubted = claimed.doubted;
    // It waits for nothing any more. What is in doubt stays so until there is an answer.
    let begun = engine.store.step_task(step, now, move |row| {
        if row.state() != state || row.task.metadata.contains_key(TRUST_EXTENSION) {
            adopt::stand(&mut row.task, state, now);
        }
        if doubted {
            row.task.metadata.insert(TRUST_EXTENSION.to_owned(), json!({ "in_doubt": true }));
        }
    });
    let Some(begun) = begun.await? else { return Ok(None) };
    claimed.at = at;
    let record = records::record("task.dispatched", task, &claimed.message);
    if let Err(error) = engine.audit.append(record).await {
        tracing::error!(%error, "a task is not sent, because that could not be recorded");
        again(engine, &claimed, "the audit log cannot be written".to_owned()).await?;
        return Ok(None);
    }
    Ok(Some((claimed, begun.task)))
}

/// The reason why an attempt came to nothing.
pub(super) enum Failed {
    Sending(SendError),
    Keeping(StoreError),
}

/// Sends it once, and keeps what came of it.
async fn attempt(
    engine: &Arc<Engine>,
    claimed: &Claimed,
    (task, place): (&TaskRow, &Interface),
    handed: &Handed,
) -> Result<(), Failed> {
    let timeout = engine.settings.mcp.timeout;
    let way = Way { outbound: &engine.outbound, interface: place, timeout };
    if claimed.message.body.streams
        && let Some(key) = engine.registry.keys.of_id(&claimed.message.key_id)
        // Where there is no room for one more stream, it is sent without.
        && let Ok(room) = engine.limits.mcp_streams.take(&key, 1)
    {
        let updates = way.stream(handed).await.map_err(Failed::Sending)?;
        let heard = target_updates::follow(engine, claimed, (task, place), updates).await;
        drop(room);
        return heard;
    }
    let sent = way.send(handed).await.map_err(Failed::Sending)?;
    let now = engine.clock.now();
    let place = place.clone();
    let said = claimed.message.body.message.clone();
    let (to, change): (_, TaskUpdate) = match sent {
        Sent::Message(message) => {
            let adopted = move |row: &mut TaskRow| {
                adopt::said(&mut row.task, &said);
                adopt::answer(&mut row.task, *message, now);
            };
            (Phase::Ended, Box::new(adopted))
        }
        Sent::Task(theirs) => {
            let goes_on = !theirs.status.state.is_terminal();
            let to = if goes_on { Phase::Sent } else { Phase::Ended };
            let adopted = move |row: &mut TaskRow| {
                let (id, context_id) = (theirs.id.clone(), theirs.context_id.clone());
                row.upstream = Some(interfaces::upstream(&place, id, context_id));
                row.asked_at = now;
                adopt::said(&mut row.task, &said);
                adopt::task(&mut row.task, *theirs, now);
            };
            (to, Box::new(adopted))
        }
    };
    kept(engine, claimed, to, change).await.map_err(Failed::Keeping)
}

/// An update of a task's row.
type TaskUpdate = Box<dyn FnOnce(&mut TaskRow) + Send>;

/// Keeps what came of a message. Where another replica took it for lost meanwhile, and no caller had it sent again,
/// the truth takes the place of the doubt.
pub(super) async fn kept(
    engine: &Engine,
    claimed: &Claimed,
    to: Phase,
    change: impl FnOnce(&mut TaskRow) + Send + 'static,
) -> Result<(), StoreError> {
    let now = engine.clock.now();
    let change = Arc::new(std::sync::Mutex::new(Some(change)));
    for from in [Phase::Sending, Phase::InDoubt] {
        let mut step = claimed.step(from, to);
        step.next_at = now.saturating_add(ASKED_AFTER);
        // It stays its own while it is still being heard.
        if to == Phase::Sending {
            step.next_claim = Some((claimed.claim.clone(), now.saturating_add(CLAIMED_FOR)));
        }
        let change = Arc::clone(&change);
        let stepped = engine.store.step_task(step, now, move |row| {
            let change = change.lock().ok().and_then(|mut change| change.take());
            if let Some(change) = change {
                change(row);
                row.sight(Sight::Shown, now);
            }
        });
        if let Some(stepped) = stepped.await? {
            return finished(engine, &claimed.message, &stepped).await;
        }
    }
    Ok(())
}

/// Keeps what could not be handed on, as far as is known.
async fn not_handed(
    engine: &Engine,
    claimed: &Claimed,
    failed: SendError,
) -> Result<(), StoreError> {
    let goes_on = claimed.message.state_before;
    match failed {
        SendError::NotSent(why) => again(engine, claimed, why).await,
        SendError::InDoubt(why) => {
            tracing::warn!(task_id = claimed.message.task_id, why, "an agent gave no answer");
            doubt(engine, claimed, Phase::Sending, "it gave no answer, or not in time").await
        }
        // A target that refuses one message works on at what it was sent before.
        SendError::Refused { code, message } if goes_on.is_some() && code != TASK_NOT_FOUND => {
            let state = goes_on.unwrap_or(TaskState::Working);
            let text = format!("the agent refused the last message: {message} ({code})");
            let ends = Ends { from: Phase::Sending, state, sight: Sight::Shown };
            work::end(engine, claimed, ends, text).await
        }
        failed @ (SendError::Refused { .. } | SendError::Lies(_)) => {
            let text = failed.to_string();
            let ends = Ends { from: Phase::Sending, state: TaskState::Failed, sight: Sight::Shown };
            work::end(engine, claimed, ends, text).await
        }
    }
}

/// Tries again in a while what was not sent, or gives up.
async fn again(engine: &Engine, claimed: &Claimed, why: String) -> Result<(), StoreError> {
    let now = engine.clock.now();
    let message = &claimed.message;
    let wait = wait_after(message.attempts);
    let next_at = now.saturating_add(wait);
    if message.begun_at.until(next_at) > TRIED_FOR {
        tracing::warn!(task_id = message.task_id, why, "an agent was not reached for too long");
        if claimed.doubted {
            let why = "it was not reached again";
            return doubt(engine, claimed, Phase::Sending, why).await;
        }
        let text = format!("the agent was not reached for {} s", TRIED_FOR.as_secs());
        let ends = Ends { from: Phase::Sending, state: TaskState::Failed, sight: Sight::Kept };
        return work::end(engine, claimed, ends, text).await;
    }
    let mut step = claimed.step(Phase::Sending, Phase::Ready);
    step.next_at = next_at;
    // Where the agent is, and why it is not there, is not for its callers to know.
    tracing::warn!(task_id = message.task_id, why, "an agent was not reached");
    let known = claimed.doubted.then(|| json!({ "in_doubt": true }));
    let more = if claimed.doubted { " once more" } else { "" };
    let text = format!(
        "the agent is not reached at present; the message was not sent{more}, and is tried again"
    );
    let put_off = engine.store.step_task(step, now, move |row| {
        let state = row.state();
        adopt::say(&mut row.task, state, text, now, known);
    });
    put_off.await?;
    work::follow(engine).await
}

/// Doubles the wait each time.
fn wait_after(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 16)).unwrap_or(16);
    FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT)
}

/// Says that it is not known whether the target received a message.
pub(super) async fn doubt(
    engine: &Engine,
    claimed: &Claimed,
    from: Phase,
    why: &str,
) -> Result<(), StoreError> {
    let now = engine.clock.now();
    let mut step = claimed.step(from, Phase::InDoubt);
    // Who sends it again asks again; and who learns what came of it after all has the claim still.
    step.check_id = None;
    step.next_claim = Some((claimed.claim.clone(), now));
    let text = format!(
        "it is not known whether the agent received message {:?}: {why}; sending the same messageId again sends it \
         once more",
        claimed.message.message_id
    );
    let doubted = engine.store.step_task(step, now, move |row| {
        let known = json!({ "in_doubt": true });
        adopt::say(&mut row.task, TaskState::Submitted, text, now, Some(known));
    });
    if let Some(stepped) = doubted.await? {
        tracing::warn!(task_id = stepped.task.id, why, "a task is in doubt");
        records::enqueue(engine, records::record("task.in_doubt", &stepped.task, &claimed.message))
            .await;
        work::follow(engine).await?;
    }
    Ok(())
}

/// Keeps a claim for as long as `sending` takes.
async fn kept_alive<T>(engine: &Engine, claimed: &Claimed, sending: impl Future<Output = T>) -> T {
    let mut sending = pin!(sending);
    loop {
        let pause = pin!(background::sleep(RENEWED_EVERY));
        match select(sending.as_mut(), pause).await {
            Either::Left((done, _)) => return done,
            Either::Right(_) => {
                let until = engine.clock.now().saturating_add(CLAIMED_FOR);
                let (id, claim) = (claimed.message.id.clone(), claimed.claim.clone());
                // It goes on all the same: it was sent by now.
                if let Err(error) = engine.store.renew_task_message(id, claim, until).await {
                    tracing::warn!(%error, "a task that is being sent may be taken for lost");
                }
            }
        }
    }
}
