//! Tasks with their parties: the agent that asked, the agent that was asked, and when.

use std::sync::Arc;

use agenttrust::Timestamp;

use super::{Caller, TaskFilter, reading};
use crate::domain::task::{Task, TaskError};
use crate::engine::Engine;
use crate::store::TaskRow;

/// A task and its parties.
#[derive(Clone, Debug)]
pub(crate) struct Between {
    pub(crate) task: Task,
    /// The agent that asked; absent where a key asked for itself.
    pub(crate) source_agent_id: Option<String>,
    pub(crate) target_agent_id: String,
    pub(crate) created_at: Timestamp,
    pub(crate) changed_at: Timestamp,
}

impl From<TaskRow> for Between {
    fn from(row: TaskRow) -> Self {
        let TaskRow { task, source_agent_id, target_agent_id, created_at, changed_at, .. } = row;
        Self { task, source_agent_id, target_agent_id, created_at, changed_at }
    }
}

/// Returns the task of this id, as [`super::get`] has it, with its parties.
///
/// # Errors
///
/// Not found, also for a task that the caller may not see.
pub(crate) async fn get(
    engine: &Arc<Engine>,
    caller: &Caller,
    id: &str,
) -> Result<Between, TaskError> {
    let row = reading::visible(engine, caller, None, id).await?;
    let task = reading::get(engine, caller, None, id).await?;
    Ok(Between { task, ..row.into() })
}

/// Returns the tasks that [`super::list`] has, with their parties, and where the next page begins.
///
/// # Errors
///
/// Invalid for a text that is not a cursor.
pub(crate) async fn list(
    engine: &Engine,
    caller: &Caller,
    filter: TaskFilter,
) -> Result<(Vec<Between>, Option<String>), TaskError> {
    let (rows, next, _) = reading::rows(engine, caller, filter).await?;
    Ok((rows.into_iter().map(Between::from).collect(), next))
}
