//! What can go wrong with the log; whoever sees one while deciding denies.

use std::sync::Arc;

/// The audit log could not take or give a row.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The database refused; the row is not in the log.
    #[error(
        "the audit log cannot be written ({0}); check that the database's disk is writable and has room"
    )]
    Unwritable(#[source] Arc<sqlx::Error>),
    /// An earlier write did not succeed and none has since.
    #[error(
        "the audit log cannot be written at present; the Guardian's log says why, and it tries again by itself"
    )]
    Unhealthy,
    /// More rows are waiting than the log takes.
    #[error(
        "the audit log is {capacity} rows behind and takes no more; give the database a faster disk, or ask less"
    )]
    Full {
        /// How many rows may wait.
        capacity: usize,
    },
    /// The log was closed; the Guardian is going down.
    #[error(
        "the audit log is closed because the Guardian is going down; ask again when it is back"
    )]
    Closed,
    /// The last row in the database is not the one that this log wrote.
    #[error(
        "the audit log was changed from outside at row {seq}; keep the database as it is and run \
         `agenttrust audit verify`"
    )]
    Tampered {
        /// The row that is gone or different.
        seq: u64,
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
    Export(#[source] Arc<std::io::Error>),
}

impl AuditError {
    pub(super) fn unwritable(error: sqlx::Error) -> Self {
        Self::Unwritable(Arc::new(error))
    }

    pub(super) fn unreadable(error: sqlx::Error) -> Self {
        Self::Unreadable(Arc::new(error))
    }
}
