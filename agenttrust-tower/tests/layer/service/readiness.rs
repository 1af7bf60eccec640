//! The inner service is called when it is ready and not otherwise, and its readiness is not lost.

use std::task::Poll;
use std::time::Duration;

use agenttrust_tower::{DenyAsError, GuardLayer, Guarded};
use tokio::time::timeout;
use tower::limit::ConcurrencyLimitLayer;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_test::mock::{self, Handle, Mock, Spawn};

use crate::guardian::{Guardian, Script, by_word, called};

type Extract = fn(&String) -> agenttrust_tower::Extracted;
type Spawned = Spawn<Guarded<Mock<String, String>, Extract, DenyAsError>>;

fn spawned(guardian: &Guardian) -> (Spawned, Handle<String, String>) {
    mock::spawn_layer(GuardLayer::new(guardian.guard()).extract(by_word as Extract))
}

fn ready(service: &mut Spawned) {
    assert!(matches!(service.poll_ready(), Poll::Ready(Ok(()))));
}

#[tokio::test]
async fn is_ready_exactly_when_the_inner_service_is() {
    let (mut service, mut inner) = spawned(&Guardian::new(Script::Allow));
    inner.allow(0);
    assert!(service.poll_ready().is_pending());
    inner.allow(1);
    ready(&mut service);
}

#[tokio::test]
async fn poll_ready_forwards_the_inner_error() {
    let (mut service, mut inner) = spawned(&Guardian::new(Script::Allow));
    inner.send_error("the pool is gone");
    let Poll::Ready(Err(error)) = service.poll_ready() else { panic!("an error was sent") };
    assert_eq!(error.to_string(), "the pool is gone");
}

#[tokio::test]
async fn a_denial_never_shows_in_poll_ready() {
    let (mut service, _inner) = spawned(&Guardian::new(Script::Deny));
    for _ in 0..3 {
        ready(&mut service);
        service.call("drop_table".to_owned()).await.expect_err("it is denied");
    }
    ready(&mut service);
}

#[tokio::test]
async fn the_service_that_was_driven_ready_is_the_one_that_is_called() {
    let (mut service, mut inner) = spawned(&Guardian::new(Script::Allow));
    inner.allow(1);
    ready(&mut service);
    // From here on no clone could become ready; the mock panics when called without.
    inner.allow(0);
    let call = tokio::spawn(service.call("send_mail".to_owned()));
    let (request, respond) = called(&mut inner).await;
    assert_eq!(request, "send_mail");
    respond.send_response("sent".to_owned());
    assert_eq!(call.await.expect("no panic").expect("an answer"), "sent");
}

#[tokio::test]
async fn a_passed_call_uses_the_readiness_it_was_given() {
    let (mut service, mut inner) = spawned(&Guardian::new(Script::Allow));
    inner.allow(1);
    ready(&mut service);
    inner.allow(0);
    let call = tokio::spawn(service.call("pass".to_owned()));
    let (_, respond) = called(&mut inner).await;
    respond.send_response("passed".to_owned());
    call.await.expect("no panic").expect("an answer");
}

#[tokio::test]
async fn the_clone_left_behind_is_driven_ready_again_before_the_next_call() {
    let (mut service, mut inner) = spawned(&Guardian::new(Script::Allow));
    for _ in 0..3 {
        ready(&mut service);
        let call = tokio::spawn(service.call("send_mail".to_owned()));
        let (_, respond) = called(&mut inner).await;
        respond.send_response("sent".to_owned());
        call.await.expect("no panic").expect("an answer");
    }
}

#[tokio::test]
async fn a_denied_call_gives_its_place_in_a_limit_back() {
    let guardian = Guardian::new(Script::Allow).on("drop_table", Script::Deny);
    let inner = ConcurrencyLimitLayer::new(1)
        .layer(service_fn(|request: String| async move { Ok::<_, BoxError>(request) }));
    let mut service = GuardLayer::new(guardian.guard()).extract(by_word).layer(inner);
    for request in ["drop_table", "send_mail", "refuse", "send_mail"] {
        let call = async { service.ready().await?.call(request.to_owned()).await };
        let result = timeout(Duration::from_secs(5), call).await.expect("the limit is free");
        assert_eq!(result.is_ok(), request == "send_mail");
    }
}
