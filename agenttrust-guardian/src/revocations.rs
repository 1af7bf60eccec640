//! Tells the open event streams what was taken back, once memory says so too: whoever asks again
//! because of it is answered how things stand now.

use std::sync::Arc;

use agenttrust::model::Revocation;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};

/// How much may wait to be read by one stream; who falls behind further is told so, and ended.
pub(crate) const KEPT: usize = 1_024;
/// How many streams may be open at once.
pub(crate) const STREAMS_MOST: usize = 64;

/// What streams are told.
#[derive(Debug)]
pub(crate) enum News {
    /// This was taken back, in this organisation.
    Revoked(String, Revocation),
    /// Keys were revoked, or may have been.
    Keys,
}

/// What tells it, and the places for those who listen.
#[derive(Debug)]
pub(crate) struct Revocations {
    news: broadcast::Sender<Arc<News>>,
    places: Arc<Semaphore>,
}

impl Revocations {
    pub(crate) fn new() -> Self {
        Self { news: broadcast::Sender::new(KEPT), places: Arc::new(Semaphore::new(STREAMS_MOST)) }
    }

    /// Says that this was taken back. Memory must say so already.
    pub(crate) fn announce(&self, org_id: &str, revocation: Revocation) {
        self.tell(News::Revoked(org_id.to_owned(), revocation));
    }

    /// Says that keys were revoked, or may have been. Memory must say so already.
    pub(crate) fn keys_changed(&self) {
        self.tell(News::Keys);
    }

    fn tell(&self, news: News) {
        // Nobody listening is no error.
        let _ = self.news.send(Arc::new(news));
    }

    /// Hears everything from here on; `None` while too many listen.
    pub(crate) fn listen(&self) -> Option<Listener> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Listener { news: self.news.subscribe(), _place: place })
    }
}

/// One who listens, and the place taken by it.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) news: broadcast::Receiver<Arc<News>>,
    _place: OwnedSemaphorePermit,
}
