//! [`PermitHandle`]: what the code that runs under a permit may know of it and say about its outcome.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::outcome::CallOutcome;
use super::permit::PermitBasis;

/// A view of a [`Permit`](crate::Permit), for code that does not hold the permit itself.
///
/// It permits nothing by itself. What is said through it counts when the call ends; a call that is
/// dropped or panics is reported as such, whatever was said.
///
/// # Clone
///
/// Clones say it of the same call; the last word counts.
#[derive(Clone, Default)]
pub struct PermitHandle(Arc<Inner>);

#[derive(Default)]
struct Inner {
    tool: String,
    check_id: Option<String>,
    agent_id: String,
    basis: Option<PermitBasis>,
    said: Mutex<Option<CallOutcome>>,
}

impl PermitHandle {
    pub(super) fn new(
        tool: &str,
        check_id: Option<&str>,
        basis: PermitBasis,
        agent_id: &str,
    ) -> Self {
        Self(Arc::new(Inner {
            tool: tool.to_owned(),
            check_id: check_id.map(str::to_owned),
            agent_id: agent_id.to_owned(),
            basis: Some(basis),
            said: Mutex::new(None),
        }))
    }

    /// Returns the tool that may run.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.0.tool
    }

    /// Returns the agent that it runs for.
    #[must_use]
    pub fn agent_id(&self) -> &str {
        &self.0.agent_id
    }

    /// Returns the id of the check behind the permit, to be found in the audit; none when the Guardian was not
    /// asked.
    #[must_use]
    pub fn check_id(&self) -> Option<&str> {
        self.0.check_id.as_deref()
    }

    /// Returns why it may run; none once the call was over when this was made.
    #[must_use]
    pub fn basis(&self) -> Option<PermitBasis> {
        self.0.basis
    }

    /// Says what became of the call, whatever its answer looks like: a `404` may be a success, and a
    /// `200` a failure.
    pub fn set_outcome(&self, outcome: CallOutcome) {
        *self.0.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    /// Says that the call failed, with the *type* of the error, never its message.
    pub fn set_failure(&self, error_type: impl Into<std::borrow::Cow<'static, str>>) {
        self.set_outcome(CallOutcome::failure(error_type));
    }

    pub(super) fn said(&self) -> Option<CallOutcome> {
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for PermitHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PermitHandle")
            .field("tool", &self.0.tool)
            .field("check_id", &self.0.check_id)
            .field("agent_id", &self.0.agent_id)
            .finish_non_exhaustive()
    }
}
