//! The one error of loading policies: where it is, what is wrong, what to do.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::{Error, ErrorKind};

/// Policies that cannot be used; nothing of them is in force.
///
/// Displayed as `file:line:column: what is wrong; what to do`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    file: String,
    position: Option<Position>,
    problem: String,
}

/// A place in a text, both counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Position {
    /// Returns the place of a byte offset; one past the end is the end.
    pub(super) fn at_offset(text: &str, offset: usize) -> Self {
        Places::of(text).at(offset)
    }
}

/// The places of a text, which are asked for in its order: it is read through once for all of them.
#[derive(Debug)]
pub(super) struct Places<'a> {
    text: &'a str,
    read: usize,
    position: Position,
}

impl<'a> Places<'a> {
    pub(super) const fn of(text: &'a str) -> Self {
        Self { text, read: 0, position: Position { line: 1, column: 1 } }
    }

    /// Returns the place of a byte offset that is not before the last one; one past the end is the
    /// end.
    pub(super) fn at(&mut self, offset: usize) -> Position {
        for c in self.text.get(self.read..).unwrap_or_default().chars() {
            if self.read + c.len_utf8() > offset {
                break;
            }
            self.read += c.len_utf8();
            if c == '\n' {
                self.position = Position { line: self.position.line + 1, column: 1 };
            } else {
                self.position.column += 1;
            }
        }
        self.position
    }
}

impl PolicyError {
    pub(super) fn in_file(file: &str, problem: impl Into<String>) -> Self {
        Self { file: file.to_owned(), position: None, problem: problem.into() }
    }

    pub(super) fn at(file: &str, text: &str, offset: usize, problem: impl Into<String>) -> Self {
        Self::placed(file, Position::at_offset(text, offset), problem)
    }

    pub(super) fn placed(file: &str, position: Position, problem: impl Into<String>) -> Self {
        Self { file: file.to_owned(), position: Some(position), problem: problem.into() }
    }

    /// Returns the error for a folder that did not say within this time what is in it.
    pub(crate) fn too_slow(folder: &Path, within: Duration) -> Self {
        let problem = format!(
            "the policy folder could not be read within {} seconds; see whether its disk answers",
            within.as_secs()
        );
        Self::in_file(&folder.display().to_string(), problem)
    }

    /// Returns the file (or folder) at fault.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns the line, counted from 1, where the fault has a place in the text.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.position.map(|position| position.line)
    }

    /// Returns the column, counted in characters from 1, where the fault has a place in the text.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.position.map(|position| position.column)
    }
}

impl PolicyError {
    /// Returns where the fault is, for programs.
    pub(crate) fn place(&self) -> Value {
        json!({ "file": self.file(), "line": self.line(), "column": self.column() })
    }
}

impl From<&PolicyError> for Error {
    /// Returns policies that are not usable; the sentence begins with file, line and column.
    fn from(error: &PolicyError) -> Self {
        Self::new(ErrorKind::Invalid, error.to_string()).with(error.place())
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for PolicyError {}
