//! Why a Guardian could not be built or asked.

use std::path::PathBuf;

/// The reason why a Guardian could not be built, or could not do what its owner asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardianError {
    /// The database URL names a kind of database that this version does not serve.
    #[error("{0}")]
    UnsupportedDatabase(String),
    /// The database cannot be opened.
    #[error("the database {url} cannot be opened: {reason}")]
    Database {
        /// The URL of the database.
        url: String,
        /// The reason that it gave, and what to do.
        reason: String,
    },
    /// The policy folder holds something that is no valid policy.
    #[error("the policies in {folder} are not usable: {reason}", folder = folder.display())]
    Policies {
        /// The folder of policies.
        folder: PathBuf,
        /// File, line, column and what is wrong there.
        reason: String,
    },
    /// A request that is not possible as it was made.
    #[error("{0}")]
    Invalid(String),
    /// The database or the audit log did not answer.
    #[error("{0}")]
    Unavailable(String),
}

impl From<getrandom::Error> for GuardianError {
    fn from(error: getrandom::Error) -> Self {
        Self::Unavailable(format!("the operating system gave no random bits: {error}"))
    }
}

impl From<agenttrust::background::BlockError> for GuardianError {
    fn from(error: agenttrust::background::BlockError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<super::Error> for GuardianError {
    fn from(error: super::Error) -> Self {
        let message = error.message().to_owned();
        match error.kind() {
            super::ErrorKind::Unavailable => Self::Unavailable(message),
            _ => Self::Invalid(message),
        }
    }
}
