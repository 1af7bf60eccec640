//! What the caller is told.

use std::time::Duration;

use agenttrust::model::CheckResult;

use super::Check;
use super::deadline::RETRY_AFTER;
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
    /// When to ask again, for a check that could not be decided in time.
    pub(crate) retry_after: Option<Duration>,
}

impl Answer {
    /// Whether it says what was decided. One that does not is never repeated.
    pub(crate) fn is_decided(&self) -> bool {
        self.retry_after.is_none()
    }

    /// What its texts take in memory.
    pub(super) fn bytes(&self) -> usize {
        let CheckResult { reason, check_id, approval_id, .. } = &self.result;
        let texts = [reason, check_id, approval_id].into_iter().flatten().chain(&self.policies);
        texts.map(String::len).sum()
    }
}

/// The answer to a check that could not be decided in time: no permission, and no denial either.
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
        decision: Decision::Undecided,
        policies: Vec::new(),
        retry_after: Some(RETRY_AFTER),
    }
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
        Ruling::Allowed { policies, reason, approval, .. }
        | Ruling::Denied { policies, reason, approval } => (policies, reason, approval),
        Ruling::Held { policies, reason, approval, .. } => (policies, reason, Some(approval)),
        Ruling::Undecided => return undecided(check, took),
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
    Answer { result, enforced: enforced(check), decision, policies, retry_after: None }
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
