//! Why a request for access is refused: in the words of the profile, or as any request is.

use agenttrust::model::ACCESS_REQUEST_PROBLEM;

use crate::domain::Error;

/// A problem that the profile has a name for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    NotRequestable,
    ExpiredDenial,
    InvalidDenialBinding,
    DuplicateRequest,
    UnknownTask,
    TaskExpired,
    InvalidTaskState,
}

impl Problem {
    /// Returns its type: a URN.
    pub(crate) fn urn(self) -> String {
        let name = match self {
            Self::NotRequestable => "not_requestable",
            Self::ExpiredDenial => "expired_denial",
            Self::InvalidDenialBinding => "invalid_denial_binding",
            Self::DuplicateRequest => "duplicate_request",
            Self::UnknownTask => "unknown_task",
            Self::TaskExpired => "task_expired",
            Self::InvalidTaskState => "invalid_task_state",
        };
        format!("{ACCESS_REQUEST_PROBLEM}{name}")
    }

    /// Returns the same in a few words.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::NotRequestable => "Access is not requestable",
            Self::ExpiredDenial => "The denial has expired",
            Self::InvalidDenialBinding => "The request is not bound to a denial",
            Self::DuplicateRequest => "The Idempotency-Key was used for another request",
            Self::UnknownTask => "There is no such task",
            Self::TaskExpired => "The task has expired",
            Self::InvalidTaskState => "The task is done",
        }
    }

    /// Says what is wrong.
    pub(super) fn because(self, detail: impl Into<String>) -> Refused {
        Refused::Problem(self, detail.into())
    }
}

/// The reason why a request for access was refused.
#[derive(Debug)]
pub(crate) enum Refused {
    /// A problem that the profile has a name for, and a sentence.
    Problem(Problem, String),
    Error(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
