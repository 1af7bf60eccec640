//! The settings as a file that would set them so again, except for what is hidden.

use std::fmt::Write;

use super::setting::{Kind, Setting, items};
use super::settings::{Origin, SettingValue, Settings};

/// Returns the settings as TOML.
pub(super) fn toml(settings: &Settings) -> String {
    let mut page =
        String::from("# agenttrust serve: a flag wins over the environment, that over the file\n");
    for (setting, found) in settings.iter() {
        let line =
            found.map_or_else(|| format!("# {} is not set", setting.name), |at| line(setting, at));
        // Writing to a string cannot go wrong.
        let _ = writeln!(page, "{line}");
    }
    page
}

fn line(setting: &Setting, found: &SettingValue) -> String {
    let shown = found.shown(setting);
    // What is hidden would be taken for the setting itself if the page became a file.
    let (mark, hidden) =
        if shown == found.text { ("", "") } else { ("# ", ", hidden in part or whole") };
    let value = match setting.kind {
        // Read from wherever it was, and written as TOML has it.
        Kind::Switch => matches!(shown.as_str(), "true" | "1").to_string(),
        Kind::List => {
            let items = items(&shown).map(|item| toml::Value::String(item.to_owned()));
            toml::Value::Array(items.collect()).to_string()
        }
        // One that cannot be read is shown as it was given.
        Kind::Number if shown.parse::<i64>().is_ok() => shown,
        Kind::Number | Kind::Text | Kind::Url | Kind::Secret => {
            toml::Value::String(shown).to_string()
        }
    };
    format!("{mark}{} = {value} # {}{hidden}", setting.name, from(setting, &found.origin))
}

fn from(setting: &Setting, origin: &Origin) -> String {
    match origin {
        Origin::Flag => format!("flag --{}", setting.name),
        Origin::Environment => format!("environment {}", setting.variable()),
        // A path may hold anything, and a comment ends with its line.
        Origin::File(path, line) => format!("file {path:?}, line {line}"),
        Origin::Default => "default".to_owned(),
    }
}
