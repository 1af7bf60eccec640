//! What became of approvals at this Guardian, and how many wait.

use agenttrust::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::{Label, Registered};

/// The event of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApprovalEvent {
    Opened,
    Approved,
    Denied,
    Expired,
    Used,
}

impl ApprovalEvent {
    const ALL: [Self; 5] = [Self::Opened, Self::Approved, Self::Denied, Self::Expired, Self::Used];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Used => "used",
        }
    }
}

/// The counters of approvals.
#[derive(Debug)]
pub(super) struct Approvals {
    by_event: [Counter; ApprovalEvent::ALL.len()],
    pending: Gauge,
    oldest: Gauge,
}

impl Approvals {
    pub(super) fn register(registered: &mut Registered<'_>) -> Self {
        let approvals = Family::<[Label; 1], Counter>::default();
        let help = "What became of approvals at this Guardian";
        registered.0.register("approvals", help, approvals.clone());
        Self {
            by_event: ApprovalEvent::ALL
                .map(|event| approvals.get_or_create(&[("event", event.as_str())]).clone()),
            pending: registered.gauge(
                "approvals_pending",
                "Approvals that wait for a decision, in the whole database",
            ),
            oldest: registered.gauge(
                "approvals_oldest_pending_seconds",
                "How long the oldest approval that waits for a decision has waited",
            ),
        }
    }

    pub(super) fn count(&self, event: ApprovalEvent) {
        if let Some(counter) = self.by_event.get(event as usize) {
            counter.inc();
        }
    }

    pub(super) fn wait(&self, count: u64, oldest: Option<Timestamp>, now: Timestamp) {
        let for_so_long = oldest.map_or(0, |oldest| oldest.until(now).as_secs());
        self.pending.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.oldest.set(i64::try_from(for_so_long).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_the_counter_of_its_place() {
        for (place, event) in ApprovalEvent::ALL.into_iter().enumerate() {
            assert_eq!(event as usize, place);
        }
    }
}
