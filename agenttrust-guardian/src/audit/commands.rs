//! The commands that errors and the Guardian's log advise, with the options that name this Guardian's log.

use std::fmt;
use std::sync::OnceLock;

/// The options that the program was told for its one Guardian; a Guardian within another program has none.
static OPTIONS: OnceLock<Options> = OnceLock::new();

/// The options of the commands about one log, without a secret.
#[derive(Debug, Default)]
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the program alone sets them"))]
pub(crate) struct Options {
    /// The database, without its password.
    pub(crate) database: Option<String>,
    pub(crate) audit_key: Option<String>,
    pub(crate) audit_checkpoints: Option<String>,
}

impl Options {
    /// Has every command from now on name these.
    #[cfg(feature = "cli")]
    pub(crate) fn advise(self) {
        let _ = OPTIONS.set(self);
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, checkpoints: &str) -> fmt::Result {
        let given = [
            ("--database", &self.database),
            ("--audit-key", &self.audit_key),
            (checkpoints, &self.audit_checkpoints),
        ];
        for (option, value) in given {
            if let Some(value) = value {
                write!(f, " {option} {}", quoted(value))?;
            }
        }
        Ok(())
    }
}

/// The command that verifies the log.
#[derive(Debug)]
pub(crate) struct Verify;

impl fmt::Display for Verify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("agenttrust audit verify")?;
        OPTIONS.get().map_or(Ok(()), |options| options.write(f, "--checkpoint"))
    }
}

/// The command that goes on with the log of this name.
#[derive(Debug)]
pub(crate) struct Accept<'a>(pub(crate) &'a str);

impl fmt::Display for Accept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("agenttrust audit accept --reason WORDS")?;
        if !self.0.is_empty() {
            write!(f, " --log {}", quoted(self.0))?;
        }
        OPTIONS.get().map_or(Ok(()), |options| options.write(f, "--audit-checkpoints"))
    }
}

/// Returns a word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:._-@%+=,".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_is_quoted_as_a_shell_takes_it() {
        for (word, said) in [
            ("sqlite:///var/lib/at.db", "sqlite:///var/lib/at.db"),
            ("postgres://me@there:5432/at", "postgres://me@there:5432/at"),
            ("/my files/it's", r"'/my files/it'\''s'"),
            ("$(x)", "'$(x)'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), said);
        }
    }
}
