//! All that is known of a check from the verdict on.

use std::time::Instant;

use super::Check;
use super::evaluation::Evaluation;
use super::policy::{Judged, PolicyOutcome};
use crate::domain::Decision;
use crate::engine::Engine;
use crate::engine::check_ids::{Ids, Issued};
use crate::policy::{AuthorizationRequest, Verdict};

/// A check with all that is known about it, from the verdict on.
#[derive(Debug)]
pub(super) struct DecisionContext<'a> {
    pub(super) check: &'a Check,
    pub(super) evaluation: &'a Evaluation,
    /// The facts that the policies see.
    pub(super) facts: AuthorizationRequest<'a>,
    /// The outcome of the policies; `None` where they were not asked.
    pub(super) said: Option<PolicyOutcome>,
    pub(super) ids: Ids,
    /// The time by which it is to be decided.
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

    /// Returns the id of the check, which depends on what it came to: only what was allowed is believed in reports.
    pub(super) fn check_id(&self, decision: &Decision) -> &str {
        if decision.is_allowed() { &self.ids.allowed } else { &self.ids.refused }
    }
}
