//! What the caller is told.

use std::time::Duration;

use agenttrust::model::CheckResult;

use super::Check;
use super::elevation::Ruling;
use crate::classify::Classification;

/// The answer to a check: its body, and what the `AgentTrust-Enforced` header lists.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) result: CheckResult,
    pub(crate) enforced: Option<&'static str>,
}

/// Puts the answer together.
pub(super) fn of(
    check: &Check,
    class: &Classification,
    ruling: Ruling,
    check_id: String,
    took: Duration,
) -> Answer {
    let (allowed, held, reason, approval_id) = match ruling {
        Ruling::Allowed { reason, approval, .. } => (true, false, reason, approval.map(|a| a.id)),
        Ruling::Denied { reason, approval, .. } => (false, false, reason, approval.map(|a| a.id)),
        Ruling::Held { reason, approval, .. } => (false, true, reason, Some(approval.id)),
    };
    let mut result = CheckResult::default();
    result.allowed = allowed;
    result.check_id = Some(check_id);
    result.confidence = Some(class.confidence);
    result.guard_tier = Some("fast".to_owned());
    result.latency_ms = Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    result.reason = Some(reason);
    result.elevation_required = Some(held);
    result.approval_id = approval_id;
    result.action_effect = Some(class.effect);
    Answer { result, enforced: enforced(check) }
}

/// What of the request's extensions was taken into account.
fn enforced(check: &Check) -> Option<&'static str> {
    match (&check.digest, &check.scopes) {
        (Some(_), Some(_)) => Some("digest, scopes"),
        (Some(_), None) => Some("digest"),
        (None, Some(_)) => Some("scopes"),
        (None, None) => None,
    }
}
