//! The file of settings: TOML, every key one that is known.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::found::{Found, Origin};
use super::known;
use super::setting::{Kind, Known};
use crate::domain::GuardianError;
use crate::domain::file::read_text_at_most;
use crate::domain::spelling::nearest;

/// What the file sets.
#[derive(Default)]
pub(super) struct File(Vec<(&'static Known, Found)>);

impl File {
    /// This setting, if the file holds it.
    pub(super) fn get(&self, known: &Known) -> Option<&Found> {
        self.0.iter().find(|(other, _)| other.name == known.name).map(|(_, found)| found)
    }
}

/// Reads the file. What it holds beyond settings is an error that names the line.
pub(super) fn load(path: &Path) -> Result<File, GuardianError> {
    // Larger than any file of settings, and small enough for a device that never ends.
    const MOST: u64 = 1 << 20;
    let text = read_text_at_most(path, MOST).map_err(|why| {
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
        let known = known::ALL.iter().copied().find(|known| known.name == key.get_ref().as_ref());
        let known = known.ok_or_else(|| page.unknown(key.span().start, key.get_ref()))?;
        let at = value.span().start;
        let text = match (known.kind, value.into_inner()) {
            (Kind::Switch, DeValue::Boolean(on)) => on.to_string(),
            (Kind::Number, DeValue::Integer(number)) if number.radix() == 10 => {
                number.as_str().to_owned()
            }
            (Kind::Text | Kind::Url | Kind::Secret, DeValue::String(text)) => text.into_owned(),
            (kind, other) => {
                let wanted = match kind {
                    Kind::Switch => "true or false",
                    Kind::Number => "a whole number",
                    Kind::Text | Kind::Url | Kind::Secret => "a string",
                };
                let is = other.type_str();
                return Err(
                    page.wrong(at, &format!("{} is of type {is}; write {wanted}", known.name))
                );
            }
        };
        if text.is_empty() {
            return Err(page.wrong(at, &format!("{} is empty; set it or leave it out", known.name)));
        }
        let origin = Origin::File(page.path.clone(), page.place(at).0);
        file.0.push((known, Found { text, origin }));
    }
    Ok(file)
}

/// The file, to say where in it something is wrong.
struct Page<'a> {
    path: PathBuf,
    text: &'a str,
}

impl Page<'_> {
    /// Line and column of this byte, from 1.
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
        let advice = match nearest(key, known::ALL.iter().map(|known| known.name)) {
            Some(name) => format!("did you mean {name:?}?"),
            None => {
                let names: Vec<&str> = known::ALL.iter().map(|known| known.name).collect();
                format!("known are {}", names.join(", "))
            }
        };
        self.wrong(byte, &format!("there is no setting {key:?}; {advice}"))
    }
}
