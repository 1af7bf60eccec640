//! One message that was taken: asked about, and then held, refused, put into an inbox or handed to its target.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::Timestamp;
use agenttrust::background;
use serde_json::json;

use super::check::{self, Said};
use super::{adopt, delivery, interfaces, records};
use crate::domain::ids;
use crate::domain::task::{Phase, TaskState};
use crate::engine::Engine;
use crate::store::{Sight, Step, Stepped, StoreError, TaskMessageRow, TaskRow};

/// The time that a silent claim keeps a message one replica's own: a replica that died holds it no longer.
pub(super) const CLAIMED_FOR: Duration = Duration::from_secs(10);
/// The least time until it is asked again where there was no time to decide.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// The time that a message is tried that cannot be decided about.
const UNDECIDED_FOR: Duration = Duration::from_secs(300);

/// A message that is this replica's to move on, for a while.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) message: TaskMessageRow,
    pub(super) claim: String,
    /// The time when it was taken.
    pub(super) at: Instant,
    /// Whether its target may have received it before.
    pub(super) doubted: bool,
}

/// Returns a new claim, and until when it holds.
pub(super) fn claim(now: Timestamp) -> (String, Timestamp) {
    (ids::new("clm_"), now.saturating_add(CLAIMED_FOR))
}

impl Claimed {
    /// Takes a message that waits for something; `None` where another replica has it. One that is in doubt is taken
    /// only with `doubted`.
    pub(super) async fn take(
        engine: &Engine,
        id: String,
        doubted: bool,
    ) -> Result<Option<Self>, StoreError> {
        let (at, now) = (Instant::now(), engine.clock.now());
        let (claim, until) = claim(now);
        let taken = (claim.clone(), until);
        let message = engine.store.claim_task_message(id, taken, now, doubted).await?;
        Ok(message.map(|message| Self { message, claim, at, doubted: false }))
    }

    /// Returns a step of this message, from the phase that it is in.
    pub(super) fn step(&self, from: Phase, to: Phase) -> Step {
        let message = &self.message;
        Step {
            id: message.id.clone(),
            task_id: message.task_id.clone(),
            from,
            claim: self.claim.clone(),
            to,
            approval_id: message.approval_id.clone(),
            check_id: message.check_id.clone(),
            next_claim: None,
            next_at: message.next_at,
        }
    }

    /// Keeps a message that is being sent for longer; returns whether it is still this replica's.
    pub(super) async fn renew(&mut self, engine: &Engine) -> Result<bool, StoreError> {
        let (at, until) = (Instant::now(), engine.clock.now().saturating_add(CLAIMED_FOR));
        let (id, claim) = (self.message.id.clone(), self.claim.clone());
        let renewed = engine.store.renew_task_message(id, claim, until).await?;
        if renewed {
            self.at = at;
        }
        Ok(renewed)
    }

    /// Returns whether it was taken so lately that no other replica takes it for lost.
    pub(super) fn is_fresh(&self) -> bool {
        self.at.elapsed() < CLAIMED_FOR / 2
    }
}

/// Moves a message on in the background, apart from any caller that waits for it.
pub(super) fn start(engine: &Arc<Engine>, claimed: Claimed) {
    let engine = Arc::clone(engine);
    background::spawn(async move {
        let id = claimed.message.task_id.clone();
        if let Err(error) = move_on(&engine, claimed).await {
            // It is taken up again once the claim has lapsed.
            tracing::warn!(%error, task_id = id, "a task could not be moved on; trying again");
        }
    });
}

async fn move_on(engine: &Arc<Engine>, mut claimed: Claimed) -> Result<(), StoreError> {
    let (id, org_id) = (claimed.message.task_id.clone(), claimed.message.org_id.clone());
    let Some(task) = engine.store.task(id, org_id).await? else { return Ok(()) };
    claimed.doubted = adopt::is_in_doubt(&task.task);
    match check::ask(engine, &task, &claimed.message).await? {
        Said::Allowed(check_id) => {
            claimed.message.check_id = check_id;
            claimed.message.approval_id = None;
            let known = interfaces::of(engine, &task.org_id, &task.target_agent_id).await;
            match known {
                Ok(known) if known.is_empty() && task.upstream.is_none() => {
                    into_inbox(engine, &claimed).await
                }
                Ok(known) => delivery::deliver(engine, claimed, task, known).await,
                Err(error) => later(engine, &claimed, &task, error.message()).await,
            }
        }
        Said::Held { approval_id, why } => {
            claimed.message.approval_id = Some(approval_id);
            hold(engine, &claimed, (Phase::Checking, Sight::Kept), why).await
        }
        Said::Denied(why) => refuse(engine, &claimed, why).await,
        Said::Undecided => {
            let why = "it could not be decided in time whether it may be sent";
            later(engine, &claimed, &task, why).await
        }
    }
}

/// Waits for an approval.
pub(super) async fn hold(
    engine: &Engine,
    claimed: &Claimed,
    (from, sight): (Phase, Sight),
    why: String,
) -> Result<(), StoreError> {
    let now = engine.clock.now();
    let approval_id = claimed.message.approval_id.clone().unwrap_or_default();
    let (step, doubted) = (claimed.step(from, Phase::Held), claimed.doubted);
    let text = format!(
        "it waits for approval {approval_id} ({why}); it goes on by itself once that is given, and what is sent \
         meanwhile is not kept"
    );
    let held = engine.store.step_task(step, now, move |row| {
        let known = match doubted {
            true => json!({ "approval_id": approval_id, "in_doubt": true }),
            false => json!({ "approval_id": approval_id }),
        };
        adopt::say(&mut row.task, TaskState::AuthRequired, text, now, Some(known));
        row.sight(sight, now);
    });
    if let Some(stepped) = held.await? {
        records::enqueue(engine, records::record("task.held", &stepped.task, &claimed.message))
            .await;
        follow(engine).await?;
        // It may have been decided between asking and waiting.
        engine.tasks.look();
    }
    Ok(())
}

/// Asks again in a while, or gives up.
async fn later(
    engine: &Engine,
    claimed: &Claimed,
    task: &TaskRow,
    why: &str,
) -> Result<(), StoreError> {
    let now = engine.clock.now();
    if claimed.message.begun_at.until(now) > UNDECIDED_FOR {
        let ends = Ends { from: Phase::Checking, state: TaskState::Failed, sight: Sight::Kept };
        return end(engine, claimed, ends, why.to_owned()).await;
    }
    let mut step = claimed.step(Phase::Checking, Phase::Held);
    step.approval_id = None;
    step.next_at = now.saturating_add(ASK_AGAIN);
    tracing::debug!(task_id = task.id, why, "a task is asked about again in a while");
    engine.store.step_task(step, now, |_| {}).await.map(drop)
}

/// Says no. A task that began with this message is rejected; one that went on before stands as it did.
async fn refuse(engine: &Engine, claimed: &Claimed, why: String) -> Result<(), StoreError> {
    if claimed.doubted {
        // What the target may have done is not undone by that.
        let why = format!("it was not sent again, because {why}");
        return delivery::doubt(engine, claimed, Phase::Checking, &why).await;
    }
    let state = claimed.message.state_before.unwrap_or(TaskState::Rejected);
    let ends = Ends { from: Phase::Checking, state, sight: Sight::Kept };
    end(engine, claimed, ends, format!("the message was not sent: {why}")).await
}

/// The way in which work on a message ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    /// The phase that it is in.
    pub(super) from: Phase,
    /// The state of its task then.
    pub(super) state: TaskState,
    pub(super) sight: Sight,
}

/// Ends what is done about a message, with a word about its task.
pub(super) async fn end(
    engine: &Engine,
    claimed: &Claimed,
    ends: Ends,
    text: String,
) -> Result<(), StoreError> {
    let (Ends { from, state, sight }, now) = (ends, engine.clock.now());
    let goes_on = claimed.message.state_before.is_some() && !state.is_terminal();
    // What went on at the target before goes on there.
    let to = if goes_on { Phase::Sent } else { Phase::Ended };
    let mut step = claimed.step(from, to);
    step.next_at = now;
    let ended = engine.store.step_task(step, now, move |row| {
        adopt::say(&mut row.task, state, text, now, None);
        row.sight(sight, now);
    });
    match ended.await? {
        Some(stepped) => finished(engine, &claimed.message, &stepped).await,
        None => Ok(()),
    }
}

/// Follows what was changed, and tells of an end.
pub(super) async fn finished(
    engine: &Engine,
    message: &TaskMessageRow,
    stepped: &Stepped,
) -> Result<(), StoreError> {
    for earlier in &stepped.earlier {
        // The target took it, and went on.
        records::outcome(engine, &stepped.task, earlier, TaskState::Working).await;
    }
    if stepped.ended {
        records::ended(engine, &stepped.task, message).await;
    }
    follow(engine).await
}

async fn into_inbox(engine: &Engine, claimed: &Claimed) -> Result<(), StoreError> {
    let now = engine.clock.now();
    let step = claimed.step(Phase::Checking, Phase::Inbox);
    let put = engine.store.step_task(step, now, move |row| {
        adopt::stand(&mut row.task, TaskState::Submitted, now);
        row.sight(Sight::Shown, now);
    });
    if let Some(stepped) = put.await? {
        let record = records::record("task.dispatched", &stepped.task, &claimed.message);
        records::enqueue(engine, record).await;
        follow(engine).await?;
    }
    Ok(())
}

/// Syncs memory, so that callers that wait at this replica hear of what was changed.
pub(super) async fn follow(engine: &Engine) -> Result<(), StoreError> {
    engine.sync().await.map(drop)
}
