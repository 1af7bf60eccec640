//! `agenttrust serve`.

use std::env::VarError;
use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures_util::future::{Either, select};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::error::GuardianError;
use crate::guardian::Guardian;
use crate::role::Role;

/// How long requests that are under way may take once the program is told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// The key that `--dev` knows.
const DEV_KEY: &str = "sk_test_dev";

/// What `agenttrust serve` is told.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: String,
    /// The database: sqlite://PATH, a path, or memory; else AGENTTRUST_DATABASE, else agenttrust.db
    // Read from the environment by hand: one that is set there is no contradiction to --dev.
    #[arg(long, value_name = "URL", conflicts_with = "dev")]
    database: Option<String>,
    /// A folder of Cedar policies instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Let a key decide its own requests; each such decision is marked in the audit
    #[arg(long)]
    allow_self_approval: bool,
    /// Try things out: in memory, key sk_test_dev, self-approval; only on a loopback address
    #[arg(long)]
    dev: bool,
}

impl Serve {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        let addresses = self.addresses()?;
        let exposed = addresses.iter().any(|address| !address.ip().is_loopback());
        if self.dev && exposed {
            return Err(GuardianError::Invalid(format!(
                "--dev has a key that everybody knows, so it does not listen on {}; \
                 use a loopback address such as 127.0.0.1:8080",
                self.listen
            )));
        }
        // Before the database: a first key is printed once, so nothing may fail after it was made.
        let listener = TcpListener::bind(addresses.as_slice())
            .await
            .map_err(|error| self.cannot_listen(&error.to_string()))?;
        let address =
            listener.local_addr().map_err(|error| self.cannot_listen(&error.to_string()))?;
        let guardian = self.guardian().await?;
        if exposed {
            tracing::warn!(%address, "listening beyond this machine without TLS: keys travel in the clear");
        }
        say(&format!("listening on http://{address}"))?;

        let (stop, stopping) = watch::channel(false);
        let told = guardian.clone();
        tokio::spawn(async move {
            stop_signal().await;
            tracing::info!("stopping: no new requests, those under way have {DRAIN:?}");
            told.hurry();
            stop.send_replace(true);
        });
        let mut drained = stopping.clone();
        let server =
            axum::serve(listener, guardian.router()).with_graceful_shutdown(told_to_stop(stopping));
        let server = pin!(std::future::IntoFuture::into_future(server));
        let overdue = pin!(async move {
            // The sender lives in the task above until it has sent.
            let _ = drained.wait_for(|stop| *stop).await;
            tokio::time::sleep(DRAIN).await;
        });
        let served = match select(server, overdue).await {
            Either::Left((served, _)) => served,
            Either::Right(_) => {
                tracing::warn!("requests were still under way and are cut off");
                Ok(())
            }
        };
        guardian.close().await;
        served.map_err(|error| GuardianError::Unavailable(format!("serving ended: {error}")))?;
        Ok(ExitCode::SUCCESS)
    }

    fn addresses(&self) -> Result<Vec<SocketAddr>, GuardianError> {
        let addresses: Vec<SocketAddr> = self
            .listen
            .to_socket_addrs()
            .map_err(|error| self.cannot_listen(&error.to_string()))?
            .collect();
        if addresses.is_empty() {
            return Err(self.cannot_listen("it names no address"));
        }
        Ok(addresses)
    }

    fn cannot_listen(&self, why: &str) -> GuardianError {
        GuardianError::Invalid(format!(
            "cannot listen on {}: {why}; give --listen an address such as 127.0.0.1:8080",
            self.listen
        ))
    }

    async fn guardian(&self) -> Result<Guardian, GuardianError> {
        let mut builder = Guardian::builder();
        if let Some(folder) = &self.policies {
            builder = builder.policies(folder);
        }
        if self.dev {
            tracing::warn!(
                "DEVELOPMENT MODE: everything is in memory, the key {DEV_KEY} may do anything, and \
                 requests may be approved by whoever made them"
            );
            return builder.development(DEV_KEY).build().await;
        }
        if self.allow_self_approval {
            tracing::warn!("self-approval is allowed: a key may decide what it asked for itself");
        }
        let database = match &self.database {
            Some(database) => database.clone(),
            None => from_environment("AGENTTRUST_DATABASE")?
                .unwrap_or_else(|| "agenttrust.db".to_owned()),
        };
        builder = builder.database(database).allow_self_approval(self.allow_self_approval);
        if let Some(key) = from_environment("AGENTTRUST_ADMIN_KEY")? {
            return builder.admin_key(key).build().await;
        }
        let guardian = builder.build().await?;
        if !guardian.has_admin_key().await? {
            let key = guardian.create_key(Role::Admin, &[]).await?;
            say(&format!("admin key, shown this once: {key}"))?;
        }
        Ok(guardian)
    }
}

/// This variable, if it is set and not empty.
fn from_environment(name: &str) -> Result<Option<String>, GuardianError> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(GuardianError::Invalid(format!("{name} is not UTF-8; set it again")))
        }
    }
}

fn say(line: &str) -> Result<(), GuardianError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| GuardianError::Unavailable(format!("standard output is closed: {error}")))
}

async fn told_to_stop(mut stopping: watch::Receiver<bool>) {
    // Without its sender nobody can say stop any more, which is as good as having said it.
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn stop_signal() {
    let interrupt = pin!(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    });
    select(interrupt, pin!(terminated())).await;
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
