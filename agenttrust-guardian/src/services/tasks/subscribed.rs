//! A task that goes on at its target, heard there for its followers: each piece as it comes, once for all. Nothing of
//! it is kept; the row is kept up by asking, as ever, and once more at the end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use agenttrust::background;
use futures_util::StreamExt as _;
use futures_util::future::{Either, select};

use super::reading::Woken;
use super::{adopt, interfaces, reading};
use crate::engine::{Engine, Hearing};
use crate::outbound::a2a::{Updates, Way};
use crate::store::{StoreError, TaskRow};

/// The time after which it is looked again whether a caller listens, and whether the task goes on.
const BEAT: Duration = Duration::from_secs(1);

/// Begins to listen to the target of a task, without waiting for that; once, however many follow it.
pub(super) fn start(engine: &Arc<Engine>, org_id: &str, task_id: &str) {
    let Some(asking) = engine.tasks.ask_to_hear(task_id) else { return };
    let (engine, id, org_id) = (Arc::clone(engine), task_id.to_owned(), org_id.to_owned());
    background::spawn(async move {
        let heard = async {
            let Some(row) = engine.store.task(id.clone(), org_id.clone()).await? else {
                return Ok(());
            };
            let Some(updates) = subscribe(&engine, &row).await else { return Ok(()) };
            hear(&engine, asking.hear(row.task), (&id, &org_id), updates).await;
            settled(&engine, id, org_id).await
        };
        if let Err(error) = heard.await {
            let error: StoreError = error;
            tracing::warn!(%error, "what a target reported about a task was not kept");
        }
    });
}

/// Subscribes at the target; `None` where it does not tell, or the task is at none.
async fn subscribe(engine: &Engine, row: &TaskRow) -> Option<Updates> {
    let upstream = row.upstream.as_ref().filter(|_| !row.state().is_terminal())?;
    let known = interfaces::of(engine, &row.org_id, &row.target_agent_id).await.ok()?;
    let interface = interfaces::again(&known, upstream)?;
    let timeout = engine.settings.mcp.timeout;
    let way = Way { outbound: &engine.outbound, interface, timeout };
    match way.subscribe(&upstream.task_id).await {
        Ok(updates) => Some(updates),
        Err(error) => {
            tracing::debug!(%error, task_id = row.id, "a target tells nothing of a task");
            None
        }
    }
}

/// Hears what it tells, for as long as a caller listens and the task goes on.
async fn hear(
    engine: &Arc<Engine>,
    hearing: Hearing,
    (id, org_id): (&str, &str),
    mut updates: Updates,
) {
    let mut woken = Woken::by(engine, id);
    let mut was_alone = false;
    loop {
        let heard = {
            let (next, beat) = (pin!(updates.next()), pin!(woken.within(BEAT)));
            match select(next, beat).await {
                Either::Left((update, _)) => Either::Left(update),
                Either::Right((goes_on, _)) => Either::Right(goes_on),
            }
        };
        match heard {
            Either::Left(Some(Ok(update))) => {
                let now = engine.clock.now();
                hearing.tell(|task| adopt::update(task, update, now));
                let state = hearing.look(|task| task.status.state);
                if state.is_terminal() || state.is_interrupted() {
                    return;
                }
            }
            Either::Left(Some(Err(_)) | None) | Either::Right(false) => return,
            Either::Right(true) => {
                // Those who follow it join within two beats.
                if hearing.is_alone() && std::mem::replace(&mut was_alone, true) {
                    return;
                }
                was_alone = hearing.is_alone();
                let row =
                    engine.reading_store.task_standing(id.to_owned(), org_id.to_owned(), false);
                // What the Guardian ended itself its target may not know.
                if !matches!(row.await, Ok(Some(row)) if !row.state.is_terminal()) {
                    return;
                }
            }
        }
    }
}

/// Writes into the row what the target said last.
async fn settled(engine: &Engine, id: String, org_id: String) -> Result<(), StoreError> {
    let Some(row) = engine.store.task(id, org_id).await? else { return Ok(()) };
    let Some(upstream) = row.upstream.as_ref().filter(|_| !row.state().is_terminal()) else {
        return Ok(());
    };
    let known = interfaces::of(engine, &row.org_id, &row.target_agent_id).await;
    let known = known.unwrap_or_default();
    let Some(interface) = interfaces::again(&known, upstream) else { return Ok(()) };
    let timeout = engine.settings.mcp.timeout;
    let way = Way { outbound: &engine.outbound, interface, timeout };
    let said = way.get(&upstream.task_id).await;
    reading::keep(engine, &row, said).await.map(drop)
}
