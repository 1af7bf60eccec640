//! Sending rows of the audit to destinations: at least once, in order, from a cursor for each of them.
//!
//! Every destination has a job of its own for as long as it is not paused, so that a slow one holds up no other. On
//! several replicas it is one replica's at a time, by a lease in the database. What was sent is sent again after a
//! crash, with the same ids: the cursor moves once the receiver has taken a batch, and never before.

mod backlog;
mod batch;
mod job;
mod leased;
mod sending;
mod set_aside_lines;
#[cfg(test)]
mod tests;
mod wakeups;

use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use agenttrust::background;
use futures_util::future::select;
use tokio::sync::watch;

use self::backlog::Cursors;
use super::alive;
use super::jobs::Jobs;
use crate::audit;
use crate::engine::Engine;
use crate::store::StoreError;

/// The time after which the destinations are listed again where another replica may have changed them, or have let one
/// go ...
const LISTED_EVERY: Duration = Duration::from_secs(3);
/// ... and where this Guardian is the only one.
const LISTED_EVERY_ALONE: Duration = Duration::from_secs(30);
/// The time after which it is looked again how far the logs of other replicas are written, while anything is sent.
const FOLLOWED_EVERY: Duration = Duration::from_secs(1);
/// The number of destinations that one replica sends to at once.
const JOBS_MOST: usize = 1_024;

/// Starts sending.
pub(super) fn start(engine: &Arc<Engine>) {
    let others = Arc::new(watch::Sender::new(Cursors::new()));
    if engine.settings.has_replicas {
        background::spawn(follow(Arc::downgrade(engine), Arc::clone(&others)));
    }
    background::spawn(tend(Arc::downgrade(engine), others));
}

async fn tend(engine: Weak<Engine>, others: Arc<watch::Sender<Cursors>>) {
    let jobs = Jobs::at_most(JOBS_MOST);
    let (mut troubled, mut crowded) = (false, false);
    while let Some(held) = alive(&engine) {
        let (mut changes, mut closing) = (held.siem.changes(), held.closing());
        match list(&held, &jobs, &others).await {
            Ok(is_crowded) => {
                if is_crowded && !crowded {
                    tracing::warn!(
                        "there are more than {JOBS_MOST} destinations of events, and one Guardian sends to so many; the \
                         newest ones wait for another replica, or until older ones are paused or removed"
                    );
                }
                if troubled {
                    tracing::info!("destinations of events are looked after again");
                }
                (troubled, crowded) = (false, is_crowded);
            }
            Err(error) if !troubled && alive(&engine).is_some() => {
                tracing::warn!(%error, "destinations of events cannot be looked after; trying again");
                troubled = true;
            }
            Err(_) => {}
        }
        let is_alone = !held.settings.has_replicas && !troubled;
        drop(held);
        let pause = if is_alone { LISTED_EVERY_ALONE } else { LISTED_EVERY };
        let (changed, closed) = (pin!(changes.changed()), pin!(closing.changed()));
        // Whichever comes first.
        let _ = background::timeout(pause, select(changed, closed)).await;
    }
}

/// Begins a job for every destination that has none; returns whether there are more than one replica sends to.
async fn list(
    engine: &Arc<Engine>,
    jobs: &Jobs,
    others: &watch::Sender<Cursors>,
) -> Result<bool, StoreError> {
    let active = engine.background_store.active_destinations().await?;
    let is_crowded = active.len() > JOBS_MOST;
    engine.siem.listed(active.iter().cloned());
    for (id, _) in active {
        if let Some(job) = jobs.begin(id) {
            background::spawn(job::run(job, Arc::downgrade(engine), others.subscribe()));
        }
    }
    Ok(is_crowded)
}

/// Looks how far the logs of other replicas are written, while a job wants to know.
async fn follow(engine: Weak<Engine>, others: Arc<watch::Sender<Cursors>>) {
    while let Some(held) = alive(&engine) {
        if others.receiver_count() > 0 {
            let reading = &held.reading_store;
            let heads = async {
                let _place = reading.place().await;
                audit::heads(&reading.db()).await
            };
            // A database that does not answer is told of by those who need it more.
            if let Ok(Ok(heads)) = background::timeout(LISTED_EVERY, heads).await {
                others.send_if_modified(|known| {
                    let is_news = *known != heads;
                    *known = heads;
                    is_news
                });
            }
        }
        let mut closing = held.closing();
        drop(held);
        let _ = background::timeout(FOLLOWED_EVERY, pin!(closing.changed())).await;
    }
}
