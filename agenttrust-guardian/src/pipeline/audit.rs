//! Writing the decision down, before it is answered where that matters.

use std::time::Instant;

use agenttrust::__private::background;
use agenttrust::Effect;
use agenttrust::model::{Approval, SessionMode};
use serde_json::{Value, json};

use super::Said;
use super::elevation::{Matter, Ruling};
use crate::audit::{Counted, FactsDigest, Record};
use crate::classify::Classification;
use crate::registry::{facts_of, facts_of_ceiling};
use crate::state::State;

/// How many bytes of ids of policies a row has at most. A row has an end, and one that does not fit is a denial.
const IDS_MAX_BYTES: usize = 8 << 10;

/// Records the ruling. One that cannot be recorded becomes a denial, and one that finds no place in time is
/// not decided.
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
    let handing_over = state.audit.hand_over(record, !plain);
    let handed_over = if ruling.is_paid_for() {
        // What was used up for it is told of, however long that takes.
        Ok(handing_over.await)
    } else {
        let left = matter.deadline.saturating_duration_since(Instant::now());
        background::timeout(left, handing_over).await
    };
    let recorded = match handed_over {
        Ok(Ok(handed_over)) => handed_over.on_disk().await,
        Ok(Err(error)) => Err(error),
        Err(_) => return Ruling::Undecided,
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
    let (policies, reason) = ruling.because();
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
            if let Some(facts) = facts(matter) {
                body.insert("facts".to_owned(), facts);
            }
            if let Some(shadow) = shadow {
                body.insert("shadow".to_owned(), json!(shadow.verdict.as_str()));
            }
        }
    }
    let facts = matter.said.map(|_| untold(state, matter)).unwrap_or_default();
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
        .referring_to(facts)
}

/// What else the policies were told, so that others can be asked about the same check later: lists by the
/// rows that have them. Where one is too long for a row, all of it is left out.
fn facts(matter: &Matter<'_>) -> Option<Value> {
    let agent = matter.agent.facts?.to_hex();
    let ceiling = match matter.visit.has_ceiling() {
        true => Some(matter.visit.ceiling_facts()?.to_hex()),
        false => None,
    };
    Some(json!({
        "agent": agent,
        "ceiling": ceiling,
        "session_source": matter.facts.session_source,
        "now": matter.facts.now_unix_seconds,
    }))
}

/// The rows that the facts refer to, where the log does not have them yet.
fn untold(state: &State, matter: &Matter<'_>) -> Vec<(FactsDigest, Record)> {
    let org_id = &matter.check.key.org_id;
    let (entry, visit) = (matter.agent, matter.visit);
    let agent = entry.facts.filter(|digest| !state.audit.has_told(*digest)).map(|digest| {
        let record = digest.record(org_id, facts_of(&entry.agent, &entry.groups));
        (digest, record.agent(&matter.check.agent_id))
    });
    let ceiling = visit.ceiling_facts().filter(|digest| !state.audit.has_told(*digest));
    let ceiling =
        ceiling.map(|digest| (digest, digest.record(org_id, facts_of_ceiling(visit.ceiling()))));
    agent.into_iter().chain(ceiling).collect()
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
        Ruling::Undecided => None,
    }
}
