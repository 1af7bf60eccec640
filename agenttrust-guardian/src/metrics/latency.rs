//! How long checks took. The library's own histogram takes a lock for every value, and every check would
//! wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Upper bounds of the buckets, in microseconds: a check that reads memory only takes tens of them, one
/// that waits for a disk thousands.
const BOUNDS: [u64; 15] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 5_000_000,
];

/// A histogram of time spans; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Latency(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    buckets: [AtomicU64; BOUNDS.len()],
    /// The values above the last bound.
    above: AtomicU64,
    nanos: AtomicU64,
}

impl Latency {
    /// Counts one time span.
    pub(super) fn observe(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let place = BOUNDS.partition_point(|bound| bound * 1_000 < nanos);
        let bucket = self.0.buckets.get(place).unwrap_or(&self.0.above);
        bucket.fetch_add(1, Ordering::Relaxed);
        self.0.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl TypedMetric for Latency {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Latency {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        // Bounds are exact as floating-point numbers, and so is any sum of up to three months.
        #[allow(clippy::cast_precision_loss, reason = "see above")]
        let seconds = |count: u64, per: f64| count as f64 / per;
        let mut buckets = Vec::with_capacity(BOUNDS.len() + 1);
        for (bound, bucket) in BOUNDS.iter().zip(&self.0.buckets) {
            buckets.push((seconds(*bound, 1e6), bucket.load(Ordering::Relaxed)));
        }
        buckets.push((f64::INFINITY, self.0.above.load(Ordering::Relaxed)));
        // Of the very numbers that are shown, or a reader would find that they do not add up.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = seconds(self.0.nanos.load(Ordering::Relaxed), 1e9);
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::prometheus_text;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn time_span_is_counted_in_its_bucket_and_in_all_above() {
        let latency = Latency::default();
        for micros in [50, 51, 5_000_000, 5_000_001] {
            latency.observe(Duration::from_micros(micros));
        }
        let mut registry = Registry::default();
        registry.register("took_seconds", "Took", latency);
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).unwrap();
        for line in [
            "took_seconds_bucket{le=\"5e-05\"} 1",
            "took_seconds_bucket{le=\"0.0001\"} 2",
            "took_seconds_bucket{le=\"1\"} 2",
            "took_seconds_bucket{le=\"5\"} 3",
            "took_seconds_bucket{le=\"+Inf\"} 4",
            "took_seconds_sum 10.000102",
            "took_seconds_count 4",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in {text}");
        }
    }
}
