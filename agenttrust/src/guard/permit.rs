//! [`Permit`]: the right to run one call, and the duty to say what became of it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::AgentTrustGuard;
use super::handle::PermitHandle;
use super::outcome::{CallOutcome, Outcome};
use super::reporter::Report;

/// The right to run one call. Hold it while the call runs, then [`finish`](Self::finish) it.
///
/// Dropped unfinished, it reports the call as `Cancelled`, or as `Panic` while unwinding: every
/// permit leaves exactly one report. Only one that a layer's permit covers leaves none, as the
/// layer's reports the call.
///
/// ```no_run
/// use agenttrust::{Action, AgentTrustGuard, Effect};
///
/// # async fn delete(path: &str) -> std::io::Result<()> { Ok(()) }
/// # async fn example(guard: AgentTrustGuard) -> Result<(), Box<dyn std::error::Error>> {
/// let path = "/tmp/report.txt";
/// let action = Action::new("file_delete").effect(Effect::Destructive).input(path);
/// let permit = guard.authorize(action).await?;
/// let output = delete(path).await;
/// permit.finish(&output);
/// # Ok(())
/// # }
/// ```
#[must_use = "a permit that is dropped at once reports its call as cancelled"]
pub struct Permit {
    guard: AgentTrustGuard,
    /// The permitted call, until its outcome is known.
    call: Option<Call>,
}

/// The facts about the permitted call that its report needs.
struct Call {
    tool: String,
    check_id: Option<String>,
    approval_id: Option<String>,
    basis: PermitBasis,
    begun: Instant,
    /// The view of the permit that the code around or inside the call holds.
    handle: Option<PermitHandle>,
    /// A permit made during unwinding (in a destructor) is not ended by that panic.
    was_panicking: bool,
}

/// The reason why a call may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PermitBasis {
    /// The Guardian allowed it.
    Allowed,
    /// The Guardian could not be reached, and the guard was built to go on then.
    FailOpen,
    /// The Guardian did not allow it, and the guard was built with `block_on_deny(false)`.
    MonitorOnly,
    /// A layer around it was allowed the same call, and reports it.
    Covered,
}

impl Permit {
    pub(super) fn new(
        guard: AgentTrustGuard,
        tool: String,
        check_id: Option<String>,
        basis: PermitBasis,
    ) -> Self {
        let was_panicking = std::thread::panicking();
        let (approval_id, handle, begun) = (None, None, Instant::now());
        let call = Call { tool, check_id, approval_id, basis, begun, handle, was_panicking };
        Self { guard, call: Some(call) }
    }

    /// Says which approval it used, if it used one.
    pub(super) fn by_approval(mut self, approval_id: Option<String>) -> Self {
        if let Some(call) = &mut self.call {
            call.approval_id = approval_id.filter(|id| !id.is_empty());
        }
        self
    }

    /// Returns the permit of a call that an outer one covers: silent, since the outer one reports.
    pub(super) fn covered(
        guard: AgentTrustGuard,
        tool: String,
        outer: Option<PermitHandle>,
    ) -> Self {
        let mut permit = Self::new(guard, tool, None, PermitBasis::Covered);
        if let Some(call) = &mut permit.call {
            call.handle = outer;
        }
        permit
    }

    /// Returns the id of the check behind this permit; none when the Guardian was not asked.
    #[must_use]
    pub fn check_id(&self) -> Option<&str> {
        self.call.as_ref().and_then(|call| call.check_id.as_deref())
    }

    /// Returns the id of the approval that this permit used; none for a call that needed none.
    #[must_use]
    pub fn approval_id(&self) -> Option<&str> {
        self.call.as_ref().and_then(|call| call.approval_id.as_deref())
    }

    /// Returns the agent that may run it.
    pub(super) fn agent_id(&self) -> &str {
        &self.guard.subject.agent_id
    }

    /// Returns the tool that may run.
    #[must_use]
    pub fn tool(&self) -> &str {
        self.call.as_ref().map_or("", |call| &call.tool)
    }

    /// Returns why it may run.
    #[must_use]
    pub fn basis(&self) -> PermitBasis {
        self.call.as_ref().map_or(PermitBasis::Allowed, |call| call.basis)
    }

    /// Returns how long it has been held.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.call.as_ref().map_or(Duration::ZERO, |call| call.begun.elapsed())
    }

    /// Reports what became of the call. Never waits.
    pub fn finish<O: Outcome + ?Sized>(self, output: &O) {
        self.finish_with(output.outcome());
    }

    /// Does the same as [`finish`](Self::finish), for outputs that are no [`Outcome`].
    ///
    /// What was said through a [`handle`](Self::handle) goes before `outcome`.
    pub fn finish_with(mut self, outcome: CallOutcome) {
        let said = self.call.as_ref().and_then(|call| call.handle.as_ref()?.said());
        self.report(said.unwrap_or(outcome));
    }

    /// Reports `outcome`, whatever was said through a handle: the call broke off after that.
    #[doc(hidden)]
    pub fn broke_off(mut self, outcome: CallOutcome) {
        self.report(outcome);
    }

    /// Returns a view of the permit for the code that runs the call: what it may know of the permit, and what it may
    /// say about the outcome. The permit itself stays with the caller of `authorize`.
    pub fn handle(&mut self) -> PermitHandle {
        let Some(call) = &mut self.call else {
            return PermitHandle::default();
        };
        let agent_id = &self.guard.subject.agent_id;
        let new = || PermitHandle::new(&call.tool, call.check_id.as_deref(), call.basis, agent_id);
        call.handle.get_or_insert_with(new).clone()
    }

    /// Gives up the permit for the tool and check that it stands for; `report` will name them.
    pub(super) fn into_check(mut self) -> (String, Option<String>) {
        self.call.take().map(|call| (call.tool, call.check_id)).unwrap_or_default()
    }

    fn report(&mut self, outcome: CallOutcome) {
        if let Some(call) = self.call.take().filter(|call| call.basis != PermitBasis::Covered) {
            self.guard.shared.reporter.enqueue(Report {
                subject: Arc::clone(&self.guard.subject),
                tool: call.tool,
                duration: call.begun.elapsed(),
                outcome,
                check_id: call.check_id,
            });
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let panicked =
            std::thread::panicking() && self.call.as_ref().is_some_and(|call| !call.was_panicking);
        self.report(CallOutcome::failure(if panicked { "Panic" } else { "Cancelled" }));
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("tool", &self.tool())
            .field("check_id", &self.check_id())
            .field("basis", &self.basis())
            .finish_non_exhaustive()
    }
}
