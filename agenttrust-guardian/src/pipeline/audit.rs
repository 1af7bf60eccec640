//! Writing the decision down, before it is answered where that matters.

use agenttrust::Effect;
use agenttrust::model::{Approval, SessionMode};
use serde_json::json;

use super::elevation::{Matter, Ruling};
use crate::audit::Record;
use crate::classify::Classification;
use crate::policy::Verdict;
use crate::state::State;

/// Records the ruling. One that cannot be recorded becomes a denial.
///
/// A plain read that is allowed or denied is handed over and answered; everything else is on disk
/// first.
pub(super) async fn record(
    state: &State,
    matter: &Matter<'_>,
    class: &Classification,
    ruling: Ruling,
) -> Ruling {
    let record = of(state, matter, class, &ruling);
    let plain = class.effect == Effect::Read
        && matter.visit.mode() != SessionMode::Supervised
        && !matches!(ruling, Ruling::Held { .. })
        && approval_of(&ruling).is_none();
    let recorded = if plain {
        state.audit.enqueue(record)
    } else {
        state.audit.append(record).await.map(drop)
    };
    match recorded {
        Ok(()) => ruling,
        Err(error) => {
            tracing::error!(%error, check_id = matter.check_id, "a decision could not be recorded");
            Ruling::denied(
                "the decision could not be recorded in the audit log, so the action is denied; \
                 try again when the Guardian's database is back",
            )
        }
    }
}

fn of(state: &State, matter: &Matter<'_>, class: &Classification, ruling: &Ruling) -> Record {
    let check = matter.check;
    let (Ruling::Allowed { policies, reason, .. }
    | Ruling::Denied { policies, reason, .. }
    | Ruling::Held { policies, reason, .. }) = ruling;
    let mut body = json!({
        "check_id": matter.check_id,
        "decision": ruling.decision().as_str(),
        "tool": check.tool,
        "effect": class.effect,
        "confidence": class.confidence,
        "basis": class.basis.as_str(),
        "session_id": check.session_id,
        "session_mode": matter.visit.mode(),
        "source": check.source,
        "scopes": matter.facts.scopes,
        "input_digest": check.digest,
        "input_chars": matter.facts.input_chars,
        "policies": policies,
        "reason": reason,
    });
    if let Some(body) = body.as_object_mut() {
        if let Some(approval) = approval_of(ruling) {
            body.insert("approval_id".to_owned(), json!(approval.id));
            body.insert("bound_to".to_owned(), json!(approval.bound_to));
        }
        if let Ruling::Held { new, .. } = ruling {
            body.insert("approval_opened".to_owned(), json!(new));
        }
        if let Some(verdict) = state.policies.load().shadow(matter.facts) {
            let shadow = match verdict {
                Verdict::Allow { .. } => "allow",
                Verdict::Deny { .. } => "deny",
                Verdict::Hold { .. } => "hold",
            };
            body.insert("shadow".to_owned(), json!(shadow));
        }
    }
    Record::new("decision", &check.key.org_id)
        .agent(&check.agent_id)
        .actor(&check.key.id)
        .body(body)
}

fn approval_of(ruling: &Ruling) -> Option<&Approval> {
    match ruling {
        Ruling::Allowed { approval, .. } | Ruling::Denied { approval, .. } => approval.as_deref(),
        Ruling::Held { approval, .. } => Some(approval),
    }
}
