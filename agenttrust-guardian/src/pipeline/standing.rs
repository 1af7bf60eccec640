//! What was allowed before, and not done yet: whether it may be done still, as things are now.

use super::elevation::{binding, bound_scopes, bound_session};
use super::{Check, evaluate, judge};
use crate::engine::Engine;
use crate::policy::{ApprovalRequirements, AuthorizationRequest, Verdict};
use crate::store::{ApprovalRow, StoreError};

/// Whether what was allowed once may be done still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A check that is allowed without an approval.
    Allowed,
    /// A check that goes by the approval that it has used, with the id of the check that used it.
    Approved(Option<String>),
    /// A check that is no longer allowed as it is: it is decided again.
    Lost,
}

/// Looks at a check that was allowed before, by what memory says now and by the approval `used` that it went by then.
/// Nothing is recorded, and nothing used up.
///
/// # Errors
///
/// Those of the database.
pub(crate) async fn standing(
    engine: &Engine,
    check: &Check,
    used: Option<String>,
) -> Result<Standing, StoreError> {
    let Ok(evaluation) = evaluate(engine, check) else { return Ok(Standing::Lost) };
    let judged = judge(engine, check, &evaluation);
    let terms = match judged.verdict {
        Verdict::Allow { .. } => return Ok(Standing::Allowed),
        Verdict::Deny { .. } => return Ok(Standing::Lost),
        Verdict::Hold { terms, .. } => terms,
    };
    let approved = engine.policies.load().decide_approved(&judged.facts);
    let (Some(id), Verdict::Allow { .. }) = (used, approved) else { return Ok(Standing::Lost) };
    let org_id = check.key.org_id.clone();
    let row = engine.store.approval(id, org_id, evaluation.now).await?;
    Ok(match row.filter(|row| serves(row, check, &judged.facts, terms)) {
        Some(row) => Standing::Approved(row.approval.used_by_check),
        None => Standing::Lost,
    })
}

/// Returns whether an approval that was used is one of just this, and of as many as are wanted now. That its time is
/// over takes nothing from what it was used for.
fn serves(
    row: &ApprovalRow,
    check: &Check,
    facts: &AuthorizationRequest<'_>,
    terms: ApprovalRequirements,
) -> bool {
    let approval = &row.approval;
    let (bound_to, value) = binding(check);
    let quorum = terms.quorum.max(1);
    row.uses > 0
        && approval.agent_id == check.agent_id
        && approval.session_id == bound_session(check)
        && approval.action_name == check.tool
        && approval.action_effect == facts.effect.as_str()
        && approval.scopes == bound_scopes(facts.scopes)
        && approval.bound_to == bound_to
        && approval.input_digest == bound_to.is_digest().then_some(value)
        && row.quorum >= quorum
        && approval.approvals.is_some_and(|votes| votes >= row.quorum)
}
