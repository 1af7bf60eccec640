//! How a check is decided: identity → session → proof → classify → ceiling → policy → elevation → audit →
//! answer.
//!
//! One file a step. `evaluation.rs` calls those before the policies, and the order of its `or_else` is the order in
//! which they refuse; a new step is a line there. Everything up to the policies' verdict reads memory only. Deny beats
//! elevate beats allow: the first step that denies ends the matter, and no approver is asked for what an approval
//! would not allow.

mod access;
mod answer;
mod audit;
mod budget;
mod ceiling;
mod classify;
mod context;
mod deadline;
#[cfg(test)]
mod deadline_tests;
mod decision_body;
#[cfg(test)]
mod differential;
mod elevation;
mod evaluation;
mod idempotent_replay;
mod identity;
mod policy;
mod proof;
mod scopes;
mod session;
pub(crate) mod span;
mod standing;
#[cfg(test)]
mod time_tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::{Binds, Effect};
use serde_json::json;

pub(crate) use self::access::Asked;
use self::context::DecisionContext;
pub(crate) use self::deadline::{answer, answer_once};
use self::evaluation::{Evaluation, evaluate};
use self::idempotent_replay::replay;
use self::policy::{Judged, judge};
pub(crate) use self::proof::{Once, Proof};
pub(crate) use self::standing::{Standing, standing};
use crate::audit::Record;
use crate::domain::limits::Share;
use crate::domain::{Answer, Decision, Error, Key, Trace};
use crate::engine::Engine;
use crate::engine::check_ids::Ids;
use crate::policy::Verdict;

/// The time for which the grounds of a permission count as just looked at.
const FRESH: Duration = Duration::from_millis(100);

/// A check as it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) key: Arc<Key>,
    pub(crate) agent_id: String,
    pub(crate) session_id: Option<String>,
    /// Whether the guard made the session id up.
    pub(crate) session_is_generated: bool,
    pub(crate) tool: String,
    pub(crate) hint: Option<Effect>,
    pub(crate) source: String,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) digest: Option<String>,
    /// The part of the input that the digest is of, where it is not of the whole.
    pub(crate) binds: Option<Binds>,
    /// The name of the key that the digest was made under.
    pub(crate) key_id: Option<String>,
    pub(crate) summary: Option<String>,
    /// The message of a task that is checked; an approval that it uses is kept with it.
    pub(crate) task_message: Option<String>,
    /// The proof that the agent has its private key.
    pub(crate) proof: Option<Proof>,
    /// The trace that its caller is in.
    pub(crate) trace: Option<Trace>,
    /// The evaluation of AuthZEN that the check is, if it is one.
    pub(crate) access: Option<Arc<Asked>>,
    /// Its place among the requests under way, held until it is decided.
    pub(crate) _place: Option<Arc<Share>>,
}

/// Returns whether this could be called at present, with an approval or without, by what memory says alone. Nothing is
/// recorded, and nothing used up: what is called is checked again.
pub(crate) fn may_see(engine: &Engine, check: &Check) -> bool {
    let Ok(evaluation) = evaluate(engine, check) else { return false };
    !matches!(judge(engine, check, &evaluation).verdict, Verdict::Deny { .. })
}

/// Sees that the agent of a check may act in the session that it names, by what memory says; whatever the tool is.
///
/// # Errors
///
/// Forbidden in a session that is over, not known or another agent's; and those of a check.
pub(crate) fn need_session(engine: &Engine, check: &Check) -> Result<(), Error> {
    let agent = identity::agent(engine, check)?;
    match session::enter(engine, check, &agent, engine.clock.now())? {
        session::Entered::In(_) => Ok(()),
        session::Entered::Refused { reason, .. } => Err(Error::forbidden(reason)),
    }
}

/// Decides a check.
///
/// A caller that may not ask, or names no agent, gets an error. Everything else is an answer, also when the database
/// is down.
async fn decide(engine: &Engine, check: &Check) -> Result<Answer, Error> {
    let begun = Instant::now();
    let evaluation = evaluate(engine, check)?;
    let judged = judge(engine, check, &evaluation);
    Ok(conclude(engine, judged, begun).await)
}

/// Returns the steps from the verdict on: the approval, the audit and the answer.
async fn conclude(engine: &Engine, judged: Judged<'_>, begun: Instant) -> Answer {
    let deadline = begun + engine.settings.check_deadline;
    let (context, verdict) = DecisionContext::new(engine, judged, deadline);
    let Evaluation { session, class, now, changed, .. } = context.evaluation;
    let decision = elevation::settle(engine, &context, verdict).await;

    if let Some(shadow) = context.said.as_ref().and_then(|said| said.shadow.as_ref()) {
        engine.policies.count(shadow);
    }
    session.count(class.effect, matches!(decision, Decision::Denied { .. }), *now);
    // One that cannot be recorded is refused after all.
    let mut decision = audit::record(engine, &context, decision).await;
    let took_its_time = begun.elapsed() > FRESH || engine.synced.changed() != *changed;
    if took_its_time && decision.is_allowed() {
        decision = still_allowed(engine, context.check, &context.ids, decision).await;
    }
    let took = begun.elapsed();
    let answer = answer::for_decision(&context, decision, took);
    engine.metrics.answered(&answer, took);
    answer
}

/// Returns a permission that took its time, looked at once more: what it rests on may have been taken back, it may need
/// an approval by now, or this Guardian may be out of touch.
async fn still_allowed(engine: &Engine, check: &Check, ids: &Ids, decision: Decision) -> Decision {
    let evaluation = evaluate(engine, check);
    let reason = match evaluation.as_ref().map(|known| judge(engine, check, known).verdict) {
        Ok(Verdict::Deny { reason, .. }) => reason,
        // It needed no approval then, and needs one now.
        Ok(Verdict::Hold { reason, .. }) if decision.approval().is_none() => {
            format!("{reason}; ask again")
        }
        Ok(_) if !engine.registry.keys.has(&check.key.id) => {
            "the API key was revoked meanwhile; use another one".to_owned()
        }
        Ok(_) => return decision,
        Err(error) => error.message().to_owned(),
    };
    let record = Record::new("decision.withdrawn", &check.key.org_id)
        .agent(&check.agent_id)
        .actor(&check.key.id)
        .body(json!({
            "check_id": ids.refused,
            "withdraws": ids.allowed,
            "tool": check.tool,
            "reason": reason,
        }));
    if let Err(error) = engine.audit.append(record).await {
        tracing::error!(%error, "a decision was withdrawn and that could not be recorded");
    }
    Decision::denied(reason)
}
