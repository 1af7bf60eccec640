//! Every check is answered by its deadline. What was not decided by then goes on, and is found by a caller
//! that asks again under the same idempotency key.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use agenttrust::background;
use futures_util::FutureExt;

use super::{Check, decide, proof, replay};
use crate::domain::{Answer, Error};
use crate::engine::Engine;
use crate::registry::{Decided, Deciding, Place, Repeatable, Weight};

/// Returns the answer to a check, within the time that a check may take.
pub(crate) async fn answer(engine: &Arc<Engine>, check: Arc<Check>) -> Result<Arc<Answer>, Error> {
    let limit = engine.settings.check_deadline;
    let Some(left) = proof::use_up(engine, &check, limit).await? else {
        return Ok(undecided(engine, &check));
    };
    let deciding = DetachedDecision(Some(begin(engine, &check).boxed().shared()));
    in_time(engine, &check, deciding, left).await
}

/// Returns the answer to a check that carries an idempotency key: the first one's, if it came before and is still
/// worth something. `body` tells one check from another.
pub(crate) async fn answer_once(
    engine: &Arc<Engine>,
    check: Arc<Check>,
    idempotency_key: &str,
    body: [u8; 32],
) -> Result<Arc<Answer>, Error> {
    // First: an answer that is given again is given to those alone who prove that they may hear it.
    let limit = engine.settings.check_deadline;
    let Some(left) = proof::use_up(engine, &check, limit).await? else {
        return Ok(undecided(engine, &check));
    };
    let now = engine.clock.now();
    let begin = |weight: Arc<Weight>| {
        let deciding = begin(engine, &check);
        let weighed = async move {
            let decided = deciding.await;
            // What the answer takes is known once it is there.
            weight.add(decided.as_ref().map_or(0, |answer| answer.bytes()));
            decided
        };
        weighed.boxed().shared()
    };
    let asked = Repeatable { key_id: &check.key.id, idempotency_key, body };
    match engine.registry.idempotency.place(&asked, now, begin) {
        Place::First(deciding) => {
            in_time(engine, &check, DetachedDecision(Some(deciding)), left).await
        }
        Place::Again(deciding) => {
            let again = {
                let (engine, check) = (Arc::clone(engine), Arc::clone(&check));
                async move {
                    let first = deciding.await?;
                    replay(&engine, &check, first).await
                }
            };
            in_time(engine, &check, DetachedDecision(Some(again.boxed().shared())), left).await
        }
        Place::Taken => Err(Error::invalid(
            "Idempotency-Key",
            "was used for another check within the last minute; use a new one",
        )),
    }
}

fn begin(engine: &Arc<Engine>, check: &Arc<Check>) -> impl Future<Output = Decided> + use<> {
    let (engine, check) = (Arc::clone(engine), Arc::clone(check));
    async move { decide(&engine, &check).await.map(Arc::new) }
}

/// Waits for a decision as long as is `left` of the time that a check has.
async fn in_time(
    engine: &Engine,
    check: &Check,
    deciding: DetachedDecision,
    left: Duration,
) -> Result<Arc<Answer>, Error> {
    match background::timeout(left, deciding).await {
        Ok(decided) => decided,
        Err(_) => Ok(undecided(engine, check)),
    }
}

/// Returns the answer that a check was not decided in time, counted.
fn undecided(engine: &Engine, check: &Check) -> Arc<Answer> {
    let limit = engine.settings.check_deadline;
    let undecided = super::answer::undecided(check, limit);
    engine.metrics.answered(&undecided, limit);
    Arc::new(undecided)
}

/// A decision that goes on elsewhere when it is waited for no more: an approval may be used up by then, or a
/// row on its way.
struct DetachedDecision(Option<Deciding>);

impl Future for DetachedDecision {
    type Output = Result<Arc<Answer>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(deciding) = self.0.as_mut() else { return Poll::Pending };
        let decided = deciding.poll_unpin(cx);
        if decided.is_ready() {
            self.0 = None;
        }
        decided
    }
}

impl Drop for DetachedDecision {
    fn drop(&mut self) {
        // While this thread panics, the decision may be what panicked.
        if let Some(deciding) = self.0.take()
            && !std::thread::panicking()
        {
            background::spawn(deciding);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use agenttrust_testkit::eventually;

    use super::*;

    /// Returns a decision that counts how often it is polled, and is there at the second time.
    fn counted(polls: &Arc<AtomicUsize>) -> DetachedDecision {
        let polls = Arc::clone(polls);
        let deciding = futures_util::future::poll_fn(move |cx| {
            if polls.fetch_add(1, Ordering::SeqCst) == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(Err(Error::forbidden("decided")))
        });
        DetachedDecision(Some(deciding.boxed().shared()))
    }

    #[tokio::test]
    async fn decision_that_was_heard_does_not_go_on() {
        let polls = Arc::default();
        let mut deciding = counted(&polls);
        (&mut deciding).await.unwrap_err();
        assert!(deciding.0.is_none(), "it would be polled once more, elsewhere");
        assert_eq!(polls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn decision_that_was_begun_goes_on_without_those_who_wait() {
        let polls = Arc::default();
        let mut deciding = counted(&polls);
        assert!((&mut deciding).now_or_never().is_none());
        drop(deciding);
        eventually("it is given up", async || polls.load(Ordering::SeqCst) == 2).await;
    }
}
