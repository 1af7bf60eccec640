//! What is inside of a service or handler, said once for all that have something inside.

/// Declares `get_ref`, `get_mut` and `into_inner` for a type with a field `inner`: of what type that is, what it is
/// called, and what holds of calls that are made on it directly.
macro_rules! inner {
    ($of:ty, $what:literal, $directly:literal) => {
        #[doc = concat!("Returns the ", $what, ". ", $directly)]
        #[must_use]
        pub fn get_ref(&self) -> &$of {
            &self.inner
        }

        #[doc = concat!("Returns the ", $what, ", mutably. ", $directly)]
        pub fn get_mut(&mut self) -> &mut $of {
            &mut self.inner
        }

        #[doc = concat!("Takes off what is around it; returns the ", $what, ".")]
        #[must_use]
        pub fn into_inner(self) -> $of {
            self.inner
        }
    };
}
pub(crate) use inner;
