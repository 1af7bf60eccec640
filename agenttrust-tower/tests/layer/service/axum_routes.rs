//! Axum: routes are guarded under the template that the router matched, and so is what matched none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use agenttrust_tower::GuardLayer;
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use http::{Request, StatusCode};
use tower::ServiceExt;

use crate::guardian::{Guardian, Script};

async fn status(app: &Router, method: &str, uri: &str) -> StatusCode {
    let request = Request::builder().method(method).uri(uri).body(Body::empty()).expect("one");
    app.clone().oneshot(request).await.expect("infallible").status()
}

/// Returns a route that counts the calls of its handlers.
fn files(calls: &Arc<AtomicUsize>) -> Router {
    let counted = |calls: &Arc<AtomicUsize>| {
        let calls = calls.clone();
        move |Path(_): Path<Vec<(String, String)>>| async move {
            calls.fetch_add(1, Ordering::SeqCst);
        }
    };
    Router::new().route("/files/{name}", get(counted(calls)).delete(counted(calls)))
}

#[tokio::test]
async fn a_route_is_guarded_under_its_template() {
    let guardian = Guardian::new(Script::Allow);
    let calls = Arc::default();
    let app = files(&calls).layer(GuardLayer::http(guardian.guard()));
    assert_eq!(status(&app, "GET", "/files/secret.txt").await, StatusCode::OK);
    assert_eq!(status(&app, "DELETE", "/files/secret.txt").await, StatusCode::OK);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    let checks = guardian.checks();
    assert_eq!(checks[0].tool, "http/GET/files/{name}");
    assert_eq!(checks[0].effect, "read");
    assert_eq!(checks[1].tool, "http/DELETE/files/{name}");
    assert_eq!(checks[1].effect, "destructive");
    for check in checks {
        assert!(!check.sent.contains("secret"), "{}", check.sent);
    }
}

#[tokio::test]
async fn the_matched_path_wins_over_a_template_of_the_users() {
    let guardian = Guardian::new(Script::Allow);
    let layer = GuardLayer::http(guardian.guard()).template("/elsewhere");
    let app = files(&Arc::default()).layer(layer);
    status(&app, "GET", "/files/a").await;
    assert_eq!(guardian.checks()[0].tool, "http/GET/files/{name}");
}

#[tokio::test]
async fn a_call_that_is_not_permitted_never_runs_the_handler() {
    for (script, expected) in [
        (Script::Deny, StatusCode::FORBIDDEN),
        (Script::Hold, StatusCode::FORBIDDEN),
        (Script::Unreachable, StatusCode::SERVICE_UNAVAILABLE),
        (Script::Status(401), StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let guardian = Guardian::new(script);
        let calls = Arc::default();
        let app = files(&calls).layer(GuardLayer::http(guardian.guard()));
        assert_eq!(status(&app, "DELETE", "/files/a").await, expected, "{script:?}");
        assert_eq!(calls.load(Ordering::SeqCst), 0, "{script:?} ran the handler");
    }
}

#[tokio::test]
async fn two_files_of_one_route_have_two_digests_and_one_file_has_one() {
    let guardian = Guardian::new(Script::Hold);
    let app = files(&Arc::default()).layer(GuardLayer::http(guardian.guard()));
    for uri in ["/files/a", "/files/b", "/files/a"] {
        assert_eq!(status(&app, "DELETE", uri).await, StatusCode::FORBIDDEN);
    }
    let checks = guardian.checks();
    assert_eq!(checks[0].tool, checks[1].tool);
    assert_ne!(checks[0].digest, checks[1].digest);
    assert_eq!(checks[0].digest, checks[2].digest);
}

#[tokio::test]
async fn parameters_in_a_nested_prefix_are_bound_too() {
    let guardian = Guardian::new(Script::Hold);
    let files = files(&Arc::default()).layer(GuardLayer::http(guardian.guard()));
    let app = Router::new().nest("/tenants/{tenant}", files);
    for uri in ["/tenants/one/files/a", "/tenants/two/files/a"] {
        assert_eq!(status(&app, "DELETE", uri).await, StatusCode::FORBIDDEN);
    }
    let checks = guardian.checks();
    assert_eq!(checks[0].tool, "http/DELETE/tenants/{tenant}/files/{name}");
    assert_ne!(checks[0].digest, checks[1].digest);
}

#[tokio::test]
async fn parameters_that_a_rewrite_left_in_no_uri_are_bound_too() {
    let guardian = Guardian::new(Script::Hold);
    let files = files(&Arc::default()).layer(GuardLayer::http(guardian.guard()));
    let tenants = Router::new().nest("/tenants/{tenant}", files);
    // The tenant comes from a header into the path that the second router matches and strips.
    let rewritten = tower::util::MapRequestLayer::new(|mut request: Request<Body>| {
        let tenant = request.headers()["x-tenant"].to_str().expect("text").to_owned();
        let path = format!("/tenants/{tenant}{}", request.uri().path());
        *request.uri_mut() = path.parse().expect("a path");
        request
    });
    let app = Router::new().fallback_service(tower::Layer::layer(&rewritten, tenants));
    for tenant in ["one", "two"] {
        let request = Request::delete("/files/a").header("x-tenant", tenant).body(Body::empty());
        let response = app.clone().oneshot(request.expect("one")).await.expect("infallible");
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
    }
    let checks = guardian.checks();
    assert_ne!(checks[0].digest, checks[1].digest);
}

#[tokio::test]
async fn what_matches_no_route_is_guarded_as_unmatched() {
    let guardian = Guardian::new(Script::Deny);
    let app = files(&Arc::default())
        .fallback(|| async { "somewhere" })
        .layer(GuardLayer::http(guardian.guard()));
    assert_eq!(status(&app, "DELETE", "/secret/place").await, StatusCode::FORBIDDEN);
    let checks = guardian.checks();
    assert_eq!(checks[0].tool, "http/DELETE/(unmatched)");
    assert!(!checks[0].sent.contains("secret"), "{}", checks[0].sent);
}

#[tokio::test]
async fn a_router_guarded_from_outside_is_guarded_as_unmatched() {
    let guardian = Guardian::new(Script::Allow);
    let guarded = tower::Layer::layer(&GuardLayer::http(guardian.guard()), files(&Arc::default()));
    let request = Request::get("/files/secret").body(Body::empty()).expect("one");
    guarded.oneshot(request).await.expect("infallible");
    assert_eq!(guardian.checks()[0].tool, "http/GET/(unmatched)");
}

#[tokio::test]
async fn two_mounts_of_one_guarded_service_are_two_resources() {
    let guardian = Guardian::new(Script::Hold);
    let guarded = tower::Layer::layer(&GuardLayer::http(guardian.guard()), files(&Arc::default()));
    let app = Router::new().nest_service("/live", guarded.clone()).nest_service("/test", guarded);
    for uri in ["/test/files/a", "/live/files/a"] {
        assert_eq!(status(&app, "DELETE", uri).await, StatusCode::FORBIDDEN);
    }
    let checks = guardian.checks();
    assert_eq!(checks[0].tool, "http/DELETE/(unmatched)");
    assert_ne!(checks[0].digest, checks[1].digest);
}

#[tokio::test]
async fn encoded_slashes_stay_inside_their_parameter() {
    let guardian = Guardian::new(Script::Hold);
    let app = files(&Arc::default()).layer(GuardLayer::http(guardian.guard()));
    for uri in ["/files/..%2Fa", "/files/a"] {
        assert_eq!(status(&app, "DELETE", uri).await, StatusCode::FORBIDDEN);
    }
    let checks = guardian.checks();
    assert_eq!(checks[0].tool, "http/DELETE/files/{name}");
    assert_ne!(checks[0].digest, checks[1].digest);
}

#[tokio::test]
async fn a_parameter_that_is_no_text_is_refused_without_asking() {
    let guardian = Guardian::new(Script::Allow);
    let calls = Arc::default();
    let app = files(&calls).layer(GuardLayer::http(guardian.guard()));
    assert_eq!(status(&app, "DELETE", "/files/%ff").await, StatusCode::BAD_REQUEST);
    assert_eq!(guardian.checks().len(), 0);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}
