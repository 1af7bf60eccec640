//! What an HTTP caller is told, and what it is not.

use std::convert::Infallible;
use std::time::Duration;

use agenttrust_tower::GuardLayer;
use agenttrust_tower::http::{FollowBody, HttpDeny, MakeBody};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::guardian::{Guardian, Script};

async fn answered<M, B>(script: Script, deny: HttpDeny<M>) -> Response<B>
where
    M: MakeBody<B> + Clone,
    B: FollowBody,
{
    let guardian = Guardian::new(script);
    let service = GuardLayer::http(guardian.guard()).deny_with(deny).layer(service_fn(
        |_: Request<String>| async {
            panic!("it ran");
            #[expect(unreachable_code)]
            Err::<Response<B>, Infallible>(unreachable!())
        },
    ));
    service.oneshot(Request::new(String::new())).await.expect("infallible")
}

async fn denied(script: Script) -> (StatusCode, Option<String>, Value) {
    let response: Response<String> = answered(script, HttpDeny::new()).await;
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let retry = response.headers().get("retry-after");
    let retry = retry.map(|after| after.to_str().expect("text").to_owned());
    let problem: Value = serde_json::from_str(response.body()).expect("JSON");
    assert_eq!(problem["type"], "about:blank");
    assert_eq!(problem["status"], response.status().as_u16());
    assert_eq!(problem["title"], response.status().canonical_reason().expect("a known one"));
    (response.status(), retry, problem)
}

#[tokio::test]
async fn a_denial_is_a_403_with_the_reason_and_the_check() {
    let (status, retry, problem) = denied(Script::Deny).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(retry, None);
    assert_eq!(problem["code"], "ACTION_DENIED");
    assert_eq!(problem["check_id"], "chk_1");
    assert!(problem["detail"].as_str().expect("text").contains("it is not covered"), "{problem}");
}

#[tokio::test]
async fn an_elevation_is_a_403_with_the_approval_id() {
    let (status, retry, problem) = denied(Script::Hold).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(retry, None);
    assert_eq!(problem["code"], "ELEVATION_REQUIRED");
    assert_eq!(problem["approval_id"], "apr_1");
}

#[tokio::test]
async fn no_guardian_is_a_503_with_retry_after() {
    for script in [Script::Unreachable, Script::Status(503), Script::Status(429)] {
        let (status, retry, problem) = denied(script).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{script:?}");
        assert_eq!(retry.as_deref(), Some("5"), "{script:?}");
        assert_eq!(problem["code"], "GUARDIAN_UNAVAILABLE", "{script:?}");
    }
}

#[tokio::test]
async fn our_own_mistake_is_never_shown_as_the_callers() {
    for script in [
        Script::Status(400),
        Script::Status(401),
        Script::Status(403),
        Script::Status(404),
        Script::Nonsense,
    ] {
        let (status, retry, problem) = denied(script).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{script:?}");
        assert_eq!(retry, None, "{script:?}");
        assert_eq!(problem["code"], "GUARD_MISCONFIGURED", "{script:?}");
    }
}

#[tokio::test]
async fn errors_on_our_side_do_not_name_what_stands_behind() {
    for script in [Script::Unreachable, Script::Status(401), Script::Status(503)] {
        let (_, _, problem) = denied(script).await;
        let told = problem.to_string();
        assert!(!told.contains("guardian.test") && !told.contains("said so"), "{told}");
    }
}

#[tokio::test]
async fn retry_after_is_what_it_was_set_to() {
    let deny = HttpDeny::new().retry_after(Duration::from_secs(90));
    let response: Response<String> = answered(Script::Unreachable, deny).await;
    assert_eq!(response.headers()["retry-after"], "90");
}

#[tokio::test]
async fn the_bodies_of_the_usual_stacks_work() {
    let full: Response<Full<Bytes>> = answered(Script::Deny, HttpDeny::new()).await;
    let axum: Response<axum::body::Body> = answered(Script::Deny, HttpDeny::new()).await;
    let boxed: Response<BoxBody<Bytes, Infallible>> = answered(
        Script::Deny,
        HttpDeny::new().body_with(|json: String| Full::<Bytes>::from(json).boxed()),
    )
    .await;
    let bodies = [
        full.into_body().collect().await.expect("infallible").to_bytes(),
        axum.into_body().collect().await.expect("in memory").to_bytes(),
        boxed.into_body().collect().await.expect("infallible").to_bytes(),
    ];
    for body in bodies {
        let problem: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(problem["status"], json!(403));
    }
}
