//! A check that came again with its idempotency key. A refusal is repeated as it was; a permission only
//! while it would still be given, because in between somebody may have revoked the agent.

use std::time::Instant;

use super::{Answer, Check, conclude, consider};
use crate::http::ApiError;
use crate::policy::Verdict;
use crate::state::State;

/// The answer to a check that was answered with `first` before.
///
/// One that used an approval never uses a second one: where `first` does not hold any more, the new
/// answer is a denial.
pub(crate) async fn decide_again(
    state: &State,
    check: &Check,
    first: &Answer,
) -> Result<Answer, ApiError> {
    if !first.result.allowed {
        return Ok(first.clone());
    }
    let begun = Instant::now();
    let mut considered = consider(state, check)?;
    let approved = first.result.approval_id.is_some();
    match &considered.verdict {
        Verdict::Allow { .. } => return Ok(first.clone()),
        Verdict::Hold { .. } if approved => {
            let same_effect = first.result.action_effect == Some(considered.class.effect);
            match state.policies.load().decide_approved(&considered.facts(check)) {
                Verdict::Allow { .. } if same_effect => return Ok(first.clone()),
                Verdict::Deny { policies, reason } => {
                    considered.verdict = Verdict::Deny { policies, reason };
                }
                Verdict::Allow { policies, .. } | Verdict::Hold { policies, .. } => {
                    let reason = format!(
                        "tool {:?} counts as {} now, which is not what was approved; \
                         ask again with a new Idempotency-Key",
                        check.tool, considered.class.effect,
                    );
                    considered.verdict = Verdict::Deny { policies, reason };
                }
            }
        }
        Verdict::Hold { .. } | Verdict::Deny { .. } => {}
    }
    Ok(conclude(state, check, considered, begun).await)
}
