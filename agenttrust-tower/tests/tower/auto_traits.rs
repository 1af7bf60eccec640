//! Which traits the public types have, and that `Debug` shows no request.

use agenttrust_tower::http::{HttpDeny, HttpExtract, NoTemplate, StringBody};
use agenttrust_tower::{
    Denial, DenyAsError, Extracted, GuardLayer, Guarded, NoExtractor, ResponseFuture,
};
use axum::body::Body;
use axum::routing::Route;
use http::Request;
use std::fmt::Debug;
use tower::{Layer, Service, service_fn};

use crate::guardian::{Guardian, Script, by_word};

fn send_sync_clone_debug<T: Send + Sync + Clone + Debug + 'static>() {}
fn send_debug<T: Send + Debug + 'static>() {}

#[test]
fn what_people_share_is_send_sync_clone_and_debug() {
    send_sync_clone_debug::<GuardLayer<NoExtractor, DenyAsError>>();
    send_sync_clone_debug::<GuardLayer<HttpExtract, HttpDeny>>();
    send_sync_clone_debug::<Guarded<(), HttpExtract, HttpDeny>>();
    send_sync_clone_debug::<HttpExtract<NoTemplate>>();
    send_sync_clone_debug::<HttpDeny<StringBody>>();
}

#[test]
fn what_goes_with_a_call_is_send_and_debug() {
    send_debug::<ResponseFuture<Route, Request<Body>, HttpDeny>>();
    send_debug::<Extracted>();
    send_debug::<Denial>();
}

#[tokio::test]
async fn debug_shows_no_request() {
    let guardian = Guardian::new(Script::Allow);
    let mut service = GuardLayer::new(guardian.guard())
        .extract(by_word)
        .deny_with(|_: Denial| Ok::<_, std::convert::Infallible>(String::new()))
        .layer(service_fn(|request: String| async move { Ok(request) }));
    let call = service.call("a secret".to_owned());
    let shown = format!("{call:?}");
    assert!(shown.contains("Authorizing") && !shown.contains("secret"), "{shown}");
}
