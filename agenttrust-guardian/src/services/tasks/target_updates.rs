//! A target that tells what it does is heard: followers of the task hear each piece, and its row is kept up.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::{Timestamp, background};
use futures_util::future::{Either, select};
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::json;

use super::delivery::{Failed, kept};
use super::work::Claimed;
use super::{adopt, interfaces};
use crate::domain::limits::Share;
use crate::domain::task::{Phase, Task, TaskChange, TaskState};
use crate::engine::{Engine, Hearing};
use crate::outbound::a2a::{Interface, SendError, Update, Updates};
use crate::store::{StoreError, TaskRow, Upstream};

/// The time after which the row is written again while pieces come.
const KEPT_EVERY: Duration = Duration::from_secs(1);
/// The same time, where the state of the task has changed.
const STANDS_KEPT_AFTER: Duration = Duration::from_millis(100);
/// The pause after each write of the row, as a multiple of the time that it took, however often the state changes.
const RESTS: u32 = 9;
/// The longest task, as JSON, in bytes.
const TASK_MAX_BYTES: usize = 4 << 20;

/// Hears a target until it has told all.
///
/// # Errors
///
/// Those of the database, and of sending where nothing was heard before.
pub(super) async fn follow(
    engine: &Arc<Engine>,
    claimed: &Claimed,
    (task, place): (&TaskRow, &Interface),
    mut updates: Updates,
) -> Result<(), Failed> {
    let mut ours = task.task.clone();
    adopt::said(&mut ours, &claimed.message.body.message);
    let (task_id, stood) = (ours.id.clone(), ours.status.state);
    let mut heard = HeardTask {
        hearing: engine.tasks.hear(ours),
        upstream: task.upstream.clone(),
        bytes: 0,
        room: room(engine, claimed),
    };
    let mut kept = KeptUp { at: None, state: stood, took: Duration::ZERO, is_behind: false };
    loop {
        let update = match next(engine, &mut updates, kept.due(heard.state())).await {
            Next::Update(update) => *update,
            Next::Broke(error) if kept.at.is_none() => return Err(Failed::Sending(error)),
            Next::Broke(error) => {
                tracing::warn!(task_id, %error, "an agent that was heard broke off");
                break;
            }
            Next::Due => {
                kept.up(engine, claimed, &heard).await.map_err(Failed::Keeping)?;
                continue;
            }
            Next::End => break,
        };
        let has_room = heard.take(place, update, engine.clock.now());
        kept.is_behind = true;
        if heard.state().is_terminal() {
            break;
        }
        if kept.left(heard.state()).is_zero() {
            kept.up(engine, claimed, &heard).await.map_err(Failed::Keeping)?;
        }
        if !has_room {
            tracing::warn!(task_id, "an agent is heard no more, because too much is held already");
            break;
        }
    }
    let state = heard.state();
    if kept.at.is_none() && !state.is_terminal() {
        let why = "it was not heard to the first word";
        return Err(Failed::Sending(SendError::InDoubt(why.to_owned())));
    }
    let to = if state.is_terminal() { Phase::Ended } else { Phase::Sent };
    let done = keep(engine, claimed, to, &heard).await;
    drop(heard);
    engine.tasks.changed(&task_id);
    done.map_err(Failed::Keeping)
}

/// Returns room for what the target tells, which is counted for its sender; none where the key is gone.
fn room(engine: &Engine, claimed: &Claimed) -> Option<Share> {
    let key = engine.registry.keys.of_id(&claimed.message.key_id)?;
    engine.limits.task_bytes.take(&key, 0).ok()
}

/// The last write of the row.
struct KeptUp {
    at: Option<Instant>,
    state: TaskState,
    took: Duration,
    /// Whether more was heard since.
    is_behind: bool,
}

impl KeptUp {
    /// Returns how long it is until the row is to be kept up, where more was heard.
    fn left(&self, state: TaskState) -> Duration {
        let Some(at) = self.at else { return Duration::ZERO };
        let pause = if state == self.state { KEPT_EVERY } else { STANDS_KEPT_AFTER };
        pause.max(self.took.saturating_mul(RESTS)).saturating_sub(at.elapsed())
    }

    /// Returns the same, where anything was.
    fn due(&self, state: TaskState) -> Option<Duration> {
        self.is_behind.then(|| self.left(state))
    }

    async fn up(
        &mut self,
        engine: &Arc<Engine>,
        claimed: &Claimed,
        heard: &HeardTask,
    ) -> Result<(), StoreError> {
        let begun = Instant::now();
        keep(engine, claimed, Phase::Sending, heard).await?;
        (self.state, self.is_behind) = (heard.state(), false);
        (self.at, self.took) = (Some(Instant::now()), begun.elapsed());
        Ok(())
    }
}

/// The next thing to do.
enum Next {
    Update(Box<Update>),
    Broke(SendError),
    /// The row is to be kept up.
    Due,
    End,
}

/// Returns what the target tells next. Nothing once the Guardian stops: the rest is asked for when it is back.
async fn next(engine: &Engine, updates: &mut Updates, due: Option<Duration>) -> Next {
    let mut closing = engine.closing();
    let stops = pin!(closing.wait_for(|closing| *closing).map(drop));
    let next = select(updates.next(), stops);
    let next = match due {
        None => Ok(next.await),
        Some(left) => background::timeout(left, next).await,
    };
    match next {
        Ok(Either::Left((Some(Ok(update)), _))) => Next::Update(Box::new(update)),
        Ok(Either::Left((Some(Err(error)), _))) => Next::Broke(error),
        Ok(Either::Left((None, _)) | Either::Right(_)) => Next::End,
        Err(_) => Next::Due,
    }
}

/// A task, and what its target has reported of it so far.
struct HeardTask {
    hearing: Hearing,
    upstream: Option<Upstream>,
    bytes: usize,
    room: Option<Share>,
}

impl HeardTask {
    fn state(&self) -> TaskState {
        self.hearing.look(|ours| ours.status.state)
    }

    /// Takes over what the target told, and passes it on to its followers; returns whether there is room for more.
    fn take(&mut self, place: &Interface, update: Update, now: Timestamp) -> bool {
        self.upstream = named(place, &update).or(self.upstream.take());
        let size = size(&update);
        self.bytes += size;
        if self.bytes > TASK_MAX_BYTES {
            self.hearing.tell(|ours| {
                let text =
                    format!("the agent told more than {TASK_MAX_BYTES} bytes, which is the most");
                adopt::say(ours, TaskState::Failed, text, now, None);
                TaskChange::Whole
            });
            return true;
        }
        self.hearing.tell(|ours| adopt::update(ours, update, now));
        self.room.as_mut().is_none_or(|room| room.grow(size).is_ok())
    }
}

async fn keep(
    engine: &Arc<Engine>,
    claimed: &Claimed,
    to: Phase,
    heard: &HeardTask,
) -> Result<(), StoreError> {
    let now = engine.clock.now();
    let (ours, mut upstream) = (heard.hearing.look(Task::clone), heard.upstream.clone());
    if let Some(upstream) = &mut upstream {
        upstream.took = Some(claimed.message.id.clone());
    }
    kept(engine, claimed, to, move |row| {
        row.task = ours;
        row.upstream = upstream;
        row.asked_at = now;
    })
    .await
}

/// Returns how the target names the task that it tells of.
fn named(place: &Interface, update: &Update) -> Option<Upstream> {
    let (id, context_id) = match update {
        Update::Task(task) => (&task.id, &task.context_id),
        Update::Status { task_id, context_id, .. }
        | Update::Artifact { task_id, context_id, .. } => (task_id, context_id),
        Update::Message(_) => return None,
    };
    Some(interfaces::upstream(place, id.clone(), context_id.clone()))
}

/// Returns how much an update takes, and what it costs beside: many small ones are as much as a few large ones.
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
