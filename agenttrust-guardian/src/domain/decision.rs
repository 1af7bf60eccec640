//! What a check came to: in one word, and as its caller is told.

use std::time::Duration;

use agenttrust::model::CheckResult;

/// How a check was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecisionKind {
    Allow,
    Deny,
    Hold,
    /// There was no time to.
    Undecided,
}

impl DecisionKind {
    pub(crate) const ALL: [Self; 3] = [Self::Allow, Self::Deny, Self::Hold];

    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Hold => "hold",
            Self::Undecided => "undecided",
        }
    }
}

/// The answer to a check: its body, and what the `AgentTrust-Enforced` header lists.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) result: CheckResult,
    pub(crate) enforced: Option<&'static str>,
    pub(crate) decision: DecisionKind,
    /// The policies that it comes from.
    pub(crate) policies: Vec<String>,
    /// When to ask again, for a check that could not be decided in time.
    pub(crate) retry_after: Option<Duration>,
}

impl Answer {
    /// Whether it says what was decided. One that does not is never repeated.
    pub(crate) fn is_decided(&self) -> bool {
        self.retry_after.is_none()
    }

    /// What its texts take in memory.
    pub(crate) fn bytes(&self) -> usize {
        let CheckResult { reason, check_id, approval_id, .. } = &self.result;
        let texts = [reason, check_id, approval_id].into_iter().flatten().chain(&self.policies);
        texts.map(String::len).sum()
    }
}
