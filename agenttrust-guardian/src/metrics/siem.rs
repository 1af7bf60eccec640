//! What is counted of events that are sent to destinations. No label names one: there may be any number of them.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::{Label, Registered};

/// The result of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SiemResult {
    /// The receiver took it.
    Taken,
    /// The receiver refused it for good.
    Refused,
    /// The batch is to be sent again.
    Later,
}

impl SiemResult {
    const ALL: [Self; 3] = [Self::Taken, Self::Refused, Self::Later];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused => "refused",
            Self::Later => "later",
        }
    }
}

/// The state of destinations, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SiemNumbers {
    /// The number of destinations that are not paused.
    pub(crate) destinations: usize,
    /// The number of them to which the last delivery failed.
    pub(crate) failing: usize,
    /// The lag of the destination that is furthest behind, of those that this Guardian delivers to.
    pub(crate) lag: Duration,
}

/// The counters of destinations.
#[derive(Debug)]
pub(crate) struct Siem {
    batches: [Counter; SiemResult::ALL.len()],
    sent: Counter,
    set_aside: Counter,
    cut: Counter,
    destinations: Gauge,
    failing: Gauge,
    lag: Gauge,
}

impl Siem {
    pub(super) fn register(registered: &mut Registered<'_>) -> Self {
        let batches = Family::<[Label; 1], Counter>::default();
        let help = "Batches sent to destinations of events, by what the receiver made of them";
        registered.0.register("siem_batches", help, batches.clone());
        Self {
            batches: SiemResult::ALL
                .map(|result| batches.get_or_create(&[("result", result.as_str())]).clone()),
            sent: registered
                .counter("siem_events_sent", "Events that a destination took, each time that it did"),
            set_aside: registered.counter(
                "siem_events_set_aside",
                "Events set aside because a destination refused them for good or they could not be encoded",
            ),
            cut: registered.counter(
                "siem_rows_cut",
                "Rows of the audit log let go although a destination had not taken them for seven days beyond the retention",
            ),
            destinations: registered
                .gauge("siem_destinations", "Destinations of events that are not paused"),
            failing: registered
                .gauge("siem_destinations_failing", "Destinations whose last delivery failed"),
            lag: registered.gauge(
                "siem_lag_seconds",
                "How long ago the oldest event was written that a destination of this Guardian is still owed, or a row that was \
                 not read for it yet and may be one",
            ),
        }
    }

    /// Counts a batch.
    pub(crate) fn batch(&self, result: SiemResult) {
        if let Some(counter) = self.batches.get(result as usize) {
            counter.inc();
        }
    }

    /// Counts events that were taken, and those that were set aside.
    pub(crate) fn events(&self, taken: usize, set_aside: usize) {
        self.sent.inc_by(taken as u64);
        self.set_aside.inc_by(set_aside as u64);
    }

    /// Counts rows that were let go although they were owed.
    pub(crate) fn rows_cut(&self, rows: u64) {
        self.cut.inc_by(rows);
    }

    /// Takes over how things are.
    pub(super) fn take_over(&self, numbers: SiemNumbers) {
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.destinations.set(gauge(numbers.destinations));
        self.failing.set(gauge(numbers.failing));
        self.lag.set(i64::try_from(numbers.lag.as_secs()).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_has_the_counter_of_its_place() {
        for (place, result) in SiemResult::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, place);
        }
    }
}
