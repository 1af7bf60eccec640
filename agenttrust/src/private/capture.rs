//! What `#[guarded]` has to know about types it cannot see: is this argument an input, is this output a success?
//!
//! A macro sees tokens, not types, and must not add bounds to the function it guards. Method
//! resolution knows the types: a method found on the probe itself wins over one found on a
//! reference to it, so the expansion calls `(&Probe(&value)).method()` and gets the answer for
//! types that implement the trait, and the fallback for those that do not. Inside a generic
//! function it goes by the bounds that the user wrote.
//!
//! The methods have long names because they are called as methods: a blanket trait of the user's, with a
//! method of the same name, would be in the way.

use std::fmt;
use std::ops::Deref;

use serde_json::{Map, Value};

use crate::{AgentTrustError, CallOutcome, Outcome, Permit};

pub use serde::Serialize;

pub use super::exact::{Inexact, exact};

/// One argument as JSON; `None` for an argument that is not an input.
pub type Captured = Option<Result<Value, Inexact>>;

/// The arguments of one call by name, taken before the check from the values the body then gets.
#[derive(Clone, Default, PartialEq)]
pub struct InputCapture {
    fields: Map<String, Value>,
    refused: Option<(&'static str, Inexact)>,
}

impl InputCapture {
    /// A capture without any argument yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the argument `name`, or remembers that it has no JSON form.
    pub fn add(&mut self, name: &'static str, value: Captured) {
        let fault = match value {
            // Two arguments of one name, which hygiene allows a macro to make.
            Some(Ok(value)) => {
                let hidden = self.fields.insert(name.to_owned(), value);
                hidden.map(|_| Inexact::TwiceTheSameKey)
            }
            Some(Err(error)) => Some(error),
            None => None,
        };
        if let Some(fault) = fault {
            self.refused.get_or_insert((name, fault));
        }
    }

    /// Adds a type that the caller chose, by its name.
    pub fn add_type(&mut self, name: &'static str, ty: &'static str) {
        self.add(name, Some(Ok(Value::from(ty))));
    }

    /// The first argument that is another one in `now`, or can be read in only one of the two.
    fn changed(&self, now: &Self) -> Option<&str> {
        if self == now {
            return None;
        }
        let refused = |capture: &Self| capture.refused.as_ref().map(|(name, _)| *name);
        let differs = |(name, value): (&_, &_)| now.fields.get(name) != Some(value);
        let field = self.fields.iter().find(|field| differs(*field)).map(|(name, _)| name.as_str());
        // What is new in it, or refused there, was not checked either.
        Some(field.or(refused(now)).or(refused(self)).unwrap_or("of another name"))
    }

    /// The arguments, or a sentence that names the first one without a JSON form.
    pub(crate) fn into_parts(self) -> Result<Map<String, Value>, String> {
        match self.refused {
            None => Ok(self.fields),
            Some((name, error)) => Err(format!(
                "the argument `{name}` has no exact JSON form ({error}), so nothing could be checked \
                 against it: mend its `Serialize`, or leave it out with `skip({name})`"
            )),
        }
    }
}

impl fmt::Debug for InputCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputCapture")
            .field("names", &self.fields.keys().collect::<Vec<_>>())
            .field("refused", &self.refused)
            .finish()
    }
}

/// Asks whether a value can be captured: `(&CaptureProbe(&value)).agenttrust_capture()`.
pub struct CaptureProbe<'a, T: ?Sized>(pub &'a T);

impl<T: ?Sized> fmt::Debug for CaptureProbe<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CaptureProbe")
    }
}

/// Found first: the value is `Serialize`.
pub trait CaptureSerialize {
    /// The value as JSON.
    fn agenttrust_capture(&self) -> Captured;
}

impl<T: Serialize + ?Sized> CaptureSerialize for CaptureProbe<'_, T> {
    fn agenttrust_capture(&self) -> Captured {
        Some(exact(self.0))
    }
}

/// Found second: nothing is known of the value.
pub trait CaptureOpaque {
    /// Nothing.
    fn agenttrust_capture(&self) -> Captured;
}

impl<T: ?Sized> CaptureOpaque for &CaptureProbe<'_, T> {
    fn agenttrust_capture(&self) -> Captured {
        None
    }
}

/// Asks an extractor, such as axum's `Json<File>`, for what is inside:
/// `(&&ExtractorProbe(&value)).agenttrust_capture()`.
pub struct ExtractorProbe<'a, T: ?Sized>(pub &'a T);

impl<T: ?Sized> fmt::Debug for ExtractorProbe<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExtractorProbe")
    }
}

/// Found first: it is `Serialize` itself.
pub trait ExtractorSerialize {
    /// The value as JSON.
    fn agenttrust_capture(&self) -> Captured;
}

impl<T: Serialize + ?Sized> ExtractorSerialize for &ExtractorProbe<'_, T> {
    fn agenttrust_capture(&self) -> Captured {
        Some(exact(self.0))
    }
}

/// Found second: what it gives access to is.
pub trait ExtractorDeref {
    /// What is inside, as JSON.
    fn agenttrust_capture(&self) -> Captured;
}

impl<T: Deref<Target: Serialize> + ?Sized> ExtractorDeref for &&ExtractorProbe<'_, T> {
    fn agenttrust_capture(&self) -> Captured {
        Some(exact(&**self.0))
    }
}

/// Found third: nothing is known of it.
pub trait ExtractorOpaque {
    /// Nothing.
    fn agenttrust_capture(&self) -> Captured;
}

impl<T: ?Sized> ExtractorOpaque for ExtractorProbe<'_, T> {
    fn agenttrust_capture(&self) -> Captured {
        None
    }
}

/// The decision, unless the input is no longer what was checked.
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

/// Found before everything else: what is in an `Ok` says itself how it went, and may say that it
/// failed. The result of an MCP tool does, and an HTTP response.
impl<T: Outcome, E> OutcomeProbe<'_, Result<T, E>> {
    /// What is in the `Ok` says, and what an `Err` is.
    #[must_use]
    pub fn agenttrust_outcome(&self) -> CallOutcome {
        match self.0 {
            Ok(output) => output.outcome(),
            Err(_) => self.0.outcome(),
        }
    }
}

/// Found first: the output says itself how it went.
pub trait OutcomeKnown {
    /// What the output says.
    fn agenttrust_outcome(&self) -> CallOutcome;
}

impl<O: Outcome + ?Sized> OutcomeKnown for OutcomeProbe<'_, O> {
    fn agenttrust_outcome(&self) -> CallOutcome {
        self.0.outcome()
    }
}

/// Found second: the function returned, which is all that is known.
pub trait OutcomeAssumed {
    /// Success.
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

    struct Unspeakable;

    impl Serialize for Unspeakable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("the password is hunter2"))
        }
    }

    #[test]
    fn a_serialize_value_is_captured_and_a_handle_is_left_out() {
        let mut capture = InputCapture::new();
        let (path, handle) = (String::from("a.txt"), Handle);
        capture.add("path", (&CaptureProbe(&path)).agenttrust_capture());
        capture.add("borrowed", (&CaptureProbe(&path.as_str())).agenttrust_capture());
        capture.add("handle", (&CaptureProbe(&handle)).agenttrust_capture());
        let fields = capture.into_parts().expect("both strings have a JSON form");
        assert_eq!(Value::from(fields), serde_json::json!({"path": "a.txt", "borrowed": "a.txt"}));
    }

    #[test]
    fn an_extractor_is_asked_for_itself_then_for_what_is_inside() {
        struct Extractor<T>(T);
        impl<T> Deref for Extractor<T> {
            type Target = T;
            fn deref(&self) -> &T {
                &self.0
            }
        }
        let inside = (&&ExtractorProbe(&Extractor("a.txt"))).agenttrust_capture();
        assert_eq!(inside, Some(Ok(Value::from("a.txt"))));
        assert_eq!(
            (&&ExtractorProbe(&"a.txt")).agenttrust_capture(),
            Some(Ok(Value::from("a.txt")))
        );
        assert_eq!((&&ExtractorProbe(&Extractor(Handle))).agenttrust_capture(), None);
        assert_eq!((&&ExtractorProbe(&Handle)).agenttrust_capture(), None);
    }

    #[test]
    fn an_argument_without_json_form_is_named_and_its_own_message_kept_out() {
        let mut capture = InputCapture::new();
        capture.add("secret", (&CaptureProbe(&Unspeakable)).agenttrust_capture());
        capture.add("path", (&CaptureProbe(&"a.txt")).agenttrust_capture());
        let message = capture.into_parts().expect_err("one argument has no JSON form");
        assert!(message.contains("`secret`") && message.contains("skip(secret)"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn debug_shows_names_and_no_values() {
        let mut capture = InputCapture::new();
        capture.add("path", (&CaptureProbe(&"/home/ada/private.txt")).agenttrust_capture());
        let shown = format!("{capture:?}");
        assert!(shown.contains("path") && !shown.contains("private.txt"), "{shown}");
    }

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
