//! Waiting for what comes true in its own time.

use std::fmt::{Debug, Display};
use std::panic::Location;
use std::time::{Duration, Instant};

/// The longest time that something may take to come true. Nothing that is waited for takes a tenth of it: the limit is
/// for a test that would hang.
const DEFAULT_LIMIT: Duration = Duration::from_secs(10);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// A look at something, which finds it or does not.
pub trait Look {
    /// The value that is found once it is there.
    type Output;

    /// Returns what was found, or what is there instead.
    ///
    /// # Errors
    ///
    /// What is there instead, as it ends the sentence of a test that fails.
    fn found(self) -> Result<Self::Output, String>;
}

impl Look for bool {
    type Output = ();

    fn found(self) -> Result<(), String> {
        self.then_some(()).found()
    }
}

impl<T> Look for Option<T> {
    type Output = T;

    fn found(self) -> Result<T, String> {
        self.ok_or_else(String::new)
    }
}

impl<T, E: Debug> Look for Result<T, E> {
    type Output = T;

    fn found(self) -> Result<T, String> {
        self.map_err(|instead| format!(": {instead:?}"))
    }
}

/// Looks again and again until it is there, and returns what was found.
///
/// # Panics
///
/// With `otherwise`, when it is not there after ten seconds.
#[track_caller]
pub fn eventually<L: Look>(
    otherwise: impl Display,
    look: impl AsyncFnMut() -> L,
) -> impl Future<Output = L::Output> {
    eventually_within(DEFAULT_LIMIT, otherwise, look)
}

/// Looks again and again for so long, where [`eventually`] would look too long or not long enough.
///
/// # Panics
///
/// With `otherwise`, when it is not there by then.
#[track_caller]
pub fn eventually_within<L: Look>(
    limit: Duration,
    otherwise: impl Display,
    mut look: impl AsyncFnMut() -> L,
) -> impl Future<Output = L::Output> {
    let caller = Location::caller();
    async move {
        let mut instead = String::new();
        let looking = async {
            loop {
                match look().await.found() {
                    Ok(found) => return found,
                    Err(other) => instead = other,
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        // A look that does not end is none that finds anything.
        let looked = tokio::time::timeout(limit, looking).await;
        looked.unwrap_or_else(|_| panic!("{caller}: {otherwise}{instead}"))
    }
}

/// Looks as [`eventually_within`] does, on a thread that may be blocked.
///
/// # Panics
///
/// With `otherwise`, when it is not there by then.
#[track_caller]
pub fn eventually_blocking<L: Look>(
    limit: Duration,
    otherwise: impl Display,
    mut look: impl FnMut() -> L,
) -> L::Output {
    let begun = Instant::now();
    loop {
        match look().found() {
            Ok(found) => return found,
            Err(instead) => assert!(begun.elapsed() < limit, "{otherwise}{instead}"),
        }
        std::thread::sleep(PAUSE);
    }
}
