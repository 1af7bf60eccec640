//! The streams of what was taken back: an event is sent once memory knows of it, so that a caller
//! that asks again because of it gets an answer by the new state.

use std::sync::Arc;

use agenttrust::model::Revocation;
use tokio::sync::broadcast;

/// The number of events that may wait to be read by one stream; a reader that falls behind further
/// gets a note of that, and the stream ends.
pub(crate) const KEPT: usize = 1_024;

/// An event of the revocation streams.
#[derive(Debug)]
pub(crate) enum RevocationEvent {
    /// A token or an agent of this organisation was revoked.
    Revoked(String, Revocation),
    /// Secrets of API keys were revoked, or may have been.
    Keys,
    /// The revoked things are more than can be listed.
    Uncounted,
}

/// The channel by which the open streams receive these events.
#[derive(Debug)]
pub(crate) struct Revocations(broadcast::Sender<Arc<RevocationEvent>>);

impl Revocations {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }

    /// Says that this was taken back. Memory must say so already.
    pub(crate) fn announce(&self, org_id: &str, revocation: Revocation) {
        self.tell(RevocationEvent::Revoked(org_id.to_owned(), revocation));
    }

    /// Says that secrets of keys were taken back, or may have been. Memory must say so already.
    pub(crate) fn keys_changed(&self) {
        self.tell(RevocationEvent::Keys);
    }

    /// Says that something unknown may have been taken back. Memory must know of it already.
    pub(crate) fn lost_count(&self) {
        self.tell(RevocationEvent::Uncounted);
    }

    fn tell(&self, event: RevocationEvent) {
        // Nobody listening is no error.
        let _ = self.0.send(Arc::new(event));
    }

    /// Hears everything from here on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<RevocationEvent>> {
        self.0.subscribe()
    }
}
