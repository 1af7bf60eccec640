//! The work on tasks for which no caller has to ask. Decided tasks go on, lost ones become in doubt, and ones that did
//! not reach their target are tried again. Targets are asked about the tasks that they work at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::background;

use super::work::{self, Claimed};
use super::{check, delivery, reading};
use crate::domain::task::Phase;
use crate::engine::Engine;
use crate::store::StoreError;

/// The longest wait until a target is asked after a task again.
const ASKED_AT_LEAST_EVERY: Duration = Duration::from_secs(60);

/// Moves on every message that something is to be done about. Each is one replica's; what another one has is left
/// alone.
///
/// # Errors
///
/// Those of the database.
pub(crate) async fn move_on(engine: &Arc<Engine>) -> Result<(), StoreError> {
    for id in engine.background_store.task_messages_due(engine.clock.now()).await? {
        if let Some(claimed) = Claimed::take(engine, id, false).await? {
            work::start(engine, claimed);
        }
    }
    Ok(())
}

/// Looks at messages that were being sent by a Guardian which is gone: at those whose time is over, or at `all`, where
/// no other one can be at work. What the target had begun to tell of goes on there, and the others are in doubt.
///
/// # Errors
///
/// Those of the database.
pub(crate) async fn settle_lost(engine: &Arc<Engine>, all: bool) -> Result<(), StoreError> {
    let now = engine.clock.now();
    for message in engine.background_store.lost_task_messages(now, all).await? {
        let claim = message.claim.clone().unwrap_or_default();
        let lost = Claimed { message, claim, at: Instant::now(), doubted: true };
        let (id, org_id) = (lost.message.task_id.clone(), lost.message.org_id.clone());
        let task = engine.background_store.task(id, org_id).await?;
        let took = task.and_then(|task| task.upstream?.took);
        if took.as_ref() == Some(&lost.message.id) {
            delivery::kept(engine, &lost, Phase::Sent, |_| {}).await?;
            continue;
        }
        let why = "the Guardian that sent it was stopped before it knew";
        delivery::doubt(engine, &lost, Phase::Sending, why).await?;
    }
    Ok(())
}

/// Rejects what waits for an approval whose sender, key or target is gone; goes on after the message of id `after`, and
/// returns where to go on the next time.
///
/// # Errors
///
/// Those of the database.
pub(crate) async fn reject_gone(engine: &Arc<Engine>, after: String) -> Result<String, StoreError> {
    let held = engine.background_store.held_task_messages(after).await?;
    let last = held.last().map(|last| last.id.clone()).unwrap_or_default();
    for message in held {
        let (id, org_id) = (message.task_id.clone(), message.org_id.clone());
        let Some(task) = engine.background_store.task(id, org_id).await? else { continue };
        if check::gone(engine, &task, &message).is_some()
            && let Some(claimed) = Claimed::take(engine, message.id, false).await?
        {
            work::start(engine, claimed);
        }
    }
    Ok(last)
}

/// Asks targets after tasks that go on without a caller's asking, the longer they go on the less often.
///
/// # Errors
///
/// Those of the database.
pub(crate) async fn ask_after(engine: &Arc<Engine>) -> Result<(), StoreError> {
    let now = engine.clock.now();
    for (message_id, task_id, org_id) in engine.background_store.tasks_to_ask_after(now).await? {
        let Some(task) = engine.background_store.task(task_id, org_id).await? else { continue };
        let age = task.created_at.until(now);
        let wait = (age / 4).clamp(delivery::ASKED_AFTER, ASKED_AT_LEAST_EVERY);
        let next_at = now.saturating_add(wait);
        if engine.background_store.ask_after_task_later(message_id, next_at, now).await? {
            let engine = Arc::clone(engine);
            background::spawn(async move {
                reading::ask_after(&engine, &task).await;
            });
        }
    }
    Ok(())
}
