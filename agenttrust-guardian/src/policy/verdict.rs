//! What the policies answer, and the terms on which a held call may be approved.

use std::time::Duration;

/// The window of an approval when no policy grants another one.
pub const DEFAULT_WINDOW: Duration = Duration::from_secs(5 * 60);

/// The verdict of the policies on a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The call may run.
    Allow {
        /// The ids of the policies that decided, sorted.
        policies: Vec<String>,
        /// The reason, naming the policies and their `@reason`.
        reason: String,
        /// The limits that the call counts towards; each must have room for it.
        limits: Vec<Limit>,
    },
    /// The call may not run, and no approval would change that.
    Deny {
        /// The ids of the policies that decided, sorted; empty when none matched.
        policies: Vec<String>,
        /// The reason, naming the policies and their `@reason`.
        reason: String,
    },
    /// The call may run once it is approved.
    Hold {
        /// The requirements of the approval, and how far it reaches.
        terms: ApprovalRequirements,
        /// The ids of the policies that hold it, sorted.
        policies: Vec<String>,
        /// The reason, naming the policies and their `@reason`.
        reason: String,
        /// The limits that the call counts towards once it is approved; each must have room for it.
        limits: Vec<Limit>,
    },
}

impl Verdict {
    /// Returns the word for it: `allow`, `deny` or `hold`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Allow { .. } => "allow",
            Self::Deny { .. } => "deny",
            Self::Hold { .. } => "hold",
        }
    }

    /// Returns the ids of the policies that decided, sorted; empty when none matched.
    #[must_use]
    pub fn policies(&self) -> &[String] {
        match self {
            Self::Allow { policies, .. }
            | Self::Deny { policies, .. }
            | Self::Hold { policies, .. } => policies,
        }
    }

    /// Returns why, naming the policies and their `@reason`.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Allow { reason, .. } | Self::Deny { reason, .. } | Self::Hold { reason, .. } => {
                reason
            }
        }
    }
}

/// The requirements of an approval, and how far it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApprovalRequirements {
    /// The number of distinct approvers that it takes; at least 1.
    pub quorum: u32,
    /// The time that it stands after the decision; `None` means [`DEFAULT_WINDOW`].
    pub window: Option<Duration>,
    /// Whether it serves one call only. True wherever no `@window` grants more.
    pub single_use: bool,
    /// The time that it may be pending; `None` means as long as the Guardian's setting says.
    pub pending: Option<Duration>,
}

impl Default for ApprovalRequirements {
    /// Returns the terms of a bare `@elevate`: one approver, one use within [`DEFAULT_WINDOW`].
    fn default() -> Self {
        Self { quorum: 1, window: None, single_use: true, pending: None }
    }
}

impl ApprovalRequirements {
    /// Returns the strictest of both: the largest quorum, the shortest window, any single use, the shortest time
    /// pending that either names.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        let window = match (self.window, other.window) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(DEFAULT_WINDOW).min(b.unwrap_or(DEFAULT_WINDOW))),
        };
        Self {
            quorum: self.quorum.max(other.quorum),
            window,
            single_use: self.single_use || other.single_use,
            pending: self.pending.into_iter().chain(other.pending).min(),
        }
    }
}

/// The limit on how often a `permit` permits: its `@limit`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// The id of the policy whose limit it is.
    pub policy: String,
    /// The number of calls that are permitted ...
    pub max_calls: u32,
    /// ... within this time; whole seconds, at least one.
    pub window: Duration,
    /// The subjects that have a count each.
    pub per: Per,
    /// The agent that gave the delegation under which the call is made, where it is one of its limits; `None` for
    /// those of the agent that calls.
    pub giver: Option<String>,
}

/// The subjects for each of which a [`Limit`] counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Per {
    /// All calls of an agent.
    Agent,
    /// The calls of an agent in one session that the Guardian issued; all others count as one.
    Session,
}

impl Per {
    /// Returns the word for it: `agent` or `session`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Session => "session",
        }
    }
}
