//! What the answer to a check is in the words of AuthZEN.

use agenttrust::model::{
    AccessApproval, AccessDecision, AccessDecisionContext, AccessEvaluationError, AccessNextAction,
    Approval, RequestableDenial,
};
use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::super::error::status;
use super::REQUESTS;
use crate::domain::{Answer, Base, DecisionKind, Error, Unserved};
use crate::engine::Engine;
use crate::services::access::{Asker, Evaluation, requestable};

/// The reason code of a denial for which access can be requested.
const APPROVAL_REQUIRED: &str = "approval_required";

/// Returns the decision that an answer is.
///
/// # Errors
///
/// Unavailable for a check that was not decided in time: that is neither a permission nor a denial.
pub(super) async fn decision(
    engine: &Engine,
    base: &Base,
    (asker, evaluation): (&Asker, &Evaluation),
    answer: &Answer,
) -> Result<AccessDecision, Error> {
    let result = &answer.result;
    let reason = result.reason.clone().unwrap_or_default();
    if answer.decision == DecisionKind::Undecided {
        return Err(Error::unavailable(reason).passing());
    }
    let mut context = AccessDecisionContext::default();
    context.evaluation_id.clone_from(&result.check_id);
    context.evaluated_at = answer.access.as_ref().map(|access| access.at);
    let approval = answer.access.as_ref().and_then(|access| access.approval.as_deref());
    if answer.decision == DecisionKind::Allow {
        context.approval = approval.map(shown);
    } else {
        let forbidden = StatusCode::FORBIDDEN.as_str().to_owned();
        context.reason_admin = Map::from_iter([(forbidden, Value::String(reason.clone()))]);
        let unserved = answer.access.as_ref().and_then(|access| access.unserved);
        let presented = evaluation.approval_id.is_some();
        let (word, next) = denied(answer.decision, unserved, presented);
        context.reason = Some(word.to_owned());
        context.next_action = next;
        if next != Some(AccessNextAction::Nothing) && answer.decision == DecisionKind::Hold {
            context.access_request =
                how_to_request(engine, base, (asker, evaluation), answer, reason).await;
        }
    }
    let mut decision = AccessDecision::default();
    decision.decision = answer.decision == DecisionKind::Allow && result.allowed;
    decision.context = Some(context);
    Ok(decision)
}

/// Returns the word for why it is denied, and what to do where an approval was presented.
fn denied(
    decision: DecisionKind,
    unserved: Option<Unserved>,
    presented: bool,
) -> (&'static str, Option<AccessNextAction>) {
    use AccessNextAction::{Nothing, Request};
    match (decision, unserved) {
        (_, Some(Unserved::Over)) => ("approval_expired", Some(Request)),
        (_, Some(Unserved::OutOfScope)) => ("out_of_scope", Some(Request)),
        (_, Some(Unserved::Unverifiable)) => ("approval_unverifiable", Some(Nothing)),
        (DecisionKind::Hold, None) => (APPROVAL_REQUIRED, None),
        (_, None) if presented => ("policy_denied", Some(Nothing)),
        (_, None) => ("denied", None),
    }
}

async fn how_to_request(
    engine: &Engine,
    base: &Base,
    (asker, evaluation): (&Asker, &Evaluation),
    answer: &Answer,
    reason: String,
) -> Option<RequestableDenial> {
    let evaluation_id = answer.result.check_id.as_deref()?;
    let made = requestable(engine, &asker.key, &asker.agent_id, evaluation, evaluation_id).await?;
    let mut how = RequestableDenial::default();
    how.endpoint = Some(format!("{}{REQUESTS}", base.0));
    how.template = answer.policies.first().cloned();
    how.expires_at = Some(made.expires_at);
    how.binding_token = Some(made.token);
    let title = Value::String("This needs an approval".to_owned());
    how.display = Map::from_iter([
        ("title".to_owned(), title),
        ("description".to_owned(), Value::String(reason)),
    ]);
    Some(how)
}

/// Returns an approval as the profile has it. What is needed to verify it is here, so it says no more.
pub(super) fn shown(approval: &Approval) -> AccessApproval {
    let mut shown = AccessApproval::default();
    shown.id.clone_from(&approval.id);
    shown.approved_at = approval.decided_at;
    shown.approved_until = approval.expires_at;
    shown
}

/// Returns what is said of one of several evaluations that could not be made.
pub(super) fn failed(error: &Error) -> AccessDecision {
    let mut failure = AccessEvaluationError::default();
    failure.status = status(error.kind()).0.as_u16();
    error.message().clone_into(&mut failure.message);
    let mut context = AccessDecisionContext::default();
    context.error = Some(failure);
    let mut decision = AccessDecision::default();
    decision.context = Some(context);
    decision
}

/// Returns the same decision in a list: a plain one without its reasons, which are long, and which clients that
/// compare the items of a list as they are do not expect.
pub(super) fn brief(mut decision: AccessDecision) -> AccessDecision {
    decision.context = decision.context.filter(|context| {
        context.error.is_some()
            || context.access_request.is_some()
            || context.next_action.is_some()
            || context.approval.is_some()
    });
    decision
}
