//! Whether a message may be handed to its target: asked as everything else is asked, as its source and with its key.

use std::sync::Arc;

use agenttrust::Effect;
use agenttrust::guard::digest::{Commitment, commit, key_id};
use agenttrust::model::{AgentStatus, ApprovalStatus};
use serde_json::Value;
use tracing::Instrument as _;

use super::asked::bound;
use crate::domain::role::{Access, Permission};
use crate::domain::{DecisionKind, Key, Reach};
use crate::engine::Engine;
use crate::pipeline::{self, Check, Standing, span};
use crate::services::approvals;
use crate::store::{StoreError, TaskMessageRow, TaskRow};

/// The outcome of the check.
#[derive(Debug)]
pub(super) enum Said {
    /// A message that may be handed on, with the id of the check, where there was one.
    Allowed(Option<String>),
    /// A message that waits for this approval, and why.
    Held { approval_id: String, why: String },
    /// A message that may not be handed on.
    Denied(String),
    /// A message that there was no time to decide on; it is asked again.
    Undecided,
}

/// Asks whether a message may be handed on now.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn ask(
    engine: &Arc<Engine>,
    task: &TaskRow,
    message: &TaskMessageRow,
) -> Result<Said, StoreError> {
    if let Some(why) = gone(engine, task, message) {
        return Ok(Said::Denied(why));
    }
    if let Some(why) = decided_against(engine, message).await? {
        return Ok(Said::Denied(why));
    }
    let Some(key) = engine.registry.keys.of_id(&message.key_id) else {
        return Ok(Said::Denied(KEY_GONE.to_owned()));
    };
    let Some(agent_id) = &task.source_agent_id else {
        return Ok(as_key(&key));
    };
    let input = bound(&message.body);
    let commitment = match commit(&engine.mcp_keys.binding, &input) {
        Ok(commitment) => commitment,
        Err(error) => return Ok(Said::Denied(format!("it could not be bound: {error}"))),
    };
    let check = Arc::new(check_of(engine, (&key, agent_id), message, (&input, &commitment)));
    if let Some(check_id) = still_allowed(engine, &check, message).await? {
        return Ok(Said::Allowed(Some(check_id)));
    }
    let span = span::begin(engine, &check);
    let answer = match pipeline::answer(engine, check).instrument(span.clone()).await {
        Ok(answer) => answer,
        Err(error) => return Ok(Said::Denied(error.message().to_owned())),
    };
    span::end(&span, &answer);
    let why = answer.result.reason.clone().unwrap_or_default();
    Ok(match answer.decision {
        DecisionKind::Allow => Said::Allowed(answer.result.check_id.clone()),
        DecisionKind::Deny => Said::Denied(why),
        DecisionKind::Undecided => Said::Undecided,
        DecisionKind::Hold => {
            let approval_id = answer.result.approval_id.clone().unwrap_or_default();
            disclose(engine, (&key, agent_id), &approval_id, (input, commitment)).await;
            Said::Held { approval_id, why }
        }
    })
}

/// Returns whether a message that was allowed a moment ago is so still. No new check is made.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn is_allowed_still(
    engine: &Engine,
    task: &TaskRow,
    message: &TaskMessageRow,
) -> Result<bool, StoreError> {
    let key = engine.registry.keys.of_id(&message.key_id);
    let (Some(key), None) = (key, gone(engine, task, message)) else { return Ok(false) };
    let Some(agent_id) = &task.source_agent_id else {
        return Ok(matches!(as_key(&key), Said::Allowed(_)));
    };
    let input = bound(&message.body);
    let Ok(commitment) = commit(&engine.mcp_keys.binding, &input) else { return Ok(false) };
    let check = check_of(engine, (&key, agent_id), message, (&input, &commitment));
    Ok(still_allowed(engine, &check, message).await?.is_some())
}

/// Returns the check by which a message may be handed on that was allowed before, and not handed on then: what was used
/// up for it is not asked for again.
async fn still_allowed(
    engine: &Engine,
    check: &Check,
    message: &TaskMessageRow,
) -> Result<Option<String>, StoreError> {
    if message.check_id.is_none() && message.approved_by.is_none() {
        return Ok(None);
    }
    Ok(match pipeline::standing(engine, check, message.approved_by.clone()).await? {
        Standing::Allowed => message.check_id.clone(),
        // Where the Guardian was stopped in between, only the approval knows of its check.
        Standing::Approved(used_by) => message.check_id.clone().or(used_by),
        Standing::Lost => None,
    })
}

const KEY_GONE: &str = "the key that it was sent with was revoked";

/// Returns why a message cannot be handed on any more, whatever is decided about it.
pub(super) fn gone(engine: &Engine, task: &TaskRow, message: &TaskMessageRow) -> Option<String> {
    let standing = |id: &str| engine.registry.agents.get(&task.org_id, id);
    let is_active =
        |id: &str| standing(id).is_some_and(|entry| entry.agent.status == AgentStatus::Active);
    if !engine.registry.keys.has(&message.key_id) {
        return Some(KEY_GONE.to_owned());
    }
    if let Some(source) = task.source_agent_id.as_deref().filter(|id| !is_active(id)) {
        return Some(format!("agent {source:?}, which sent it, was revoked or suspended"));
    }
    let target = &task.target_agent_id;
    (!is_active(target)).then(|| format!("agent {target:?} was revoked or suspended"))
}

/// Returns why the approval that a message waited for does not let it go, where it was decided so.
async fn decided_against(
    engine: &Engine,
    message: &TaskMessageRow,
) -> Result<Option<String>, StoreError> {
    let Some(id) = &message.approval_id else { return Ok(None) };
    let (now, org_id) = (engine.clock.now(), message.org_id.clone());
    let Some(row) = engine.background_store.approval(id.clone(), org_id, now).await? else {
        return Ok(None);
    };
    let why = row.approval.decision_reason.as_deref();
    Ok(match row.approval.status {
        ApprovalStatus::Denied => {
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            Some(format!("approval {id} was denied{why}"))
        }
        ApprovalStatus::Expired => Some(format!("approval {id} has expired, so it was not sent")),
        _ => None,
    })
}

/// Returns what a key may that sends for itself.
fn as_key(key: &Key) -> Said {
    match key.role.may(Permission::SendTasks) {
        Access::Any => Said::Allowed(None),
        _ => Said::Denied("its key may send nothing for itself; name an agent".to_owned()),
    }
}

fn check_of(
    engine: &Engine,
    (key, agent_id): (&Arc<Key>, &str),
    message: &TaskMessageRow,
    (input, commitment): (&Value, &Commitment),
) -> Check {
    let chars = input.to_string().chars().count();
    Check {
        key: Arc::clone(key),
        agent_id: agent_id.to_owned(),
        session_id: message.session_id.clone(),
        session_is_generated: false,
        tool: super::action(&message.target_agent_id),
        hint: Some(Effect::Mutating),
        source: "a2a".to_owned(),
        scopes: None,
        digest: Some(commitment.digest.clone()),
        binds: None,
        key_id: Some(key_id(&engine.mcp_keys.binding)),
        summary: Some(format!("[{chars} chars]")),
        task_message: Some(message.id.clone()),
        proof: None,
        trace: message.body.trace.clone(),
        access: None,
        _place: None,
    }
}

/// Shows the approver the message where it stays here.
async fn disclose(
    engine: &Engine,
    (key, agent_id): (&Arc<Key>, &str),
    approval_id: &str,
    (input, commitment): (Value, Commitment),
) {
    if !engine.settings.is_private {
        return;
    }
    let access = key.role.may(Permission::DiscloseInput);
    let reach = Reach { key, access, named: Some(agent_id) };
    let shown = (input, commitment.opening);
    if let Err(error) = approvals::disclose(engine, reach, approval_id, shown, || {}).await {
        tracing::debug!(error = error.message(), approval_id, "an approver sees no message");
    }
}
