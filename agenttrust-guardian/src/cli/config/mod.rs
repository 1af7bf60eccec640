//! What `agenttrust serve` is told. A setting has one name everywhere: `tls-cert` is `--tls-cert`,
//! `AGENTTRUST_TLS_CERT`, and `tls-cert` in the file. A flag wins over the environment, that over the
//! file, and that over the default.

pub(super) mod duration;
mod file;
mod flags;
mod found;
mod gather;
mod known;
mod print;
mod public_url;
mod setting;
mod value;

use std::path::PathBuf;

pub(super) use self::flags::Flags;
use self::found::{Origin, Settings};
use self::known::Values;
use self::setting::Known;
use self::value::Value;
use crate::domain::GuardianError;
use crate::domain::names::check_name;

/// What `agenttrust serve` runs with.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) values: Values,
    settings: Settings,
    /// What is to be said of the file of settings, once there is a log.
    pub(super) warnings: Vec<String>,
}

impl Config {
    /// Reads the flags, the environment and the file.
    pub(super) fn load(flags: &Flags) -> Result<Self, GuardianError> {
        let (mut settings, warnings) = gather::gather(flags)?;
        if bool::from_settings(&settings, &known::DEV)? {
            database_and_dev(&settings)?;
            // Neither is used.
            settings.forget(&known::DATABASE);
            settings.forget(&known::ADMIN_KEY);
        }
        let values = Values::from_settings(&settings)?;
        match (&values.tls_cert, &values.tls_key) {
            (Some(_), None) => return Err(half(&settings, &known::TLS_CERT, &known::TLS_KEY)),
            (None, Some(_)) => return Err(half(&settings, &known::TLS_KEY, &known::TLS_CERT)),
            (Some(_), Some(_)) | (None, None) => {}
        }
        check_name(known::REPLICA.name, &values.replica)
            .map_err(|error| GuardianError::Invalid(error.message().to_owned()))?;
        Ok(Self { values, settings, warnings })
    }

    /// The certificate and its key, where TLS is served.
    pub(super) fn tls(&self) -> Option<(PathBuf, PathBuf)> {
        self.values.tls_cert.clone().zip(self.values.tls_key.clone())
    }

    /// The names of the settings that `new` has otherwise, but for those that are taken over while it serves.
    pub(super) fn needs_start(&self, new: &Self) -> Vec<&'static str> {
        let mut at_once = vec![known::LOG.name, known::MAX_CONNECTIONS.name];
        if self.tls().is_some() && new.tls().is_some() {
            at_once.extend([known::TLS_CERT.name, known::TLS_KEY.name]);
        }
        self.settings
            .iter()
            .map(|(known, _)| known)
            .filter(|known| self.settings.text(known) != new.settings.text(known))
            .filter(|known| !at_once.contains(&known.name))
            .map(|known| known.name)
            .collect()
    }

    /// The settings as a TOML file, each with where it came from, and secrets hidden.
    pub(super) fn to_toml(&self) -> String {
        print::toml(&self.settings)
    }
}

fn half(settings: &Settings, given: &Known, missing: &Known) -> GuardianError {
    let origin = settings.found(given).map_or(&Origin::Default, |found| &found.origin);
    GuardianError::Invalid(format!(
        "{} is set and {} is not; TLS needs a certificate and its key, so set both or neither",
        origin.names(given),
        missing.name
    ))
}

/// Refuses development mode where somebody names a database no less firmly: they would find nothing in
/// it afterwards. One named less firmly, in the environment of a whole shell say, is left alone.
fn database_and_dev(settings: &Settings) -> Result<(), GuardianError> {
    let (Some(database), Some(dev)) =
        (settings.found(&known::DATABASE), settings.found(&known::DEV))
    else {
        return Ok(());
    };
    if database.origin.rank() < dev.origin.rank() || database.origin == Origin::Default {
        return Ok(());
    }
    Err(GuardianError::Invalid(format!(
        "{} names a database, and {} keeps everything in memory; leave one of them out",
        database.origin.names(&known::DATABASE),
        dev.origin.names(&known::DEV),
    )))
}
