//! How a check is decided: identity → session → classify → ceiling → policy → elevation → audit →
//! answer.
//!
//! One file a step. Everything up to the policies' verdict reads memory only. Deny beats elevate beats
//! allow: the first step that denies ends the matter, and nobody is asked to approve what an approval
//! would not allow.

mod again;
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

use self::again::decide_again;
pub(crate) use self::answer::Answer;
pub(crate) use self::deadline::{Deciding, answer, answer_once};
use self::elevation::{Matter, Ruling};
use self::session::{Entered, Visit};
use crate::audit::Record;
use crate::checks::{Ids, Issued};
use crate::classify::Classification;
use crate::http::ApiError;
use crate::limits::Share;
use crate::policy::{Facts, Shadow, Verdict};
use crate::registry::{AgentEntry, Key};
use crate::state::State;

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
struct Considered {
    agent: Arc<AgentEntry>,
    visit: Visit,
    class: Classification,
    scopes: Vec<String>,
    verdict: Verdict,
    said: Option<Said>,
    now: Timestamp,
    /// How often memory had changed by then.
    changed: u64,
}

/// What the policies said of a check that came before them.
#[derive(Debug)]
struct Said {
    /// Whether they allow, deny or hold it.
    verdict: &'static str,
    /// What `@shadow` policies would change about that.
    shadow: Option<Shadow>,
}

impl Considered {
    fn facts<'a>(&'a self, check: &'a Check) -> Facts<'a> {
        policy::facts(check, &self.agent, &self.visit, &self.class, &self.scopes, self.now)
    }
}

/// Decides one check.
///
/// Whoever may not ask, or asks for nobody, gets an error; everything else is an answer, also when
/// the database is down.
async fn decide(state: &State, check: &Check) -> Result<Answer, ApiError> {
    let begun = Instant::now();
    let considered = consider(state, check)?;
    Ok(conclude(state, check, considered, begun).await)
}

/// The steps that read memory only.
fn consider(state: &State, check: &Check) -> Result<Considered, ApiError> {
    // Before anything is read: what changes from here on is looked at once more.
    let changed = state.following.changed();
    let now = state.clock.now();
    let agent = identity::agent(state, check)?;
    let (visit, refused) = match session::enter(state, check, &agent, now)? {
        Entered::In(visit) => (visit, None),
        Entered::Refused { visit, reason } => (visit, Some(reason)),
    };
    let known = state.registry.tools.known(&check.key.org_id, &check.tool);
    let class = classify::of(check, &known);
    let scopes = scopes::needed(check, &known);
    let refused = out_of_touch(state)
        .or_else(|| identity::standing(&agent))
        .or(refused)
        .or_else(|| ceiling::outside(&check.tool, &scopes, &agent, &visit));
    let (verdict, said) = match refused {
        Some(reason) => (Verdict::Deny { policies: Vec::new(), reason }, None),
        None => {
            let facts = policy::facts(check, &agent, &visit, &class, &scopes, now);
            let policies = state.policies.load();
            let verdict = policies.decide(&facts);
            let said = Said { verdict: verdict.as_str(), shadow: policies.shadow(&facts) };
            (verdict, Some(said))
        }
    };
    Ok(Considered { agent, visit, class, scopes, verdict, said, now, changed })
}

/// Why nothing at all is allowed at present.
fn out_of_touch(state: &State) -> Option<String> {
    (!state.is_in_touch()).then(|| {
        "this Guardian is out of touch with its database, so it does not know what was revoked; \
         try again, or ask another replica"
            .to_owned()
    })
}

/// The steps from the verdict on: the approval, the audit and the answer.
async fn conclude(state: &State, check: &Check, considered: Considered, begun: Instant) -> Answer {
    let Considered { agent, visit, class, scopes, verdict, said, now, changed } = considered;
    let issued = Issued {
        key_id: &check.key.id,
        agent_id: &check.agent_id,
        session_id: check.session_id.as_deref().unwrap_or_default(),
        tool: &check.tool,
    };
    let ids = state.checks.issue(&issued, now);
    let facts = policy::facts(check, &agent, &visit, &class, &scopes, now);
    let said = said.as_ref();
    let mut matter = Matter {
        check,
        agent: &agent,
        visit: &visit,
        facts: &facts,
        said,
        check_id: &ids.allowed,
        now,
        deadline: begun + state.settings.check_deadline,
    };
    let ruling = elevation::settle(state, &matter, verdict).await;

    if let Some(Said { shadow: Some(shadow), .. }) = said {
        state.policies.count(shadow);
    }
    visit.count(class.effect, matches!(ruling, Ruling::Denied { .. }), now);
    if !matches!(ruling, Ruling::Allowed { .. }) {
        matter.check_id = &ids.refused;
    }
    let mut ruling = audit::record(state, &matter, &class, ruling).await;
    let took_its_time = begun.elapsed() > FRESH || state.following.changed() != changed;
    if took_its_time && matches!(ruling, Ruling::Allowed { .. }) {
        ruling = still_allowed(state, check, &ids, ruling).await;
    }
    // One that could not be recorded is refused after all.
    let allowed = matches!(ruling, Ruling::Allowed { .. });
    let check_id = if allowed { ids.allowed } else { ids.refused };
    let took = begun.elapsed();
    match ruling {
        Ruling::Undecided => state.metrics.undecided(took),
        _ => state.metrics.checked(ruling.decision(), class.effect, took),
    }
    answer::of(check, &class, ruling, check_id, took)
}

/// A permission that took its time, looked at once more: what it rests on may have been taken back, or
/// this Guardian may be out of touch by now.
async fn still_allowed(state: &State, check: &Check, ids: &Ids, ruling: Ruling) -> Ruling {
    let reason = match consider(state, check) {
        Ok(Considered { verdict: Verdict::Deny { reason, .. }, .. }) => reason,
        Ok(_) if !state.registry.keys.has(&check.key.id) => {
            "the API key was revoked meanwhile; use another one".to_owned()
        }
        Ok(_) => return ruling,
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
    if let Err(error) = state.audit.append(record).await {
        tracing::error!(%error, "a decision was withdrawn and that could not be recorded");
    }
    Ruling::denied(reason)
}
