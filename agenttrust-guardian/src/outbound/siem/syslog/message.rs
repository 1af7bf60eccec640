//! A message of syslog, as RFC 5424 has it.
//!
//! A message is `<PRI>1 TIME HOST agenttrust - KIND [origin software="agenttrust" swVersion="…"] EVENT`. The facility
//! is 13, "log audit"; the severity follows that of OCSF:
//!
//! | OCSF's `severity_id` | syslog |
//! |---|---|
//! | 0 unknown, 1 informational, 99 other | 6 informational |
//! | 2 low | 5 notice |
//! | 3 medium | 4 warning |
//! | 4 high | 3 error |
//! | 5 critical | 2 critical |
//! | 6 fatal | 1 alert |
//!
//! The event is JSON in ASCII: what is not is escaped as JSON has it, so that no receiver has to guess an encoding, and
//! no control character is in it.

use std::fmt::Write;

use crate::siem::SiemEvent;

/// "Log audit".
const FACILITY: u8 = 13;
/// The longest name of a host, and of a kind of message.
const HOST_MAX: usize = 255;
const MESSAGE_ID_MAX: usize = 32;

/// Returns what is sent of an event.
pub(super) fn message(event: &SiemEvent, host: &str) -> String {
    let priority = FACILITY * 8 + severity(event.severity);
    let version = env!("CARGO_PKG_VERSION");
    let mut message = format!(
        "<{priority}>1 {} {} agenttrust - {} [origin software=\"agenttrust\" swVersion=\"{version}\"] ",
        event.at,
        header(host, HOST_MAX),
        header(&event.kind, MESSAGE_ID_MAX),
    );
    ascii(&event.json, &mut message);
    message
}

/// Returns Syslog's number for how grave an event is.
fn severity(of_ocsf: u8) -> u8 {
    match of_ocsf {
        2 => 5,
        3 => 4,
        4 => 3,
        5 => 2,
        6 => 1,
        _ => 6,
    }
}

/// Returns a text as a member of the header: no space, nothing but ASCII that is printed, and something.
fn header(text: &str, most: usize) -> String {
    let kept = |letter: char| if letter.is_ascii_graphic() { letter } else { '_' };
    match text.is_empty() {
        true => "-".to_owned(),
        false => text.chars().take(most).map(kept).collect(),
    }
}

/// Writes JSON so that it is ASCII: only texts in it hold anything else, and there it may be escaped.
fn ascii(json: &str, out: &mut String) {
    let mut units = [0; 2];
    for letter in json.chars() {
        if letter.is_ascii() && letter != '\u{7f}' {
            out.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut units) {
            // Writing to a text does not fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
}
