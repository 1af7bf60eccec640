//! A task is followed: by what its target tells, where it is heard at this replica or tells those who subscribe, else by
//! its row.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use agenttrust::background;
use futures_util::future::{Either, select};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::reading::{self, Woken};
use super::subscribed::Subscribed;
use super::{Caller, Following, adopt};
use crate::domain::task::{Phase, Task, TaskError, TaskEvent};
use crate::engine::Engine;

/// How often a task is asked after that is followed by its row.
const BEAT: Duration = Duration::from_secs(1);

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
    let (task, pieces) = match heard {
        Some((task, pieces)) => (task, Some(pieces)),
        None => (row.task, None),
    };
    let engine = Arc::clone(engine);
    Ok(Following {
        engine,
        caller: caller.clone(),
        told: task.clone(),
        task,
        pieces,
        subscribed: None,
        has_subscribed: false,
        woken,
        over: false,
    })
}

/// What is told next, as [`Following::next`] says.
pub(super) async fn next(following: &mut Following) -> Option<TaskEvent> {
    loop {
        if following.over {
            return None;
        }
        if let Some(told) = subscribed(following).await {
            return Some(told);
        }
        let Some(pieces) = &mut following.pieces else { return by_row(following).await };
        match heard(pieces).await {
            Piece::Told(event) => {
                following.over = ends(&event);
                apply(&mut following.told, &event);
                return Some(*event);
            }
            Piece::Missed => {
                let rejoined = following.engine.tasks.join(&following.task.id);
                following.pieces = None;
                if let Some((task, pieces)) = rejoined {
                    following.pieces = Some(pieces);
                    return Some(whole(following, task));
                }
            }
            Piece::Nothing if following.is_stopped() => return None,
            Piece::Nothing => {}
        }
    }
}

/// What its target tells this one alone; `None` where it tells nothing any more.
async fn subscribed(following: &mut Following) -> Option<TaskEvent> {
    loop {
        let heard = {
            let updates = following.subscribed.as_mut()?;
            let (next, woken) = (pin!(updates.next()), pin!(following.woken.within(BEAT)));
            match select(next, woken).await {
                Either::Left((update, _)) => Either::Left(update),
                Either::Right((goes_on, _)) => Either::Right(goes_on),
            }
        };
        match heard {
            Either::Left(Some(Ok(update))) => {
                let (before, now) = (following.told.clone(), following.engine.clock.now());
                let event = adopt::update(&mut following.told, update, now);
                if following.told != before {
                    following.over = ends(&event);
                    if following.over {
                        let org_id = &following.caller.key.org_id;
                        Subscribed::settle(&following.engine, org_id, &following.task.id);
                    }
                    return Some(event);
                }
            }
            Either::Left(Some(Err(_)) | None) | Either::Right(false) => following.subscribed = None,
            Either::Right(true) => {
                let id = &following.task.id;
                let row = reading::visible(&following.engine, &following.caller, None, id).await;
                // What the Guardian ended itself its target may not know.
                if row.map_or(true, |row| row.state().is_terminal()) {
                    following.subscribed = None;
                }
            }
        }
    }
}

enum Piece {
    Told(Box<TaskEvent>),
    /// Some were missed, or the target is heard no more.
    Missed,
    Nothing,
}

async fn heard(pieces: &mut Receiver<TaskEvent>) -> Piece {
    match background::timeout(BEAT, pieces.recv()).await {
        Ok(Ok(event)) => Piece::Told(Box::new(event)),
        Ok(Err(RecvError::Lagged(_) | RecvError::Closed)) => Piece::Missed,
        Err(_) => Piece::Nothing,
    }
}

/// Tells how the row changed since.
async fn by_row(following: &mut Following) -> Option<TaskEvent> {
    let engine = Arc::clone(&following.engine);
    loop {
        // What follows was begun at this replica after this was.
        if let Some((task, pieces)) = engine.tasks.join(&following.task.id) {
            following.pieces = Some(pieces);
            if task != following.told {
                return Some(whole(following, task));
            }
            return Box::pin(next(following)).await;
        }
        // In this order: as the task stood before its message moved on, it is nothing to go by.
        let id = following.task.id.clone();
        let newest = engine.store.newest_task_message(id.clone()).await.ok()?;
        let phase = newest.map_or(Phase::Ended, |newest| newest.phase);
        let row = reading::visible(&engine, &following.caller, None, &id).await.ok()?;
        let state = row.state();
        // Nothing follows by itself but where an approval is waited for, which the caller is told of.
        let rests = state.is_interrupted() && phase != Phase::Checking || phase == Phase::InDoubt;
        let rests = rests || state.is_terminal();
        if row.task != following.told {
            let event = whole(following, row.task);
            following.over = rests;
            return Some(event);
        }
        if phase == Phase::Sent && !following.has_subscribed && !rests {
            following.has_subscribed = true;
            following.subscribed = Subscribed::to(&engine, &row).await;
            return Box::pin(next(following)).await;
        }
        if rests || !following.woken.within(BEAT).await {
            following.over = true;
            return None;
        }
        if phase == Phase::Sent {
            reading::ask_after(&engine, &row).await;
        }
    }
}

/// Tells all of a task anew, or only how it stands where nothing else changed.
fn whole(following: &mut Following, task: Task) -> TaskEvent {
    let before = std::mem::replace(&mut following.told, task.clone());
    following.over = task.status.state.is_terminal() || task.status.state.is_interrupted();
    let same = before.artifacts == task.artifacts && before.history == task.history;
    match same {
        true => TaskEvent::Status { status: task.status, metadata: task.metadata },
        false => TaskEvent::Task(Box::new(task)),
    }
}

/// Whether nothing follows this.
fn ends(event: &TaskEvent) -> bool {
    let state = match event {
        TaskEvent::Task(task) => task.status.state,
        TaskEvent::Status { status, .. } => status.state,
        TaskEvent::Artifact { .. } => return false,
    };
    state.is_terminal() || state.is_interrupted()
}

/// Remembers what was told.
fn apply(told: &mut Task, event: &TaskEvent) {
    match event {
        TaskEvent::Task(task) => told.clone_from(task),
        TaskEvent::Status { status, .. } => told.status.clone_from(status),
        // It is compared as a whole once it is not heard any more.
        TaskEvent::Artifact { artifact, append, .. } => {
            adopt::artifact(&mut told.artifacts, artifact.clone(), *append);
        }
    }
}
