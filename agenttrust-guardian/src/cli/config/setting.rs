//! A setting: its name, what it holds, and its default.

/// A setting of `agenttrust serve`.
#[derive(Debug)]
pub(super) struct Setting {
    /// Its name in the file; the flag's and the variable's follow from it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The name of its value in the help.
    pub(super) value_name: &'static str,
    pub(super) default: Unset,
    /// The text of the help about it.
    pub(super) help: &'static str,
}

/// The default of a setting, where it is not set.
#[derive(Debug)]
pub(super) enum Unset {
    /// The setting is absent, or off.
    Absent,
    /// The setting is this text.
    Is(&'static str),
    /// The setting is computed, as the help says in these words.
    Computed(&'static str),
}

/// The kind of value of a setting, as the file and the page of settings have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A text with a password in it, perhaps.
    Url,
    /// Never shown, and no flag: every process of the machine can read the flags of the others.
    Secret,
    Switch,
    Number,
    /// Several texts: a flag that may be given again, and a list in the file.
    List,
}

/// Returns the items of a list: apart by commas or spaces, as the environment has them. No item holds either.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(|apart: char| apart == ',' || apart.is_whitespace()).filter(|item| !item.is_empty())
}

/// Returns a list as one text.
pub(super) fn joined<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    items.into_iter().collect::<Vec<_>>().join(" ")
}

impl Setting {
    /// Returns the variable that sets it.
    pub(super) fn variable(&self) -> String {
        format!("AGENTTRUST_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }
}
