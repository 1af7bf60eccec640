//! What a document shows beside commands: what is printed, and files.

use super::{Block, is_a_file};

/// Returns what is shown and was neither printed in a world nor used by a scene of one.
pub(super) fn faults(blocks: &[Block<'_>], said: &str) -> Vec<String> {
    let shown = blocks.iter().filter(|block| is_a_file(block));
    let fault = |block: &Block<'_>| {
        let is_used = said.lines().any(|line| line == format!("used: {}", block.place));
        if is_used || (block.language() == "text" && is_printed(&block.code, said)) {
            return None;
        }
        let what = if block.language() == "text" { "printed" } else { "used by a scene" };
        Some(format!("{}: this was not {what}:\n{}", block.place, block.code))
    };
    shown.filter_map(fault).collect()
}

/// Returns whether lines were printed one after the other. Digits stand for any number, `…` for anything.
fn is_printed(lines: &str, said: &str) -> bool {
    let expected: Vec<String> = lines.lines().map(without_digits).collect();
    let said: Vec<String> = said.lines().map(without_digits).collect();
    said.windows(expected.len())
        .any(|window| window.iter().zip(&expected).all(|(line, expected)| is_like(line, expected)))
}

fn without_digits(line: &str) -> String {
    let mut found = String::new();
    for letter in line.trim().chars() {
        if !letter.is_ascii_digit() {
            found.push(letter);
        } else if !found.ends_with('0') {
            found.push('0');
        }
    }
    found
}

fn is_like(line: &str, expected: &str) -> bool {
    let mut parts = expected.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut is_exact = true;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
        is_exact = !part.is_empty();
    }
    rest.is_empty() || !is_exact
}

#[test]
fn what_is_shown_has_to_be_printed() {
    let said = "one sk_live_abc\nlistening on http://127.0.0.1:49152\n";
    for shown in ["one sk_live_…\n", "one sk_live_…\nlistening on http://127.0.0.1:8080\n", "o…c\n"]
    {
        assert!(is_printed(shown, said), "{shown}");
    }
    for shown in ["two\n", "one\n", "listening on http://127.0.0.1:80\none …\n", "…b\n"] {
        assert!(!is_printed(shown, said), "{shown}");
    }
}
