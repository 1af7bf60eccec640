//! Places for connections, of which there may be more or fewer while they are served.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places for connections.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Places {
    free: Arc<Semaphore>,
    most: Arc<Mutex<usize>>,
}

impl Places {
    pub(in crate::cli) fn new(most: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), most: Arc::new(Mutex::new(most)) }
    }

    /// Sets the number of places from now on. Those that are taken and are too many go as they are given back.
    pub(in crate::cli) fn set(&self, most: usize) {
        let mut before = self.most.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = before.saturating_sub(most);
        self.free.add_permits(most.saturating_sub(*before));
        *before = most;
        drop(before);
        let free = Arc::clone(&self.free);
        tokio::spawn(async move {
            for _ in 0..gone {
                if let Ok(place) = free.acquire().await {
                    place.forget();
                }
            }
        });
    }

    /// Takes one, where one is free.
    pub(super) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// Takes one as soon as one is free.
    pub(super) async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(places: &Places) -> Vec<OwnedSemaphorePermit> {
        std::iter::from_fn(|| places.take()).collect()
    }

    #[tokio::test]
    async fn places_become_more_at_once_and_fewer_as_they_are_given_back() {
        let places = Places::new(4);
        let mut held = taken(&places);
        places.set(6);
        held.extend(taken(&places));
        assert_eq!(held.len(), 6);
        places.set(3);
        drop(held);
        tokio::task::yield_now().await;
        assert_eq!(taken(&places).len(), 3);
        places.set(2);
        tokio::task::yield_now().await;
        assert_eq!(taken(&places).len(), 2);
    }
}
