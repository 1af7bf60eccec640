//! The types that a setting may have, and how each is read from text.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::super::log::Format;
use super::duration;
use super::public_url::PublicUrl;
use super::setting::{Kind, Setting, items};
use super::settings::{SettingValue, Settings};
use crate::domain::numbers::digits;
use crate::domain::{AddressRange, GuardianError, Secret};

/// A type that a setting may have.
pub(super) trait Value: Sized {
    const KIND: Kind = Kind::Text;

    /// Reads it from what was found.
    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError>;
}

/// A database's URL, which may hold a password.
pub(in crate::cli) struct Url(pub(in crate::cli) String);

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Url(..)")
    }
}

/// A time that may be less than a second.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Short(pub(in crate::cli) Duration);

impl Value for Option<String> {
    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        Ok(settings.text(setting).map(str::to_owned))
    }
}

impl Value for String {
    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        Option::from_settings(settings, setting).map(Option::unwrap_or_default)
    }
}

impl Value for Url {
    const KIND: Kind = Kind::Url;

    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        String::from_settings(settings, setting).map(Self)
    }
}

impl Value for Option<Secret> {
    const KIND: Kind = Kind::Secret;

    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        Ok(settings.text(setting).map(|text| Secret::from(text.to_owned())))
    }
}

impl Value for Option<PathBuf> {
    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        Ok(settings.text(setting).map(PathBuf::from))
    }
}

impl Value for bool {
    const KIND: Kind = Kind::Switch;

    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        let read =
            parse(
                settings,
                setting,
                "neither true nor false; write one of them",
                |text| match text {
                    "true" | "1" => Some(true),
                    "false" | "0" => Some(false),
                    _ => None,
                },
            );
        read.map(Option::unwrap_or_default)
    }
}

impl Value for Vec<PublicUrl> {
    const KIND: Kind = Kind::List;

    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        let Some(SettingValue { text, origin }) = settings.found(setting) else {
            return Ok(Self::new());
        };
        let wrong = |why| GuardianError::Invalid(format!("{} {why}", origin.names(setting)));
        if items(text).next().is_none() {
            return Err(wrong("names no URL; write one such as https://guardian.example"));
        }
        items(text).map(|item| PublicUrl::parse(item).map_err(wrong)).collect()
    }
}

impl Value for Vec<AddressRange> {
    const KIND: Kind = Kind::List;

    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        let Some(SettingValue { text, origin }) = settings.found(setting) else {
            return Ok(Self::new());
        };
        let name = origin.names(setting);
        if items(text).next().is_none() {
            return Err(GuardianError::Invalid(format!(
                "{name} names no range of addresses; write one such as 10.1.0.0/16"
            )));
        }
        let read = |item: &str| {
            let wrong =
                |wrong| GuardianError::Invalid(format!("{name} is {item:?}, which is {wrong}"));
            item.parse().map_err(wrong)
        };
        items(text).map(read).collect()
    }
}

impl Value for Vec<PathBuf> {
    const KIND: Kind = Kind::List;

    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        let Some(SettingValue { text, origin }) = settings.found(setting) else {
            return Ok(Self::new());
        };
        if items(text).next().is_none() {
            let name = origin.names(setting);
            return Err(GuardianError::Invalid(format!(
                "{name} names no folder; write one such as /var/log/agenttrust"
            )));
        }
        Ok(items(text).map(PathBuf::from).collect())
    }
}

impl Value for Option<Duration> {
    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        const WRONG: &str =
            "no time span; write a whole number above 0 and s, m, h or d, such as 5m, up to 365d";
        parse(settings, setting, WRONG, duration::parse)
    }
}

impl Value for Duration {
    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        Option::from_settings(settings, setting).map(Option::unwrap_or_default)
    }
}

impl Value for Short {
    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        const WRONG: &str =
            "no time span; write a whole number above 0 and ms or s, such as 500ms or 2s";
        let read = parse(settings, setting, WRONG, duration::read_short);
        read.map(|span| Self(span.unwrap_or_default()))
    }
}

impl Value for Option<usize> {
    const KIND: Kind = Kind::Number;

    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        const WRONG: &str = "no whole number; write one such as 1000";
        parse(settings, setting, WRONG, |text| digits(text)?.try_into().ok())
    }
}

impl Value for usize {
    const KIND: Kind = Kind::Number;

    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        Option::from_settings(settings, setting).map(Option::unwrap_or_default)
    }
}

impl Value for Format {
    fn from_settings(settings: &Settings, setting: &Setting) -> Result<Self, GuardianError> {
        const WRONG: &str = "no log format; write text or json";
        let read = parse(settings, setting, WRONG, |text| match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        });
        read.map(|format| format.unwrap_or(Self::Text))
    }
}

/// Parses the text of a setting; one that is wrong is refused by the name under which its writer knows it.
fn parse<T>(
    settings: &Settings,
    setting: &Setting,
    wrong: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, GuardianError> {
    let Some(SettingValue { text, origin }) = settings.found(setting) else { return Ok(None) };
    parse(text).map(Some).ok_or_else(|| {
        GuardianError::Invalid(format!("{} is {text:?}, which is {wrong}", origin.names(setting)))
    })
}
