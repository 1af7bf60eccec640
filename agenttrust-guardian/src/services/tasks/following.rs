//! A task is followed: by what its target tells, where it is heard at this replica, else by its row.
//!
//! What is told is shared by all who are told it, and a follower keeps only by what it knows whether something is new.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::background;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::reading::{self, Woken};
use super::{Caller, Following, subscribed};
use crate::domain::Error;
use crate::domain::task::{Phase, Shown, Task, TaskError, TaskEvent, TaskState, TaskStatus};
use crate::engine::{Engine, Piece};
use crate::store::Standing;

/// How often a task is asked after that is followed by its row.
const BEAT: Duration = Duration::from_secs(1);
/// How long all of a task is told no second time.
const REST: Duration = Duration::from_millis(50);

/// What a follower knows of a task, by which it knows what is new.
#[derive(Debug)]
pub(super) struct Known {
    status: TaskStatus,
    /// Its results and its history; `None` once a piece was told of them.
    content: Option<u64>,
    /// The row that was read last.
    stamp: Option<String>,
    /// When all of it was told last.
    at: Instant,
}

/// Begins to follow a task, as [`super::follow`] says.
pub(super) async fn follow(
    engine: &Arc<Engine>,
    caller: &Caller,
    target: Option<&str>,
    id: &str,
) -> Result<Following, TaskError> {
    let woken = Woken::by(engine, id);
    let heard = engine.tasks.join(id);
    let row = reading::visible(engine, caller, target, id).await?;
    // What the target does it need not be told, and what is heard of it holds more than it may see.
    let is_only_asked = caller.is_only_asked(&row);
    let (id, context_id) = (row.id.clone(), row.context_id.clone());
    let latest = engine.tasks.row(&id, is_only_asked);
    let (first, stamp, pieces) = match heard.filter(|_| !is_only_asked) {
        Some((shown, pieces)) => (shown, None, Some(pieces)),
        None => {
            drop(row);
            let standing = engine
                .reading_store
                .task_standing(id.clone(), caller.key.org_id.clone(), is_only_asked)
                .await?
                .ok_or_else(|| TaskError::NotFound(id.clone()))?;
            let read = read(engine, caller, &id, is_only_asked);
            let (stamp, shown) = latest.at(&standing.stamp, read).await?;
            (shown, Some(stamp), None)
        }
    };
    let TaskEvent::Task(task) = first.event() else { return Err(TaskError::NotFound(id)) };
    let known = Known {
        status: task.status.clone(),
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

/// What is told next, as [`Following::next`] says.
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
            Heard::Piece(shown) => {
                following.known.take(shown.event());
                following.over = shown.state().is_some_and(rests);
                return Some(shown);
            }
            Heard::Behind => following.is_behind = true,
            Heard::Nothing if following.is_stopped() => return None,
            Heard::Nothing => {}
        }
    }
}

enum Heard {
    Piece(Arc<Shown>),
    /// Some were missed, all of it is to be looked at, or the target is heard no more.
    Behind,
    Nothing,
}

async fn heard(pieces: &mut Receiver<Piece>) -> Heard {
    match background::timeout(BEAT, pieces.recv()).await {
        Ok(Ok(Piece::Told(shown))) => Heard::Piece(shown),
        Ok(Ok(Piece::Whole) | Err(RecvError::Lagged(_) | RecvError::Closed)) => Heard::Behind,
        Err(_) => Heard::Nothing,
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
        let Ok(Some(standing)) = standing(following).await else { return Next::End };
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

async fn standing(following: &Following) -> Result<Option<Standing>, Error> {
    let (id, org_id) = (following.id.clone(), following.caller.key.org_id.clone());
    let store = &following.engine.reading_store;
    Ok(store.task_standing(id, org_id, following.is_only_asked).await?)
}

/// Asks its target after the task, unless that was done a moment ago.
async fn ask_after(following: &Following) {
    let (id, org_id) = (following.id.clone(), following.caller.key.org_id.clone());
    // One of all who follow it reads the row for that.
    if !following.latest.may_ask(BEAT * 9 / 10) {
        return;
    }
    if let Ok(Some(row)) = following.engine.reading_store.task(id, org_id).await {
        reading::ask_after(&following.engine, &row).await;
    }
}

/// Whether nothing follows by itself. What waits for an approval goes on by itself once that is decided.
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

/// All of a task where it is another one than is known, or only how it stands where nothing else changed.
fn news(following: &mut Following, shown: &Arc<Shown>) -> Option<Arc<Shown>> {
    let TaskEvent::Task(task) = shown.event() else { return None };
    let known = &mut following.known;
    let is_same = known.content == Some(shown.content());
    if is_same && known.status == task.status {
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

impl Known {
    pub(super) fn state(&self) -> TaskState {
        self.status.state
    }

    /// Remembers what was told.
    fn take(&mut self, event: &TaskEvent) {
        match event {
            TaskEvent::Task(task) => self.status.clone_from(&task.status),
            TaskEvent::Status { status, .. } => self.status.clone_from(status),
            TaskEvent::Artifact { .. } => self.content = None,
        }
    }
}
