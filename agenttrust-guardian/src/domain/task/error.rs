//! What is asked about a task and is not done, as far as A2A has an error of its own for it.

use super::TaskState;
use crate::domain::Error;

/// The reason why nothing was done about a task.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum TaskError {
    /// The task does not exist, or the caller may not see it: A2A's `TaskNotFound`.
    #[error("there is no task {0:?}")]
    NotFound(String),
    /// The task is asked of another agent than the one that is asked after it: A2A's
    /// `TaskNotFound`.
    #[error(
        "task {id:?} is asked of agent {agent_id:?}, and not of this one; go on with it there, or leave it out"
    )]
    Elsewhere { id: String, agent_id: String },
    /// The task has ended: A2A's `TaskNotCancelable`.
    #[error("task {id:?} has ended ({state}), so there is nothing to cancel any more")]
    NotCancelable { id: String, state: TaskState },
    /// A message of it is on its way, so that neither side can cancel it: A2A's `TaskNotCancelable`.
    #[error(
        "a message of task {0:?} is just being sent to its agent, so it cannot be cancelled yet; cancel it again soon"
    )]
    BeingSent(String),
    /// The agent did not learn of the cancellation, as far as is known: A2A's `TaskNotCancelable`.
    #[error("task {id:?} is unchanged, because {why}; ask for it, or cancel it again, in a moment")]
    NotTold { id: String, why: &'static str },
    /// The request cannot be done with this task or this target: A2A's `UnsupportedOperation`.
    #[error("{0}")]
    Unsupported(String),
    /// The parameters are not as they must be.
    #[error("{0}")]
    Invalid(String),
    /// An error that is no matter of A2A.
    #[error("{}", .0.message())]
    Other(Box<Error>),
}

impl From<Error> for TaskError {
    fn from(error: Error) -> Self {
        Self::Other(Box::new(error))
    }
}
