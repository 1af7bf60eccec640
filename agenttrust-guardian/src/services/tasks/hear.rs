//! A target that tells what it does is heard: those who follow the task hear each piece, and its row is kept up.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::Timestamp;
use futures_util::future::{Either, select};
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::json;

use super::hand::{Failed, kept};
use super::work::Claimed;
use super::{adopt, interfaces};
use crate::domain::task::{Phase, Task, TaskEvent, TaskState};
use crate::engine::Engine;
use crate::outbound::a2a::{Interface, SendError, Update, Updates};
use crate::store::{StoreError, TaskRow, Upstream};

/// How often the row is kept up at least while pieces come.
const KEPT_EVERY: Duration = Duration::from_secs(1);
/// How often at most, however often it stands otherwise.
const KEPT_AT_MOST_EVERY: Duration = Duration::from_millis(100);
/// The longest task, as JSON, in bytes.
const TASK_MAX_BYTES: usize = 4 << 20;

/// Hears a target until it has told all.
///
/// # Errors
///
/// Those of the database, and of sending where nothing was heard before.
pub(super) async fn hear(
    engine: &Arc<Engine>,
    claimed: &Claimed,
    (task, place): (&TaskRow, &Interface),
    mut updates: Updates,
) -> Result<(), Failed> {
    let mut heard = Heard { ours: task.task.clone(), upstream: task.upstream.clone(), bytes: 0 };
    let hearing = engine.tasks.hear(heard.ours.clone());
    let (mut kept_at, mut kept_state) = (None::<Instant>, heard.ours.status.state);
    while let Some(update) = next(engine, &mut updates).await {
        let now = engine.clock.now();
        let update = match update {
            Ok(update) => update,
            Err(error) if kept_at.is_none() => return Err(Failed::Sending(error)),
            Err(error) => {
                tracing::warn!(task_id = heard.ours.id, %error, "an agent that was heard broke off");
                break;
            }
        };
        let event = heard.take(place, update, now);
        hearing.tell(&heard.ours, event);
        let state = heard.ours.status.state;
        if state.is_terminal() {
            break;
        }
        let pause = if state == kept_state { KEPT_EVERY } else { KEPT_AT_MOST_EVERY };
        if kept_at.is_none_or(|at| at.elapsed() >= pause) {
            keep(engine, claimed, Phase::Sending, &heard).await.map_err(Failed::Keeping)?;
            (kept_at, kept_state) = (Some(Instant::now()), state);
        }
    }
    let state = heard.ours.status.state;
    if kept_at.is_none() && !state.is_terminal() {
        let why = "it was not heard to the first word";
        return Err(Failed::Sending(SendError::InDoubt(why.to_owned())));
    }
    let to = if state.is_terminal() { Phase::Ended } else { Phase::Sent };
    let done = keep(engine, claimed, to, &heard).await;
    drop(hearing);
    engine.tasks.changed(&heard.ours.id);
    done.map_err(Failed::Keeping)
}

/// What the target tells next. Nothing once the Guardian stops: the rest is asked for when it is back.
async fn next(engine: &Engine, updates: &mut Updates) -> Option<Result<Update, SendError>> {
    let mut closing = engine.closing();
    let stops = pin!(closing.wait_for(|closing| *closing).map(drop));
    match select(updates.next(), stops).await {
        Either::Left((update, _)) => update,
        Either::Right(_) => None,
    }
}

/// A task as it was heard so far.
struct Heard {
    ours: Task,
    upstream: Option<Upstream>,
    bytes: usize,
}

impl Heard {
    /// Takes over what the target told, and returns it as followers hear it.
    fn take(&mut self, place: &Interface, update: Update, now: Timestamp) -> TaskEvent {
        self.upstream = named(place, &update).or(self.upstream.take());
        self.bytes += size(&update);
        if self.bytes > TASK_MAX_BYTES {
            let text =
                format!("the agent told more than {TASK_MAX_BYTES} bytes, which is the most");
            adopt::say(&mut self.ours, TaskState::Failed, text, now, None);
            return TaskEvent::Task(Box::new(self.ours.clone()));
        }
        adopt::update(&mut self.ours, update, now)
    }
}

async fn keep(
    engine: &Arc<Engine>,
    claimed: &Claimed,
    to: Phase,
    heard: &Heard,
) -> Result<(), StoreError> {
    let now = engine.clock.now();
    let (ours, upstream) = (heard.ours.clone(), heard.upstream.clone());
    kept(engine, claimed, to, move |row| {
        row.task = ours;
        row.upstream = upstream;
        row.asked_at = now;
    })
    .await
}

/// How the target names the task that it tells of.
fn named(place: &Interface, update: &Update) -> Option<Upstream> {
    let (id, context_id) = match update {
        Update::Task(task) => (&task.id, &task.context_id),
        Update::Status { task_id, context_id, .. }
        | Update::Artifact { task_id, context_id, .. } => (task_id, context_id),
        Update::Message(_) => return None,
    };
    Some(interfaces::upstream(place, id.clone(), context_id.clone()))
}

/// How much an update takes, and what it costs beside: many small ones are as much as a few large ones.
fn size(update: &Update) -> usize {
    const EACH: usize = 64;
    let text = match update {
        Update::Artifact { artifact, .. } => json!(artifact).to_string(),
        Update::Task(task) => json!(task).to_string(),
        Update::Message(message) => json!(message).to_string(),
        Update::Status { status, .. } => json!(status).to_string(),
    };
    text.len().saturating_add(EACH)
}
