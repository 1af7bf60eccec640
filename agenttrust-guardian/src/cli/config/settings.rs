//! [`Settings`]: the value of each setting, and where it came from.

use std::path::PathBuf;

use super::setting::{Kind, Setting};
use crate::store::Database;

/// The text of a setting, and where it came from.
#[derive(Clone)]
pub(super) struct SettingValue {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// The origin of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Flag,
    Environment,
    /// The file, and the line in it.
    File(PathBuf, usize),
    Default,
}

impl Origin {
    /// Returns how firmly it is meant.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Flag => 3,
            Self::Environment => 2,
            Self::File(..) => 1,
            Self::Default => 0,
        }
    }

    /// Returns the setting by the name under which its author would look for it.
    pub(super) fn names(&self, setting: &Setting) -> String {
        match self {
            Self::Flag => format!("--{}", setting.name),
            Self::Environment => setting.variable(),
            Self::File(path, line) => format!("{}:{line}: {}", path.display(), setting.name),
            Self::Default => setting.name.to_owned(),
        }
    }
}

/// Every setting with its value, in the order of the table.
pub(super) struct Settings(Vec<(&'static Setting, Option<SettingValue>)>);

impl Settings {
    /// Creates the settings from all of them, in the order of the table.
    pub(super) fn new(all: Vec<(&'static Setting, Option<SettingValue>)>) -> Self {
        Self(all)
    }

    /// Returns every setting.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static Setting, Option<&SettingValue>)> {
        self.0.iter().map(|(setting, found)| (*setting, found.as_ref()))
    }

    /// Returns this setting.
    pub(super) fn found(&self, setting: &Setting) -> Option<&SettingValue> {
        self.iter().find(|(other, _)| other.name == setting.name).and_then(|(_, found)| found)
    }

    /// Leaves this setting out.
    pub(super) fn forget(&mut self, setting: &Setting) {
        for (other, found) in &mut self.0 {
            if other.name == setting.name {
                *found = None;
            }
        }
    }

    /// Returns this setting's text.
    pub(super) fn text(&self, setting: &Setting) -> Option<&str> {
        self.found(setting).map(|found| found.text.as_str())
    }
}

// Some of the texts are secrets.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let origins =
            self.iter().map(|(setting, found)| (setting.name, found.map(|at| &at.origin)));
        f.debug_map().entries(origins).finish()
    }
}

impl SettingValue {
    /// Returns the text as it may be shown.
    pub(super) fn shown(&self, setting: &Setting) -> String {
        match setting.kind {
            Kind::Text | Kind::Switch | Kind::Number | Kind::List => self.text.clone(),
            Kind::Secret => HIDDEN.to_owned(),
            Kind::Url => without_password(&self.text),
        }
    }
}

const HIDDEN: &str = "(hidden)";

/// Returns a database URL without its password. When in doubt, without more than that.
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
