//! The settings as a file that would set them so again, except for what is hidden.

use std::fmt::Write;

use super::found::{Found, Origin, Settings};
use super::setting::{Kind, Known, items};

/// The settings as TOML.
pub(super) fn toml(settings: &Settings) -> String {
    let mut page =
        String::from("# agenttrust serve: a flag wins over the environment, that over the file\n");
    for (known, found) in settings.iter() {
        let line =
            found.map_or_else(|| format!("# {} is not set", known.name), |at| line(known, at));
        // Writing to a string cannot go wrong.
        let _ = writeln!(page, "{line}");
    }
    page
}

fn line(known: &Known, found: &Found) -> String {
    let shown = found.shown(known);
    // What is hidden would be taken for the setting itself if the page became a file.
    let (mark, hidden) =
        if shown == found.text { ("", "") } else { ("# ", ", hidden in part or whole") };
    let value = match known.kind {
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
    format!("{mark}{} = {value} # {}{hidden}", known.name, from(known, &found.origin))
}

fn from(known: &Known, origin: &Origin) -> String {
    match origin {
        Origin::Flag => format!("flag --{}", known.name),
        Origin::Environment => format!("environment {}", known.variable()),
        // A path may hold anything, and a comment ends with its line.
        Origin::File(path, line) => format!("file {path:?}, line {line}"),
        Origin::Default => "default".to_owned(),
    }
}
