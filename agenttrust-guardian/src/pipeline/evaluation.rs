//! What is known of a check: first what memory says before the policies are asked, then all of it.

use std::sync::Arc;
use std::time::Instant;

use agenttrust::Timestamp;

use super::policy::{Judged, PolicyOutcome};
use super::session::{self, Entered, SessionContext};
use super::{Check, ceiling, classify, identity, scopes};
use crate::classify::Classification;
use crate::domain::{Decision, Error};
use crate::engine::Engine;
use crate::engine::check_ids::{Ids, Issued};
use crate::policy::{AuthorizationRequest, Verdict};
use crate::registry::AgentEntry;

/// What memory says about a check before the policies are asked.
#[derive(Debug)]
pub(super) struct Evaluation {
    pub(super) agent: Arc<AgentEntry>,
    pub(super) session: SessionContext,
    pub(super) class: Classification,
    pub(super) scopes: Vec<String>,
    /// Why it is denied whatever the policies say.
    pub(super) refused: Option<String>,
    pub(super) now: Timestamp,
    /// How often memory had changed by then.
    pub(super) changed: u64,
}

/// Takes the steps before the policies. They read memory only.
pub(super) fn evaluate(engine: &Engine, check: &Check) -> Result<Evaluation, Error> {
    // Before anything is read: what changes from here on is looked at once more.
    let changed = engine.synced.changed();
    let now = engine.clock.now();
    let agent = identity::agent(engine, check)?;
    let (session, refused) = match session::enter(engine, check, &agent, now)? {
        Entered::In(session) => (session, None),
        Entered::Refused { session, reason } => (session, Some(reason)),
    };
    let known = engine.registry.tools.known(&check.key.org_id, &check.tool);
    let class = classify::classified(check, &known);
    let scopes = scopes::needed(check, &known);
    let refused = out_of_touch(engine)
        .or_else(|| identity::standing(&agent))
        .or(refused)
        .or_else(|| ceiling::outside(&check.tool, &scopes, &agent, &session));
    Ok(Evaluation { agent, session, class, scopes, refused, now, changed })
}

/// Why nothing at all is allowed at present.
fn out_of_touch(engine: &Engine) -> Option<String> {
    (!engine.is_in_touch()).then(|| {
        "this Guardian is out of touch with its database, so it does not know what was revoked; \
         try again, or ask another replica"
            .to_owned()
    })
}

/// One check with all that is known about it, from the verdict on.
#[derive(Debug)]
pub(super) struct DecisionContext<'a> {
    pub(super) check: &'a Check,
    pub(super) evaluation: &'a Evaluation,
    /// What the policies are told.
    pub(super) facts: AuthorizationRequest<'a>,
    /// What they said; `None` where they were not asked.
    pub(super) said: Option<PolicyOutcome>,
    pub(super) ids: Ids,
    /// By when it is to be decided.
    pub(super) deadline: Instant,
}

impl<'a> DecisionContext<'a> {
    /// Gives the check its ids; the verdict goes on by itself.
    pub(super) fn new(engine: &Engine, judged: Judged<'a>, deadline: Instant) -> (Self, Verdict) {
        let Judged { check, evaluation, facts, verdict, said } = judged;
        let issued = Issued {
            key_id: &check.key.id,
            agent_id: &check.agent_id,
            session_id: check.session_id.as_deref().unwrap_or_default(),
            tool: &check.tool,
        };
        let ids = engine.checks.issue(&issued, evaluation.now);
        (Self { check, evaluation, facts, said, ids, deadline }, verdict)
    }

    /// The id of the check, which depends on what it came to: only what was allowed is believed in reports.
    pub(super) fn check_id(&self, decision: &Decision) -> &str {
        if decision.is_allowed() { &self.ids.allowed } else { &self.ids.refused }
    }
}
