//! What AuthZEN asks of a check.

use crate::domain::Elevating;
use crate::policy::AccessFacts;

/// What an evaluation of AuthZEN is, beside the agent and the tool of its check.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// What policies are told of it.
    pub(crate) facts: AccessFacts,
    /// What an approval is bound to: the digest of all that was asked, in hexadecimal.
    pub(crate) digest: String,
    /// What an approver is shown of it, as JSON.
    pub(crate) shown: String,
    /// How it comes by an approval, where it needs one.
    pub(crate) elevating: Elevating,
    /// The evaluation that was denied, where access is requested after it.
    pub(crate) denied: Option<String>,
}
