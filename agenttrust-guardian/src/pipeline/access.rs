//! What AuthZEN asks of a check.

use crate::domain::Elevating;
use crate::policy::AccessFacts;

/// An evaluation of AuthZEN, beside the agent and the tool of its check.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The facts about it that policies see.
    pub(crate) facts: AccessFacts,
    /// The digest that an approval is bound to: of all that was asked, in hexadecimal.
    pub(crate) digest: String,
    /// The evaluation as an approver sees it, in JSON.
    pub(crate) shown: String,
    /// The way in which it comes by an approval, where it needs one.
    pub(crate) elevating: Elevating,
    /// The evaluation that was denied, where access is requested after it.
    pub(crate) denied: Option<String>,
}
