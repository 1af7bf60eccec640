//! An error of the log; a check that meets one is denied.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::commands::{Accept, Verify};
use super::key::PublicKey;

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
        super::WRITE_TIMEOUT.as_secs()
    )]
    Silent,
    /// An earlier write did not succeed, and no later one has yet.
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
         `{verify}`",
        named(log),
        verify = Verify
    )]
    Tampered {
        /// The name of the log; empty on SQLite.
        log: String,
        /// The row that is gone or different.
        seq: u64,
    },
    /// A checkpoint says that the log had come further, or elsewhere, than the database has it.
    #[error(
        "the audit log{} had come to row {seq} by {at}, says a checkpoint in {place}, and the database \
         has no such row: rows were removed from its end, or it is an older copy; run `{verify}`, \
         and `{}` only if you put the older copy there yourself",
        named(log),
        Accept(log),
        verify = Verify
    )]
    Truncated {
        /// The name of the log; empty on SQLite.
        log: String,
        /// The row that is gone or different.
        seq: u64,
        /// The time when the checkpoint was signed.
        at: String,
        /// The place where it was noted.
        place: String,
    },
    /// The log has rows behind the one with which the Guardian closed that no command signed.
    #[error(
        "rows {first} to {last} of the audit log{} were added from outside: its Guardian closed at {at} with the row \
         before them, says its mark in {place}, and no command signed them; keep a copy of the database, run \
         `{verify}`, and `{}` to go on with it",
        named(log),
        Accept(log),
        verify = Verify
    )]
    Added {
        /// The name of the log; empty on SQLite.
        log: String,
        /// The first of them.
        first: i64,
        /// The last of them.
        last: i64,
        /// The time when the Guardian closed.
        at: String,
        /// The place where that was noted.
        place: String,
    },
    /// A command has another audit key than the Guardian whose log it writes into.
    #[error(
        "the audit log{} is signed by the key {key}, and another one is given here; name the file of the Guardian's \
         audit key with --audit-key",
        named(log)
    )]
    AnotherKey {
        /// The name of the log; empty on SQLite.
        log: String,
        /// The key that it is signed by.
        key: PublicKey,
    },
    /// The Guardian has another audit key than the one that its log was signed by.
    #[error(
        "the audit log{} is signed up to row {seq} by the audit key {key}, and this Guardian has another one, {own}: \
         the file of the key was lost or exchanged; put the former file in its place, or, where that is gone for good, \
         run `{}` to go on with the new key, after which no row up to the end of the log is proven",
        named(log),
        Accept(log)
    )]
    KeyReplaced {
        /// The name of the log; empty on SQLite.
        log: String,
        /// The last row that the former key is known to have signed.
        seq: u64,
        /// The former key.
        key: PublicKey,
        /// The key of this Guardian.
        own: PublicKey,
    },
    /// A Guardian saw that the log was changed, and no operator has accepted that.
    #[error(
        "the audit log{} was changed from outside: a Guardian saw at {at} that it was not what it had written up \
         to row {seq}, says its mark in {place}; keep a copy of the database, run `{verify}`, and \
         `{}` to go on with it",
        named(log),
        Accept(log),
        verify = Verify
    )]
    Seen {
        /// The name of the log; empty on SQLite.
        log: String,
        /// The last row that was written.
        seq: u64,
        /// The time when it was seen.
        at: String,
        /// The place where it was noted.
        place: String,
    },
    /// The log in the database is not the one that was noted.
    #[error(
        "the audit log{} in the database is another one than {place} has checkpoints of: the database of another \
         Guardian was put in its place, or two Guardians note theirs in one file; give each its own database and \
         --audit-checkpoints, and run `{}` only if you put it there yourself",
        named(log),
        Accept(log)
    )]
    AnotherLog {
        /// The name of the log; empty on SQLite.
        log: String,
        /// The place where the other one was noted.
        place: String,
    },
    /// The system has no random bits for the identity of a new log.
    #[error("the operating system gave no random bits for the identity of the audit log ({0})")]
    NoIdentity(getrandom::Error),
    /// The file of the audit key cannot be used.
    #[error(
        "the audit key {path} cannot be used: {reason}; name a file with --audit-key that can be read, \
         or one in a folder where it can be made", path = path.display()
    )]
    Key {
        /// The path of the file.
        path: PathBuf,
        /// The obstacle.
        reason: String,
        /// The error of the system.
        source: Option<Arc<std::io::Error>>,
    },
    /// The file in which checkpoints are noted cannot be used.
    #[error(
        "the checkpoints in {path} cannot be used ({source}); name a file with --audit-checkpoints that \
         can be added to", path = path.display()
    )]
    CheckpointFile {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        source: Arc<std::io::Error>,
    },
    /// A log that is not whole is not shortened.
    #[error(
        "the audit log{} is not whole ({what}), so nothing of it is removed; keep the database as it is",
        named(log)
    )]
    Broken {
        /// The name of the log; empty on SQLite.
        log: String,
        /// The fault of the log.
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
        /// The obstacle.
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

/// Returns the name of a log in the middle of a sentence: an only log needs no name.
pub(crate) fn named(log: &str) -> String {
    if log.is_empty() { String::new() } else { format!(" {log:?}") }
}
