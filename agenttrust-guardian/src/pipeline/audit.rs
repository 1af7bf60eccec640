//! Writing the decision down, before it is answered where that matters.

use std::time::Instant;

use agenttrust::__private::background;
use agenttrust::Effect;
use agenttrust::model::{Approval, SessionMode};

use super::decision_body::DecisionBody;
use super::elevation::{Matter, Ruling};
use crate::audit::{AuditError, Counted, FactsDigest, Record, Row};
use crate::classify::Classification;
use crate::registry::{facts_of, facts_of_ceiling};
use crate::state::State;

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
    let plain = class.effect == Effect::Read
        && matter.visit.mode() != SessionMode::Supervised
        && !matches!(ruling, Ruling::Held { .. })
        && approval_of(&ruling).is_none();
    let handed_over = match row(state, matter, class, &ruling) {
        Ok(row) => {
            let handing_over = state.audit.hand_over(row, !plain);
            if ruling.is_paid_for() {
                // What was used up for it is told of, however long that takes.
                Ok(handing_over.await)
            } else {
                let left = matter.deadline.saturating_duration_since(Instant::now());
                background::timeout(left, handing_over).await
            }
        }
        Err(error) => Ok(Err(error)),
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

/// What becomes of it once it is on disk, and what it refers to.
fn row(
    state: &State,
    matter: &Matter<'_>,
    class: &Classification,
    ruling: &Ruling,
) -> Result<Row, AuditError> {
    let check = matter.check;
    let counted = Counted {
        session_id: matter.visit.issued_id().map(str::to_owned),
        read: class.effect == Effect::Read,
        denied: matches!(ruling, Ruling::Denied { .. }).then(|| check.tool.clone()),
        at: matter.now,
    };
    let body = DecisionBody::of(matter, class, ruling);
    let row = Row::of("decision", &check.key.org_id, &body)?
        .agent(&check.agent_id)
        .actor(&check.key.id)
        .counting(counted);
    match matter.said {
        Some(_) => row.referring_to(untold(state, matter)),
        None => Ok(row),
    }
}

/// The rows that the facts refer to, where the log does not have them yet.
fn untold(state: &State, matter: &Matter<'_>) -> Vec<(FactsDigest, Record)> {
    let org_id = &matter.check.key.org_id;
    let (entry, visit) = (matter.agent, matter.visit);
    let agent = entry.facts.filter(|digest| !state.audit.has_told(*digest)).map(|digest| {
        let record = digest
            .record(org_id, facts_of(&entry.agent, entry.capabilities.as_slice(), &entry.groups));
        (digest, record.agent(&matter.check.agent_id))
    });
    let ceiling = visit.ceiling_facts().filter(|digest| !state.audit.has_told(*digest));
    let ceiling =
        ceiling.map(|digest| (digest, digest.record(org_id, facts_of_ceiling(visit.ceiling()))));
    agent.into_iter().chain(ceiling).collect()
}

pub(super) fn approval_of(ruling: &Ruling) -> Option<&Approval> {
    match ruling {
        Ruling::Allowed { approval, .. } | Ruling::Denied { approval, .. } => approval.as_deref(),
        Ruling::Held { approval, .. } => Some(approval),
        Ruling::Undecided => None,
    }
}
