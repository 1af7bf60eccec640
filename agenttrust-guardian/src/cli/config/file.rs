//! The file of settings: TOML, every key one that is known.

use std::fs;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::setting::{Kind, Setting, joined};
use super::settings::{Origin, SettingValue};
use super::table;
use crate::domain::GuardianError;
use crate::domain::file::{ReadError, folder_of_all, is_open_to_others, read_text_of};
use crate::domain::spelling::nearest;

/// The settings of the file.
#[derive(Default)]
pub(super) struct File {
    settings: Vec<(&'static Setting, SettingValue)>,
    /// The warnings about it for its owner, once there is a log.
    pub(super) warnings: Vec<String>,
}

impl File {
    /// Returns this setting, if the file holds it.
    pub(super) fn get(&self, setting: &Setting) -> Option<&SettingValue> {
        self.settings.iter().find(|(other, _)| other.name == setting.name).map(|(_, found)| found)
    }

    /// Refuses secrets in a file that others can read or write, and warns of one without.
    fn reached_by_others(&mut self, path: &Path) -> Result<(), GuardianError> {
        let path = path.display();
        let secret =
            self.settings.iter().find(|(setting, found)| found.shown(setting) != found.text);
        if let Some((setting, _)) = secret {
            return Err(GuardianError::Invalid(format!(
                "the settings in {path} hold a secret, {}, and others than the owner of the file may read or write \
                 it: take their permissions away with `chmod 600 {path}`, and give another secret if another person read it",
                setting.name
            )));
        }
        self.warnings.push(format!(
            "others than its owner may read or write the settings in {path}: take their permissions away with \
             `chmod 600 {path}`"
        ));
        Ok(())
    }
}

/// Reads the file. What it holds beyond settings is an error that names the line.
pub(super) fn load(path: &Path) -> Result<File, GuardianError> {
    // Larger than any file of settings, and small enough for a device that never ends.
    const MOST: u64 = 1 << 20;
    let read = fs::File::open(path).map_err(ReadError::from).and_then(|file| {
        // Of the very file that is read, whatever is put in its place meanwhile.
        let open = file.metadata().is_ok_and(|found| is_open_to_others(&found));
        Ok((open, read_text_of(file, MOST)?))
    });
    let (open, text) = read.map_err(|why| {
        GuardianError::Invalid(format!(
            "the settings in {} cannot be read: {why}; name a TOML file with --config",
            path.display()
        ))
    })?;
    let page = Page { path: path.to_owned(), text: &text };
    // The message only: the whole error quotes the line, which may hold a secret.
    let table = DeTable::parse(&text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        page.wrong(start, &format!("this is not TOML: {}", error.message().replace('\n', ", ")))
    })?;
    let mut file = File::default();
    for (key, value) in table.into_inner() {
        let setting =
            table::ALL.iter().copied().find(|setting| setting.name == key.get_ref().as_ref());
        let setting = setting.ok_or_else(|| page.unknown(key.span().start, key.get_ref()))?;
        let at = value.span().start;
        let text = text_of(setting.kind, value.into_inner())
            .map_err(|wrong| page.wrong(at, &format!("{} {wrong}", setting.name)))?;
        if text.is_empty() {
            return Err(
                page.wrong(at, &format!("{} is empty; set it or leave it out", setting.name))
            );
        }
        let origin = Origin::File(page.path.clone(), page.place(at).0);
        file.settings.push((setting, SettingValue { text, origin }));
    }
    if open {
        file.reached_by_others(path)?;
    }
    if let Some(folder) = folder_of_all(path) {
        file.warnings.push(format!(
            "anyone may put another file in the place of the settings in {}: take the permission away with \
             `chmod o-w {}`",
            path.display(),
            folder.display()
        ));
    }
    Ok(file)
}

/// Returns what a value says, if it is of the type that a setting of this kind has; else what is wrong with it.
fn text_of(kind: Kind, value: DeValue<'_>) -> Result<String, String> {
    let is_text = |item: &Spanned<DeValue<'_>>| item.get_ref().is_str();
    match (kind, value) {
        (Kind::Switch, DeValue::Boolean(on)) => Ok(on.to_string()),
        (Kind::Number, DeValue::Integer(number)) if number.radix() == 10 => {
            Ok(number.as_str().to_owned())
        }
        (Kind::Text | Kind::Url | Kind::Secret | Kind::List, DeValue::String(text)) => {
            Ok(text.into_owned())
        }
        (Kind::List, DeValue::Array(items)) if items.iter().all(is_text) => {
            Ok(joined(items.iter().filter_map(|item| item.get_ref().as_str())))
        }
        (kind, other) => {
            let wanted = match kind {
                Kind::Switch => "true or false",
                Kind::Number => "a whole number",
                Kind::Text | Kind::Url | Kind::Secret => "a string",
                Kind::List => "a list of strings",
            };
            Err(format!("is of type {}; write {wanted}", other.type_str()))
        }
    }
}

/// The file, to say where in it something is wrong.
struct Page<'a> {
    path: PathBuf,
    text: &'a str,
}

impl Page<'_> {
    /// Returns line and column of this byte, from 1.
    fn place(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    fn wrong(&self, byte: usize, what: &str) -> GuardianError {
        let (line, column) = self.place(byte);
        GuardianError::Invalid(format!("{}:{line}:{column}: {what}", self.path.display()))
    }

    fn unknown(&self, byte: usize, key: &str) -> GuardianError {
        let advice = match nearest(key, table::ALL.iter().map(|setting| setting.name)) {
            Some(name) => format!("did you mean {name:?}?"),
            None => {
                let names: Vec<&str> = table::ALL.iter().map(|setting| setting.name).collect();
                format!("known are {}", names.join(", "))
            }
        };
        self.wrong(byte, &format!("there is no setting {key:?}; {advice}"))
    }
}
