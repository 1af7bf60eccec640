//! What the caller is told.

use std::time::Duration;

use agenttrust::model::CheckResult;

use super::Check;
use super::elevation::Ruling;
use crate::classify::Classification;
use crate::metrics::Decision;

/// The answer to a check: its body, and what the `AgentTrust-Enforced` header lists.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) result: CheckResult,
    pub(crate) enforced: Option<&'static str>,
    pub(crate) decision: Decision,
    /// The policies that it comes from.
    pub(crate) policies: Vec<String>,
}

/// Puts the answer together.
pub(super) fn of(
    check: &Check,
    class: &Classification,
    ruling: Ruling,
    check_id: String,
    took: Duration,
) -> Answer {
    let decision = ruling.decision();
    let (policies, reason, approval) = match ruling {
        Ruling::Allowed { policies, reason, approval }
        | Ruling::Denied { policies, reason, approval } => (policies, reason, approval),
        Ruling::Held { policies, reason, approval, .. } => (policies, reason, Some(approval)),
    };
    let mut result = CheckResult::default();
    result.allowed = decision == Decision::Allow;
    result.check_id = Some(check_id);
    result.confidence = Some(class.confidence);
    result.guard_tier = Some("fast".to_owned());
    result.latency_ms = Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    result.reason = Some(reason);
    result.elevation_required = Some(decision == Decision::Hold);
    result.approval_id = approval.map(|approval| approval.id);
    result.action_effect = Some(class.effect);
    Answer { result, enforced: enforced(check), decision, policies }
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
