//! The audit: what happened, row by row, and whether that is still what was written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::word::wire_words;

/// One row of an audit log.
///
/// Written as JSON it is a line of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// Which log it is of: empty on SQLite, which has one; on PostgreSQL the name of a replica.
    #[serde(default)]
    pub log: String,
    /// Its number in that log; the first is 1.
    pub seq: u64,
    /// When it was written, in RFC 3339: the very text that was hashed.
    #[serde(default)]
    pub at: String,
    /// What happened, such as `decision` or `approval.opened`.
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
    /// Its own hash, in hexadecimal.
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
    /// Where the next page begins: what to give [`AuditFilter::after`](crate::client::AuditFilter::after).
    /// `None` when nothing is left.
    #[serde(default)]
    pub next_after: Option<u64>,
}

/// One audit log: on SQLite there is one, on PostgreSQL one for each replica.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct AuditLog {
    /// Its name; empty on SQLite.
    #[serde(default)]
    pub log: String,
    /// Whether the Guardian that answered writes it.
    #[serde(default)]
    pub own: bool,
    /// The number of its newest row.
    #[serde(default)]
    pub newest: Option<u64>,
    /// When that was written, in RFC 3339.
    #[serde(default)]
    pub newest_at: Option<String>,
}

wire_words! {
    /// What a checkpoint says of a log.
    pub enum AuditCheckpointSays as "word of an audit checkpoint" {
        /// It had come to this row.
        Reached = "reached",
        /// Its rows up to this one were let go.
        Cut = "cut",
        /// A Guardian saw that it was not what it had written up to this row.
        Broken = "broken",
        /// An operator accepted its rows up to this one as they are.
        Accepted = "accepted",
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
    /// Which log.
    #[serde(default)]
    pub log: String,
    /// The identity of that log; `None` in a checkpoint of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_id: Option<String>,
    /// What it says of that.
    #[serde(default)]
    pub says: AuditCheckpointSays,
    /// Which row.
    pub seq: u64,
    /// That row's hash, in hexadecimal.
    #[serde(default)]
    pub hash: String,
    /// When it was signed, in RFC 3339: the very text that was signed.
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
    /// Where the log begins, if its first rows were let go.
    #[serde(default)]
    pub cut: Option<AuditCheckpoint>,
    /// The checkpoints, the newest first.
    #[serde(default)]
    pub checkpoints: Vec<AuditCheckpoint>,
    /// Where the next page begins: what to give
    /// [`CheckpointFilter::before`](crate::client::CheckpointFilter::before). `None` when nothing is left.
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
    /// How many rows were read, in all logs.
    #[serde(default)]
    pub rows: u64,
    /// The hash of the last row of the log that this Guardian writes, in hexadecimal.
    #[serde(default)]
    pub head: String,
    /// The first fault.
    #[serde(default)]
    pub fault: Option<AuditFault>,
    /// What was found in each log.
    #[serde(default)]
    pub logs: Vec<AuditLogVerification>,
}

/// Whether one audit log is as it was written.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct AuditLogVerification {
    /// Its name; empty on SQLite.
    #[serde(default)]
    pub log: String,
    /// How many of its rows are whole, from the first one on.
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
    /// Its first fault; `None` when it is whole.
    #[serde(default)]
    pub fault: Option<AuditFault>,
}

/// The first place where an audit log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct AuditFault {
    /// Which log.
    #[serde(default)]
    pub log: String,
    /// The row that is changed, missing or out of place.
    #[serde(default)]
    pub seq: u64,
    /// What is wrong with it.
    #[serde(default)]
    pub what: String,
}
