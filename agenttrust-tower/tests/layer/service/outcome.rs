//! What of an HTTP answer is reported as a failure.

use std::convert::Infallible;

use agenttrust_tower::GuardLayer;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::guardian::{Guardian, Script};

async fn reported(status: StatusCode) -> Value {
    let guardian = Guardian::new(Script::Allow);
    let guard = guardian.guard();
    let service =
        GuardLayer::http(guard.clone()).layer(service_fn(move |_: Request<String>| async move {
            let mut response = Response::new(String::new());
            *response.status_mut() = status;
            Ok::<_, Infallible>(response)
        }));
    let response = service.oneshot(Request::new(String::new())).await.expect("infallible");
    assert_eq!(response.status(), status, "the answer is the service's own");
    let events = guardian.events(&guard).await;
    let [event] = &events[..] else { panic!("expected one report, found {events:#?}") };
    json!([event["success"], event["error_type"]])
}

#[tokio::test]
async fn statuses_below_400_are_successes() {
    for status in [StatusCode::OK, StatusCode::NO_CONTENT, StatusCode::SEE_OTHER] {
        assert_eq!(reported(status).await, json!([true, null]), "{status}");
    }
}

#[tokio::test]
async fn statuses_from_400_are_failures_named_by_their_number() {
    assert_eq!(reported(StatusCode::BAD_REQUEST).await, json!([false, "http 400"]));
    assert_eq!(reported(StatusCode::NOT_FOUND).await, json!([false, "http 404"]));
    assert_eq!(reported(StatusCode::BAD_GATEWAY).await, json!([false, "http 502"]));
}
