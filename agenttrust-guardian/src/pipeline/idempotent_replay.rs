//! A check that came again with its idempotency key. A refusal is repeated as it was; a permission only while it would
//! still be given, because the agent may have been revoked in between.

use std::sync::Arc;
use std::time::Instant;

use super::elevation::{binding, bound_scopes, reach};
use super::policy::{Judged, judge};
use super::{Check, conclude, evaluate};
use crate::domain::Answer;
use crate::domain::Error;
use crate::engine::Engine;
use crate::policy::{ApprovalRequirements, Verdict};

/// Returns the answer to a check that was answered with `first` before.
///
/// One that used an approval never uses a second one: where `first` does not hold any more, the new
/// answer is a denial.
pub(crate) async fn replay(
    engine: &Engine,
    check: &Check,
    first: Arc<Answer>,
) -> Result<Arc<Answer>, Error> {
    if !first.result.allowed {
        return Ok(first);
    }
    let begun = Instant::now();
    let evaluation = evaluate(engine, check)?;
    let mut judged = judge(engine, check, &evaluation);
    let approved = first.result.approval_id.as_deref();
    match (&judged.verdict, approved) {
        (Verdict::Allow { .. }, _) => return Ok(first),
        (Verdict::Hold { terms, .. }, Some(approval_id)) => {
            match engine.policies.load().decide_approved(&judged.facts) {
                Verdict::Deny { policies, reason } | Verdict::Hold { policies, reason, .. } => {
                    judged.verdict = Verdict::Deny { policies, reason };
                }
                Verdict::Allow { policies, .. } => {
                    let changed = outgrown(engine, &judged, *terms, &first, approval_id).await?;
                    let Some(changed) = changed else { return Ok(first) };
                    let reason = format!("{changed}; ask again with a new Idempotency-Key");
                    judged.verdict = Verdict::Deny { policies, reason };
                }
            }
        }
        (Verdict::Hold { .. } | Verdict::Deny { .. }, _) => {}
    }
    Ok(Arc::new(conclude(engine, judged, begun).await))
}

/// Returns why the approval that the first answer used would not be enough by now, if so.
async fn outgrown(
    engine: &Engine,
    judged: &Judged<'_>,
    terms: ApprovalRequirements,
    first: &Answer,
    approval_id: &str,
) -> Result<Option<String>, Error> {
    let Judged { check, evaluation, .. } = judged;
    let effect = evaluation.class.effect;
    if first.result.action_effect != Some(effect) {
        let tool = &check.tool;
        return Ok(Some(format!(
            "tool {tool:?} counts as {effect} now, which is not what was approved"
        )));
    }
    let (org_id, now) = (check.key.org_id.clone(), evaluation.now);
    let found = engine.store.approval(approval_id.to_owned(), org_id, now).await?;
    let Some(row) = found else {
        return Ok(Some(format!("approval {approval_id} is not known any more")));
    };
    if row.approval.scopes != bound_scopes(&evaluation.scopes) {
        return Ok(Some("other scopes are needed now than were approved".to_owned()));
    }
    let (window, single_use) = reach(terms, binding(check).0);
    let recent = row.approval.decided_at.is_some_and(|at| at.until(now) < window);
    let enough = row.quorum >= terms.quorum && row.approval.approvals >= Some(row.quorum);
    let sole = !single_use || row.uses <= 1;
    Ok((!recent || !enough || !sole)
        .then(|| format!("approval {approval_id} is less than what is demanded by now")))
}
