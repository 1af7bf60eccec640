//! Where a message is on its way to the agent that it is for.

/// Where a message is. Its task says in A2A's words what its caller sees of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// One replica asks whether it may be sent.
    Checking,
    /// It waits for an approval, or to be asked about once more.
    Held,
    /// It may be sent, and is to be tried again in a while: the target was not reached.
    Ready,
    /// One replica hands it to the target.
    Sending,
    /// It is not known whether the target received it.
    InDoubt,
    /// The target took it, and its task goes on there.
    Sent,
    /// It waits for a worker of the target.
    Inbox,
    /// A worker of the target has it.
    Leased,
    /// Nothing more is done about it.
    Ended,
}

impl Phase {
    /// Every phase.
    pub(crate) const ALL: [Self; 9] = [
        Self::Checking,
        Self::Held,
        Self::Ready,
        Self::Sending,
        Self::InDoubt,
        Self::Sent,
        Self::Inbox,
        Self::Leased,
        Self::Ended,
    ];

    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Held => "held",
            Self::Ready => "ready",
            Self::Sending => "sending",
            Self::InDoubt => "in_doubt",
            Self::Sent => "sent",
            Self::Inbox => "inbox",
            Self::Leased => "leased",
            Self::Ended => "ended",
        }
    }

    /// Returns the phase of this word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word)
    }

    /// Whether no message may follow before something has come of this one.
    pub(crate) const fn is_open(self) -> bool {
        !matches!(self, Self::Sent | Self::Ended)
    }
}
