//! The end of a guarded call: may it run with what was captured, and is its output a success?

use std::fmt;

use crate::capture::InputCapture;
use crate::{AgentTrustError, CallOutcome, Outcome, Permit};

/// Returns the decision, unless the input is no longer what was checked.
///
/// # Errors
///
/// The denial; [`ActionDenied`](AgentTrustError::ActionDenied) for an input that has changed.
pub fn unchanged(
    decision: Result<Permit, AgentTrustError>,
    checked: &InputCapture,
    again: impl FnOnce() -> InputCapture,
) -> Result<Permit, AgentTrustError> {
    let permit = decision?;
    let Some(name) = checked.changed(&again()) else {
        return Ok(permit);
    };
    let message = format!(
        "tool {:?} did not run, because its argument `{name}` changed after it was checked; give it a \
         value of its own instead of a shared one, or leave it out with `skip({name})`",
        permit.tool()
    );
    let check_id = permit.check_id().map(str::to_owned);
    permit.finish_with(CallOutcome::failure("InputChanged"));
    Err(AgentTrustError::ActionDenied { message, check_id })
}

/// Asks an output how it went: `(&OutcomeProbe(&output)).agenttrust_outcome()`.
pub struct OutcomeProbe<'a, O: ?Sized>(pub &'a O);

impl<O: ?Sized> fmt::Debug for OutcomeProbe<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OutcomeProbe")
    }
}

/// The candidate of method resolution before all others: the value in an `Ok` knows its own
/// outcome, and may say that it failed. The result of an MCP tool does, and an HTTP response.
impl<T: Outcome, E> OutcomeProbe<'_, Result<T, E>> {
    /// Returns what is in the `Ok` says, and what an `Err` is.
    #[must_use]
    pub fn agenttrust_outcome(&self) -> CallOutcome {
        match self.0 {
            Ok(output) => output.outcome(),
            Err(_) => self.0.outcome(),
        }
    }
}

/// The first candidate of method resolution: the output knows its own outcome.
pub trait OutcomeKnown {
    /// Returns what the output says.
    fn agenttrust_outcome(&self) -> CallOutcome;
}

impl<O: Outcome + ?Sized> OutcomeKnown for OutcomeProbe<'_, O> {
    fn agenttrust_outcome(&self) -> CallOutcome {
        self.0.outcome()
    }
}

/// The second candidate of method resolution: the function returned, which is all that is known.
pub trait OutcomeAssumed {
    /// Returns a success.
    fn agenttrust_outcome(&self) -> CallOutcome;
}

impl<O: ?Sized> OutcomeAssumed for &OutcomeProbe<'_, O> {
    fn agenttrust_outcome(&self) -> CallOutcome {
        CallOutcome::Success
    }
}

/// Calls `body` once.
///
/// The bound is the point: a closure passed here is an `FnOnce` whatever it does with what it
/// captured, so that its body may return a borrow that came in through a `&mut` argument, as the
/// body of a function may.
#[inline]
pub fn call_once<O, F: FnOnce() -> O>(body: F) -> O {
    body()
}

/// Builds the output of a call that was not allowed, as `on_denied` says.
///
/// Gives the closure its argument type, so that it can be written `|error| ..`.
#[inline]
pub fn deny_with<O, F: FnOnce(AgentTrustError) -> O>(error: AgentTrustError, on_denied: F) -> O {
    on_denied(error)
}

#[cfg(test)]
#[expect(clippy::needless_borrow, reason = "written as the expansion does, which knows no types")]
mod tests {
    use super::*;

    struct Handle;

    #[test]
    fn an_output_that_says_how_it_went_is_believed_and_any_other_is_a_success() {
        let failed: Result<(), std::io::Error> = Err(std::io::Error::other("no"));
        assert!(matches!(
            (&OutcomeProbe(&failed)).agenttrust_outcome(),
            CallOutcome::Failure { .. }
        ));
        assert!(matches!((&OutcomeProbe(&Handle)).agenttrust_outcome(), CallOutcome::Success));
        assert!(matches!((&OutcomeProbe("text")).agenttrust_outcome(), CallOutcome::Success));
        let borrowed = &failed;
        assert!(matches!(
            (&OutcomeProbe(&borrowed)).agenttrust_outcome(),
            CallOutcome::Failure { .. }
        ));
    }

    fn of_anything<T>(output: &Result<T, std::fmt::Error>) -> CallOutcome {
        (&OutcomeProbe(output)).agenttrust_outcome()
    }

    fn of_what_says<T: Outcome + ?Sized>(output: &Result<&T, std::fmt::Error>) -> CallOutcome {
        (&OutcomeProbe(output)).agenttrust_outcome()
    }

    #[test]
    fn a_failure_inside_an_ok_is_a_failure_where_the_type_is_known_to_say_so() {
        let failure = || CallOutcome::failure("ToolError");
        let answered: Result<CallOutcome, std::fmt::Error> = Ok(failure());
        assert_eq!((&OutcomeProbe(&answered)).agenttrust_outcome(), failure());
        assert_eq!(of_what_says(&Ok(&failure())), failure());
        assert_eq!(of_what_says(&Ok("text")), CallOutcome::Success);
        assert_eq!(of_what_says::<str>(&Err(std::fmt::Error)), CallOutcome::failure("Error"));
        // Nothing is known of `T`, so it is not asked; the error still is.
        assert_eq!(of_anything(&answered), CallOutcome::Success);
        assert_eq!(of_anything::<Handle>(&Err(std::fmt::Error)), CallOutcome::failure("Error"));
        let handle: Result<Handle, std::fmt::Error> = Ok(Handle);
        assert_eq!((&OutcomeProbe(&handle)).agenttrust_outcome(), CallOutcome::Success);
    }
}
