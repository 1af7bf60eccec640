//! How a check is decided: identity → session → classify → ceiling → policy → elevation → audit →
//! answer.
//!
//! One file a step. Everything up to the policies' verdict reads memory only. Deny beats elevate beats
//! allow: the first step that denies ends the matter, and nobody is asked to approve what an approval
//! would not allow.

mod answer;
mod audit;
mod budget;
mod ceiling;
mod classify;
mod deadline;
#[cfg(test)]
mod deadline_tests;
mod decision_body;
#[cfg(test)]
mod differential;
mod elevation;
mod idempotent_replay;
mod identity;
mod policy;
mod scopes;
mod session;
pub(crate) mod span;
#[cfg(test)]
mod time_tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::{Binds, Effect, Timestamp};
use serde_json::json;

pub(crate) use self::deadline::{answer, answer_once};
use self::elevation::{Decision, DecisionContext};
use self::idempotent_replay::replay;
use self::session::{Entered, SessionContext};
use crate::audit::Record;
use crate::classify::Classification;
use crate::domain::limits::Share;
use crate::domain::{Answer, Error, Key};
use crate::engine::Engine;
use crate::engine::check_ids::{Ids, Issued};
use crate::policy::{AuthorizationRequest, Shadow, Verdict};
use crate::registry::AgentEntry;

/// How long what a permission rests on counts as just looked at.
const FRESH: Duration = Duration::from_millis(100);

/// One check as it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) key: Arc<Key>,
    pub(crate) agent_id: String,
    pub(crate) session_id: Option<String>,
    pub(crate) tool: String,
    pub(crate) hint: Option<Effect>,
    pub(crate) source: String,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) digest: Option<String>,
    /// What the digest is of, where it is not of the whole input.
    pub(crate) binds: Option<Binds>,
    pub(crate) summary: Option<String>,
    /// Its place among the requests under way, held until it is decided.
    pub(crate) _place: Option<Arc<Share>>,
}

/// What memory alone says about a check.
#[derive(Debug)]
struct Evaluation {
    agent: Arc<AgentEntry>,
    visit: SessionContext,
    class: Classification,
    scopes: Vec<String>,
    verdict: Verdict,
    said: Option<PolicyOutcome>,
    now: Timestamp,
    /// How often memory had changed by then.
    changed: u64,
}

/// What the policies said of a check that came before them.
#[derive(Debug)]
struct PolicyOutcome {
    /// Whether they allow, deny or hold it.
    verdict: &'static str,
    /// What `@shadow` policies would change about that.
    shadow: Option<Shadow>,
}

impl Evaluation {
    fn facts<'a>(&'a self, check: &'a Check) -> AuthorizationRequest<'a> {
        policy::facts(check, &self.agent, &self.visit, &self.class, &self.scopes, self.now)
    }
}

/// Decides one check.
///
/// Whoever may not ask, or asks for nobody, gets an error; everything else is an answer, also when
/// the database is down.
async fn decide(engine: &Engine, check: &Check) -> Result<Answer, Error> {
    let begun = Instant::now();
    let evaluation = consider(engine, check)?;
    Ok(conclude(engine, check, evaluation, begun).await)
}

/// The steps that read memory only.
fn consider(engine: &Engine, check: &Check) -> Result<Evaluation, Error> {
    // Before anything is read: what changes from here on is looked at once more.
    let changed = engine.synced.changed();
    let now = engine.clock.now();
    let agent = identity::agent(engine, check)?;
    let (visit, refused) = match session::enter(engine, check, &agent, now)? {
        Entered::In(visit) => (visit, None),
        Entered::Refused { visit, reason } => (visit, Some(reason)),
    };
    let known = engine.registry.tools.known(&check.key.org_id, &check.tool);
    let class = classify::classified(check, &known);
    let scopes = scopes::needed(check, &known);
    let refused = out_of_touch(engine)
        .or_else(|| identity::standing(&agent))
        .or(refused)
        .or_else(|| ceiling::outside(&check.tool, &scopes, &agent, &visit));
    let (verdict, said) = match refused {
        Some(reason) => (Verdict::Deny { policies: Vec::new(), reason }, None),
        None => {
            let facts = policy::facts(check, &agent, &visit, &class, &scopes, now);
            let policies = engine.policies.load();
            let verdict = policies.decide(&facts);
            let said = PolicyOutcome { verdict: verdict.as_str(), shadow: policies.shadow(&facts) };
            (verdict, Some(said))
        }
    };
    Ok(Evaluation { agent, visit, class, scopes, verdict, said, now, changed })
}

/// Why nothing at all is allowed at present.
fn out_of_touch(engine: &Engine) -> Option<String> {
    (!engine.is_in_touch()).then(|| {
        "this Guardian is out of touch with its database, so it does not know what was revoked; \
         try again, or ask another replica"
            .to_owned()
    })
}

/// The steps from the verdict on: the approval, the audit and the answer.
async fn conclude(
    engine: &Engine,
    check: &Check,
    evaluation: Evaluation,
    begun: Instant,
) -> Answer {
    let Evaluation { agent, visit, class, scopes, verdict, said, now, changed } = evaluation;
    let issued = Issued {
        key_id: &check.key.id,
        agent_id: &check.agent_id,
        session_id: check.session_id.as_deref().unwrap_or_default(),
        tool: &check.tool,
    };
    let ids = engine.checks.issue(&issued, now);
    let facts = policy::facts(check, &agent, &visit, &class, &scopes, now);
    let said = said.as_ref();
    let mut matter = DecisionContext {
        check,
        agent: &agent,
        visit: &visit,
        facts: &facts,
        said,
        check_id: &ids.allowed,
        now,
        deadline: begun + engine.settings.check_deadline,
    };
    let decision = elevation::settle(engine, &matter, verdict).await;

    if let Some(PolicyOutcome { shadow: Some(shadow), .. }) = said {
        engine.policies.count(shadow);
    }
    visit.count(class.effect, matches!(decision, Decision::Denied { .. }), now);
    if !matches!(decision, Decision::Allowed { .. }) {
        matter.check_id = &ids.refused;
    }
    let mut decision = audit::record(engine, &matter, &class, decision).await;
    let took_its_time = begun.elapsed() > FRESH || engine.synced.changed() != changed;
    if took_its_time && matches!(decision, Decision::Allowed { .. }) {
        decision = still_allowed(engine, check, &ids, decision).await;
    }
    // One that could not be recorded is refused after all.
    let allowed = matches!(decision, Decision::Allowed { .. });
    let check_id = if allowed { ids.allowed } else { ids.refused };
    let took = begun.elapsed();
    match decision {
        Decision::Undecided => engine.metrics.undecided(took),
        _ => engine.metrics.checked(decision.kind(), class.effect, took),
    }
    answer::for_decision(check, &class, decision, check_id, took)
}

/// A permission that took its time, looked at once more: what it rests on may have been taken back, or
/// this Guardian may be out of touch by now.
async fn still_allowed(engine: &Engine, check: &Check, ids: &Ids, decision: Decision) -> Decision {
    let reason = match consider(engine, check) {
        Ok(Evaluation { verdict: Verdict::Deny { reason, .. }, .. }) => reason,
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
