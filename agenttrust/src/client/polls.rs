//! What a subscription to a delivery log has told, and when it looks again.

use std::collections::HashSet;
use std::time::Duration;

use crate::model::SiemDelivery;

/// The pause between two looks, where the filter says none.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The destination whose deliveries [`subscribe`](crate::client::Streaming::subscribe) hands out, and for how long.
///
/// ```
/// use agenttrust::StreamFilter;
///
/// let once = StreamFilter {
///     destination_id: "siem_1".to_string(),
///     max_polls: Some(1),
///     ..Default::default()
/// };
/// assert!(once.poll_interval.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamFilter {
    /// The destination.
    pub destination_id: String,
    /// The pause between two looks at its delivery log; 5 seconds where it is `None` or zero.
    pub poll_interval: Option<Duration>,
    /// The largest number of looks; `None` looks until the handler has had enough.
    pub max_polls: Option<u32>,
}

/// The deliveries that a subscription has handed out, and the looks that are left.
pub(crate) struct Polls {
    told: HashSet<String>,
    pause: Duration,
    left: Option<u32>,
}

impl Polls {
    pub(crate) fn new(filter: &StreamFilter) -> Self {
        let pause = filter.poll_interval.filter(|pause| !pause.is_zero());
        Self { told: HashSet::new(), pause: pause.unwrap_or(POLL_INTERVAL), left: filter.max_polls }
    }

    /// Tells the handler what it was not told yet, and returns after which pause to look again, if it is to be done.
    pub(crate) fn tell(
        &mut self,
        listed: Vec<SiemDelivery>,
        handler: &mut impl FnMut(&SiemDelivery) -> bool,
    ) -> Option<Duration> {
        let mut told = HashSet::with_capacity(listed.len());
        for delivery in listed {
            let new = !self.told.contains(&delivery.id) && !told.contains(&delivery.id);
            if new && !handler(&delivery) {
                return None;
            }
            told.insert(delivery.id);
        }
        // A record that the list has let go does not come back: what is kept is no longer than the list.
        self.told = told;
        self.left = self.left.map(|left| left.saturating_sub(1));
        (self.left != Some(0)).then_some(self.pause)
    }
}
