//! How an evaluation of AuthZEN comes by an approval, and what it is told of it.

use agenttrust::Timestamp;
use agenttrust::model::Approval;

/// How an evaluation that is held comes by its approval. None of them uses what it was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Elevating {
    /// It is told that it needs one. Nothing is opened, and nothing used.
    Told,
    /// It uses this one and no other.
    Presented(String),
    /// Asks for an approval, or finds the one that is there. Uses none.
    Requested,
}

/// Why an approval that was presented does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unserved {
    /// It is over: used, expired or withdrawn, or less than what is demanded by now.
    Over,
    /// It was given for something else.
    OutOfScope,
    /// The approval is not there, is another caller's, or is not decided yet.
    Unverifiable,
}

/// What the answer to an evaluation says beside the answer to its check.
#[derive(Clone, Debug)]
pub(crate) struct AccessAnswer {
    /// When it was evaluated.
    pub(crate) at: Timestamp,
    /// Why the approval that was presented does not serve.
    pub(crate) unserved: Option<Unserved>,
    /// The approval that was used or asked for.
    pub(crate) approval: Option<Box<Approval>>,
}
