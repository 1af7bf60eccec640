//! One event is one line. Names, paths and what a database says come from elsewhere, and a line break
//! in them must not begin a line that this program never wrote.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

/// A writer to standard error.
#[derive(Clone, Copy, Debug)]
pub(super) struct OneLine {
    /// Whether events come with escapes that colour them; those in fields are written out already.
    pub(super) coloured: bool,
}

impl<'a> MakeWriter<'a> for OneLine {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

impl Write for OneLine {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr()
            .write_all(one_line(&String::from_utf8_lossy(event), self.coloured).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Returns the event with everything in it written out that could end its line, or drive a terminal.
fn one_line(event: &str, coloured: bool) -> String {
    let (text, end) = event.strip_suffix('\n').map_or((event, ""), |text| (text, "\n"));
    let mut line = String::with_capacity(event.len());
    for letter in text.chars() {
        let breaks = matches!(letter, '\u{2028}' | '\u{2029}');
        let colour = coloured && letter == '\u{1b}';
        if breaks || (letter.is_control() && !colour) {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line.push_str(end);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_with_line_breaks_is_one_line() {
        let event = "WARN refused by \"x\"\r\nINFO all is \u{2028}well\n";
        let line = "WARN refused by \"x\"\\r\\nINFO all is \\u{2028}well\n";
        assert_eq!(one_line(event, false), line);
        assert_eq!(one_line(event, true), line);
        assert_eq!(one_line("half", false), "half");
        assert_eq!(one_line("", false), "");
    }

    #[test]
    fn event_drives_no_terminal_unless_it_is_the_one_that_colours_it() {
        let event = "\u{1b}[31mWARN\u{1b}[0m \u{7}\u{9b}2J\n";
        assert_eq!(one_line(event, false), "\\u{1b}[31mWARN\\u{1b}[0m \\u{7}\\u{9b}2J\n");
        assert_eq!(one_line(event, true), "\u{1b}[31mWARN\u{1b}[0m \\u{7}\\u{9b}2J\n");
    }
}
