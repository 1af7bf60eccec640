//! Where a stream goes on that the server closed before it had answered: from the last event that had an id, after the
//! time that the server said.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};

use super::sealed_ids::EVENT_ID_MAX_BYTES;
use super::send::Outward;
use crate::outbound::events::Event;

pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The time that a server is left alone if it does not say how long.
const PAUSE: Duration = Duration::from_millis(500);

/// The place from which a stream is taken up again, and the pause before, as its events say them.
#[derive(Debug, Default)]
pub(super) struct Resumes {
    last: Option<HeaderValue>,
    retry: Option<Duration>,
}

impl Resumes {
    /// Takes in the id and the retry time of an event that the server sent.
    pub(super) fn observe(&mut self, event: &Event) {
        if let Some(id) = &event.id {
            let fits = (1..=EVENT_ID_MAX_BYTES).contains(&id.len());
            self.last = HeaderValue::from_bytes(id.as_bytes()).ok().filter(|_| fits);
        }
        if let Some(retry) = event.retry.as_deref().and_then(|retry| retry.parse().ok()) {
            self.retry = Some(Duration::from_millis(retry));
        }
    }

    /// Returns how long to wait before going on.
    pub(super) fn pause(&self) -> Duration {
        self.retry.unwrap_or(PAUSE)
    }

    /// Returns what asks the server to go on; `None` where there is nothing to go on from.
    pub(super) fn outward(&self, of_session: Outward) -> Option<Outward> {
        let mut outward = Outward { method: Method::GET, ..of_session };
        outward.headers.insert(LAST_EVENT_ID, self.last.clone()?);
        Some(outward)
    }
}
