//! What can go wrong with the log; whoever sees one while deciding denies.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The audit log could not take or give a row.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AuditError {
    /// The database refused; the row is not in the log.
    #[error(
        "the audit log cannot be written ({0}); check that the database takes writes and has room on its disk"
    )]
    Unwritable(#[source] Arc<sqlx::Error>),
    /// The database did not answer. The row may be in the log: that is found out before the next one
    /// is written.
    #[error(
        "the audit log cannot be written: the database said nothing for {} seconds; check that it runs \
         and can be reached",
        super::PATIENCE.as_secs()
    )]
    Silent,
    /// An earlier write did not succeed and none has since.
    #[error(
        "the audit log cannot be written at present; the Guardian's log says why, and it tries again by itself"
    )]
    Unhealthy,
    /// The log was closed; the Guardian is going down.
    #[error(
        "the audit log is closed because the Guardian is going down; ask again when it is back"
    )]
    Closed,
    /// The last row in the database is not the one that this log wrote.
    #[error(
        "the audit log{} was changed from outside at row {seq}; keep the database as it is and run \
         `agenttrust audit verify`",
        named(log)
    )]
    Tampered {
        /// Which log; empty on SQLite.
        log: String,
        /// The row that is gone or different.
        seq: u64,
    },
    /// A checkpoint says that the log had come further, or elsewhere, than the database has it.
    #[error(
        "the audit log{} had come to row {seq} by {at}, says a checkpoint in {place}, and the database \
         has no such row: rows were removed from its end, or it is an older copy; run `agenttrust \
         audit verify`, and `agenttrust audit accept` only if you put the older copy there yourself",
        named(log)
    )]
    Truncated {
        /// Which log; empty on SQLite.
        log: String,
        /// The row that is gone or different.
        seq: u64,
        /// When the checkpoint was signed.
        at: String,
        /// Where it was noted.
        place: String,
    },
    /// A Guardian saw that the log was changed, and no operator has accepted that.
    #[error(
        "the audit log{} was changed from outside: a Guardian saw at {at} that it was not what it had written up \
         to row {seq}, says its mark in {place}; keep a copy of the database, run `agenttrust audit verify`, and \
         `agenttrust audit accept` to go on with it",
        named(log)
    )]
    Seen {
        /// Which log; empty on SQLite.
        log: String,
        /// The last row that was written.
        seq: u64,
        /// When it was seen.
        at: String,
        /// Where it was noted.
        place: String,
    },
    /// The log in the database is not the one that was noted.
    #[error(
        "the audit log{} in the database is another one than {place} has checkpoints of: the database of another \
         Guardian was put in its place, or two Guardians note theirs in one file; give each its own database and \
         --audit-checkpoints, and run `agenttrust audit accept` only if you put it there yourself",
        named(log)
    )]
    AnotherLog {
        /// Which log; empty on SQLite.
        log: String,
        /// Where the other one was noted.
        place: String,
    },
    /// There are no random bits for the identity of a new log.
    #[error("the operating system gave no random bits for the identity of the audit log ({0})")]
    NoIdentity(getrandom::Error),
    /// The file of the audit key cannot be used.
    #[error(
        "the audit key {path} cannot be used: {reason}; name a file with --audit-key that can be read, \
         or one in a folder where it can be made", path = path.display()
    )]
    Key {
        /// Which file.
        path: PathBuf,
        /// What is in the way.
        reason: String,
        /// What the system said.
        source: Option<Arc<std::io::Error>>,
    },
    /// The file in which checkpoints are noted cannot be used.
    #[error(
        "the checkpoints in {path} cannot be used ({source}); name a file with --audit-checkpoints that \
         can be added to", path = path.display()
    )]
    CheckpointFile {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// A log that is not whole is not shortened.
    #[error(
        "the audit log{} is not whole ({what}), so nothing of it is removed; keep the database as it is",
        named(log)
    )]
    Broken {
        /// Which log; empty on SQLite.
        log: String,
        /// What is wrong with it.
        what: String,
    },
    /// The record's body is longer than a row takes.
    #[error(
        "the body of a {kind} record is {bytes} bytes long and a row takes {}; shorten it",
        super::MAX_BODY_BYTES
    )]
    TooLong {
        /// The record's kind.
        kind: &'static str,
        /// The length of its body.
        bytes: usize,
    },
    /// The record's body has no canonical JSON form.
    #[error(
        "the body of a {kind} record cannot be put into canonical JSON ({source}); use plain JSON values"
    )]
    Body {
        /// The record's kind.
        kind: &'static str,
        /// What is in its way.
        source: Arc<serde_json::Error>,
    },
    /// The log could not be read.
    #[error(
        "the audit log cannot be read ({0}); check that the database is the Guardian's and not damaged"
    )]
    Unreadable(#[source] Arc<sqlx::Error>),
    /// The export could not be written to where it goes.
    #[error("the export cannot be written ({0}); check where it is written to, and export again")]
    #[cfg(feature = "cli")]
    Export(#[source] Arc<std::io::Error>),
}

impl AuditError {
    pub(super) fn unwritable(error: sqlx::Error) -> Self {
        Self::Unwritable(Arc::new(error))
    }

    pub(super) fn unusable(path: &Path, error: io::Error) -> Self {
        Self::CheckpointFile { path: path.to_owned(), source: Arc::new(error) }
    }

    pub(crate) fn unreadable(error: sqlx::Error) -> Self {
        Self::Unreadable(Arc::new(error))
    }
}

/// The name of a log in the middle of a sentence: the only one needs none.
pub(crate) fn named(log: &str) -> String {
    if log.is_empty() { String::new() } else { format!(" {log:?}") }
}
