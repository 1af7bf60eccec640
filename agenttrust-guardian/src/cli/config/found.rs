//! What each setting was found to be, and where.

use std::env::VarError;
use std::path::PathBuf;

use super::file::{self, File};
use super::flags::Flags;
use super::known::{self, Known, Unset};
use super::value::Kind;
use crate::domain::GuardianError;

/// A setting's text, and where it was found.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Flag,
    Environment,
    /// The file, and the line in it.
    File(PathBuf, usize),
    Default,
}

impl Origin {
    /// How firmly it is meant.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Flag => 3,
            Self::Environment => 2,
            Self::File(..) => 1,
            Self::Default => 0,
        }
    }

    /// The setting as whoever wrote it would look for it.
    pub(super) fn names(&self, known: &Known) -> String {
        match self {
            Self::Flag => format!("--{}", known.name),
            Self::Environment => known.variable(),
            Self::File(path, line) => format!("{}:{line}: {}", path.display(), known.name),
            Self::Default => known.name.to_owned(),
        }
    }
}

/// What was found, in the order of [`known::ALL`].
pub(super) struct Settings(Vec<(&'static Known, Option<Found>)>);

impl Settings {
    /// Looks for every setting: among the flags, in the environment, in the file.
    pub(super) fn gather(flags: &Flags) -> Result<Self, GuardianError> {
        let file = match &flags.config {
            Some(path) => Some(path.clone()),
            None => variable("AGENTTRUST_CONFIG")?.map(PathBuf::from),
        };
        let file = file.as_deref().map(file::load).transpose()?.unwrap_or_default();
        let each = known::ALL.iter().map(|&known| Ok((known, look(known, flags, &file)?)));
        each.collect::<Result<_, GuardianError>>().map(Self)
    }

    /// Every setting.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static Known, Option<&Found>)> {
        self.0.iter().map(|(known, found)| (*known, found.as_ref()))
    }

    /// This setting.
    pub(super) fn found(&self, known: &Known) -> Option<&Found> {
        self.iter().find(|(other, _)| other.name == known.name).and_then(|(_, found)| found)
    }

    /// Leaves this setting out.
    pub(super) fn forget(&mut self, known: &Known) {
        for (other, found) in &mut self.0 {
            if other.name == known.name {
                *found = None;
            }
        }
    }

    /// This setting's text.
    pub(super) fn text(&self, known: &Known) -> Option<&str> {
        self.found(known).map(|found| found.text.as_str())
    }
}

// Some of the texts are secrets.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let origins = self.iter().map(|(known, found)| (known.name, found.map(|at| &at.origin)));
        f.debug_map().entries(origins).finish()
    }
}

fn look(known: &Known, flags: &Flags, file: &File) -> Result<Option<Found>, GuardianError> {
    if let Some(text) = flags.get(known) {
        return Ok(Some(Found { text: text.to_owned(), origin: Origin::Flag }));
    }
    if let Some(text) = variable(&known.variable())? {
        return Ok(Some(Found { text, origin: Origin::Environment }));
    }
    if let Some(found) = file.get(known) {
        return Ok(Some(found.clone()));
    }
    let default = match (known.kind, &known.default) {
        _ if known.name == known::REPLICA.name => Some(machine()),
        (_, Unset::Is(default)) => Some((*default).to_owned()),
        (Kind::Switch, Unset::Absent) => Some("false".to_owned()),
        (_, Unset::Absent | Unset::Found(_)) => None,
    };
    Ok(default.map(|text| Found { text, origin: Origin::Default }))
}

/// This variable, if it is set and not empty.
fn variable(name: &str) -> Result<Option<String>, GuardianError> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(GuardianError::Invalid(format!("{name} is not UTF-8; set it again")))
        }
    }
}

/// The name of this machine, as far as it can be told without asking the network.
fn machine() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    [kernel, std::env::var("HOSTNAME").ok(), std::env::var("COMPUTERNAME").ok()]
        .into_iter()
        .flatten()
        .map(|name| name.trim().to_owned())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "guardian".to_owned())
}

impl Found {
    /// The text as it may be shown.
    pub(super) fn shown(&self, known: &Known) -> String {
        match known.kind {
            Kind::Text | Kind::Switch | Kind::Number => self.text.clone(),
            Kind::Secret => HIDDEN.to_owned(),
            Kind::Url => without_password(&self.text),
        }
    }
}

const HIDDEN: &str = "(hidden)";

/// A database URL without its password. When in doubt, without more than that.
fn without_password(url: &str) -> String {
    // Among the parameters, or where there are no URLs at all.
    if url.to_ascii_lowercase().contains("password") {
        return HIDDEN.to_owned();
    }
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // The last one: a password may hold what should have been encoded.
    let Some((user, place)) = rest.rsplit_once('@') else { return url.to_owned() };
    match user.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:{HIDDEN}@{place}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_of_a_database_is_never_shown() {
        for (url, shown) in [
            ("agenttrust.db", "agenttrust.db"),
            ("sqlite:///var/at.db", "sqlite:///var/at.db"),
            ("postgres://ada@db/at", "postgres://ada@db/at"),
            ("postgres://ada:pa55@db:5432/at", "postgres://ada:(hidden)@db:5432/at"),
            ("postgres://ada:pa55@x/y@db/at", "postgres://ada:(hidden)@db/at"),
            (
                "postgres://ada:pa/55:x@db/at?sslmode=require",
                "postgres://ada:(hidden)@db/at?sslmode=require",
            ),
            ("postgres://db/at?user=ada&password=pa55", "(hidden)"),
            ("host=db PASSWORD=pa55", "(hidden)"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
