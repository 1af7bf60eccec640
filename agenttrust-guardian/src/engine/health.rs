//! What has to be looked at although checks are decided: for `/health` and for the metrics.

use std::time::Duration;

use super::Engine;
use crate::metrics::Degraded;

/// The distance that the Guardian's clock may be ahead of the machine's before it is reported.
const CLOCK_AHEAD_MOST: Duration = Duration::from_secs(60);

impl Engine {
    /// Returns which parts are degraded.
    pub(crate) fn degraded(&self) -> Degraded {
        [
            // What happens to the database now may not be seen by the next Guardian.
            ("audit_checkpoints", !self.audit.is_noted()),
            // The set in force may not be the one that was meant to be.
            ("policies", self.policies.trouble().is_some()),
            // Set back under a running Guardian: what it issues ends earlier than others think.
            ("clock", self.clock.ahead() > CLOCK_AHEAD_MOST),
            // In force here, and not yet at the other replicas or after a restart.
            ("revocations", self.takings.overdue() > 0),
        ]
    }
}
