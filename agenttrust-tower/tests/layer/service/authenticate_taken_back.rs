//! A token or session that was taken back lets no agent in, whatever was on its way; and nothing
//! else is lost by it.

use std::sync::Arc;
use std::time::Duration;

use agenttrust::Revocation;
use agenttrust_testkit::eventually;
use agenttrust_tower::AuthenticateLayer;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::{Layer, ServiceBuilder};

use crate::service::gateway::{Gateway, Site, visit, visited};

fn of_token(token: &str) -> Value {
    json!({ "kind": "token", "token_sha256": Revocation::token_sha256(token), "agent_id": "agt_2" })
}

async fn followed() -> (Gateway, Site) {
    let gateway = Gateway::new();
    let site = gateway.site(|layer| layer.follow_revocations(true));
    gateway.followed().await;
    (gateway, site)
}

/// Returns a request on its way.
fn comes(site: &Site, token: &str) -> JoinHandle<StatusCode> {
    let (site, token) = (site.clone(), token.to_owned());
    tokio::spawn(async move { visit(&site, &token).await.0 })
}

#[tokio::test]
async fn nobody_is_let_in_by_an_answer_of_before_the_revocation() {
    let (gateway, site) = followed().await;
    gateway.hold_back();
    let early = comes(&site, "at_good");
    gateway.was_asked(1).await;
    gateway.revoke("at_good");
    gateway.tell(of_token("at_good")).await;
    let late = comes(&site, "at_good");
    tokio::time::sleep(Duration::from_millis(50)).await;
    gateway.let_through();
    assert_eq!(late.await.expect("no panic"), StatusCode::UNAUTHORIZED);
    assert_eq!(early.await.expect("no panic"), StatusCode::UNAUTHORIZED);
}

/// Returns a server with one place inside, which another call takes while a token is looked into.
async fn full() -> (Gateway, JoinHandle<StatusCode>, impl Sized) {
    let (gateway, place) = (Gateway::new(), Arc::new(Semaphore::new(1)));
    let inner = ServiceBuilder::new()
        .layer(GlobalConcurrencyLimitLayer::with_semaphore(Arc::clone(&place)))
        .service(visited());
    let layer = AuthenticateLayer::new(gateway.client()).follow_revocations(true);
    let site = Site::new(layer.layer(inner));
    gateway.followed().await;
    gateway.hold_back();
    let call = comes(&site, "at_good");
    gateway.was_asked(1).await;
    // Until the readiness of the service inside is given back.
    let taken = place.acquire_owned().await.expect("never closed");
    gateway.let_through();
    eventually("no session was opened", async || gateway.asked().1 == 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    (gateway, call, taken)
}

#[tokio::test]
async fn a_request_that_waited_for_a_place_is_not_let_in_by_an_old_answer() {
    let (gateway, call, taken) = full().await;
    gateway.revoke("at_good");
    gateway.tell(of_token("at_good")).await;
    drop(taken);
    assert_eq!(call.await.expect("no panic"), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_request_that_waited_for_a_place_is_let_in_whoever_else_was_revoked() {
    let (gateway, call, taken) = full().await;
    gateway.tell(of_token("at_another")).await;
    gateway.tell(json!({ "kind": "agent", "agent_id": "agt_3" })).await;
    drop(taken);
    assert_eq!(call.await.expect("no panic"), StatusCode::OK);
}

#[tokio::test]
async fn a_request_that_waited_while_anything_may_have_been_revoked_is_told_to_try_again() {
    let (gateway, call, taken) = full().await;
    gateway.tell(json!({ "kind": "of a newer gateway" })).await;
    drop(taken);
    assert_eq!(call.await.expect("no panic"), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_revocation_is_heard_however_its_digest_is_written() {
    let capitals = Revocation::token_sha256("at_good").to_uppercase();
    for digest in [capitals.as_str(), "of another kind", ""] {
        let (gateway, site) = followed().await;
        assert_eq!(visit(&site, "at_good").await.0, StatusCode::OK);
        gateway.revoke("at_good");
        let told = json!({ "kind": "token", "token_sha256": digest, "agent_id": "agt_2" });
        gateway.tell(told).await;
        assert_eq!(visit(&site, "at_good").await.0, StatusCode::UNAUTHORIZED, "{digest:?}");
    }
}

#[tokio::test]
async fn what_is_forgotten_is_asked_about_again_and_goes_on_in_its_session() {
    let (gateway, site) = followed().await;
    let first = visit(&site, "at_good").await;
    for told in [
        of_token("at_good"),
        json!({ "kind": "agent", "agent_id": "agt_2" }),
        json!({ "kind": "of a newer gateway" }),
    ] {
        let (asked, _) = gateway.asked();
        gateway.tell(told.clone()).await;
        assert_eq!(visit(&site, "at_good").await, first, "{told}");
        assert_eq!(gateway.asked(), (asked + 1, 1), "{told}");
    }
}

#[tokio::test]
async fn a_token_that_may_have_been_taken_back_while_it_was_looked_into_is_asked_about_again() {
    for (told, times) in [
        (of_token("at_another"), 1),
        (json!({ "kind": "agent", "agent_id": "agt_3" }), 1),
        (json!({ "kind": "agent", "agent_id": "agt_2" }), 2),
        (json!({ "kind": "of a newer gateway" }), 2),
    ] {
        let (gateway, site) = followed().await;
        gateway.hold_back();
        let call = comes(&site, "at_good");
        gateway.was_asked(1).await;
        gateway.tell(told.clone()).await;
        gateway.let_through();
        assert_eq!(call.await.expect("no panic"), StatusCode::OK, "{told}");
        assert_eq!(gateway.asked(), (times, 1), "{told}: in one session");
        assert_eq!(visit(&site, "at_good").await.0, StatusCode::OK, "{told}");
        assert_eq!(gateway.asked(), (times, 1), "{told}: remembered");
    }
}
