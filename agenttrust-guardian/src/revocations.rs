//! Tells the open event streams what was taken back, once memory says so too: whoever asks again
//! because of it is answered how things stand now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agenttrust::model::Revocation;
use tokio::sync::broadcast;

/// How much may wait to be read by one stream; who falls behind further is told so, and ended.
pub(crate) const KEPT: usize = 1_024;
/// How many streams may be open at once ...
pub(crate) const STREAMS_MOST: usize = 64;
/// ... and how many of them for one key, so that one that leaks them leaves places for others.
pub(crate) const STREAMS_OF_KEY_MOST: usize = 4;

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

/// What tells it, and the places for those who listen.
#[derive(Debug)]
pub(crate) struct Revocations {
    news: broadcast::Sender<Arc<News>>,
    places: Arc<Places>,
}

/// How many listen, by the ids of their keys.
#[derive(Debug, Default)]
struct Places(Mutex<HashMap<String, usize>>);

/// Why nobody else may listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    ForAll,
    ForThisKey,
}

impl Revocations {
    pub(crate) fn new() -> Self {
        Self { news: broadcast::Sender::new(KEPT), places: Arc::default() }
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
        let _ = self.news.send(Arc::new(news));
    }

    /// Hears everything from here on, with the key of this id; refused while too many listen.
    pub(crate) fn listen(&self, key_id: &str) -> Result<Listener, Full> {
        let place = Place::taken(&self.places, key_id)?;
        Ok(Listener { news: self.news.subscribe(), _place: place })
    }
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who listens, and the place taken by it.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) news: broadcast::Receiver<Arc<News>>,
    _place: Place,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
struct Place {
    places: Arc<Places>,
    key_id: String,
}

impl Place {
    fn taken(places: &Arc<Places>, key_id: &str) -> Result<Self, Full> {
        let mut taken = places.lock();
        if taken.get(key_id).is_some_and(|of_key| *of_key >= STREAMS_OF_KEY_MOST) {
            return Err(Full::ForThisKey);
        }
        if taken.values().sum::<usize>() >= STREAMS_MOST {
            return Err(Full::ForAll);
        }
        *taken.entry(key_id.to_owned()).or_default() += 1;
        Ok(Self { places: Arc::clone(places), key_id: key_id.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        let Some(of_key) = taken.get_mut(&self.key_id) else { return };
        *of_key -= 1;
        if *of_key == 0 {
            taken.remove(&self.key_id);
        }
    }
}
