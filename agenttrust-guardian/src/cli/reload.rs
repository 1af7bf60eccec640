//! SIGHUP: what is read again while a Guardian is served. Whatever cannot be used is said, and what was there before
//! stays in force.

use super::config::{Config, Flags};
use super::listen::{self, Places};
use super::log::{self, Filter};
use super::stop::Sighup;
use super::tls::{Identity, Served};
use crate::domain::GuardianError;
use crate::guardian::Guardian;

/// The parts that can change under a Guardian that is served.
pub(super) struct Reload {
    pub(super) flags: Flags,
    /// The settings that it was started with.
    pub(super) started: Config,
    pub(super) guardian: Guardian,
    pub(super) log: Filter,
    pub(super) places: Places,
    pub(super) tls: Option<Served>,
}

impl Reload {
    /// Reads everything again at each SIGHUP.
    pub(super) async fn run(self, mut sighup: Sighup) {
        loop {
            sighup.heard().await;
            tracing::info!("SIGHUP: settings, certificate and policies are read again");
            let certificate = self.settings().unwrap_or_else(|error| {
                tracing::warn!(%error, "the settings stay as they are");
                None
            });
            if let Some(tls) = &self.tls {
                tls.look(certificate).await;
            }
            if self.started.values.policies.is_some() {
                self.policies().await;
            }
            tracing::info!("SIGHUP was seen to");
        }
    }

    /// Takes over the settings that can change, all or none of them; returns where the certificate is now.
    fn settings(&self) -> Result<Option<Identity>, GuardianError> {
        let config = Config::load(&self.flags)?;
        let filter = log::parse(&config.values.log)?;
        let most = listen::connections(config.values.max_connections)?;
        self.log.set(filter)?;
        self.places.set(most);
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let later = self.started.needs_start(&config);
        if !later.is_empty() {
            tracing::warn!(
                settings = later.join(" "),
                "these settings changed, and are in force from the next start on"
            );
        }
        Ok(config.tls().map(|(certificate, key)| Identity::new(certificate, key)))
    }

    async fn policies(&self) {
        match self.guardian.client().policies().reload().await {
            Ok(in_force) => {
                tracing::info!(
                    sha256 = in_force.sha256,
                    "these policies of the folder are in force"
                );
            }
            Err(error) => tracing::warn!(%error, "the policies stay as they are"),
        }
    }
}
