//! What `agenttrust serve` is told. A setting has one name everywhere: `tls-cert` is `--tls-cert`,
//! `AGENTTRUST_TLS_CERT`, and `tls-cert` in the file. A flag wins over the environment, that over the
//! file, and that over the default.

pub(super) mod duration;
mod file;
mod flags;
mod found;
mod known;
mod print;

use std::path::PathBuf;
use std::time::Duration;

pub(super) use self::flags::Flags;
use self::found::{Found, Origin, Settings};
use self::known::Known;
use super::log::Format;
use crate::domain::names::check_name;
use crate::domain::{GuardianError, Secret};

/// What `agenttrust serve` runs with.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) listen: String,
    pub(super) metrics_listen: Option<String>,
    pub(super) database: String,
    pub(super) admin_key: Option<Secret>,
    pub(super) policies: Option<PathBuf>,
    pub(super) allow_self_approval: bool,
    pub(super) dev: bool,
    pub(super) approval_ttl: Duration,
    pub(super) session_ttl: Duration,
    pub(super) check_deadline: Duration,
    pub(super) max_requests: usize,
    pub(super) max_connections: Option<usize>,
    pub(super) replica: String,
    pub(super) audit_key: Option<PathBuf>,
    pub(super) audit_checkpoints: Option<PathBuf>,
    pub(super) audit_retention: Option<Duration>,
    pub(super) tls: Option<(PathBuf, PathBuf)>,
    pub(super) log: String,
    pub(super) log_format: Format,
    settings: Settings,
}

impl Config {
    /// Reads the flags, the environment and the file.
    pub(super) fn load(flags: &Flags) -> Result<Self, GuardianError> {
        let mut settings = Settings::gather(flags)?;
        let dev = switch(&settings, &known::DEV)?;
        if dev {
            database_and_dev(&settings)?;
            // Neither is used.
            settings.forget(&known::DATABASE);
            settings.forget(&known::ADMIN_KEY);
        }
        let certificate = path(&settings, &known::TLS_CERT);
        let key = path(&settings, &known::TLS_KEY);
        let tls = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(half(&settings, &known::TLS_CERT, &known::TLS_KEY)),
            (None, Some(_)) => return Err(half(&settings, &known::TLS_KEY, &known::TLS_CERT)),
        };
        let replica = text(&settings, &known::REPLICA);
        check_name(known::REPLICA.name, &replica)
            .map_err(|error| GuardianError::Invalid(error.message().to_owned()))?;
        Ok(Self {
            listen: text(&settings, &known::LISTEN),
            metrics_listen: settings.text(&known::METRICS_LISTEN).map(str::to_owned),
            database: text(&settings, &known::DATABASE),
            admin_key: settings.text(&known::ADMIN_KEY).map(|key| Secret::from(key.to_owned())),
            policies: path(&settings, &known::POLICIES),
            allow_self_approval: switch(&settings, &known::ALLOW_SELF_APPROVAL)?,
            dev,
            approval_ttl: span(&settings, &known::APPROVAL_TTL)?,
            session_ttl: span(&settings, &known::SESSION_TTL)?,
            check_deadline: short_span(&settings, &known::CHECK_DEADLINE)?,
            max_requests: number(&settings, &known::MAX_REQUESTS)?.unwrap_or_default(),
            max_connections: number(&settings, &known::MAX_CONNECTIONS)?,
            replica,
            audit_key: path(&settings, &known::AUDIT_KEY),
            audit_checkpoints: path(&settings, &known::AUDIT_CHECKPOINTS),
            audit_retention: optional_span(&settings, &known::AUDIT_RETENTION)?,
            tls,
            log: text(&settings, &known::LOG),
            log_format: format(&settings)?,
            settings,
        })
    }

    /// The settings as a TOML file, each with where it came from, and secrets hidden.
    pub(super) fn to_toml(&self) -> String {
        print::toml(&self.settings)
    }
}

fn text(settings: &Settings, known: &Known) -> String {
    settings.text(known).unwrap_or_default().to_owned()
}

fn path(settings: &Settings, known: &Known) -> Option<PathBuf> {
    settings.text(known).map(PathBuf::from)
}

fn switch(settings: &Settings, known: &Known) -> Result<bool, GuardianError> {
    read(settings, known, "neither true nor false; write one of them", |text| match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    })
    .map(Option::unwrap_or_default)
}

fn span(settings: &Settings, known: &Known) -> Result<Duration, GuardianError> {
    optional_span(settings, known).map(Option::unwrap_or_default)
}

fn optional_span(settings: &Settings, known: &Known) -> Result<Option<Duration>, GuardianError> {
    const WRONG: &str =
        "no time span; write a whole number above 0 and s, m, h or d, such as 5m, up to 365d";
    read(settings, known, WRONG, duration::parse)
}

fn short_span(settings: &Settings, known: &Known) -> Result<Duration, GuardianError> {
    const WRONG: &str =
        "no time span; write a whole number above 0 and ms or s, such as 500ms or 2s";
    read(settings, known, WRONG, duration::read_short).map(Option::unwrap_or_default)
}

fn number(settings: &Settings, known: &Known) -> Result<Option<usize>, GuardianError> {
    const WRONG: &str = "no whole number; write one such as 1000";
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    read(settings, known, WRONG, |text| text.parse().ok().filter(|_| digits(text)))
}

fn format(settings: &Settings) -> Result<Format, GuardianError> {
    const WRONG: &str = "no log format; write text or json";
    read(settings, &known::LOG_FORMAT, WRONG, |text| match text {
        "text" => Some(Format::Text),
        "json" => Some(Format::Json),
        _ => None,
    })
    .map(|format| format.unwrap_or(Format::Text))
}

fn read<T>(
    settings: &Settings,
    known: &Known,
    wrong: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, GuardianError> {
    let Some(Found { text, origin }) = settings.found(known) else { return Ok(None) };
    read(text).map(Some).ok_or_else(|| {
        GuardianError::Invalid(format!("{} is {text:?}, which is {wrong}", origin.names(known)))
    })
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
