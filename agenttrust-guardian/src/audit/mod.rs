//! The audit log: what was decided and done, in a chain in which no row can change unseen.
//!
//! Append-only and group-committed: one task owns all writing and puts whatever is waiting into one
//! transaction. [`AuditLog::append`] returns once its row is on disk, [`AuditLog::enqueue`] at once.
//!
//! # What a row may hold
//!
//! Never a tool's input, output or error message, nor a key, token or secret: whoever writes a
//! [`Record`] keeps them out of its body. The log is read by auditors and exported, and a row can never
//! be taken back.
//!
//! # The chain
//!
//! Rows are numbered from 1 without a gap. Each carries the hash of the one before it (the first: 32 zero
//! bytes) and its own, SHA-256 over
//!
//! ```text
//! "agenttrust.audit.v1"                                   19 bytes of ASCII
//! seq                                                     8 bytes, big endian
//! prev_hash                                               32 bytes
//! at, kind, org_id, agent_id, actor, body                 each a field
//!
//! field: 0x00                                             absent (only agent_id and actor can be)
//!      | 0x01, length in bytes (8, big endian), UTF-8     present
//! ```
//!
//! `at` is RFC 3339 in UTC with six decimals, `body` the RFC 8785 (JCS) form of the record's JSON. Because
//! every field carries its length, no two different rows hash alike. [`verify`] walks the chain and names
//! the first row that was changed, removed or moved. Rows removed from the *end* leave a shorter chain that
//! is whole: compare [`Verification::head`] with one noted earlier. The running log itself notices a
//! tail that is not the one it wrote, and stops writing.

mod chain;
mod checkpoint;
mod counting;
mod error;
mod key;
mod notes;
mod read;
mod record;
mod signing;
mod tail;
mod writer;

use std::time::Duration;

pub use self::checkpoint::{Checkpoint, Says};
pub(crate) use self::counting::Counted;
pub use self::error::AuditError;
pub(crate) use self::key::AuditKey;
pub use self::key::{InvalidPublicKey, PublicKey};
pub(crate) use self::notes::Notes;
pub use self::read::{Fault, MAX_PAGE, Verification};
pub(crate) use self::read::{export, list, verify};
pub use self::record::{Entry, MAX_BODY_BYTES, Record};
pub(crate) use self::signing::Signing;
pub use self::writer::AuditLog;

/// What the names of the key and of the noted checkpoints end with, beside a database file.
pub(crate) const AUDIT_KEY: &str = ".audit-key";
pub(crate) const AUDIT_CHECKPOINTS: &str = ".checkpoints";

/// How long the database may take to keep a row.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
