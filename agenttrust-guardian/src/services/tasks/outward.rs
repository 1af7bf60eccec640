//! A message as its target is given it: by the target's own ids, and with none of ours.

use crate::domain::task::trust;
use crate::engine::Engine;
use crate::outbound::a2a::Handed;
use crate::store::{StoreError, TaskMessageRow, TaskRow};

/// Returns the message as it is handed to its target.
pub(super) async fn handed(
    engine: &Engine,
    message: &TaskMessageRow,
    task: &TaskRow,
) -> Result<Handed, StoreError> {
    let body = message.body.clone();
    let (mut said, mut metadata) = (body.message, body.metadata);
    // Of messages that were kept when that was not refused yet.
    trust::strip_message(&mut said);
    trust::strip(&mut metadata);
    said.task_id = task.upstream.as_ref().map(|upstream| upstream.task_id.clone());
    said.context_id = context(engine, task).await?;
    let mut referred = Vec::new();
    for id in &said.reference_task_ids {
        let other = engine.store.task(id.clone(), task.org_id.clone()).await?;
        // Tasks of other agents are nothing to this one.
        let theirs = other.filter(|other| other.target_agent_id == task.target_agent_id);
        referred.extend(theirs.and_then(|other| other.upstream).map(|known| known.task_id));
    }
    said.reference_task_ids = referred;
    let (accepted_output_modes, trace) = (body.accepted_output_modes, body.trace);
    Ok(Handed { message: said, accepted_output_modes, metadata, trace })
}

/// Returns how the target names the context: of this task, or of one before it in the same context.
async fn context(engine: &Engine, task: &TaskRow) -> Result<Option<String>, StoreError> {
    let known = match &task.upstream {
        Some(upstream) => Some(upstream.clone()),
        None => engine.store.upstream_in_context(task).await?,
    };
    Ok(known.map(|upstream| upstream.context_id).filter(|id| !id.is_empty()))
}
