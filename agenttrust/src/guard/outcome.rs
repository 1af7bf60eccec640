//! What became of a call: [`Outcome`] and [`CallOutcome`].

use std::borrow::Cow;

/// The outcome of a call, as it is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallOutcome {
    /// A call that worked.
    Success,
    /// A call that failed.
    Failure {
        /// The *type* of the error. Never its message, which may hold what the tool was given.
        error_type: Cow<'static, str>,
    },
}

impl CallOutcome {
    /// Creates a failure of this type.
    pub fn failure(error_type: impl Into<Cow<'static, str>>) -> Self {
        Self::Failure { error_type: error_type.into() }
    }
}

/// Outputs that say whether the call worked.
///
/// A `Result` failed when it is an `Err`, and its error's type is what is reported. Everything else
/// that a tool plainly returns counts as success.
///
/// Two kinds of output say more: an `http::Response` of status 400 or above failed, and so did, with
/// the feature `rmcp`, a result of a tool that says `isError: true`. Inside of an `Ok`, `#[guarded]`
/// looks for itself; `Result`'s own `outcome` cannot, so that with [`run`](crate::AgentTrustGuard::run)
/// an `Ok` is a success whatever it holds.
///
/// ```
/// use agenttrust::{CallOutcome, Outcome};
///
/// let output: Result<u32, std::num::ParseIntError> = "x".parse();
/// assert_eq!(output.outcome(), CallOutcome::failure("ParseIntError"));
/// ```
pub trait Outcome {
    /// Returns what became of the call that returned this.
    fn outcome(&self) -> CallOutcome;
}

impl<T, E> Outcome for Result<T, E> {
    fn outcome(&self) -> CallOutcome {
        match self {
            Ok(_) => CallOutcome::Success,
            Err(_) => CallOutcome::failure(class_name::<E>()),
        }
    }
}

/// Returns the name of a type without its path and its parameters, as the guide reports errors.
fn class_name<E>() -> &'static str {
    let full = std::any::type_name::<E>();
    let bare = full.split('<').next().unwrap_or(full);
    bare.rsplit("::").next().unwrap_or(bare)
}

macro_rules! always_success {
    ($( ($($generics:tt)*) $ty:ty ),* $(,)?) => { $(
        impl<$($generics)*> Outcome for $ty {
            fn outcome(&self) -> CallOutcome {
                CallOutcome::Success
            }
        }
    )* };
}

always_success! {
    () (), () bool, () char, () str, () String,
    () u8, () u16, () u32, () u64, () u128, () usize,
    () i8, () i16, () i32, () i64, () i128, () isize, () f32, () f64,
    (T) Option<T>, (T) Vec<T>, (T) [T],
    () serde_json::Value,
}

impl Outcome for CallOutcome {
    fn outcome(&self) -> CallOutcome {
        self.clone()
    }
}

impl<T: Outcome + ?Sized> Outcome for &T {
    fn outcome(&self) -> CallOutcome {
        (**self).outcome()
    }
}

impl<T: Outcome + ?Sized> Outcome for Box<T> {
    fn outcome(&self) -> CallOutcome {
        (**self).outcome()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_reported_by_its_type_alone() {
        let output: Result<(), std::io::Error> = Err(std::io::Error::other("secret"));
        assert_eq!(output.outcome(), CallOutcome::failure("Error"));
        let output: Result<(), Vec<String>> = Err(vec!["secret".to_owned()]);
        assert_eq!(output.outcome(), CallOutcome::failure("Vec"));
    }
}
