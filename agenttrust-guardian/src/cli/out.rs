//! What the program prints, at once: somebody may wait for the line, and what is shown once is not lost.

use std::fmt::Write as _;
use std::io::{self, StdoutLock, Write};

use crate::domain::GuardianError;

/// Prints what is written.
pub(super) fn print(
    write: impl FnOnce(&mut StdoutLock<'static>) -> io::Result<()>,
) -> Result<(), GuardianError> {
    let mut out = io::stdout().lock();
    write(&mut out)
        .and_then(|()| out.flush())
        .map_err(|error| GuardianError::Unavailable(format!("standard output is closed: {error}")))
}

/// Prints rows below their titles, in columns. What is in them comes from anybody, so it is made harmless. Nothing is
/// cut off for a narrow terminal, which wraps it: an id that is not whole is of no use.
pub(super) fn table<const N: usize>(
    titles: [&str; N],
    rows: &[[String; N]],
) -> Result<(), GuardianError> {
    let titles = titles.map(str::to_owned);
    let rows: Vec<_> = rows.iter().map(|row| row.each_ref().map(|cell| harmless(cell))).collect();
    let mut widths = titles.each_ref().map(|title| title.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    print(|out| {
        for row in std::iter::once(&titles).chain(&rows) {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    })
}

/// Prints a value as JSON, over several lines.
pub(super) fn json(value: &impl serde::Serialize) -> Result<(), GuardianError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| GuardianError::Unavailable(format!("it cannot be printed: {error}")))?;
    say(&text)
}

/// Writes out what would move the cursor, colour a terminal or turn the reading direction around.
pub(super) fn harmless(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for character in text.chars() {
        let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || turns {
            // Into a `String`, which takes everything.
            let _ = write!(written, "{}", character.escape_unicode());
        } else {
            written.push(character);
        }
    }
    written
}

/// Prints a line.
pub(super) fn say(line: &str) -> Result<(), GuardianError> {
    print(|out| writeln!(out, "{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_on_a_terminal_is_written_out() {
        assert_eq!(harmless("refund \u{1b}[2Jé\n"), "refund \\u{1b}[2Jé\\u{a}");
        assert_eq!(harmless("a\u{202e}b\u{9b}c\r"), "a\\u{202e}b\\u{9b}c\\u{d}");
    }
}
