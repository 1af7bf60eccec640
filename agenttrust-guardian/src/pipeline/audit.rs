//! Writing the decision down, before it is answered where that matters.

use std::time::Instant;

use agenttrust::Effect;
use agenttrust::background;
use agenttrust::model::SessionMode;

use super::context::DecisionContext;
use super::decision_body::DecisionBody;
use super::evaluation::Evaluation;
use super::session::facts_of_delegation;
use crate::audit::{AuditError, Counted, FactsDigest, Record, Row};
use crate::domain::Decision;
use crate::engine::Engine;
use crate::registry::{facts_of, facts_of_ceiling};

/// Records the decision. One that cannot be recorded becomes a denial, and one that finds no place in time is
/// not decided.
///
/// A plain read that is allowed or denied is handed over and answered; everything else is on disk
/// first.
pub(super) async fn record(
    engine: &Engine,
    context: &DecisionContext<'_>,
    decision: Decision,
) -> Decision {
    let Evaluation { session, class, .. } = context.evaluation;
    let plain = class.effect == Effect::Read
        && session.mode() != SessionMode::Supervised
        && !matches!(decision, Decision::Held { .. })
        && decision.approval().is_none();
    let handed_over = match row(engine, context, &decision) {
        Ok(row) => {
            let handing_over = engine.audit.hand_over(row, !plain);
            if decision.is_paid_for() {
                // What was used up for it is told of, however long that takes.
                Ok(handing_over.await)
            } else {
                let left = context.deadline.saturating_duration_since(Instant::now());
                background::timeout(left, handing_over).await
            }
        }
        Err(error) => Ok(Err(error)),
    };
    let recorded = match handed_over {
        Ok(Ok(handed_over)) => handed_over.on_disk().await,
        Ok(Err(error)) => Err(error),
        Err(_) => return Decision::Undecided,
    };
    match recorded {
        Ok(()) => decision,
        Err(error) => {
            let check_id = context.check_id(&decision);
            tracing::error!(%error, check_id, "a decision could not be recorded");
            Decision::denied(engine.ended().unwrap_or(if engine.audit.was_changed() {
                "the decision could not be recorded: the Guardian denies everything until an operator has looked at \
                 its audit log; the Guardian's own log says what to do"
            } else {
                "the decision could not be recorded in the audit log, so the action is denied; \
                 try again when the Guardian's database is back"
            }))
        }
    }
}

/// Returns what becomes of it once it is on disk, and what it refers to.
fn row(
    engine: &Engine,
    context: &DecisionContext<'_>,
    decision: &Decision,
) -> Result<Row, AuditError> {
    let check = context.check;
    let Evaluation { session, class, now, .. } = context.evaluation;
    let counted = Counted {
        session_id: session.issued_id().map(str::to_owned),
        read: class.effect == Effect::Read,
        denied: matches!(decision, Decision::Denied { .. }).then(|| check.tool.clone()),
        at: *now,
    };
    let body = DecisionBody::new(context, decision);
    let row = Row::from_body("decision", &check.key.org_id, &body)?
        .agent(&check.agent_id)
        .actor(&check.key.id)
        .counting(counted);
    match &context.said {
        Some(_) => row.referring_to(untold(engine, context)),
        None => Ok(row),
    }
}

/// Returns the rows that the facts refer to, where the log does not have them yet.
fn untold(engine: &Engine, context: &DecisionContext<'_>) -> Vec<(FactsDigest, Record)> {
    let org_id = &context.check.key.org_id;
    let Evaluation { agent: entry, session, .. } = context.evaluation;
    let agent = entry.facts.filter(|digest| !engine.audit.has_told(*digest)).map(|digest| {
        let record = digest
            .record(org_id, facts_of(&entry.agent, entry.capabilities.as_slice(), &entry.groups));
        (digest, record.agent(&context.check.agent_id))
    });
    let ceiling = session.ceiling_facts().filter(|digest| !engine.audit.has_told(*digest));
    let ceiling =
        ceiling.map(|digest| (digest, digest.record(org_id, facts_of_ceiling(session.ceiling()))));
    let delegation = session.delegation_digest().filter(|digest| !engine.audit.has_told(*digest));
    let delegation = delegation.zip(session.delegation()).map(|(digest, delegation)| {
        (digest, digest.record(org_id, facts_of_delegation(delegation)))
    });
    agent.into_iter().chain(ceiling).chain(delegation).collect()
}
