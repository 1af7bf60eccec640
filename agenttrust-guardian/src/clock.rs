//! What time it is, in one place, so that a test of a five-minute rule does not take five minutes.

use agenttrust::Timestamp;

/// The Guardian's clock.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    #[cfg(test)]
    ahead_micros: std::sync::atomic::AtomicI64,
}

impl Clock {
    /// The present.
    pub(crate) fn now(&self) -> Timestamp {
        #[cfg(test)]
        {
            let ahead = self.ahead_micros.load(std::sync::atomic::Ordering::SeqCst);
            let ahead = std::time::Duration::from_micros(ahead.unsigned_abs());
            Timestamp::now().saturating_add(ahead)
        }
        #[cfg(not(test))]
        Timestamp::now()
    }

    /// Moves the present ahead.
    #[cfg(test)]
    pub(crate) fn advance(&self, by: std::time::Duration) {
        let by = i64::try_from(by.as_micros()).unwrap();
        self.ahead_micros.fetch_add(by, std::sync::atomic::Ordering::SeqCst);
    }
}
