//! What the examples print: sections, and in each what was tried → what happened.

use std::fmt::Display;

/// Lines stay below 100 columns, so that they fit a README.
const WIDTH: usize = 98;
const TRIED: usize = 33;

/// Begins a section.
pub fn section(title: &str) {
    println!("\n{title}");
}

/// Prints one step of a section: what was tried, and beside it, wrapped, what happened.
pub fn step(tried: impl Display, happened: impl Display) {
    let column = format!("  {:<TRIED$} → ", tried.to_string());
    let indent = column.chars().count();
    let mut line = column;
    let mut filled = indent;
    for word in happened.to_string().split_whitespace() {
        let length = word.chars().count();
        if filled > indent && filled + length > WIDTH {
            println!("{}", line.trim_end());
            line = " ".repeat(indent);
            filled = indent;
        }
        line.push_str(word);
        line.push(' ');
        filled += length + 1;
    }
    println!("{}", line.trim_end());
}

/// Returns the end of an id, enough to tell one from another: `apr_…4f2a9c`.
#[must_use]
pub fn short(id: &str) -> String {
    match (id.split_once('_'), id.len()) {
        (Some((kind, name)), 12..) if name.is_ascii() => {
            format!("{kind}_…{}", &name[name.len().saturating_sub(6)..])
        }
        _ => id.to_owned(),
    }
}
