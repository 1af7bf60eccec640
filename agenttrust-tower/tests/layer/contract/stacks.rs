//! Among tower's own middleware, in both orders: nothing hangs, nothing runs that may not, and limits
//! mean what the documentation says.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agenttrust::{Action, AgentTrustGuard, OnElevation};
use agenttrust_testkit::eventually;
use agenttrust_tower::{GuardLayer, ServiceBuilderExt};
use futures_util::future::join_all;
use tokio::time::timeout;
use tower::retry::Policy;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};

use crate::guardian::{Guardian, Script};

const HANG: Duration = Duration::from_secs(20);

/// Returns a layer that names tools by the request, as everywhere in these tests; `wait` waits for its approval.
fn layer(
    guard: &AgentTrustGuard,
) -> GuardLayer<fn(&String) -> Action, agenttrust_tower::DenyAsError> {
    let extract: fn(&String) -> Action = |request| {
        let action = Action::new(request.clone()).input(request);
        match request.starts_with("wait") {
            true => action.on_elevation(OnElevation::Wait(Duration::from_secs(60))),
            false => action,
        }
    };
    GuardLayer::new(guard.clone()).extract(extract)
}

fn guardian() -> Guardian {
    Guardian::new(Script::Allow).on("drop_table", Script::Deny).on("wait", Script::Hold)
}

/// The count of calls that really ran.
#[derive(Clone, Default)]
struct Ran(Arc<AtomicUsize>);

impl Ran {
    fn service(
        &self,
    ) -> impl Service<String, Response = String, Error = BoxError, Future: Send> + Clone + Send + 'static
    {
        let Self(count) = self.clone();
        service_fn(move |request: String| {
            count.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, BoxError>(request) }
        })
    }

    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Checks allowed calls among denied ones, many at a time.
async fn serves<S>(service: S, ran: &Ran)
where
    S: Service<String, Response = String, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let words = ["send_mail", "drop_table"];
    let calls = (0..40).map(|n| {
        let service = service.clone();
        async move { (n, service.oneshot(words[n % 2].to_owned()).await) }
    });
    for (n, result) in timeout(HANG, join_all(calls)).await.expect("nothing hangs") {
        assert_eq!(result.is_ok(), n % 2 == 0, "{n}: {result:?}");
    }
    assert_eq!(ran.times(), 20, "what is allowed runs once, and nothing else does");
}

#[derive(Clone)]
struct Again(usize);

impl<Res> Policy<String, Res, BoxError> for Again {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut String, result: &mut Result<Res, BoxError>) -> Option<Ready<()>> {
        if result.is_ok() || self.0 == 0 {
            return None;
        }
        self.0 -= 1;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &String) -> Option<String> {
        Some(request.clone())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_and_in_front_of_a_buffer() {
    let (guardian, ran) = (guardian(), Ran::default());
    let guard = guardian.guard();
    let outside = ServiceBuilder::new().buffer(4).guarded(layer(&guard)).service(ran.service());
    serves(outside, &ran).await;
    let ran = Ran::default();
    let inside = ServiceBuilder::new().guarded(layer(&guard)).buffer(4).service(ran.service());
    serves(inside, &ran).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_and_in_front_of_a_limit() {
    let (guardian, ran) = (guardian(), Ran::default());
    let guard = guardian.guard();
    let outside =
        ServiceBuilder::new().concurrency_limit(2).guarded(layer(&guard)).service(ran.service());
    serves(outside, &ran).await;
    let ran = Ran::default();
    let inside =
        ServiceBuilder::new().guarded(layer(&guard)).concurrency_limit(2).service(ran.service());
    serves(inside, &ran).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_and_in_front_of_a_load_shedder() {
    let (guardian, ran) = (guardian(), Ran::default());
    let guard = guardian.guard();
    let outside = ServiceBuilder::new().load_shed().guarded(layer(&guard)).service(ran.service());
    serves(outside, &ran).await;
    let ran = Ran::default();
    let inside = ServiceBuilder::new().guarded(layer(&guard)).load_shed().service(ran.service());
    serves(inside, &ran).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_and_in_front_of_a_time_limit() {
    let (guardian, ran) = (guardian(), Ran::default());
    let guard = guardian.guard();
    let outside = ServiceBuilder::new().timeout(HANG).guarded(layer(&guard)).service(ran.service());
    serves(outside, &ran).await;
    let ran = Ran::default();
    let inside = ServiceBuilder::new().guarded(layer(&guard)).timeout(HANG).service(ran.service());
    serves(inside, &ran).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_and_in_front_of_retries() {
    let (guardian, ran) = (guardian(), Ran::default());
    let guard = guardian.guard();
    // Outside, a denied call is asked about again with each try, and never runs.
    let outside =
        ServiceBuilder::new().retry(Again(2)).guarded(layer(&guard)).service(ran.service());
    serves(outside, &ran).await;
    assert_eq!(guardian.checks().len(), 20 + 3 * 20);
    // Inside, one permit covers the tries of one call.
    let tries = Ran::default();
    let flaky = tries.service().and_then(|_| ready(Err::<String, BoxError>("again".into())));
    let inside = ServiceBuilder::new().guarded(layer(&guard)).retry(Again(2)).service(flaky);
    let before = guardian.checks().len();
    inside.oneshot("send_mail".to_owned()).await.expect_err("it fails each time");
    assert_eq!((tries.times(), guardian.checks().len() - before), (3, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_together() {
    let (guardian, ran) = (guardian(), Ran::default());
    let service = ServiceBuilder::new()
        .buffer(8)
        .timeout(HANG)
        .concurrency_limit(4)
        .guarded(layer(&guardian.guard()))
        .concurrency_limit(2)
        .timeout(HANG)
        .buffer(2)
        .service(ran.service());
    serves(service, &ran).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_one_inside_serves_others_while_one_call_waits_for_its_approval() {
    let (guardian, ran) = (guardian(), Ran::default());
    let service = ServiceBuilder::new()
        .guarded(layer(&guardian.guard()))
        .concurrency_limit(1)
        .service(ran.service());
    let waits = tokio::spawn(service.clone().oneshot("wait".to_owned()));
    guardian.asked(1).await;
    for _ in 0..10 {
        let other = service.clone().oneshot("send_mail".to_owned());
        timeout(HANG, other).await.expect("the limit is free").expect("allowed");
    }
    assert!(!waits.is_finished());
    guardian.approve();
    let result = timeout(HANG, waits).await.expect("it goes on").expect("no panic");
    assert_eq!(result.expect("approved"), "wait");
    assert_eq!(ran.times(), 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_one_outside_holds_others_for_as_long_as_one_call_waits() {
    let (guardian, ran) = (guardian(), Ran::default());
    let service = ServiceBuilder::new()
        .concurrency_limit(1)
        .guarded(layer(&guardian.guard()))
        .service(ran.service());
    let waits = tokio::spawn(service.clone().oneshot("wait".to_owned()));
    guardian.asked(1).await;
    let other = tokio::spawn(service.clone().oneshot("send_mail".to_owned()));
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(!other.is_finished(), "the limit outside counts the wait");
    guardian.approve();
    timeout(HANG, waits).await.expect("it goes on").expect("no panic").expect("approved");
    timeout(HANG, other).await.expect("it is its turn").expect("no panic").expect("allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_limit_outside_bounds_the_wait_and_nothing_runs_afterwards() {
    let (guardian, ran) = (guardian(), Ran::default());
    let service = ServiceBuilder::new()
        .timeout(Duration::from_millis(300))
        .guarded(layer(&guardian.guard()))
        .service(ran.service());
    let error = timeout(HANG, service.oneshot("wait".to_owned())).await.expect("it is bounded");
    assert!(error.expect_err("its time is up").is::<tower::timeout::error::Elapsed>());
    guardian.approve();
    eventually("it was asked", async || !guardian.checks().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(ran.times(), 0);
}
