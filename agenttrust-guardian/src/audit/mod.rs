//! The audit log: what was decided and done, in a chain in which no row can change unseen.
//!
//! Append-only and group-committed: one task owns all writing and puts whatever is waiting into one
//! transaction. A plain read is answered once its row has a place in the queue, all else once its row is on
//! disk.
//!
//! # What a row may hold
//!
//! Never a tool's input, output or error message, nor a key, token or secret: the Guardian keeps them out of
//! every body. The log is read by auditors and exported, and a row can never be taken back.
//!
//! # The chain
//!
//! A database file holds one log, whose name is empty. On PostgreSQL each replica writes one of its own,
//! named as the replica, and the command line one named `agenttrust keys`. The rows of a log are numbered
//! from 1 without a gap. Each carries the hash of the one before it and its own, SHA-256 over
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
//! `at` is RFC 3339 in UTC with six decimals, `body` the RFC 8785 (JCS) form of the record's JSON. Because every field
//! carries its length, no two different rows hash alike. The `prev_hash` of the first row is 32 zero bytes in the log
//! without a name. In any other log it is SHA-256 over `agenttrust.audit.log.v1` and the name in UTF-8. So neither a
//! row nor a whole log can be passed off as another log's.
//!
//! # Checkpoints
//!
//! A chain shows that a row was changed, removed, moved or added; it does not show that its end is missing.
//! So the Guardian signs how far it has come. What is signed with Ed25519 is
//!
//! ```text
//! "agenttrust.audit.checkpoint.v2"                        30 bytes of ASCII
//! 0x01 the log reached this row | 0x02 it is cut here
//!    | 0x03 it is not what was written up to this row
//!    | 0x04 an operator accepts it up to this row
//!    | 0x05 its Guardian closed with this row
//!    | 0x06 a command wrote this row                      1 byte
//! seq                                                     8 bytes, big endian
//! hash                                                    32 bytes
//! log, at, log_id                                         each its length (8, big endian) and UTF-8
//! ```
//!
//! `log_id` is random and made with the log: two logs of one name under one key are two. Checkpoints of earlier
//! versions have `v1` and no `log_id`; they are taken over by the log that has what they say.
//!
//! In the database there is a checkpoint of the first rows, after 1,000 rows, after a minute in which there was one,
//! and when the Guardian closes. A file outside of it, one JSON object a line, notes how far the log has come: half a
//! second after a row was written, and when the Guardian closes. That is done beside the writer, so that no check waits
//! for it.
//!
//! # What was seen
//!
//! A Guardian that finds another row in the place of its last one writes no more and decides nothing, whatever is in
//! that place afterwards. It does the same when a walk along its log finds a fault twice. It marks that in the file. So
//! does a start that finds rows changed or added, but not one that finds the end missing, since an older copy lacks
//! that too. With such a mark no Guardian starts and no verification succeeds, until an operator accepts it
//! (`agenttrust audit accept`). Then rows that are whole by themselves stay proven; else the log is proven from its
//! last row on.
//!
//! A last row whose hash is not of what it says is accepted by SHA-256 over `agenttrust.audit.accepted.v1` and both
//! hashes.
//!
//! # Whose a row is
//!
//! Each log has one writer: the Guardian whose it is. Commands (`agenttrust keys`, `audit prune`) add rows to the log
//! of a database file too, and sign each of them (`audit_added`). At its next row, or when it verifies, the Guardian
//! takes rows behind its last one for a command's by such a signature, and for tampering without. So does a start
//! behind a row with which the Guardian closed. Rows behind the last checkpoint of one that was killed may be its own,
//! and are taken for that.
//!
//! Nothing keeps two Guardians of one name from writing one log on PostgreSQL, by turns. A Guardian that finds a
//! checkpoint by its own key behind its last row takes the rows there for those of the other Guardian, since each signs
//! the first row that it writes behind those of another. Nor does one know its rows by a key that ends with its
//! process.
//!
//! Old rows are let go from the first one on. A signed *cut* takes their place, with the number and hash of
//! the last of them, and the chain is verified from there. The newest row of a log always stays.
//!
//! # What is proven, and what is not
//!
//! - An attacker who owns only the database cannot change, remove, move or add a row before the newest checkpoint
//!   *outside* of it without being found. Such a checkpoint is in the file, in a copy of one of its lines, or in the
//!   running Guardian's memory. Verification that compares with nothing from outside finds the same, but for two cases:
//!   an end that is missing together with its checkpoints, and a log that was rewritten from its first row with another
//!   key.
//! - They can change the rows of the last second before a Guardian was killed unseen, and add rows behind these before
//!   the next start, which warns of their numbers. Without a file, they can change all rows after the newest checkpoint
//!   that is kept elsewhere, once the Guardian that wrote them no longer runs.
//! - An attacker who can write the file too can put both back to how they were. They can also remove lines from the end
//!   of the file, and change the rows behind the last one that is left. Only a line that is kept elsewhere shows that.
//! - A person with the audit key *and* the database can rewrite everything that has no checkpoint kept elsewhere. The
//!   key beside a database file is out of reach of an SQL injection and of a copy of the file, but not of the owner of
//!   the folder. Name files elsewhere with `audit-key` and `audit-checkpoints`.
//! - That a row was written does not prove that what it says is so.
//! - The triggers of the tables stop mistakes. Who may drop a trigger is found by the chain.

#[cfg(feature = "cli")]
mod accept;
mod chain;
mod checkpoint;
mod checkpoint_file;
pub(crate) mod commands;
mod counting;
mod error;
mod facts;
mod fault;
mod head;
mod key;
mod log;
mod notary;
mod noted;
mod outage;
mod prune;
mod read;
mod record;
mod refused;
mod shared;
mod signing;
mod standing;
mod tail;
mod trust;
mod verify;
mod writer;

use std::time::Duration;

#[cfg(feature = "cli")]
pub(crate) use self::accept::Acceptance;
pub(crate) use self::checkpoint::Checkpoint;
pub(crate) use self::checkpoint::{before as checkpoints, cut};
pub(crate) use self::checkpoint_file::CheckpointFile;
#[cfg(feature = "cli")]
pub(crate) use self::checkpoint_file::each_noted;
pub(crate) use self::error::AuditError;
#[cfg(feature = "cli")]
pub(crate) use self::error::named;
pub(crate) use self::facts::{FACTS_HOLD, FactsDigest};
pub(crate) use self::key::AuditKey;
#[cfg(feature = "cli")]
pub(crate) use self::key::PublicKey;
pub(crate) use self::log::{AuditLog, Written};
#[cfg(feature = "cli")]
pub(crate) use self::noted::Noted;
pub(crate) use self::prune::Plan;
pub(crate) use self::read::MAX_PAGE;
pub(crate) use self::read::{Readable, before, heads, last, list, list_each, logs};
#[cfg(feature = "cli")]
pub(crate) use self::read::{export, newest};
pub(crate) use self::record::Row;
pub(crate) use self::record::{Counted, Entry, Record};
pub(crate) use self::signing::Signing;
pub(crate) use self::trust::Trust;
pub(crate) use self::verify::Verification;
pub(crate) use self::verify::{verify, verify_all};

/// The largest length of the canonical form of a body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 64 << 10;
/// The endings of the names of the key and of the noted checkpoints, beside a database file.
pub(crate) const AUDIT_KEY: &str = ".audit-key";
pub(crate) const AUDIT_CHECKPOINTS: &str = ".checkpoints";

/// The time that the database, or the file of checkpoints, may take to write or compare a row.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
