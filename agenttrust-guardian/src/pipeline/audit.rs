//! Writing the decision down, before it is answered where that matters.

use agenttrust::Effect;
use agenttrust::model::{Approval, SessionMode};
use serde_json::{Value, json};

use super::Said;
use super::elevation::{Matter, Ruling};
use crate::audit::{Counted, Record};
use crate::classify::Classification;
use crate::policy::Facts;
use crate::state::State;

/// How many bytes of lists the facts of a row have at most ...
const FACTS_MAX_BYTES: usize = 16 << 10;
/// ... and how many bytes of ids of policies. A row has an end, and one that does not fit is a denial.
const IDS_MAX_BYTES: usize = 8 << 10;

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
    let record = of(matter, class, &ruling);
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

fn of(matter: &Matter<'_>, class: &Classification, ruling: &Ruling) -> Record {
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
        "policies": listed(policies),
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
        // `null` where the policies were not asked.
        body.insert("verdict".to_owned(), json!(matter.said.map(|said| said.verdict)));
        if let Some(Said { shadow, .. }) = matter.said {
            if let Some(facts) = facts(matter.facts) {
                body.insert("facts".to_owned(), facts);
            }
            if let Some(shadow) = shadow {
                body.insert("shadow".to_owned(), json!(shadow.verdict.as_str()));
            }
        }
    }
    Record::new("decision", &check.key.org_id)
        .agent(&check.agent_id)
        .actor(&check.key.id)
        .body(body)
        .counting(Counted {
            session_id: matter.visit.issued_id().map(str::to_owned),
            read: class.effect == Effect::Read,
            denied: matches!(ruling, Ruling::Denied { .. }).then(|| check.tool.clone()),
            at: matter.now,
        })
}

/// What else the policies were told, so that others can be asked about the same check later. Lists that
/// would not fit into a row are left out with all of it.
fn facts(facts: &Facts<'_>) -> Option<Value> {
    let lists = [facts.groups, facts.capabilities, facts.ceiling];
    let bytes: usize = lists.iter().flat_map(|list| list.iter()).map(String::len).sum();
    (bytes <= FACTS_MAX_BYTES).then(|| {
        json!({
            "agent_name": facts.agent_name,
            "groups": facts.groups,
            "capabilities": facts.capabilities,
            "ceiling": facts.ceiling,
            "session_source": facts.session_source,
            "now": facts.now_unix_seconds,
        })
    })
}

/// The first of these ids, as many as a row has room for.
fn listed(ids: &[String]) -> &[String] {
    let mut bytes = 0;
    let fits = ids.iter().take_while(|id| {
        bytes += id.len();
        bytes <= IDS_MAX_BYTES
    });
    ids.get(..fits.count()).unwrap_or_default()
}

fn approval_of(ruling: &Ruling) -> Option<&Approval> {
    match ruling {
        Ruling::Allowed { approval, .. } | Ruling::Denied { approval, .. } => approval.as_deref(),
        Ruling::Held { approval, .. } => Some(approval),
    }
}
