//! Which traits the public types have, and that `Debug` shows no request.

use std::rc::Rc;

use agenttrust::{Action, AgentIdentity, PermitHandle};
use agenttrust_tower::grpc::{BindMessage, GrpcDeny, GrpcExtract};
use agenttrust_tower::http::{
    BindBody, Buffered, Following, HttpDeny, HttpExtract, NoTemplate, ReportingBody, StringBody,
};
use agenttrust_tower::mcp::{McpDeny, McpExtract, McpHttp, McpHttpFuture};
use agenttrust_tower::tower_mcp::{McpRouterDeny, McpRouterExtract, McpToolDeny, McpToolExtract};
use agenttrust_tower::{
    AsItComes, Authenticate, AuthenticateFuture, AuthenticateLayer, Denial, DenyAsError, Extracted,
    Filter, GuardLayer, Guarded, McpHttpLayer, NoExtractor, ResponseFuture, Unread, UnreadReason,
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
    send_sync_clone_debug::<GuardLayer<HttpExtract, HttpDeny, BindBody>>();
    send_sync_clone_debug::<Guarded<(), GrpcExtract, GrpcDeny, BindMessage>>();
    send_sync_clone_debug::<(Buffered, AsItComes, Unread, UnreadReason)>();
    send_sync_clone_debug::<HttpExtract<NoTemplate>>();
    send_sync_clone_debug::<HttpDeny<StringBody>>();
    send_sync_clone_debug::<Filter<HttpExtract, fn(&Request<Body>) -> bool>>();
    send_sync_clone_debug::<(GrpcExtract, GrpcDeny)>();
    send_sync_clone_debug::<(McpHttpLayer, McpExtract, McpDeny)>();
    send_sync_clone_debug::<McpHttp<Guarded<(), McpExtract, McpDeny>, StringBody>>();
    send_sync_clone_debug::<(McpRouterExtract, McpRouterDeny, McpToolExtract, McpToolDeny)>();
    send_sync_clone_debug::<(AuthenticateLayer, Authenticate<(), StringBody>)>();
    send_sync_clone_debug::<(AgentIdentity, PermitHandle, agenttrust_tower::axum::Permit)>();
}

#[test]
fn what_goes_with_a_call_is_send_and_debug() {
    send_debug::<ResponseFuture<Route, Request<Body>, HttpDeny>>();
    send_debug::<AuthenticateFuture<Route, Body, StringBody>>();
    send_debug::<McpHttpFuture<Guarded<Route, McpExtract, McpDeny>, Body, StringBody>>();
    send_debug::<(Following, ReportingBody<Body>)>();
    send_debug::<Extracted>();
    send_debug::<Denial>();
}

/// Neither the inner service's future nor its answer need be `Send`.
#[tokio::test(flavor = "current_thread")]
async fn what_stays_on_its_thread_can_be_guarded_too() {
    let guardian = Guardian::new(Script::Allow);
    let shared = Rc::new(());
    let mut service = GuardLayer::new(guardian.guard())
        .extract(|_: &Rc<()>| Action::new("local"))
        .deny_with(|_: Denial| Ok::<_, std::convert::Infallible>(Rc::new(())))
        .layer(service_fn(|request: Rc<()>| async move {
            let kept = Rc::clone(&request);
            tokio::task::yield_now().await;
            drop(kept);
            Ok(request)
        }));
    let answer = service.call(Rc::clone(&shared)).await.expect("infallible");
    assert!(Rc::ptr_eq(&answer, &shared));
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
