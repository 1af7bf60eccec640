//! When a token ends, by the clocks of this machine.

use std::time::Duration;

use agenttrust::internal::SuspendAwareInstant;

/// The end of a token: so long after it was asked about.
///
/// The time that a Guardian names is by its clock. Ours may be minutes off, so the two are never compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenExpiry {
    asked: SuspendAwareInstant,
    left: Duration,
}

impl TokenExpiry {
    /// Creates a token that has so much `left`, as was said when it was `asked` about.
    pub(super) fn new(asked: SuspendAwareInstant, left: Duration) -> Self {
        Self { asked, left }
    }

    /// Returns whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.asked.elapsed() >= self.left
    }
}
