//! Signals: being told to stop, and to read again what can change.

use std::pin::pin;

use futures_util::future::select;

/// Waits for ctrl-c or SIGTERM.
pub(super) async fn signal() {
    let interrupt = pin!(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    });
    select(interrupt, pin!(terminated())).await;
}

/// Waits for ctrl-c, SIGTERM, or SIGHUP, by which a program hears that its terminal was closed.
pub(super) async fn signal_or_sighup() {
    let mut sighup = Sighup::listen();
    select(pin!(signal()), pin!(sighup.heard())).await;
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};

    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            terminate.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be heard; use ctrl-c");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending::<()>().await;
}

/// A listener for SIGHUP, where the system has that signal; from then on SIGHUP does not end the program.
#[derive(Debug)]
pub(super) struct Sighup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Sighup {
    #[cfg(unix)]
    pub(super) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};

        let signal = signal(SignalKind::hangup())
            .inspect_err(|error| tracing::warn!(%error, "SIGHUP cannot be heard"));
        Self { signal: signal.ok() }
    }

    #[cfg(not(unix))]
    pub(super) fn listen() -> Self {
        Self {}
    }

    /// Waits for the next SIGHUP.
    pub(super) async fn heard(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
