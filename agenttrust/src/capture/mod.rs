//! What `#[guarded]` has to know about types it cannot see: is this argument an input?
//!
//! A macro sees tokens, not types, and must not add bounds to the function it guards. Method
//! resolution knows the types: a method found on the probe itself wins over one found on a
//! reference to it, so the expansion calls `(&Probe(&value)).method()` and gets the answer for
//! types that implement the trait, and the fallback for those that do not. Inside a generic
//! function it goes by the bounds that the user wrote.
//!
//! The methods have long names because they are called as methods: a blanket trait of the user's, with a
//! method of the same name, would be in the way.

mod exact;

use std::fmt;
use std::ops::Deref;

use serde_json::{Map, Value};

pub use serde::Serialize;

pub use self::exact::{Inexact, exact};

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
}
