//! Named after their lints too, which look at what others see.

use super::{Output, fallible};

/// Says nothing of errors.
#[cfg_attr(feature = "guarded", agenttrust::guarded)]
pub fn missing_errors_doc(path: &str) -> Output<usize> {
    fallible()?;
    Ok(path.len())
}

/// Says nothing of panics.
#[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = |_| 0))]
#[must_use]
pub fn missing_panics_doc(path: &str) -> usize {
    path.len() + fallible().ok().unwrap() as usize
}

/// Gives a number.
#[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = |_| 0))]
pub fn must_use_candidate(path: &str) -> usize {
    path.len()
}

/// Says it.
///
/// # Errors
///
/// The denial.
#[cfg_attr(feature = "guarded", agenttrust::guarded)]
pub fn documented(path: &str) -> Output<usize> {
    fallible()?;
    Ok(path.len())
}
