//! Tells the open event streams what was taken back, once memory says so too: whoever asks again
//! because of it is answered how things stand now.

use std::sync::Arc;

use agenttrust::model::Revocation;
use tokio::sync::broadcast;

/// How much may wait to be read by one stream; who falls behind further is told so, and ended.
pub(crate) const KEPT: usize = 1_024;

/// What streams are told.
#[derive(Debug)]
pub(crate) enum News {
    /// This was taken back, in this organisation.
    Revoked(String, Revocation),
    /// Secrets of keys were taken back, or may have been.
    Keys,
    /// More was taken back than can be told.
    Uncounted,
}

/// What tells it.
#[derive(Debug)]
pub(crate) struct Revocations(broadcast::Sender<Arc<News>>);

impl Revocations {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }

    /// Says that this was taken back. Memory must say so already.
    pub(crate) fn announce(&self, org_id: &str, revocation: Revocation) {
        self.tell(News::Revoked(org_id.to_owned(), revocation));
    }

    /// Says that secrets of keys were taken back, or may have been. Memory must say so already.
    pub(crate) fn keys_changed(&self) {
        self.tell(News::Keys);
    }

    /// Says that something may have been taken back that nobody can name. Memory must know of it already.
    pub(crate) fn lost_count(&self) {
        self.tell(News::Uncounted);
    }

    fn tell(&self, news: News) {
        // Nobody listening is no error.
        let _ = self.0.send(Arc::new(news));
    }

    /// Hears everything from here on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<News>> {
        self.0.subscribe()
    }
}
