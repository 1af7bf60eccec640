//! The audit's records of tasks, and the reports of how what was checked ended.

use serde_json::json;

use crate::audit::Record;
use crate::domain::task::TaskState;
use crate::engine::Engine;
use crate::services::telemetry::{self, Event};
use crate::store::{ReportStage, TaskMessageRow, TaskRow};

/// Returns a row of this kind about a task and the message that it is about. Nothing of what the message says.
pub(super) fn record(kind: &'static str, task: &TaskRow, message: &TaskMessageRow) -> Record {
    let about = json!({
        "task_id": task.id,
        "message_id": message.message_id,
        "target_agent_id": task.target_agent_id,
        "state": task.state().as_str(),
        "check_id": message.check_id,
        "approval_id": message.approval_id,
    });
    let record = Record::new(kind, &task.org_id).actor(&message.key_id).body(about);
    match &task.source_agent_id {
        Some(agent_id) => record.agent(agent_id),
        None => record,
    }
}

/// Tells the audit of what nothing hangs on.
pub(super) async fn enqueue(engine: &Engine, record: Record) {
    if let Err(error) = engine.audit.enqueue(record).await {
        tracing::warn!(%error, "what became of a task could not be recorded");
    }
}

/// Tells that a task ended, and how that was which was checked.
pub(super) async fn ended(engine: &Engine, task: &TaskRow, message: &TaskMessageRow) {
    enqueue(engine, record("task.ended", task, message)).await;
    outcome(engine, task, message, task.state()).await;
}

/// Reports how a message came out that was checked before it was handed on.
pub(super) async fn outcome(
    engine: &Engine,
    task: &TaskRow,
    message: &TaskMessageRow,
    state: TaskState,
) {
    let (Some(agent_id), Some(check_id)) = (&task.source_agent_id, &message.check_id) else {
        return;
    };
    let Some(key) = engine.registry.keys.of_id(&message.key_id) else { return };
    let error_type = match state {
        TaskState::Failed => Some("TaskFailed"),
        TaskState::Canceled => Some("TaskCanceled"),
        TaskState::Rejected => Some("TaskRejected"),
        _ => None,
    };
    let now = engine.clock.now();
    let took = message.begun_at.until(now).as_millis();
    let event = Event {
        stage: Some(ReportStage::End),
        event_type: if error_type.is_none() { "tool_end" } else { "tool_error" }.to_owned(),
        tool: super::action(&task.target_agent_id),
        duration_ms: u64::try_from(took).unwrap_or(u64::MAX),
        success: error_type.is_none(),
        error_type: error_type.map(str::to_owned),
        happened_at: Some(now),
        check_id: Some(check_id.clone()),
    };
    let session = message.session_id.as_deref().unwrap_or_default();
    let events = std::iter::once(event);
    if let Err(error) = telemetry::keep(engine, &key, agent_id, session, events).await {
        tracing::warn!(error = error.message(), "how a task ended could not be kept");
    }
}
