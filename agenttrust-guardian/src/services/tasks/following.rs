//! A task is followed: by what its target tells, where it is heard at this replica, else by its row.

use std::sync::Arc;
use std::time::Duration;

use agenttrust::background;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::reading::{self, Woken};
use super::{Caller, Following};
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
        let Some(pieces) = &mut following.pieces else { return by_row(following).await };
        match heard(pieces).await {
            Piece::Told(event) => {
                following.over = ends(&event);
                apply(&mut following.told, &event);
                return Some(event);
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

enum Piece {
    Told(TaskEvent),
    /// Some were missed, or the target is heard no more.
    Missed,
    Nothing,
}

async fn heard(pieces: &mut Receiver<TaskEvent>) -> Piece {
    match background::timeout(BEAT, pieces.recv()).await {
        Ok(Ok(event)) => Piece::Told(event),
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
        let row =
            reading::visible(&engine, &following.caller, None, &following.task.id).await.ok()?;
        let newest = engine.store.newest_task_message(row.id.clone()).await.ok()?;
        let phase = newest.map_or(Phase::Ended, |newest| newest.phase);
        let state = row.state();
        // Nothing follows by itself but where an approval is waited for, which the caller is told of.
        let rests = state.is_interrupted() && phase != Phase::Checking || phase == Phase::InDoubt;
        let rests = rests || state.is_terminal();
        if row.task != following.told {
            let event = whole(following, row.task);
            following.over = rests;
            return Some(event);
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
            super::adopt::artifact(&mut told.artifacts, artifact.clone(), *append);
        }
    }
}
