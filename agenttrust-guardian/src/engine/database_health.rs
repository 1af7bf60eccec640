//! [`DatabaseHealth`]: whether the database answers. It is asked at most once a second, however many requests want to
//! know, and never waited for longer than that.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use agenttrust::background;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::store::Store;

/// The time for which an answer holds, and which it may take.
const HOLDS: Duration = Duration::from_secs(1);

/// The newest probe of the database, whose answer holds for a second.
#[derive(Debug, Default)]
pub(crate) struct DatabaseHealth(Mutex<Option<HealthProbe>>);

/// A question to the database, and its answer to come.
#[derive(Debug)]
struct HealthProbe {
    asked: Instant,
    answer: Shared<BoxFuture<'static, bool>>,
}

impl DatabaseHealth {
    /// Returns whether the database answers, or did within the last second.
    pub(crate) async fn is_alive(&self, store: &Store) -> bool {
        let answer = {
            // A panic with this lock held leaves an answer, or none: both are fine.
            let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match &*last {
                Some(probe) if probe.asked.elapsed() < HOLDS => probe.answer.clone(),
                _ => last
                    .insert(HealthProbe { asked: Instant::now(), answer: ask(store) })
                    .answer
                    .clone(),
            }
        };
        answer.await
    }
}

fn ask(store: &Store) -> Shared<BoxFuture<'static, bool>> {
    let store = store.clone();
    // There it goes on when the one who asked first hangs up.
    let asked = background::spawn(async move {
        background::timeout(HOLDS, store.is_alive()).await.unwrap_or(false)
    });
    asked.map(|alive| alive.unwrap_or(false)).boxed().shared()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Database;

    #[tokio::test]
    async fn database_is_asked_once_a_second_however_many_want_to_know() {
        let store = Store::open(&Database::Memory).await.unwrap();
        let database_health = DatabaseHealth::default();
        assert!(database_health.is_alive(&store).await);
        store.close().await;
        let asked = database_health.0.lock().unwrap().as_ref().unwrap().asked;
        let all = (0..1_000).map(|_| database_health.is_alive(&store));
        let answers = futures_util::future::join_all(all).await;
        if asked.elapsed() < HOLDS {
            assert!(answers.into_iter().all(|alive| alive), "the answer of a moment ago holds");
        }
        tokio::time::sleep(HOLDS).await;
        assert!(!database_health.is_alive(&store).await, "it does not hold for longer");
    }
}
