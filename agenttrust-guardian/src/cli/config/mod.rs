//! What `agenttrust serve` is told. A setting has one name everywhere: `tls-cert` is `--tls-cert`,
//! `AGENTTRUST_TLS_CERT`, and `tls-cert` in the file. A flag wins over the environment, that over the
//! file, and that over the default.

pub(super) mod duration;
mod file;
mod flags;
mod gather;
mod print;
mod public_url;
mod setting;
mod settings;
mod table;
mod value;

use std::path::PathBuf;

pub(super) use self::flags::Flags;
use self::setting::Setting;
use self::settings::{Origin, Settings};
use self::table::Values;
use self::value::Value;
use crate::domain::GuardianError;
use crate::domain::names::check_name;

/// The configuration that `agenttrust serve` runs with.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) values: Values,
    settings: Settings,
    /// The warnings about the file of settings, once there is a log.
    pub(super) warnings: Vec<String>,
}

impl Config {
    /// Reads the flags, the environment and the file.
    pub(super) fn load(flags: &Flags) -> Result<Self, GuardianError> {
        let (mut settings, warnings) = gather::gather(flags)?;
        if bool::from_settings(&settings, &table::DEV)? {
            database_and_dev(&settings)?;
            // Neither is used.
            settings.forget(&table::DATABASE);
            settings.forget(&table::ADMIN_KEY);
        }
        let values = Values::from_settings(&settings)?;
        match (&values.tls_cert, &values.tls_key) {
            (Some(_), None) => return Err(half(&settings, &table::TLS_CERT, &table::TLS_KEY)),
            (None, Some(_)) => return Err(half(&settings, &table::TLS_KEY, &table::TLS_CERT)),
            (Some(_), Some(_)) | (None, None) => {}
        }
        check_name(table::REPLICA.name, &values.replica)
            .map_err(|error| GuardianError::Invalid(error.message().to_owned()))?;
        Ok(Self { values, settings, warnings })
    }

    /// Returns the certificate and its key, where TLS is served.
    pub(super) fn tls(&self) -> Option<(PathBuf, PathBuf)> {
        self.values.tls_cert.clone().zip(self.values.tls_key.clone())
    }

    /// Returns the names of the settings that `new` has otherwise, but for those that are taken over while it serves.
    pub(super) fn needs_start(&self, new: &Self) -> Vec<&'static str> {
        let mut at_once = vec![table::LOG.name, table::MAX_CONNECTIONS.name];
        if self.tls().is_some() && new.tls().is_some() {
            at_once.extend([table::TLS_CERT.name, table::TLS_KEY.name]);
        }
        self.settings
            .iter()
            .map(|(setting, _)| setting)
            .filter(|setting| self.settings.text(setting) != new.settings.text(setting))
            .filter(|setting| !at_once.contains(&setting.name))
            .map(|setting| setting.name)
            .collect()
    }

    /// Returns the settings as a TOML file, each with where it came from, and secrets hidden.
    pub(super) fn to_toml(&self) -> String {
        print::toml(&self.settings)
    }
}

fn half(settings: &Settings, given: &Setting, missing: &Setting) -> GuardianError {
    let origin = settings.found(given).map_or(&Origin::Default, |found| &found.origin);
    GuardianError::Invalid(format!(
        "{} is set and {} is not; TLS needs a certificate and its key, so set both or neither",
        origin.names(given),
        missing.name
    ))
}

/// Refuses development mode where a database is named no less firmly: its data would not be there afterwards. A
/// database named less firmly, in the environment of a whole shell say, is left alone.
fn database_and_dev(settings: &Settings) -> Result<(), GuardianError> {
    let (Some(database), Some(dev)) =
        (settings.found(&table::DATABASE), settings.found(&table::DEV))
    else {
        return Ok(());
    };
    if database.origin.rank() < dev.origin.rank() || database.origin == Origin::Default {
        return Ok(());
    }
    Err(GuardianError::Invalid(format!(
        "{} names a database, and {} keeps everything in memory; leave one of them out",
        database.origin.names(&table::DATABASE),
        dev.origin.names(&table::DEV),
    )))
}
