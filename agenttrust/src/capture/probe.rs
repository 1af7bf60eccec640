//! Asking types that a macro cannot see: is this argument an input?
//!
//! A macro sees tokens, not types, and must not add bounds to the function it guards. Method resolution knows the
//! types: of the methods that a probe and references to it have, the first one that fits wins. So the expansion calls
//! `(&&&CaptureProbe(&value)).agenttrust_capture()`. It gets the answer for what the value is, or the fallback for a
//! type of which nothing is known. Inside a generic function it goes by the bounds that the user wrote.
//!
//! The methods have long names because they are called as methods: a blanket trait of the user's, with a
//! method of the same name, would be in the way.

use std::fmt;
use std::ops::Deref;

use serde::Serialize;

use super::{Captured, exact};

/// Asks whether a value can be captured: `(&&&CaptureProbe(&value)).agenttrust_capture()`.
pub struct CaptureProbe<'a, T: ?Sized>(pub &'a T);

impl<T: ?Sized> fmt::Debug for CaptureProbe<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CaptureProbe")
    }
}

/// The first candidate of method resolution: the value is `Serialize`.
pub trait CaptureSerialize {
    /// Returns the value as JSON.
    fn agenttrust_capture(&self) -> Captured;
}

impl<T: Serialize + ?Sized> CaptureSerialize for &&CaptureProbe<'_, T> {
    fn agenttrust_capture(&self) -> Captured {
        Some(exact(self.0))
    }
}

/// A value that a framework makes from a request, and that gives access to its contents: axum's `Path<T>` to a `T`.
pub trait Extractor: Deref {}

/// The second candidate of method resolution: the value is an extractor, under any name, of a type that is `Serialize`.
pub trait CaptureExtractor {
    /// Returns what is inside, as JSON.
    fn agenttrust_capture(&self) -> Captured;
}

impl<T: Extractor<Target: Serialize> + ?Sized> CaptureExtractor for &&&CaptureProbe<'_, T> {
    fn agenttrust_capture(&self) -> Captured {
        Some(exact(&**self.0))
    }
}

/// The third candidate of method resolution, only in scope for a type with the name of an extractor: the value gives
/// access to a type that is `Serialize`.
pub trait CaptureDeref {
    /// Returns what is inside, as JSON.
    fn agenttrust_capture(&self) -> Captured;
}

impl<T: Deref<Target: Serialize> + ?Sized> CaptureDeref for &CaptureProbe<'_, T> {
    fn agenttrust_capture(&self) -> Captured {
        Some(exact(&**self.0))
    }
}

/// The last candidate of method resolution: nothing is known of the value.
pub trait CaptureOpaque {
    /// Returns `None`.
    fn agenttrust_capture(&self) -> Captured;
}

impl<T: ?Sized> CaptureOpaque for CaptureProbe<'_, T> {
    fn agenttrust_capture(&self) -> Captured {
        None
    }
}

#[cfg(test)]
#[expect(clippy::needless_borrow, reason = "written as the expansion does, which knows no types")]
mod tests {
    use std::ops::Deref;

    use serde_json::Value;

    // Without the traits of the probe: which of them are in scope is what is asked with.
    use super::{CaptureProbe, Captured, Extractor};

    struct Handle;

    /// A value that is not `Serialize` itself.
    struct Inside<T>(T);

    impl<T> Deref for Inside<T> {
        type Target = T;
        fn deref(&self) -> &T {
            &self.0
        }
    }

    struct Extracted<T>(T);

    impl<T> Deref for Extracted<T> {
        type Target = T;
        fn deref(&self) -> &T {
            &self.0
        }
    }

    impl<T> Extractor for Extracted<T> {}

    fn text() -> Captured {
        Some(Ok(Value::from("a.txt")))
    }

    #[test]
    fn a_serialize_value_is_captured_and_a_handle_is_left_out() {
        use super::{CaptureOpaque as _, CaptureSerialize as _};
        let path = String::from("a.txt");
        assert_eq!((&&&CaptureProbe(&path)).agenttrust_capture(), text());
        assert_eq!((&&&CaptureProbe(&path.as_str())).agenttrust_capture(), text());
        assert_eq!((&&&CaptureProbe("a.txt")).agenttrust_capture(), text());
        assert_eq!((&&&CaptureProbe(&Handle)).agenttrust_capture(), None);
    }

    #[test]
    fn an_extractor_is_captured_by_what_is_inside_and_nothing_else_is_looked_into() {
        use super::{CaptureExtractor as _, CaptureOpaque as _};
        assert_eq!((&&&CaptureProbe(&Extracted("a.txt"))).agenttrust_capture(), text());
        assert_eq!((&&&CaptureProbe(&Extracted(Handle))).agenttrust_capture(), None);
        assert_eq!((&&&CaptureProbe(&Inside("a.txt"))).agenttrust_capture(), None);
    }

    #[test]
    fn what_is_called_like_an_extractor_is_asked_for_itself_then_for_what_is_inside() {
        use super::{
            CaptureDeref as _, CaptureExtractor as _, CaptureOpaque as _, CaptureSerialize as _,
        };
        assert_eq!((&&&CaptureProbe(&"a.txt")).agenttrust_capture(), text());
        assert_eq!((&&&CaptureProbe(&Extracted("a.txt"))).agenttrust_capture(), text());
        assert_eq!((&&&CaptureProbe(&Inside("a.txt"))).agenttrust_capture(), text());
        assert_eq!((&&&CaptureProbe(&Inside(Handle))).agenttrust_capture(), None);
        assert_eq!((&&&CaptureProbe(&Handle)).agenttrust_capture(), None);
    }
}
