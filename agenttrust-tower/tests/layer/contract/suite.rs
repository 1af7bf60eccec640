//! The suite.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use agenttrust_testkit::eventually;
use futures_util::future::join_all;
use tokio::time::timeout;
use tower::{BoxError, Service, ServiceExt};

use crate::contract::adapters::{
    Adapter, Authenticated, Grpc, GrpcMessage, Http, HttpBody, Mcp, McpRouter, McpTool, Plain,
};
use crate::contract::probe::Probe;
use crate::guardian::{Guardian, Script};

const HANG: Duration = Duration::from_secs(20);

/// A layered service, what is inside of it, and who is asked.
struct Fixture<A: Adapter> {
    guardian: Guardian,
    guard: agenttrust::AgentTrustGuard,
    inner: Probe<A::Response>,
    service: A::Service,
}

fn fixture<A: Adapter>(script: Script, places: usize) -> Fixture<A> {
    let guardian = Guardian::new(script);
    let guard = guardian.guard();
    let probe = Probe::new(places, A::response);
    let inner = probe.watch();
    let service = A::layered(&guardian, &guard, probe);
    Fixture { guardian, guard, inner, service }
}

/// Calls as a server does: drives its own clone ready, then calls it.
async fn call<A: Adapter>(service: &A::Service) -> Result<A::Response, BoxError> {
    timeout(HANG, service.clone().oneshot(A::request())).await.expect("it does not hang")
}

fn ran<A: Adapter>(result: &Result<A::Response, BoxError>) -> bool {
    result.as_ref().is_ok_and(A::is_answer)
}

/// Checks that more calls than places, again and again, each use a place and give it back.
async fn keeps_every_place<A: Adapter>() {
    let Fixture { inner, service, .. } = fixture::<A>(Script::Allow, 2);
    for _ in 0..4 {
        let all = join_all((0..16).map(|_| call::<A>(&service))).await;
        assert!(all.iter().all(ran::<A>));
    }
    assert_eq!(inner.calls(), 64);
    assert_eq!(inner.unready_calls(), 0, "a service was called that was not ready");
    drop(service);
    assert_eq!(inner.free(), 2, "a place was lost");
}

/// Checks that one and the same instance, driven ready for each call, serves all of them, as tower
/// has it.
async fn one_instance_serves_call_after_call<A: Adapter>() {
    let Fixture { inner, mut service, .. } = fixture::<A>(Script::Allow, 1);
    for _ in 0..8 {
        let ready = timeout(HANG, service.ready()).await.expect("it becomes ready again");
        let future = ready.expect("it is whole").call(A::request());
        assert!(ran::<A>(&future.await));
    }
    assert_eq!((inner.calls(), inner.unready_calls()), (8, 0));
}

async fn denied_calls_never_reach_it<A: Adapter>() {
    if !A::GUARDS {
        return;
    }
    for script in [
        Script::Deny,
        Script::Hold,
        Script::Unreachable,
        Script::Status(401),
        Script::Status(403),
        Script::Status(404),
        Script::Status(429),
        Script::Status(500),
        Script::Status(503),
        Script::Nonsense,
    ] {
        let Fixture { guardian, guard, inner, service } = fixture::<A>(script, 1);
        for _ in 0..3 {
            assert!(!ran::<A>(&call::<A>(&service).await), "{script:?}");
        }
        assert_eq!(inner.calls(), 0, "{script:?}");
        drop(service);
        assert_eq!(inner.free(), 1, "a denied call kept its place: {script:?}");
        assert!(guardian.events(&guard).await.is_empty(), "a call that was not made is reported");
    }
}

async fn each_call_is_asked_about_once_and_reported_once<A: Adapter>() {
    if !A::GUARDS {
        return;
    }
    let Fixture { guardian, guard, inner, service } = fixture::<A>(Script::Allow, 4);
    for _ in 0..5 {
        let answer = call::<A>(&service).await;
        assert!(ran::<A>(&answer));
        A::take(answer.expect("it ran")).await;
    }
    assert_eq!(inner.calls(), 5);
    assert_eq!(guardian.checks().len(), 5);
    let events = guardian.events(&guard).await;
    assert_eq!(events.len(), 5);
    assert!(events.iter().all(|event| event["success"] == true), "{events:?}");
}

/// Checks that nothing runs, then or later, when a call is dropped while the Guardian is asked.
async fn nothing_runs_after_a_drop_before_the_answer<A: Adapter>() {
    let Fixture { guardian, guard, inner, service } = fixture::<A>(Script::Silent, 1);
    {
        let mut waiting = pin!(service.clone().oneshot(A::request()));
        assert!(poll_once(waiting.as_mut()).is_pending());
        eventually("nobody was asked", async || guardian.questions() > 0).await;
        assert!(poll_once(waiting.as_mut()).is_pending());
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(inner.calls(), 0);
    drop(service);
    assert_eq!(inner.free(), 1, "the place of a call that was given up is lost");
    assert!(guardian.events(&guard).await.is_empty());
}

/// Checks that the inner call is dropped with a call that is dropped while it runs, and is reported
/// as cancelled, once.
async fn a_drop_in_the_middle_ends_the_call<A: Adapter>() {
    let Fixture { guardian, guard, inner, service } = fixture::<A>(Script::Allow, 1);
    inner.close();
    {
        let mut running = pin!(service.clone().oneshot(A::request()));
        let called = async || {
            let called = inner.calls() > 0;
            assert!(called || poll_once(running.as_mut()).is_pending());
            called
        };
        eventually("it is not called", called).await;
        assert_eq!(inner.dropped(), 0);
    }
    assert_eq!(inner.dropped(), 1);
    drop(service);
    assert_eq!(inner.free(), 1);
    if A::GUARDS {
        let events = guardian.events(&guard).await;
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0]["error_type"], "Cancelled");
    }
}

/// Checks that the layer is ready when the inner service is, and broken when it is.
async fn readiness_is_the_inner_service_s_own<A: Adapter>() {
    let Fixture { inner, mut service, .. } = fixture::<A>(Script::Deny, 1);
    let mut other = service.clone();
    assert!(matches!(poll_ready::<A>(&mut service), Poll::Ready(Ok(()))));
    assert!(poll_ready::<A>(&mut other).is_pending(), "there is only one place");
    drop(service);
    assert!(matches!(poll_ready::<A>(&mut other), Poll::Ready(Ok(()))));
    inner.break_down();
    let mut third = other.clone();
    let Poll::Ready(Err(error)) = poll_ready::<A>(&mut third) else { panic!("it is broken") };
    assert_eq!(error.to_string(), "the probe is broken");
}

/// Checks that the place serves others where the answer takes long, and that the call still runs
/// when it may.
async fn a_place_serves_others_while_an_answer_takes_long<A: Adapter>() {
    let Fixture { guardian, inner, service, .. } = fixture::<A>(Script::Silent, 1);
    let waiting = tokio::spawn({
        let service = service.clone();
        async move { service.oneshot(A::request()).await }
    });
    eventually("nobody was asked", async || guardian.questions() > 0).await;
    eventually("the place was not given back", async || inner.free() == 1).await;
    waiting.abort();
    let _ = waiting.await;
    assert_eq!((inner.calls(), inner.free()), (0, 1));
}

fn poll_ready<A: Adapter>(service: &mut A::Service) -> Poll<Result<(), BoxError>> {
    service.poll_ready(&mut Context::from_waker(Waker::noop()))
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    struct Nobody;
    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }
    future.poll(&mut Context::from_waker(&Waker::from(Arc::new(Nobody))))
}

macro_rules! suite {
    ($($name:ident: $adapter:ty),* $(,)?) => { $(
        mod $name {
            use super::*;

            suite!(@tests $adapter:
                keeps_every_place,
                one_instance_serves_call_after_call,
                denied_calls_never_reach_it,
                each_call_is_asked_about_once_and_reported_once,
                nothing_runs_after_a_drop_before_the_answer,
                a_drop_in_the_middle_ends_the_call,
                readiness_is_the_inner_service_s_own,
                a_place_serves_others_while_an_answer_takes_long,
            );
        }
    )* };
    (@tests $adapter:ty: $($test:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            super::$test::<$adapter>().await;
        }
    )* };
}

suite! {
    plain: Plain,
    http: Http,
    http_body: HttpBody,
    grpc: Grpc,
    grpc_message: GrpcMessage,
    mcp: Mcp,
    mcp_router: McpRouter,
    mcp_tool: McpTool,
    authenticated: Authenticated,
}
