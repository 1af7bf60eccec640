//! A setting: its name, what it holds, and its default.

/// One setting.
#[derive(Debug)]
pub(super) struct Known {
    /// Its name in the file; the flag's and the variable's follow from it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What the help calls its value.
    pub(super) value_name: &'static str,
    pub(super) default: Unset,
    /// What the help says of it.
    pub(super) help: &'static str,
}

/// Says what a setting is where it is not set.
#[derive(Debug)]
pub(super) enum Unset {
    /// It is absent, or off.
    Absent,
    /// It is this.
    Is(&'static str),
    /// It is found out, as the help says in these words.
    Found(&'static str),
}

/// What a setting holds, as the file and the page of settings have it.
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

/// The items of a list: apart by commas or spaces, as the environment has them. No item holds either.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(|apart: char| apart == ',' || apart.is_whitespace()).filter(|item| !item.is_empty())
}

/// A list as one text.
pub(super) fn joined<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    items.into_iter().collect::<Vec<_>>().join(" ")
}

impl Known {
    /// The variable that sets it.
    pub(super) fn variable(&self) -> String {
        format!("AGENTTRUST_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }
}
