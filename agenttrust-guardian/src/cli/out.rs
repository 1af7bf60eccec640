//! The output of the program, at once: a reader may wait for the line, and what is shown once is not lost.

use std::io::{self, IsTerminal, StdoutLock, Write};

use agenttrust::Timestamp;

use crate::domain::duration;
use crate::domain::{GuardianError, is_unseen};

/// Prints what is written.
pub(super) fn print(
    write: impl FnOnce(&mut StdoutLock<'static>) -> io::Result<()>,
) -> Result<(), GuardianError> {
    let mut out = io::stdout().lock();
    write(&mut out)
        .and_then(|()| out.flush())
        .map_err(|error| GuardianError::Unavailable(format!("standard output is closed: {error}")))
}

/// Prints what can be asked for again. A reader that stops reading, as `head` does, has seen enough.
pub(super) fn show(text: &str) -> Result<(), GuardianError> {
    print(|out| match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    })
}

/// Prints rows below their titles, in columns. What is in them may come from any caller, so it is made harmless.
/// Nothing is cut off: an id that is not whole is of no use. On a terminal that is too narrow for the columns each row
/// is printed line by line.
pub(super) fn table<const N: usize>(
    titles: [&str; N],
    rows: &[[String; N]],
) -> Result<(), GuardianError> {
    let rows: Vec<_> = rows.iter().map(|row| row.each_ref().map(|cell| harmless(cell))).collect();
    let text = match columns_of_terminal() {
        Some(columns) => fitted(titles, &rows, columns),
        None => in_columns(titles, &rows, &widths(titles, &rows)),
    };
    show(&text)
}

/// Prints what is known of one thing, a named line each; empty ones are left out. The values may come from any caller,
/// so they are made harmless.
pub(super) fn facts(facts: &[(&str, String)]) -> Result<(), GuardianError> {
    facts_and_texts(facts, &[])
}

/// Prints facts where those of these names are texts that are printed line by line: each line but the first is set in,
/// so that it is no named one.
pub(super) fn facts_and_texts(
    facts: &[(&str, String)],
    texts: &[&str],
) -> Result<(), GuardianError> {
    show(&in_lines(facts, texts, columns_of_terminal()))
}

fn in_lines(facts: &[(&str, String)], texts: &[&str], columns: Option<usize>) -> String {
    let facts: Vec<(&str, Vec<String>)> = facts
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| match texts.contains(name) {
            true => (*name, value.trim_end_matches('\n').split('\n').map(harmless).collect()),
            false => (*name, vec![harmless(value)]),
        })
        .collect();
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lengths = facts.iter().flat_map(|(_, lines)| lines).map(|line| line.chars().count());
    let longest = lengths.max().unwrap_or(0);
    let narrow = columns.filter(|columns| width + BETWEEN.len() + longest > *columns);
    let told = facts.iter().map(|(name, lines)| match (narrow, lines.as_slice()) {
        (Some(columns), [value]) => line(name, value, columns),
        (Some(_), lines) => format!("{name}\n{BETWEEN}{}\n", lines.join("\n  ")),
        (None, lines) => {
            let under = format!("\n{:width$}{BETWEEN}", "");
            format!("{name:width$}{BETWEEN}{}\n", lines.join(&under))
        }
    });
    told.collect()
}

/// The text between two columns.
const BETWEEN: &str = "  ";

fn widths<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> [usize; N] {
    let mut widths = titles.map(|title| title.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths
}

/// Returns the rows as they fit into so many columns of a terminal.
fn fitted<const N: usize>(titles: [&str; N], rows: &[[String; N]], columns: usize) -> String {
    let widths = widths(titles, rows);
    let all = widths.iter().sum::<usize>() + BETWEEN.len() * N.saturating_sub(1);
    if all <= columns {
        return in_columns(titles, rows, &widths);
    }
    let row = |row: &[String; N]| -> String {
        let cells = titles.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
        cells.map(|(title, cell)| line(title, cell, columns)).collect()
    };
    rows.iter().map(row).collect::<Vec<_>>().join("\n")
}

fn in_columns<const N: usize>(
    titles: [&str; N],
    rows: &[[String; N]],
    widths: &[usize; N],
) -> String {
    let titles = titles.map(str::to_owned);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join(BETWEEN).trim_end())
    };
    std::iter::once(&titles).chain(rows).map(line).collect()
}

/// Returns a value after its name; below it, from the first column on, where the line would not hold both.
fn line(name: &str, value: &str, columns: usize) -> String {
    let long = name.chars().count() + BETWEEN.len() + value.chars().count() > columns;
    format!("{name}{}{value}\n", if long { "\n" } else { BETWEEN })
}

/// Returns how wide the terminal is, where standard output is one: as `COLUMNS` says, else as the terminal does.
fn columns_of_terminal() -> Option<usize> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    said.or_else(|| width_of(&out)).filter(|columns| *columns > 0)
}

#[cfg(unix)]
fn width_of(out: &io::Stdout) -> Option<usize> {
    rustix::termios::tcgetwinsize(out).ok().map(|size| size.ws_col.into())
}

#[cfg(not(unix))]
fn width_of(_: &io::Stdout) -> Option<usize> {
    None
}

/// Returns how far from now a point in time is, for people; JSON has the point itself. Without a time the text is
/// empty.
pub(super) fn when(at: Option<Timestamp>) -> String {
    at.map(|at| when_at(at, Timestamp::now())).unwrap_or_default()
}

/// Returns the same, with the point in time after it.
pub(super) fn when_exactly(at: Option<Timestamp>) -> String {
    at.map(|at| format!("{} ({at})", when(Some(at)))).unwrap_or_default()
}

fn when_at(at: Timestamp, now: Timestamp) -> String {
    match at > now {
        true => format!("in {}", duration::say(now.until(at))),
        false => format!("{} ago", duration::say(at.until(now))),
    }
}

/// Prints a value as JSON, over several lines.
pub(super) fn json(value: &impl serde::Serialize) -> Result<(), GuardianError> {
    show(&format!("{}\n", written(value)?))
}

/// Prints as [`json`] does what is shown once: a reader that is gone is an error.
pub(super) fn json_once(value: &impl serde::Serialize) -> Result<(), GuardianError> {
    say(&written(value)?)
}

fn written(value: &impl serde::Serialize) -> Result<String, GuardianError> {
    // On a terminal, what a string of it holds would act as anything else would.
    serde_json::to_string_pretty(value)
        .map(|json| harmless_json(&json))
        .map_err(|error| GuardianError::Unavailable(format!("it cannot be printed: {error}")))
}

/// Writes out what would move the cursor, colour a terminal, turn the reading direction around or not be seen, and all
/// but the first of several spaces: with them a name would fill its line and go on as the next one.
pub(super) fn harmless(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut after_space = false;
    for character in text.chars() {
        match character {
            ' ' if after_space => written.push_str("\\u{20}"),
            _ if acts(character) => written.extend(character.escape_unicode()),
            _ => written.push(character),
        }
        after_space = character == ' ';
    }
    written
}

/// Writes out in JSON what would act on a terminal; it stays JSON, line by line: in a string a line's end is written
/// out already.
pub(super) fn harmless_json(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for character in text.chars() {
        if character != '\n' && acts(character) {
            let units = character.encode_utf16(&mut [0; 2]).to_vec();
            written.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            written.push(character);
        }
    }
    written
}

/// Returns whether it would move the cursor, colour a terminal, turn the reading direction around, or leave no mark.
fn acts(character: char) -> bool {
    // The blank of Braille is a mark to Unicode.
    let leaves_no_mark = is_unseen(character) || character == '\u{2800}';
    // Past the first character the standard library writes out what cannot be printed, and accents stay.
    let cannot_be_printed =
        || String::from_iter(['a', character]).escape_debug().nth(1) == Some('\\');
    match character.is_ascii() {
        true => character.is_control(),
        false => leaves_no_mark || cannot_be_printed(),
    }
}

/// Prints a key in a line of its own, so that a script can take it, and says on standard error that it is shown once.
pub(super) fn secret_once(key: &str) -> Result<(), GuardianError> {
    say(key)?;
    // The key was printed, so an end of standard error is no failure.
    let _ = writeln!(io::stderr(), "note: the key is shown this once");
    Ok(())
}

/// Prints a line.
pub(super) fn say(line: &str) -> Result<(), GuardianError> {
    print(|out| writeln!(out, "{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_a_terminal_is_too_narrow_for_are_printed_line_by_line() {
        let rows = [
            ["apr_1".to_owned(), "refund".to_owned(), String::new()],
            ["apr_0123456789abcdef".to_owned(), "pay".to_owned(), "u".to_owned()],
        ];
        let titles = ["APPROVAL", "TOOL", "UNTIL"];
        let wide = "APPROVAL              TOOL    UNTIL\n\
                    apr_1                 refund\n\
                    apr_0123456789abcdef  pay     u\n";
        assert_eq!(fitted(titles, &rows, 35), wide);
        let narrow = "APPROVAL  apr_1\nTOOL  refund\n\n\
                      APPROVAL\napr_0123456789abcdef\nTOOL  pay\nUNTIL  u\n";
        assert_eq!(fitted(titles, &rows, 20), narrow);
        assert_eq!(fitted(titles, &rows, 34), narrow.replace("APPROVAL\n", "APPROVAL  "));
    }

    #[test]
    fn text_is_printed_line_by_line_and_none_of_them_is_taken_for_a_named_one() {
        let facts = [("task", "a\nb".to_owned()), ("result", "one\ntask  x\u{1b}\n".to_owned())];
        let wide = "task    a\\u{a}b\nresult  one\n        task  x\\u{1b}\n";
        assert_eq!(in_lines(&facts, &["result"], None), wide.replace("task  x", "task \\u{20}x"));
        let narrow = in_lines(&facts, &["result"], Some(10));
        assert!(narrow.ends_with("result\n  one\n  task \\u{20}x\\u{1b}\n"), "{narrow}");
    }

    #[test]
    fn point_in_time_is_told_by_how_far_it_is_from_now() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        for (at, told) in [
            ("2026-01-02T03:13:05Z", "in 9 min"),
            ("2026-01-02T03:01:05Z", "3 min ago"),
            ("2026-01-02T03:04:05Z", "0 s ago"),
            ("2025-12-30T03:04:05Z", "3 days ago"),
        ] {
            assert_eq!(when_at(at.parse().unwrap(), now), told);
        }
        assert_eq!((when(None), when_exactly(None)), (String::new(), String::new()));
        assert!(when_exactly(Some(now)).ends_with(" ago (2026-01-02T03:04:05Z)"));
    }

    #[test]
    fn what_would_act_on_a_terminal_is_written_out() {
        assert_eq!(harmless("refund \u{1b}[2Jé\n"), "refund \\u{1b}[2Jé\\u{a}");
        assert_eq!(harmless("a\u{202e}b\u{9b}c\r"), "a\\u{202e}b\\u{9b}c\\u{d}");
        // A line of its own, a mark that turns the direction, what is not seen, and spaces of other widths.
        for unseen in [
            '\u{2028}',
            '\u{2029}',
            '\u{61c}',
            '\u{200b}',
            '\u{feff}',
            '\u{ad}',
            '\u{e0041}',
            '\u{a0}',
            '\u{3164}',
        ] {
            let written = harmless(&format!("a{unseen}b"));
            assert_eq!(written, format!("a{}b", unseen.escape_unicode()));
        }
        let said = "Ünïcode 名前 e\u{301} \"quoted\" \\ 🦀";
        assert_eq!(harmless(said), said);
        let fills = harmless(&format!("db_read{}EFFECT  read", " ".repeat(60)));
        assert!(!fills.contains("  "), "{fills}");
        let value = serde_json::json!({ "a\u{202e}": "\u{9b}c\\ \"d\"\u{e0041}" });
        let printed = harmless_json(&value.to_string());
        assert!(printed.contains("\\u202e") && printed.contains("\\u009b"), "{printed}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
        let lines = written(&value).unwrap();
        assert!(lines.contains("{\n  \"a\\u202e\": \"\\u009b"), "{lines}");
    }
}
