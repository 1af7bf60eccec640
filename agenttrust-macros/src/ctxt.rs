//! Collects every error of one expansion, so that a person sees all of them at once.
//!
//! A stage that found an error goes on with what it has; [`Ctxt::check`] decides at the end. A
//! context that is dropped without it panics: a forgotten error would expand to a function that
//! says it is guarded by rules it broke.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::thread;

use proc_macro2::Span;
use syn::Error;

/// The errors found so far.
#[derive(Default)]
pub(crate) struct Ctxt {
    errors: RefCell<Vec<Error>>,
    checked: Cell<bool>,
}

impl Ctxt {
    /// Creates a context without errors, which must be checked all the same.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds an error at `span`.
    pub(crate) fn error(&self, span: Span, message: impl Display) {
        self.push(Error::new(span, message));
    }

    /// Adds an error that already knows its place.
    pub(crate) fn push(&self, error: Error) {
        self.errors.borrow_mut().push(error);
    }

    /// Fails with all errors as one, if there are any.
    pub(crate) fn check(self) -> Result<(), Error> {
        self.checked.set(true);
        let errors = self.errors.take();
        let combined = errors.into_iter().reduce(|mut all, error| {
            all.combine(error);
            all
        });
        combined.map_or(Ok(()), Err)
    }
}

impl Drop for Ctxt {
    fn drop(&mut self) {
        assert!(
            thread::panicking() || self.checked.get(),
            "the errors of a `#[guarded]` expansion were dropped unchecked"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_reported_and_in_order() {
        let ctxt = Ctxt::new();
        ctxt.error(Span::call_site(), "one");
        ctxt.error(Span::call_site(), "two");
        let messages: Vec<_> =
            ctxt.check().unwrap_err().into_iter().map(|error| error.to_string()).collect();
        assert_eq!(messages, ["one", "two"]);
    }

    #[test]
    #[should_panic(expected = "dropped unchecked")]
    fn a_forgotten_context_panics() {
        drop(Ctxt::new());
    }
}
