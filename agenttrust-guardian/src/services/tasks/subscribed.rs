//! A task that goes on at its target, heard there by one who follows it: each piece as it comes. Nothing of it is kept;
//! the row is kept up by asking, as ever, and once more at the end.

use std::fmt;
use std::sync::Arc;

use agenttrust::background;
use futures_util::StreamExt as _;

use super::{interfaces, reading};
use crate::engine::Engine;
use crate::outbound::a2a::{SendError, Update, Updates, Way};
use crate::store::{StoreError, TaskRow};

/// What a target tells one who follows its task.
pub(super) struct Subscribed(Updates);

impl fmt::Debug for Subscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscribed(..)")
    }
}

impl Subscribed {
    /// Subscribes at the target; `None` where it does not tell, or the task is at none.
    pub(super) async fn to(engine: &Engine, row: &TaskRow) -> Option<Self> {
        let upstream = row.upstream.as_ref().filter(|_| !row.state().is_terminal())?;
        let known = interfaces::of(engine, &row.org_id, &row.target_agent_id).await.ok()?;
        let interface = interfaces::again(&known, upstream)?;
        let patience = engine.settings.mcp.patience;
        let way = Way { outbound: &engine.outbound, interface, patience };
        match way.subscribe(&upstream.task_id).await {
            Ok(updates) => Some(Self(updates)),
            Err(error) => {
                tracing::debug!(%error, task_id = row.id, "a target tells nothing of a task");
                None
            }
        }
    }

    /// Has the row say what was told last, without waiting for that.
    pub(super) fn settle(engine: &Arc<Engine>, org_id: &str, task_id: &str) {
        let (engine, id, org_id) = (Arc::clone(engine), task_id.to_owned(), org_id.to_owned());
        background::spawn(async move {
            if let Err(error) = settled(&engine, id, org_id).await {
                tracing::warn!(%error, "what a target told of a task was not kept");
            }
        });
    }

    /// What it tells next; `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub(super) async fn next(&mut self) -> Option<Result<Update, SendError>> {
        self.0.next().await
    }
}

async fn settled(engine: &Engine, id: String, org_id: String) -> Result<(), StoreError> {
    let Some(row) = engine.store.task(id, org_id).await? else { return Ok(()) };
    let Some(upstream) = row.upstream.as_ref().filter(|_| !row.state().is_terminal()) else {
        return Ok(());
    };
    let known = interfaces::of(engine, &row.org_id, &row.target_agent_id).await;
    let known = known.unwrap_or_default();
    let Some(interface) = interfaces::again(&known, upstream) else { return Ok(()) };
    let patience = engine.settings.mcp.patience;
    let way = Way { outbound: &engine.outbound, interface, patience };
    let said = way.get(&upstream.task_id).await;
    reading::keep(engine, &row, said).await.map(drop)
}
