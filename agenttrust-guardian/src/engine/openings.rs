//! Sessions that are opened from tokens of other issuers, one after the other for each token. So many first calls with
//! one token share one session, and what is held and counted is in one place.

use std::array;
use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// The number of tokens that may have their sessions opened at once; two of one place wait for each other.
const PLACES: usize = 64;

/// The turns of callers that open sessions.
#[derive(Debug)]
pub(crate) struct Openings {
    places: [Mutex<()>; PLACES],
    hasher: RandomState,
}

impl Default for Openings {
    fn default() -> Self {
        Self { places: array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }
}

impl Openings {
    /// Waits until no other caller opens a session of this origin; none does before the returned guard is dropped.
    pub(crate) async fn alone(&self, origin: &str) -> Option<MutexGuard<'_, ()>> {
        let place = self.hasher.hash_one(origin) % PLACES as u64;
        match self.places.get(usize::try_from(place).unwrap_or(0)) {
            Some(place) => Some(place.lock().await),
            None => None,
        }
    }
}
