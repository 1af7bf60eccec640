//! What cannot be read as A2A: where, and what is wrong with it.

/// The largest number of characters of a problem that the answer repeats.
const PROBLEM_MAX_CHARS: usize = 300;

/// A part of a message that is not as A2A has it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub(crate) struct ParseError {
    /// The member at fault, as in `message.parts[0]`.
    pub(crate) field: String,
    /// The problem of the field.
    pub(crate) problem: String,
}

impl ParseError {
    /// Returns the error for a `field` with this `problem`. Of what a sender made up, only so much
    /// is repeated as can be read.
    pub(crate) fn of(field: &str, problem: impl AsRef<str>) -> Self {
        let plain = |text: &str| -> String {
            let shown = |it: char| if it.is_control() { '\u{fffd}' } else { it };
            text.chars().take(PROBLEM_MAX_CHARS).map(shown).collect()
        };
        Self { field: plain(field), problem: plain(problem.as_ref()) }
    }
}
