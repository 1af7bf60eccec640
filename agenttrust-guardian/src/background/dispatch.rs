//! Tasks go on by themselves: those whose approval was decided, those whose target was not reached, those that a
//! Guardian left behind. Each loop ends with the Guardian.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use agenttrust::background;
use futures_util::future::select;

use super::alive;
use super::maintenance::every;
use crate::engine::Engine;
use crate::services::tasks::due;

/// The time after which it is looked again for tasks to go on with, whether anything was heard or not.
const BEAT: Duration = Duration::from_millis(500);
/// The time after which it is looked again for tasks that wait in vain.
const LOOKED_THROUGH_EVERY: Duration = Duration::from_secs(2);

/// Starts every loop.
pub(super) fn start(engine: &Arc<Engine>) {
    background::spawn(move_on(Arc::downgrade(engine)));
    every(BEAT, engine, "targets cannot be asked after their tasks", |engine| async move {
        due::ask_after(&engine).await
    });
    let after = Arc::new(Mutex::new(String::new()));
    every(LOOKED_THROUGH_EVERY, engine, "tasks that wait in vain cannot be found", move |engine| {
        let after = Arc::clone(&after);
        async move {
            let begin = after.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let end = due::reject_gone(&engine, begin).await?;
            *after.lock().unwrap_or_else(PoisonError::into_inner) = end;
            Ok(())
        }
    });
}

async fn move_on(engine: Weak<Engine>) {
    let (mut troubled, mut first) = (false, true);
    while let Some(held) = alive(&engine) {
        // A file is one Guardian's: whatever was being sent when it was opened was so by one that is gone.
        let all = first && !held.settings.has_replicas;
        let done = async {
            due::settle_lost(&held, all).await?;
            due::move_on(&held).await
        };
        match done.await {
            Ok(()) => (troubled, first) = (false, false),
            Err(error) if !troubled && !*held.closing.borrow() => {
                tracing::warn!(%error, "tasks cannot be gone on with; trying again");
                troubled = true;
            }
            Err(_) => {}
        }
        let (mut approvals, mut looks) = (held.changes.listen(), held.tasks.looks());
        looks.mark_unchanged();
        drop(held);
        // An approval that is decided is heard of at once.
        let (decided, looked) = (pin!(approvals.recv()), pin!(looks.changed()));
        // Whichever comes first.
        select(select(decided, looked), pin!(background::sleep(BEAT))).await;
    }
}
