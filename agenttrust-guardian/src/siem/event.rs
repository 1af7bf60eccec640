//! A row of the audit in the form in which it is sent.

use agenttrust::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::audit_row::AuditRow;
use super::kinds::KindRow;
use super::ocsf;
use crate::audit::Entry;
use crate::domain::EventFormat;

/// The number of digits of a row's hash in its id.
const ID_DIGITS: usize = 32;

/// An event as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SiemEvent {
    /// The same however often it is sent: `evt_` and the first 32 digits of the row's hash.
    pub(crate) id: String,
    /// The time when the row was written.
    pub(crate) at: Timestamp,
    /// The kind of the event, in the audit's word.
    pub(crate) kind: String,
    /// The severity of the event, as OCSF counts: 1 informational, 2 low, 3 medium, 4 high.
    pub(crate) severity: u8,
    /// The event as one JSON object, without a line break.
    pub(crate) json: String,
}

/// The reason why a row cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unencodable {
    /// Its time cannot be read.
    #[error(
        "row {seq} of the audit log {log:?} says {at:?} for its time, which is not RFC 3339; verify the audit, for the \
         Guardian writes no such row"
    )]
    Time { log: String, seq: u64, at: String },
    /// Its body is not a JSON object.
    #[error(
        "the body of row {seq} of the audit log {log:?} is not a JSON object; verify the audit, for the Guardian writes \
         no such row"
    )]
    Body { log: String, seq: u64 },
    /// A row without an id, because its hash cannot be read.
    #[error(
        "the hash of row {seq} of the audit log {log:?} is not 64 hexadecimal digits; verify the audit, for the \
         Guardian writes no such row"
    )]
    Hash { log: String, seq: u64 },
    /// A row that cannot be written as JSON.
    #[error("row {seq} of the audit log {log:?} cannot be written as JSON: {error}")]
    Json { log: String, seq: u64, error: String },
}

/// A row as the audit shows it, with the id of its event.
#[derive(Debug, Serialize)]
struct Raw<'a> {
    id: &'a str,
    #[serde(flatten)]
    entry: &'a Entry,
}

/// Writes a row in this form. The same row becomes the same event each time.
///
/// # Errors
///
/// [`Unencodable`] where the row is not as the Guardian writes one.
pub(crate) fn encode(entry: &Entry, format: EventFormat) -> Result<SiemEvent, Unencodable> {
    let (log, seq) = (|| entry.log.clone(), entry.seq);
    let at: Timestamp = entry.at.parse().map_err(|_| Unencodable::Time {
        log: log(),
        seq,
        at: entry.at.clone(),
    })?;
    let Value::Object(body) = &entry.body else {
        return Err(Unencodable::Body { log: log(), seq });
    };
    let id = id(&entry.hash).ok_or_else(|| Unencodable::Hash { log: log(), seq })?;
    let audit_row = AuditRow { entry, body, row: KindRow::of(&entry.kind), at, id: &id };
    let json = match format {
        EventFormat::Ocsf => serde_json::to_string(&ocsf::event(&audit_row)),
        EventFormat::Raw => serde_json::to_string(&Raw { id: &id, entry }),
    };
    let json =
        json.map_err(|error| Unencodable::Json { log: log(), seq, error: error.to_string() })?;
    let severity = ocsf::severity(&audit_row);
    Ok(SiemEvent { id, at, kind: entry.kind.clone(), severity, json })
}

fn id(hash: &str) -> Option<String> {
    let is_hash = hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
    let digits = hash.get(..ID_DIGITS).filter(|_| is_hash)?;
    Some(format!("evt_{digits}"))
}
