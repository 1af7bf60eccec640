//! Where a message is on its way to the agent that it is for.

/// The phase of a message on its way. Its task says in A2A's words what its caller sees of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A replica asks whether the message may be sent.
    Checking,
    /// The message waits for an approval, or to be asked about once more.
    Held,
    /// The message may be sent, and is to be tried again in a while: the target was not reached.
    Ready,
    /// A replica hands the message to the target.
    Sending,
    /// The message may or may not have reached the target: that is not known.
    InDoubt,
    /// The target took it, and its task goes on there.
    Sent,
    /// The message waits for a worker of the target.
    Inbox,
    /// A worker of the target has it.
    Leased,
    /// The message has ended: nothing more is done about it.
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

    /// Returns the word for it.
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

    /// Returns whether no message may follow before something has come of this one.
    pub(crate) const fn is_open(self) -> bool {
        !matches!(self, Self::Sent | Self::Ended)
    }
}
