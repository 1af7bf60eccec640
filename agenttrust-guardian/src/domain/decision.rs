//! What a check came to: with all that belongs to it, in one word, and as its caller is told.

use std::time::Duration;

use agenttrust::model::{Approval, CheckResult};

use super::elevation::{AccessAnswer, Unserved};

/// The time after which a check that was not decided in time may be asked again.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// The decision that a check came to.
#[derive(Debug)]
pub(crate) enum Decision {
    Allowed {
        policies: Vec<String>,
        reason: String,
        approval: Option<Box<Approval>>,
        /// Whether it counts towards a limit.
        counted: bool,
    },
    Denied {
        policies: Vec<String>,
        reason: String,
        approval: Option<Box<Approval>>,
    },
    Held {
        policies: Vec<String>,
        reason: String,
        approval: Box<Approval>,
        new: bool,
    },
    /// An approval is needed, and was neither opened nor used: the answer to an evaluation of
    /// AuthZEN says so.
    Requestable {
        policies: Vec<String>,
        reason: String,
        /// The reason why the approval that was presented does not serve.
        unserved: Option<Unserved>,
    },
    /// The decision could not be kept in time, so nothing was decided.
    Undecided,
}

impl Decision {
    /// Denies for this reason, which comes from no policy.
    pub(crate) fn denied(reason: impl Into<String>) -> Self {
        Self::Denied { policies: Vec::new(), reason: reason.into(), approval: None }
    }

    /// Says it in a word.
    pub(crate) fn kind(&self) -> DecisionKind {
        match self {
            Self::Allowed { .. } => DecisionKind::Allow,
            Self::Denied { .. } => DecisionKind::Deny,
            Self::Held { .. } | Self::Requestable { .. } => DecisionKind::Hold,
            Self::Undecided => DecisionKind::Undecided,
        }
    }

    /// Returns whether the call may run.
    pub(crate) fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }

    /// Returns the policies that it comes from, and its reason.
    pub(crate) fn because(&self) -> (&[String], &str) {
        match self {
            Self::Allowed { policies, reason, .. }
            | Self::Denied { policies, reason, .. }
            | Self::Held { policies, reason, .. }
            | Self::Requestable { policies, reason, .. } => (policies, reason),
            Self::Undecided => (&[], ""),
        }
    }

    /// Returns the approval that it used, opened, waits for or was denied by.
    pub(crate) fn approval(&self) -> Option<&Approval> {
        match self {
            Self::Allowed { approval, .. } | Self::Denied { approval, .. } => approval.as_deref(),
            Self::Held { approval, .. } => Some(approval),
            Self::Requestable { .. } | Self::Undecided => None,
        }
    }

    /// Returns whether something was used up or opened for it: an approval, or a place within a
    /// limit.
    pub(crate) fn is_paid_for(&self) -> bool {
        match self {
            Self::Allowed { approval, counted, .. } => *counted || approval.is_some(),
            Self::Held { new, .. } => *new,
            Self::Denied { .. } | Self::Requestable { .. } | Self::Undecided => false,
        }
    }
}

/// The kind of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecisionKind {
    Allow,
    Deny,
    Hold,
    /// The check was not decided in time.
    Undecided,
}

impl DecisionKind {
    pub(crate) const ALL: [Self; 3] = [Self::Allow, Self::Deny, Self::Hold];

    /// Returns the word for it.
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
    /// The further part of the answer to an evaluation of AuthZEN.
    pub(crate) access: Option<AccessAnswer>,
}

impl Answer {
    /// Returns whether it says what was decided. One that does not is never repeated.
    pub(crate) fn is_decided(&self) -> bool {
        self.decision != DecisionKind::Undecided
    }

    /// Returns after how long to ask again, for a check that could not be decided in time.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        (!self.is_decided()).then_some(RETRY_AFTER)
    }

    /// Returns what its texts take in memory.
    pub(crate) fn bytes(&self) -> usize {
        let CheckResult { reason, check_id, approval_id, .. } = &self.result;
        let texts = [reason, check_id, approval_id].into_iter().flatten().chain(&self.policies);
        let approval = self.access.as_ref().and_then(|access| access.approval.as_ref());
        texts.map(String::len).sum::<usize>() + approval.map_or(0, |it| approval_bytes(it))
    }
}

/// Returns what the longest texts of an approval take in memory.
fn approval_bytes(approval: &Approval) -> usize {
    let Approval { reason, decision_reason, action_input_summary, .. } = approval;
    let texts = [reason, decision_reason, action_input_summary].into_iter().flatten();
    size_of::<Approval>() + texts.map(String::len).sum::<usize>()
}
