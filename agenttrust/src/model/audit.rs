//! The audit: what happened, row by row, and whether that is still what was written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::word::wire_words;

/// A row of an audit log.
///
/// Written as JSON it is a line of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// The log's name: empty on SQLite, which has one log; on PostgreSQL the name of a replica.
    #[serde(default)]
    pub log: String,
    /// The row's number in that log; the first is 1.
    pub seq: u64,
    /// The time when the row was written, in RFC 3339: the very text that was hashed.
    #[serde(default)]
    pub at: String,
    /// The kind of the event, such as `decision`, `outcome` or `approval.approved`. A call that begins to wait is a
    /// `decision` whose body has `approval_opened`.
    #[serde(default)]
    pub kind: String,
    /// The organisation that it happened in.
    #[serde(default)]
    pub org_id: String,
    /// The agent that it is about.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// The id of the key that did it.
    #[serde(default)]
    pub actor: Option<String>,
    /// The particulars. What was hashed is their RFC 8785 form.
    #[serde(default)]
    pub body: Value,
    /// The hash of the row before it, in hexadecimal.
    #[serde(default)]
    pub prev_hash: String,
    /// The row's hash, in hexadecimal.
    #[serde(default)]
    pub hash: String,
}

/// A page of an audit log.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct AuditPage {
    /// The entries, the oldest first. There may be none on a page that has others after it: what belongs to
    /// other organisations is left out.
    #[serde(default)]
    pub entries: Vec<AuditEntry>,
    /// The position of the next page, for [`AuditFilter::after`](crate::client::AuditFilter::after). `None` when
    /// nothing is left.
    #[serde(default)]
    pub next_after: Option<u64>,
}

/// An audit log: on SQLite there is one, on PostgreSQL one for each replica.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct AuditLog {
    /// The log's name; empty on SQLite.
    #[serde(default)]
    pub log: String,
    /// Whether the Guardian that answered writes it.
    #[serde(default)]
    pub own: bool,
    /// The number of its newest row.
    #[serde(default)]
    pub newest: Option<u64>,
    /// The time when that row was written, in RFC 3339.
    #[serde(default)]
    pub newest_at: Option<String>,
}

wire_words! {
    /// The statement of a checkpoint about a log.
    pub enum AuditCheckpointSays as "word of an audit checkpoint" {
        /// The log had come to this row.
        Reached = "reached",
        /// The log's rows up to this one were let go.
        Cut = "cut",
        /// A Guardian saw that it was not what it had written up to this row.
        Broken = "broken",
        /// An operator accepted its rows up to this one as they are.
        Accepted = "accepted",
        /// The log ended with this row when its Guardian closed.
        Closed = "closed",
        /// A command wrote this row.
        Added = "added",
    }
    default = Unknown;
}

/// A signed statement of how far an audit log had come, or of where it begins now.
///
/// Kept outside of the Guardian's machine, one shows later whether rows were removed from the end or all was
/// rewritten; written as JSON it is what `agenttrust audit verify` takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditCheckpoint {
    /// The log's name; empty on SQLite.
    #[serde(default)]
    pub log: String,
    /// The identity of that log; `None` in a checkpoint of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_id: Option<String>,
    /// The checkpoint's statement about that row.
    #[serde(default)]
    pub says: AuditCheckpointSays,
    /// The row's number.
    pub seq: u64,
    /// The row's hash, in hexadecimal.
    #[serde(default)]
    pub hash: String,
    /// The time when the checkpoint was signed, in RFC 3339: the very text that was signed.
    #[serde(default)]
    pub at: String,
    /// The public key that signed (Ed25519), in hexadecimal.
    #[serde(default)]
    pub key: String,
    /// The signature, in hexadecimal.
    #[serde(default)]
    pub signature: String,
}

/// Checkpoints of an audit log.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct AuditCheckpoints {
    /// The public key by which this Guardian's checkpoints are verified (Ed25519), in hexadecimal.
    #[serde(default)]
    pub key: Option<String>,
    /// The cut at which the log begins, if its first rows were let go.
    #[serde(default)]
    pub cut: Option<AuditCheckpoint>,
    /// The checkpoints, the newest first.
    #[serde(default)]
    pub checkpoints: Vec<AuditCheckpoint>,
    /// The position of the next page, for [`CheckpointFilter::before`](crate::client::CheckpointFilter::before). `None`
    /// when nothing is left.
    #[serde(default)]
    pub next_before: Option<u64>,
}

/// Whether the audit is as it was written.
#[derive(Clone, Debug, Default, Deserialize)]
#[non_exhaustive]
pub struct AuditVerification {
    /// Whether every log is whole. An answer that does not say reads as `false`.
    #[serde(default)]
    pub ok: bool,
    /// The number of rows that were read, in all logs.
    #[serde(default)]
    pub rows: u64,
    /// The hash of the last row of the log that this Guardian writes, in hexadecimal.
    #[serde(default)]
    pub head: String,
    /// The first fault.
    #[serde(default)]
    pub fault: Option<AuditFault>,
    /// The result for each log.
    #[serde(default)]
    pub logs: Vec<AuditLogVerification>,
}

/// Whether one audit log is as it was written.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct AuditLogVerification {
    /// The log's name; empty on SQLite.
    #[serde(default)]
    pub log: String,
    /// The number of the log's rows that are whole, from the first one on.
    #[serde(default)]
    pub rows: u64,
    /// The hash of the last of those, in hexadecimal.
    #[serde(default)]
    pub head: String,
    /// The row up to which it was let go.
    #[serde(default)]
    pub cut: Option<u64>,
    /// The row up to which an operator accepted it as it is; row 0 where none was wrong.
    #[serde(default)]
    pub accepted: Option<u64>,
    /// The newest row that a checkpoint vouches for.
    #[serde(default)]
    pub signed: Option<u64>,
    /// The public keys that signed, in hexadecimal.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The log's first fault; `None` when it is whole.
    #[serde(default)]
    pub fault: Option<AuditFault>,
}

/// The first place where an audit log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct AuditFault {
    /// The log's name; empty on SQLite.
    #[serde(default)]
    pub log: String,
    /// The row that is changed, missing or out of place.
    #[serde(default)]
    pub seq: u64,
    /// The fault in the row.
    #[serde(default)]
    pub what: String,
}
