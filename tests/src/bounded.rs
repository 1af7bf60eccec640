//! Time limits: a deadlock is a test that fails and says so, not a run that never ends.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};

/// The time that one test may take. Far more than any needs on a slow machine.
const TEST: Duration = Duration::from_secs(120);
/// The time that one condition may take to come true.
const CONDITION: Duration = Duration::from_secs(30);
/// The pause between two looks at a condition that is not announced.
const PAUSE: Duration = Duration::from_millis(10);

/// Runs a test on a plain thread, in no runtime.
///
/// # Panics
///
/// As the test does, and when it takes too long.
pub fn on_a_plain_thread<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (running, ended) = channel::<()>();
    let thread = thread::spawn(move || {
        // Dropped when the test is over, whichever way.
        let _running = running;
        test()
    });
    match ended.recv_timeout(TEST) {
        Err(RecvTimeoutError::Timeout) => {
            panic!("no end within {TEST:?}: a deadlock, or a wait for what never comes")
        }
        _ => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
    }
}

/// Runs an async test on a multi-thread runtime.
///
/// # Panics
///
/// As the test does, and when it takes too long, even if it blocks every thread of the runtime.
pub fn in_a_runtime<T: Send + 'static>(test: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    on_a_plain_thread(|| threads(2).block_on(test()))
}

/// Returns a multi-thread runtime with so many threads.
///
/// # Panics
///
/// When the operating system gives no threads.
#[must_use]
pub fn threads(count: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(count).enable_all().build().expect("a runtime")
}

/// Returns a current-thread runtime.
///
/// # Panics
///
/// When the operating system gives no event queue.
#[must_use]
pub fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Drives one future on a runtime of its own, which is gone afterwards.
pub fn here<F: Future>(future: F) -> F::Output {
    one_thread().block_on(future)
}

/// Looks again until `look` finds something.
///
/// # Errors
///
/// Those of `look`, and when it finds nothing for too long.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        anyhow::ensure!(begun.elapsed() < CONDITION, "{CONDITION:?} and still not: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
