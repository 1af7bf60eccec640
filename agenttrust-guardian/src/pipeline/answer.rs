//! What the caller is told.

use std::time::Duration;

use agenttrust::model::CheckResult;

use super::Check;
use super::context::DecisionContext;
use crate::domain::{AccessAnswer, Answer, Decision, DecisionKind};

/// Returns the answer to a check that could not be decided in time: no permission, and no denial
/// either.
pub(super) fn undecided(check: &Check, limit: Duration) -> Answer {
    let mut result = CheckResult::default();
    result.guard_tier = Some("fast".to_owned());
    result.latency_ms = Some(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    result.reason = Some(format!(
        "not decided: the Guardian or its database was too busy to decide about tool {:?} within \
         {limit:?}; ask again in a moment",
        check.tool
    ));
    result.elevation_required = Some(false);
    Answer {
        result,
        enforced: enforced(check),
        decision: DecisionKind::Undecided,
        policies: Vec::new(),
        access: None,
    }
}

/// Puts the answer together.
pub(super) fn for_decision(
    context: &DecisionContext<'_>,
    decision: Decision,
    took: Duration,
) -> Answer {
    let (check, class) = (context.check, &context.evaluation.class);
    let check_id = context.check_id(&decision).to_owned();
    let kind = decision.kind();
    let unserved = match &decision {
        Decision::Requestable { unserved, .. } => *unserved,
        _ => None,
    };
    let (policies, reason, approval) = match decision {
        Decision::Allowed { policies, reason, approval, .. }
        | Decision::Denied { policies, reason, approval } => (policies, reason, approval),
        Decision::Held { policies, reason, approval, .. } => (policies, reason, Some(approval)),
        Decision::Requestable { policies, reason, .. } => (policies, reason, None),
        Decision::Undecided => return undecided(check, took),
    };
    let mut result = CheckResult::default();
    result.allowed = kind == DecisionKind::Allow;
    result.check_id = Some(check_id);
    result.confidence = Some(class.confidence);
    result.guard_tier = Some("fast".to_owned());
    result.latency_ms = Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    result.reason = Some(reason);
    result.elevation_required = Some(kind == DecisionKind::Hold);
    result.approval_id = approval.as_ref().map(|approval| approval.id.clone());
    result.action_effect = Some(class.effect);
    let at = context.evaluation.now;
    let access = check.access.as_ref().map(|_| AccessAnswer { at, unserved, approval });
    Answer { result, enforced: enforced(check), decision: kind, policies, access }
}

/// Returns what of the request's extensions was taken into account.
fn enforced(check: &Check) -> Option<&'static str> {
    match (&check.digest, &check.scopes) {
        (Some(_), Some(_)) => Some("digest, scopes"),
        (Some(_), None) => Some("digest"),
        (None, Some(_)) => Some("scopes"),
        (None, None) => None,
    }
}
