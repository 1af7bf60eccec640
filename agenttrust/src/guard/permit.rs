//! [`Permit`]: the right to run one call, and the duty to say what became of it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::GuardInner;
use super::outcome::{CallOutcome, Outcome};
use super::reporter::Report;

/// The right to run one call. Hold it while the call runs, then [`finish`](Self::finish) it.
///
/// Dropped unfinished, it reports the call as `Cancelled`, or as `Panic` while unwinding: every
/// permit leaves exactly one report.
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
    guard: Arc<GuardInner>,
    /// Taken when the outcome is known.
    call: Option<Call>,
}

/// What is known of the permitted call.
struct Call {
    tool: String,
    check_id: Option<String>,
    basis: PermitBasis,
    begun: Instant,
    /// A permit made during unwinding (in a destructor) is not ended by that panic.
    was_panicking: bool,
}

/// Why a call may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PermitBasis {
    /// The Guardian allowed it.
    Allowed,
    /// The Guardian could not be reached, and the guard was built to go on then.
    FailOpen,
    /// The Guardian did not allow it, and the guard was built with `block_on_deny(false)`.
    NotBlocked,
}

impl Permit {
    pub(super) fn new(
        guard: Arc<GuardInner>,
        tool: String,
        check_id: Option<String>,
        basis: PermitBasis,
    ) -> Self {
        let was_panicking = std::thread::panicking();
        let call = Call { tool, check_id, basis, begun: Instant::now(), was_panicking };
        Self { guard, call: Some(call) }
    }

    /// The id of the check behind this permit; none when the Guardian was not asked.
    #[must_use]
    pub fn check_id(&self) -> Option<&str> {
        self.call.as_ref().and_then(|call| call.check_id.as_deref())
    }

    /// The tool that may run.
    #[must_use]
    pub fn tool(&self) -> &str {
        self.call.as_ref().map_or("", |call| &call.tool)
    }

    /// Why it may run.
    #[must_use]
    pub fn basis(&self) -> PermitBasis {
        self.call.as_ref().map_or(PermitBasis::Allowed, |call| call.basis)
    }

    /// How long it has been held.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.call.as_ref().map_or(Duration::ZERO, |call| call.begun.elapsed())
    }

    /// Reports what became of the call. Never waits.
    pub fn finish<O: Outcome + ?Sized>(self, output: &O) {
        self.finish_with(output.outcome());
    }

    /// As [`finish`](Self::finish), for outputs that are no [`Outcome`].
    pub fn finish_with(mut self, outcome: CallOutcome) {
        self.report(outcome);
    }

    /// Gives up the permit for the tool and check that it stands for; `report` will name them.
    pub(super) fn into_check(mut self) -> (String, Option<String>) {
        self.call.take().map(|call| (call.tool, call.check_id)).unwrap_or_default()
    }

    fn report(&mut self, outcome: CallOutcome) {
        if let Some(call) = self.call.take() {
            self.guard.reporter.enqueue(Report {
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
