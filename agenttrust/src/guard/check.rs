//! The guide's own names: check before, report after (SDK guide, section 7).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::AgentTrustGuard;
use super::action::{Action, OnElevation};
use super::outcome::CallOutcome;
use super::permit::PermitBasis;
use super::reporter::Report;
use crate::error::{AgentTrustError, Result};

/// Checks that no report came for yet, oldest first: so many are remembered.
const UNREPORTED: usize = 256;

impl AgentTrustGuard {
    /// Asks whether a tool may be called; `Ok(())` means yes.
    ///
    /// `summary` is what you choose to say about the input: its first 200 characters are sent, and an
    /// approval is bound to all of it, also to what was not sent: then the approver sees that it goes on (`…`).
    /// [`authorize`](Self::authorize) binds to the input itself.
    ///
    /// # Errors
    ///
    /// As for [`authorize`](Self::authorize).
    ///
    /// # Cancel safety
    ///
    /// As for [`authorize`](Self::authorize).
    pub async fn check(&self, tool: &str, summary: &str) -> Result<()> {
        self.check_action(Action::new(tool.to_owned()).summary(summary)).await
    }

    /// Does the same as [`check`](Self::check), for a call of this effect: `read`, `mutating`, `destructive` or
    /// `admin`.
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check), and [`Validation`](AgentTrustError::Validation) for any other
    /// word.
    ///
    /// # Cancel safety
    ///
    /// As for [`authorize`](Self::authorize).
    pub async fn check_with_effect(
        &self,
        tool: &str,
        summary: &str,
        effect: impl AsRef<str>,
    ) -> Result<()> {
        let effect = effect.as_ref().parse();
        let effect =
            effect.map_err(|error| AgentTrustError::invalid(format!("tool {tool:?}: {error}")))?;
        self.check_action(Action::new(tool.to_owned()).summary(summary).effect(effect)).await
    }

    async fn check_action(&self, action: Action) -> Result<()> {
        let permit = self.authorize(action.on_elevation(OnElevation::Fail)).await?;
        let covered = permit.basis() == PermitBasis::Covered;
        let (tool, check_id) = permit.into_check();
        if covered {
            self.subject.unreported.remember(tool, UnreportedCheck::Covered);
        } else if let Some(check_id) = check_id {
            self.subject.unreported.remember(tool, UnreportedCheck::Check(check_id));
        }
        Ok(())
    }

    /// Reports a tool call: whether it worked, and how many milliseconds it took. Never waits and
    /// never fails.
    ///
    /// It is counted to the oldest [`check`](Self::check) of that tool that no report came for yet, by
    /// this guard or a clone of it: what [`acting_for`](Self::acting_for) returns is another one each
    /// time.
    pub fn report(&self, tool: &str, success: bool, duration_ms: u64) {
        let outcome = if success { CallOutcome::Success } else { CallOutcome::failure("Error") };
        self.report_outcome(tool, outcome, Duration::from_millis(duration_ms));
    }

    /// Does the same as [`report`](Self::report), with the type of the error.
    pub fn report_outcome(&self, tool: &str, outcome: CallOutcome, duration: Duration) {
        let check_id = match self.subject.unreported.take(tool) {
            Some(UnreportedCheck::Check(check_id)) => Some(check_id),
            // The layer that covered it reports it.
            Some(UnreportedCheck::Covered) => return,
            None => None,
        };
        let subject = Arc::clone(&self.subject);
        let report = Report { subject, tool: tool.to_owned(), duration, outcome, check_id };
        self.shared.reporter.enqueue(report);
    }
}

/// The checks that `check` made and `report` has not named yet.
#[derive(Debug, Default)]
pub(super) struct Unreported {
    checks: Mutex<VecDeque<(String, UnreportedCheck)>>,
}

/// A check that was made, and what its report is for.
#[derive(Debug)]
enum UnreportedCheck {
    Check(String),
    /// The check of a call that a layer covers, for which no report is due.
    Covered,
}

impl Unreported {
    fn remember(&self, tool: String, check: UnreportedCheck) {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        if checks.len() >= UNREPORTED {
            checks.pop_front();
        }
        checks.push_back((tool, check));
    }

    fn take(&self, tool: &str) -> Option<UnreportedCheck> {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let at = checks.iter().position(|(checked, _)| checked == tool)?;
        checks.remove(at).map(|(_, check)| check)
    }
}
