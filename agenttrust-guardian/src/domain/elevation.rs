//! The ways in which an evaluation of AuthZEN comes by an approval, and the answer about it.

use agenttrust::Timestamp;
use agenttrust::model::Approval;

/// The way in which an evaluation that is held comes by its approval. None of them uses an approval
/// that it was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Elevating {
    /// The answer says that an approval is needed. Nothing is opened, and nothing used.
    Told,
    /// The evaluation uses this approval and no other.
    Presented(String),
    /// The evaluation asks for an approval, or finds the one that is there. It uses none.
    Requested,
}

/// The reason why an approval that was presented does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unserved {
    /// The approval is over: used, expired or withdrawn, or less than what is demanded by now.
    Over,
    /// The approval was given for something else.
    OutOfScope,
    /// The approval is not there, is another caller's, or is not decided yet.
    Unverifiable,
}

/// The part of the answer to an evaluation that goes beyond the answer to its check.
#[derive(Clone, Debug)]
pub(crate) struct AccessAnswer {
    /// The time of the evaluation.
    pub(crate) at: Timestamp,
    /// The reason why the approval that was presented does not serve.
    pub(crate) unserved: Option<Unserved>,
    /// The approval that was used or asked for.
    pub(crate) approval: Option<Box<Approval>>,
}
