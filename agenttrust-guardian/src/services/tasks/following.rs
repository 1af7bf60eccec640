//! A task is followed: by what its target tells, where it is heard at this replica, else by its row.
//!
//! All followers share each piece, and a follower keeps only what it needs to know whether something is new.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::background;
use serde_json::{Map, Value};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::caller::View;
use super::reading::{self, Woken};
use super::{Caller, Following, subscribed};
use crate::domain::names::check_name;
use crate::domain::task::{Phase, Shown, Task, TaskError, TaskEvent, TaskState, TaskStatus};
use crate::engine::{Engine, Piece};
use crate::store::{Standing, StoreError};

/// The time after which a task that is followed by its row is looked at again.
const BEAT: Duration = Duration::from_secs(1);
/// The time for which followers of a task believe one of them that looked how it stands, and had its target asked.
const LOOKED: Duration = Duration::from_millis(900);
/// The time within which all of a task is not told twice.
const REST: Duration = Duration::from_millis(50);

/// The state that a follower of a task saw last, by which it knows what is new.
#[derive(Debug)]
pub(super) struct LastSeen {
    status: TaskStatus,
    metadata: Map<String, Value>,
    /// The digest of its results and its history; `None` once a piece of them was told.
    content: Option<u64>,
    /// The row that was read last.
    stamp: Option<String>,
    /// The time when all of it was last told.
    at: Instant,
}

/// Begins to follow a task, as [`super::follow`] says.
pub(super) async fn follow(
    engine: &Arc<Engine>,
    caller: &Caller,
    target: Option<&str>,
    id: &str,
) -> Result<Following, TaskError> {
    let unknown = || TaskError::NotFound(id.chars().take(200).collect());
    check_name("id", id).map_err(|_| unknown())?;
    let woken = Woken::by(engine, id);
    let heard = engine.tasks.join(id);
    // Only how it stands: those who follow a task that others follow read nothing of it anew.
    let mut standing = standing_of(engine, caller, (id, false)).await?.ok_or_else(unknown)?;
    if target.is_some_and(|target| target != standing.target_agent_id) {
        return Err(unknown());
    }
    // What the target does it need not be told, and what is heard of it holds more than it may see.
    let is_only_asked = match caller.sight(&standing.source, &standing.target_agent_id) {
        View::All => false,
        View::AsTarget => true,
        View::Nothing => return Err(unknown()),
    };
    let (id, latest) = (id.to_owned(), engine.tasks.row(id, is_only_asked));
    let (first, stamp, pieces) = match heard.filter(|_| !is_only_asked) {
        Some((shown, pieces)) => (shown, None, Some(pieces)),
        None => {
            if is_only_asked {
                let seen = standing_of(engine, caller, (&id, true)).await?;
                standing = seen.ok_or_else(unknown)?;
            }
            let read = read(engine, caller, &id, is_only_asked);
            let (stamp, shown) = latest.at(&standing.stamp, read).await?;
            (shown, Some(stamp), None)
        }
    };
    let context_id = standing.context_id;
    let TaskEvent::Task(task) = first.event() else { return Err(unknown()) };
    let known = LastSeen {
        status: task.status.clone(),
        metadata: task.metadata.clone(),
        content: Some(first.content()),
        stamp,
        at: Instant::now(),
    };
    Ok(Following {
        engine: Arc::clone(engine),
        caller: caller.clone(),
        is_only_asked,
        id,
        context_id,
        first: Some(first),
        latest,
        known,
        pieces,
        is_behind: false,
        has_asked: false,
        woken,
        over: false,
    })
}

/// Reads the row of a task as the caller sees it, with its stamp.
async fn read(
    engine: &Engine,
    caller: &Caller,
    id: &str,
    is_only_asked: bool,
) -> Result<(String, Task), TaskError> {
    let unknown = || TaskError::NotFound(id.to_owned());
    let row = engine.reading_store.task(id.to_owned(), caller.key.org_id.clone()).await?;
    let row = row.ok_or_else(unknown)?;
    let stamp = row.stamp(is_only_asked);
    let seen = caller.view(row).ok_or_else(unknown)?;
    Ok((stamp, seen.task))
}

/// Returns what is told next, as [`Following::next`] says.
pub(super) async fn next(following: &mut Following) -> Option<Arc<Shown>> {
    loop {
        if following.over {
            return None;
        }
        if following.is_behind {
            // What changes all the time is told now and then.
            background::sleep(REST.saturating_sub(following.known.at.elapsed())).await;
            let joined = following.engine.tasks.join(&following.id);
            following.is_behind = false;
            following.pieces = None;
            if let Some((shown, pieces)) = joined {
                following.pieces = Some(pieces);
                if let Some(told) = news(following, &shown) {
                    return Some(told);
                }
            }
            continue;
        }
        let Some(pieces) = &mut following.pieces else {
            match by_row(following).await {
                Next::Told(told) => return Some(told),
                Next::Heard => continue,
                Next::End => return None,
            }
        };
        match heard(pieces).await {
            Received::Piece(shown) => {
                following.known.take(shown.event());
                following.over = shown.state().is_some_and(rests);
                return Some(shown);
            }
            Received::Behind => following.is_behind = true,
            Received::Nothing if following.is_stopped() => return None,
            Received::Nothing => {}
        }
    }
}

enum Received {
    Piece(Arc<Shown>),
    /// A gap: news was missed, all of the task is to be looked at, or the target is heard no more.
    Behind,
    Nothing,
}

async fn heard(pieces: &mut Receiver<Piece>) -> Received {
    match background::timeout(BEAT, pieces.recv()).await {
        Ok(Ok(Piece::Told(shown))) => Received::Piece(shown),
        Ok(Ok(Piece::Whole) | Err(RecvError::Lagged(_) | RecvError::Closed)) => Received::Behind,
        Err(_) => Received::Nothing,
    }
}

enum Next {
    Told(Arc<Shown>),
    /// Its target is heard from now on.
    Heard,
    End,
}

/// Tells how the row changed since.
async fn by_row(following: &mut Following) -> Next {
    let engine = Arc::clone(&following.engine);
    let is_only_asked = following.is_only_asked;
    loop {
        // What follows was begun at this replica after this was.
        if !is_only_asked && let Some((shown, pieces)) = engine.tasks.join(&following.id) {
            following.pieces = Some(pieces);
            return news(following, &shown).map_or(Next::Heard, Next::Told);
        }
        let of = (following.id.as_str(), is_only_asked);
        let look = standing_of(&engine, &following.caller, of);
        let Ok(Some(standing)) = following.latest.standing(LOOKED, look).await else {
            return Next::End;
        };
        if following.known.stamp.as_ref() != Some(&standing.stamp) {
            let read = read(&engine, &following.caller, &following.id, is_only_asked);
            let Ok((stamp, shown)) = following.latest.at(&standing.stamp, read).await else {
                return Next::End;
            };
            following.known.stamp = Some(stamp);
            if let Some(told) = news(following, &shown) {
                let state = shown.state().unwrap_or(standing.state);
                following.over = is_at_rest(is_only_asked, state, standing.phase);
                return Next::Told(told);
            }
        }
        let is_at_rest = is_at_rest(is_only_asked, standing.state, standing.phase);
        if standing.phase == Phase::Sent && !is_at_rest && !following.has_asked && !is_only_asked {
            following.has_asked = true;
            subscribed::start(&engine, &following.caller.key.org_id, &following.id);
        }
        if is_at_rest || !following.woken.within(BEAT).await {
            following.over = true;
            return Next::End;
        }
        if standing.phase == Phase::Sent && !is_only_asked {
            ask_after(following).await;
        }
    }
}

async fn standing_of(
    engine: &Engine,
    caller: &Caller,
    (id, is_only_asked): (&str, bool),
) -> Result<Option<Standing>, StoreError> {
    let (id, org_id) = (id.to_owned(), caller.key.org_id.clone());
    engine.reading_store.task_standing(id, org_id, is_only_asked).await
}

/// Asks its target after the task, unless that was done a moment ago.
async fn ask_after(following: &Following) {
    let (id, org_id) = (following.id.clone(), following.caller.key.org_id.clone());
    // One of all who follow it reads the row for that.
    if !following.latest.may_ask(LOOKED) {
        return;
    }
    if let Ok(Some(row)) = following.engine.reading_store.task(id, org_id).await {
        reading::ask_after(&following.engine, &row).await;
    }
}

/// Returns whether nothing follows by itself. What waits for an approval goes on by itself once that is decided.
fn is_at_rest(is_only_asked: bool, state: TaskState, phase: Phase) -> bool {
    if is_only_asked {
        return rests(state);
    }
    let is_ours = matches!(phase, Phase::Checking | Phase::Held | Phase::Ready | Phase::Sending);
    state.is_terminal() || state.is_interrupted() && !is_ours || phase == Phase::InDoubt
}

fn rests(state: TaskState) -> bool {
    state.is_terminal() || state.is_interrupted()
}

/// Returns all of a task where it is another one than is known, or only how it stands where nothing else changed.
fn news(following: &mut Following, shown: &Arc<Shown>) -> Option<Arc<Shown>> {
    let TaskEvent::Task(task) = shown.event() else { return None };
    let known = &mut following.known;
    let is_same = known.content == Some(shown.content());
    if is_same && known.status == task.status && known.metadata == task.metadata {
        return None;
    }
    known.take(shown.event());
    (known.content, known.at) = (Some(shown.content()), Instant::now());
    following.over = rests(task.status.state);
    Some(match is_same {
        true => Shown::new(TaskEvent::Status {
            status: task.status.clone(),
            metadata: task.metadata.clone(),
        }),
        false => Arc::clone(shown),
    })
}

impl LastSeen {
    pub(super) fn state(&self) -> TaskState {
        self.status.state
    }

    /// Remembers what was told.
    fn take(&mut self, event: &TaskEvent) {
        match event {
            TaskEvent::Task(task) => {
                self.status.clone_from(&task.status);
                self.metadata.clone_from(&task.metadata);
            }
            TaskEvent::Status { status, .. } => self.status.clone_from(status),
            TaskEvent::Artifact { .. } => self.content = None,
        }
    }
}
