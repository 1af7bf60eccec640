//! One issuance for however many, and none that outlives its reason.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::*;

/// Issues tokens `t1`, `t2`, … that are good for so long, each once it is let.
struct Issuer {
    begun: AtomicUsize,
    lets: Semaphore,
    good_for: Duration,
    fails: bool,
}

impl Issuer {
    fn new(lets: usize, good_for: Duration) -> Arc<Self> {
        Arc::new(Self {
            begun: AtomicUsize::new(0),
            lets: Semaphore::new(lets),
            good_for,
            fails: false,
        })
    }

    fn issue(self: &Arc<Self>) -> impl Future<Output = Result<Issued, Failed>> + Send + 'static {
        let issuer = Arc::clone(self);
        async move {
            let begun = issuer.begun.fetch_add(1, Ordering::SeqCst) + 1;
            issuer.lets.acquire().await.unwrap().forget();
            if issuer.fails {
                return Err(AgentTrustError::crypto("no key").into());
            }
            let token = format!("t{begun}").into();
            Ok(Issued { token, asked: SuspendAwareInstant::now(), good_for: issuer.good_for })
        }
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

async fn until(done: impl Fn() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it was not done in five seconds");
}

#[tokio::test]
async fn calls_that_need_a_token_at_once_make_one_issuance() {
    let (token, issuer) = (BoundToken::default(), Issuer::new(0, HOUR));
    let all: Vec<_> = (0..100)
        .map(|_| {
            let (token, issuer) = (token.clone(), Arc::clone(&issuer));
            tokio::spawn(async move { token.get(|| issuer.issue()).await.map_err(|f| f.error) })
        })
        .collect();
    until(|| issuer.begun() == 1).await;
    issuer.lets.add_permits(100);
    for call in all {
        assert_eq!(&*call.await.unwrap().unwrap(), "t1");
    }
    assert_eq!(&*token.get(|| issuer.issue()).await.unwrap(), "t1");
    assert_eq!(issuer.begun(), 1);
}

#[tokio::test]
async fn call_that_is_dropped_harms_no_other_and_its_token_is_kept() {
    let (token, issuer) = (BoundToken::default(), Issuer::new(0, HOUR));
    let first = tokio::spawn({
        let (token, issuer) = (token.clone(), Arc::clone(&issuer));
        async move { drop(token.get(|| issuer.issue()).await) }
    });
    until(|| issuer.begun() == 1).await;
    let second = tokio::spawn({
        let (token, issuer) = (token.clone(), Arc::clone(&issuer));
        async move { token.get(|| issuer.issue()).await.map_err(|failed| failed.error) }
    });
    first.abort();
    issuer.lets.add_permits(1);
    assert_eq!(&*second.await.unwrap().unwrap(), "t1");

    // All of them dropped.
    token.forget(None);
    let third = tokio::spawn({
        let (token, issuer) = (token.clone(), Arc::clone(&issuer));
        async move { drop(token.get(|| issuer.issue()).await) }
    });
    until(|| issuer.begun() == 2).await;
    third.abort();
    issuer.lets.add_permits(1);
    until(|| token.lock().kept.is_some()).await;
    assert_eq!(&*token.get(|| issuer.issue()).await.unwrap(), "t2");
}

#[tokio::test]
async fn failure_is_told_to_all_who_waited_and_not_kept() {
    let token = BoundToken::default();
    let fails = Arc::new(Issuer { fails: true, ..Arc::into_inner(Issuer::new(1, HOUR)).unwrap() });
    let both = tokio::join!(token.get(|| fails.issue()), token.get(|| fails.issue()));
    for told in [both.0, both.1] {
        assert_eq!(told.unwrap_err().error.to_string(), "no key");
    }
    assert_eq!(fails.begun(), 1);
    let good = Issuer::new(1, HOUR);
    assert_eq!(&*token.get(|| good.issue()).await.unwrap(), "t1");
}

#[tokio::test]
async fn issuance_that_panics_is_an_error_and_the_next_one_is_tried() {
    let token = BoundToken::default();
    let error = token.get(|| async { panic!("for the test") }).await.unwrap_err().error;
    assert!(matches!(error, AgentTrustError::GuardianUnavailable { .. }), "{error}");
    let good = Issuer::new(1, HOUR);
    assert_eq!(&*token.get(|| good.issue()).await.unwrap(), "t1");
}

#[tokio::test]
async fn token_that_was_forgotten_is_not_used_again_nor_is_one_that_was_under_way() {
    let (token, issuer) = (BoundToken::default(), Issuer::new(2, HOUR));
    token.get(|| issuer.issue()).await.unwrap();
    token.forget(Some("t0"));
    assert_eq!(&*token.get(|| issuer.issue()).await.unwrap(), "t1");
    token.forget(Some("t1"));
    assert_eq!(&*token.get(|| issuer.issue()).await.unwrap(), "t2");

    token.forget(None);
    let waits = tokio::spawn({
        let (token, issuer) = (token.clone(), Arc::clone(&issuer));
        async move { token.get(|| issuer.issue()).await.map_err(|failed| failed.error) }
    });
    until(|| issuer.begun() == 3).await;
    token.forget(None);
    issuer.lets.add_permits(2);
    assert_eq!(&*token.get(|| issuer.issue()).await.unwrap(), "t4");
    assert_eq!(&*waits.await.unwrap().unwrap(), "t3");
    assert_eq!(&*token.get(|| issuer.issue()).await.unwrap(), "t4", "t3 did not take its place");
}

#[tokio::test]
async fn token_is_issued_anew_before_it_ends() {
    let (token, issuer) = (BoundToken::default(), Issuer::new(9, Duration::from_millis(20)));
    token.get(|| issuer.issue()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(&*token.get(|| issuer.issue()).await.unwrap(), "t2");
    for (left, good) in [(900, 840), (120, 60), (90, 45), (60, 30), (0, 0), (10 * 86_400, 86_340)] {
        let [left, good] = [left, good].map(Duration::from_secs);
        assert_eq!(good_for(left), good, "{left:?}");
    }
}
