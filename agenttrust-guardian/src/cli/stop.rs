//! Signals: being told to stop, and to read again what can change.

use std::pin::pin;

use futures_util::future::select;

/// Waits for ctrl-c or SIGTERM.
pub(super) async fn signal() {
    StopSignal::listen().heard().await;
}

/// Waits for ctrl-c, SIGTERM, or SIGHUP, by which a program hears that its terminal was closed.
pub(super) async fn signal_or_sighup() {
    let mut sighup = Sighup::listen();
    select(pin!(signal()), pin!(sighup.heard())).await;
}

/// A listener for ctrl-c and SIGTERM; from then on neither ends the program.
#[derive(Debug)]
pub(super) struct StopSignal {
    #[cfg(unix)]
    signals: [Option<tokio::signal::unix::Signal>; 2],
}

impl StopSignal {
    #[cfg(unix)]
    pub(super) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};

        let listen = |kind, name: &str| {
            signal(kind).inspect_err(|error| tracing::warn!(%error, "{name} cannot be heard")).ok()
        };
        let interrupt = listen(SignalKind::interrupt(), "ctrl-c");
        Self { signals: [interrupt, listen(SignalKind::terminate(), "SIGTERM")] }
    }

    #[cfg(not(unix))]
    pub(super) fn listen() -> Self {
        Self {}
    }

    /// Waits for the first of them since it listens.
    pub(super) async fn heard(mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate] = &mut self.signals;
            select(pin!(received(interrupt)), pin!(received(terminate))).await;
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits for the next signal, for ever where it cannot be heard.
#[cfg(unix)]
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
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
        received(&mut self.signal).await;
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
    }
}
