//! What each setting was found to be, and where.

use std::path::PathBuf;

use super::setting::{Kind, Known};
use crate::store::Database;

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

/// What was found, in the order of the table.
pub(super) struct Settings(Vec<(&'static Known, Option<Found>)>);

impl Settings {
    /// Every setting with what it was found to be, in the order of the table.
    pub(super) fn new(all: Vec<(&'static Known, Option<Found>)>) -> Self {
        Self(all)
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

impl Found {
    /// The text as it may be shown.
    pub(super) fn shown(&self, known: &Known) -> String {
        match known.kind {
            Kind::Text | Kind::Switch | Kind::Number | Kind::List => self.text.clone(),
            Kind::Secret => HIDDEN.to_owned(),
            Kind::Url => without_password(&self.text),
        }
    }
}

const HIDDEN: &str = "(hidden)";

/// A database URL without its password. When in doubt, without more than that.
fn without_password(url: &str) -> String {
    match Database::parse(url) {
        Ok(Database::Memory | Database::File(_)) => return url.to_owned(),
        // Among the parameters it may be anywhere.
        Ok(Database::Postgres(_)) if !url.to_ascii_lowercase().contains("password") => {}
        Ok(Database::Postgres(_)) | Err(_) => return HIDDEN.to_owned(),
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
            ("postgres://ada:pa55@x/y@db/at", "(hidden)"),
            ("postgres://ada:pa55@x@db/at", "postgres://ada:(hidden)@db/at"),
            ("postgresql:/ada:pa55@db/at", "(hidden)"),
            ("ada:pa55@db/at", "(hidden)"),
            (
                "postgres://ada:pa%2F55:x@db/at?sslmode=require",
                "postgres://ada:(hidden)@db/at?sslmode=require",
            ),
            ("postgres://db/at?user=ada&password=pa55", "(hidden)"),
            ("host=db PASSWORD=pa55", "(hidden)"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
