//! The input of a call: its arguments by name, as JSON.
//!
//! What an argument is decides that, and never what it is called: each one that is `Serialize` is captured ([`probe`]),
//! unless a framework handed it in beside the input ([`origin`]).

mod exact;
mod origin;
mod probe;

use std::fmt;

use serde_json::{Map, Value};

pub use serde::Serialize;

pub use self::exact::{Inexact, exact};
pub use self::origin::{
    FromCaller, FromFramework, HandedIn, OriginCaller, OriginFramework, OriginProbe, handed_in,
};
pub use self::probe::{
    CaptureDeref, CaptureExtractor, CaptureOpaque, CaptureProbe, CaptureSerialize, Extractor,
};

/// An argument as JSON; `None` for an argument that is not an input.
pub type Captured = Option<Result<Value, Inexact>>;

/// The arguments of one call by name, taken before the check from the values the body then gets.
#[derive(Clone, Default, PartialEq)]
pub struct InputCapture {
    fields: Map<String, Value>,
    refused: Option<(&'static str, Inexact)>,
}

impl InputCapture {
    /// Creates a capture without any argument yet.
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

    /// Returns the first argument that is another one in `now`, or can be read in only one of the two.
    pub(crate) fn changed(&self, now: &Self) -> Option<&str> {
        if self == now {
            return None;
        }
        let refused = |capture: &Self| capture.refused.as_ref().map(|(name, _)| *name);
        let differs = |(name, value): (&_, &_)| now.fields.get(name) != Some(value);
        let field = self.fields.iter().find(|field| differs(*field)).map(|(name, _)| name.as_str());
        // What is new in it, or refused there, was not checked either.
        Some(field.or(refused(now)).or(refused(self)).unwrap_or("of another name"))
    }

    /// Returns the arguments, or a sentence that names the first one without a JSON form.
    pub(crate) fn into_parts(self) -> Result<Map<String, Value>, String> {
        match self.refused {
            None => Ok(self.fields),
            Some((name, Inexact::HandedIn)) => Err(format!(
                "a framework hands in the argument `{name}` beside the input, another one with each call, \
                 so no approval bound to it would be found again: leave it out with `skip({name})`, or \
                 name what is captured in `input(..)`"
            )),
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Unspeakable;

    impl Serialize for Unspeakable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("the password is hunter2"))
        }
    }

    #[test]
    fn an_argument_without_json_form_is_named_and_its_own_message_kept_out() {
        let mut capture = InputCapture::new();
        capture.add("secret", (&&&CaptureProbe(&Unspeakable)).agenttrust_capture());
        capture.add("path", (&&&CaptureProbe(&"a.txt")).agenttrust_capture());
        let message = capture.into_parts().expect_err("one argument has no JSON form");
        assert!(message.contains("`secret`") && message.contains("skip(secret)"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn debug_shows_names_and_no_values() {
        let mut capture = InputCapture::new();
        capture.add("path", (&&&CaptureProbe(&"/home/ada/private.txt")).agenttrust_capture());
        let shown = format!("{capture:?}");
        assert!(shown.contains("path") && !shown.contains("private.txt"), "{shown}");
    }
}
