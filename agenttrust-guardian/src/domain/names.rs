//! What may be a name or an id. Beyond this they are opaque and compared byte for byte.

use agenttrust::internal::{NAME_MAX_BYTES, REASON_MAX_CHARS};
use serde_json::Value;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::domain::{Error, is_unseen, looks_like_space};

/// The longest place in a source (a file, a module), in bytes.
const LINE_MAX_BYTES: usize = 1_000;
/// The longest free text (a reason), in bytes.
const TEXT_MAX_BYTES: usize = 2_000;
/// The longest list of names ...
const NAMES_MOST: usize = 256;
/// ... and the most that it may take as JSON, in bytes. Every list that a caller sends ends up in a row
/// of the audit, and no row may hold two of them that do not fit.
const NAMES_MAX_BYTES: usize = 16 << 10;
/// The longest input that is shown to an approver, as JSON, in bytes.
const INPUT_MAX_BYTES: usize = 64 << 10;
/// The depth to which an input may nest.
const INPUT_MAX_DEPTH: usize = 32;

/// Refuses an empty name, one over 200 bytes, and one with control characters.
pub(crate) fn check_name(field: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::invalid(field, "is empty; give it a value"));
    }
    if name.len() > NAME_MAX_BYTES {
        let long = format!("is {} bytes long; {NAME_MAX_BYTES} is the most", name.len());
        return Err(Error::invalid(field, long));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid(field, "holds a control character; remove it"));
    }
    Ok(())
}

/// Checks a name as [`check_name`] and [`check_seen`] do, and refuses what looks like another spelling of it. It is for
/// what is known by its name: of two owners whose names look the same, each would count as an approver.
pub(crate) fn check_distinct_name(field: &str, name: &str) -> Result<(), Error> {
    check_name(field, name)?;
    check_seen(field, name)?;
    if let Some(looks_alike) = name.chars().find(|c| looks_like_space(*c)) {
        let write = format!("holds {}; write a plain space", looks_alike.escape_unicode());
        return Err(Error::invalid(field, write));
    }
    if name.contains("  ") {
        return Err(Error::invalid(field, "has several spaces in a row; write one"));
    }
    if !is_nfc(name) {
        let composed: String = name.nfc().collect();
        let write = format!("is not in normal form (NFC of Unicode); write {composed:?}");
        return Err(Error::invalid(field, write));
    }
    Ok(())
}

/// Refuses a name with what people do not see: spaces around it, and characters that are invisible or turn the text
/// that follows. With them it would look like another one.
pub(crate) fn check_seen(field: &str, name: &str) -> Result<(), Error> {
    if name.trim() != name {
        return Err(Error::invalid(field, "has spaces around it; leave them out"));
    }
    match name.chars().find(|c| is_unseen(*c)) {
        Some(unseen) => Err(Error::invalid(
            field,
            format!("holds {}, which people do not see; remove it", unseen.escape_unicode()),
        )),
        None => Ok(()),
    }
}

/// Checks each name of a list by [`check_name`]; the field at fault is named with its place. The list itself has at
/// most 256 entries and 16 KiB.
pub(crate) fn check_names<S: AsRef<str>>(field: &str, names: &[S]) -> Result<(), Error> {
    if names.len() > NAMES_MOST {
        let many = format!("has {} entries; {NAMES_MOST} is the most", names.len());
        return Err(Error::invalid(field, many));
    }
    let bytes: usize = names.iter().map(|name| json_bytes(name.as_ref())).sum();
    if bytes > NAMES_MAX_BYTES {
        let long = format!("is {bytes} bytes long in all; {NAMES_MAX_BYTES} is the most");
        return Err(Error::invalid(field, long));
    }
    for (place, name) in names.iter().enumerate() {
        check_name(&format!("{field}[{place}]"), name.as_ref())?;
    }
    Ok(())
}

/// Refuses a capability that looks as if it covered something and does not, with the spelling that would: a name with
/// outer spaces, and the layer's HTTP tools in the notation of other names.
pub(crate) fn check_capability(field: &str, capability: &str) -> Result<(), Error> {
    let trimmed = capability.trim_matches(' ');
    if trimmed != capability {
        return Err(Error::invalid(
            field,
            match trimmed {
                "" => "is blank, and covers no tool; name one, as in `files:read`".to_owned(),
                name => format!("has spaces around it, and covers no tool; write {name:?}"),
            },
        ));
    }
    let ("http", rest) = capability.split_once(':').unwrap_or((capability, "*")) else {
        return Ok(());
    };
    let write = match rest {
        "*" => "http/*".to_owned(),
        "read" => "http/GET/*".to_owned(),
        method => format!("http/{}/*", method.to_uppercase()),
    };
    Err(Error::invalid(
        field,
        format!(
            "is {capability:?}, which covers no HTTP tool, because those are named http/METHOD/route; write \
             {write:?}, or the tool itself as in `http/GET/notes`"
        ),
    ))
}

/// The number of names of a list that a sentence spells out.
const SPELT_MOST: usize = 5;

/// Returns a list as a sentence has it: the first names, and how many more there are. All of a long one would leave no
/// room for the rest of the row of the audit that says why something was denied.
pub(crate) fn spelt<S: AsRef<str>>(names: &[S]) -> String {
    let first: Vec<&str> = names.iter().take(SPELT_MOST).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(SPELT_MOST) {
        0 => format!("{first:?}"),
        more => format!("{first:?} (and {more} more)"),
    }
}

/// Refuses a place in a source that is over 1,000 bytes long or holds a control character.
pub(crate) fn check_line(field: &str, line: &str) -> Result<(), Error> {
    if line.len() > LINE_MAX_BYTES {
        let long = format!("is {} bytes long; {LINE_MAX_BYTES} is the most", line.len());
        return Err(Error::invalid(field, long));
    }
    if line.chars().any(char::is_control) {
        return Err(Error::invalid(field, "holds a control character; remove it"));
    }
    Ok(())
}

/// Refuses a text for people that is over 2,000 bytes long, or holds what no database keeps as text.
pub(crate) fn check_text(field: &str, text: &str) -> Result<(), Error> {
    if text.len() > TEXT_MAX_BYTES {
        let long = format!("is {} bytes long; {TEXT_MAX_BYTES} is the most", text.len());
        return Err(Error::invalid(field, long));
    }
    if text.contains('\0') {
        return Err(Error::invalid(field, "holds a NUL character; remove it"));
    }
    Ok(())
}

/// Refuses a reason that is too long to be read, or that would write over a terminal.
pub(crate) fn check_reason(field: &str, reason: &str) -> Result<(), Error> {
    let chars = reason.chars().count();
    if chars > REASON_MAX_CHARS {
        let long = format!("has {chars} characters; {REASON_MAX_CHARS} is the most, so say less");
        return Err(Error::invalid(field, long));
    }
    if reason.chars().any(char::is_control) {
        return Err(Error::invalid(
            field,
            "holds a control character, such as the end of a line or one that colours a terminal; remove it",
        ));
    }
    Ok(())
}

/// Refuses an input that no approver could be shown: over 64 KiB, or nested deeper than 32.
pub(crate) fn check_input(field: &str, input: &Value) -> Result<(), Error> {
    if !is_within(input, INPUT_MAX_DEPTH) {
        let deep = format!("is nested deeper than {INPUT_MAX_DEPTH}, which no approver could read");
        return Err(Error::invalid(field, deep));
    }
    let bytes = input.to_string().len();
    if bytes > INPUT_MAX_BYTES {
        let long = format!("is {bytes} bytes long; {INPUT_MAX_BYTES} is the most");
        return Err(Error::invalid(field, long));
    }
    Ok(())
}

/// Returns whether `value` nests at most this deep.
pub(crate) fn is_within(value: &Value, depth: usize) -> bool {
    let Some(below) = depth.checked_sub(1) else { return false };
    match value {
        Value::Array(items) => items.iter().all(|item| is_within(item, below)),
        Value::Object(fields) => fields.values().all(|field| is_within(field, below)),
        _ => true,
    }
}

/// Returns what a name takes in a JSON list: quotes, comma and escapes count too.
fn json_bytes(name: &str) -> usize {
    const AROUND: usize = "\"\",".len();
    let escapes = name.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    name.len().saturating_add(escapes).saturating_add(AROUND)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_list_is_spelt_in_part_and_says_how_much_is_left() {
        let names: Vec<String> = (0..256).map(|n| n.to_string()).collect();
        assert_eq!(spelt(&names[..0]), "[]");
        assert_eq!(spelt(&names[..5]), r#"["0", "1", "2", "3", "4"]"#);
        assert_eq!(spelt(&names), r#"["0", "1", "2", "3", "4"] (and 251 more)"#);
    }

    #[test]
    fn name_is_refused_only_when_empty_long_or_with_control_characters() {
        for good in ["a", "a/b", "../x", "käse", "🙂", "http/DELETE/{id}"] {
            assert!(check_name("tool", good).is_ok(), "{good}");
        }
        for bad in ["", "a\nb", "a\0", "\u{7f}", &"x".repeat(201), &"🙂".repeat(51)] {
            let error = check_name("tool", bad).unwrap_err();
            assert!(error.message().starts_with("tool "), "{}", error.message());
        }
    }

    #[test]
    fn owner_that_looks_like_another_one_is_refused() {
        for good in
            ["alice", "Alice B. Example", "alice@example.com", "Jos\u{e9}", "\u{5c71}\u{7530}"]
        {
            assert!(check_distinct_name("owner", good).is_ok(), "{good}");
        }
        for (bad, says) in [
            (" alice", "spaces around"),
            ("alice\u{a0}", "spaces around"),
            ("ali\nce", "control character"),
            ("ali\u{200b}ce", "\\u{200b}"),
            ("ali\u{ad}ce", "\\u{ad}"),
            ("\u{202e}alice", "\\u{202e}"),
            ("alice\u{fe0f}", "\\u{fe0f}"),
            ("alice\u{600}", "\\u{600}"),
            ("alice\u{13430}", "\\u{13430}"),
            ("alice\u{a0}b", "\\u{a0}; write a plain space"),
            ("alice\u{2003}b", "\\u{2003}; write a plain space"),
            ("alice\u{3000}b", "\\u{3000}; write a plain space"),
            ("alice\u{2800}b", "\\u{2800}; write a plain space"),
            ("alice  b", "several spaces"),
            ("Jose\u{301}", "write \"Jos\u{e9}\""),
            ("\u{212b}ngstr\u{f6}m", "write \"\u{c5}ngstr\u{f6}m\""),
        ] {
            let error = check_distinct_name("owner", bad).unwrap_err();
            assert!(error.message().starts_with("owner "), "{}", error.message());
            assert!(error.message().contains(says), "{bad:?}: {}", error.message());
        }
    }

    #[test]
    fn list_is_refused_when_a_row_of_the_audit_could_not_hold_two_of_it() {
        assert!(check_names("scopes", &vec!["x".repeat(60); 256]).is_ok());
        let quotes = vec!["\"".repeat(200); 40];
        assert!(check_names("scopes", &quotes).is_ok());
        assert!(json!([quotes, quotes]).to_string().len() < crate::audit::MAX_BODY_BYTES);
        for bad in
            [vec!["x".to_owned(); 257], vec!["x".repeat(200); 81], vec!["\"".repeat(200); 41]]
        {
            let error = check_names("scopes", &bad).unwrap_err();
            assert!(error.message().starts_with("scopes "), "{}", error.message());
        }
    }

    #[test]
    fn input_is_refused_only_when_nobody_could_read_it() {
        let nested = |depth: usize| {
            let brackets = "[".repeat(depth) + &"]".repeat(depth);
            serde_json::from_str::<Value>(&brackets).unwrap()
        };
        assert!(check_input("input", &nested(32)).is_ok());
        assert!(check_input("input", &json!("x".repeat(60_000))).is_ok());
        for bad in [nested(33), json!("x".repeat(70_000))] {
            let error = check_input("input", &bad).unwrap_err();
            assert!(error.message().starts_with("input is "), "{}", error.message());
        }
    }
}
