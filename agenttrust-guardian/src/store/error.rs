//! What can go wrong with the database.

use super::DATABASE_TIMEOUT;
use crate::domain::task::TaskError;
use crate::domain::{Error, GuardianError};

/// The reason why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// An error that the database returned.
    #[error("the database did not answer: {0}")]
    Database(#[from] sqlx::Error),
    /// The lack of an answer, for longer than a caller waits. What was asked may have been done.
    #[error("the database said nothing for {} seconds", DATABASE_TIMEOUT.as_secs())]
    Silent,
    /// A change in the database that could not be taken over.
    #[error("{0}")]
    NotFollowed(String),
    /// The task that was asking died.
    #[error("the database task stopped before it answered")]
    Stopped,
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        // What a database says may tell of its insides, so it goes to the log and not to the caller.
        tracing::error!(%error, "a request could not be served");
        Self::unavailable("the Guardian's database does not answer; try again later")
    }
}

impl From<StoreError> for GuardianError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<StoreError> for TaskError {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}
