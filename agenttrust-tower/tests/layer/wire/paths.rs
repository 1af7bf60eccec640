//! The input of a request has its path as it was sent and its parameters as the handler sees them.

use agenttrust::AgentTrustGuard;
use agenttrust_tower::GuardLayer;
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::delete;
use http::Request;

use crate::guardian::{Guardian, Script};
use crate::wire::served::Served;

/// Answers with the parameters that a handler sees.
fn files(guard: AgentTrustGuard) -> Router {
    let shown = |Path(name): Path<String>| async move { name };
    Router::new()
        .route("/files/{*path}", delete(shown))
        .route("/notes/{name}", delete(shown))
        .layer(GuardLayer::http(guard))
}

/// Deletes each of these, byte for byte; returns what the handler saw.
async fn seen(served: &Served, paths: &[&str]) -> Vec<String> {
    let mut connection = served.connect().await;
    let mut seen = Vec::new();
    for path in paths {
        let line = format!("DELETE {path} HTTP/1.1");
        let answer = connection.ask(&[&line, "host: here"], "").await;
        assert_eq!(answer.status, 200, "{path}");
        seen.push(answer.body);
    }
    seen
}

#[tokio::test]
async fn an_encoded_slash_and_a_slash_are_two_inputs() {
    let guardian = Guardian::new(Script::Allow);
    let served = Served::router(files(guardian.guard())).await;
    // The handler cannot tell the two apart, and an approval does.
    assert_eq!(seen(&served, &["/files/a%2Fb", "/files/a/b"]).await, ["a/b", "a/b"]);
    let checks = guardian.checks();
    assert_eq!(checks[0].tool, "http/DELETE/files/{*path}");
    assert_eq!(checks[0].tool, checks[1].tool);
    assert_ne!(checks[0].digest, checks[1].digest);
}

#[tokio::test]
async fn what_is_decoded_twice_or_written_in_another_case_is_another_input() {
    let guardian = Guardian::new(Script::Allow);
    let served = Served::router(files(guardian.guard())).await;
    let paths =
        ["/notes/a%2Fb", "/notes/a%252Fb", "/notes/a%2fb", "/notes/a%2Fb?c", "/notes/a%2Fb"];
    assert_eq!(seen(&served, &paths).await, ["a/b", "a%2Fb", "a/b", "a/b", "a/b"]);
    let digests: Vec<_> = guardian.checks().into_iter().map(|check| check.digest).collect();
    for (one, other) in [(0, 1), (0, 2), (1, 2), (0, 3)] {
        assert_ne!(digests[one], digests[other], "{} and {}", paths[one], paths[other]);
    }
    assert_eq!(digests[0], digests[4]);
}

#[tokio::test]
async fn of_two_parameters_of_one_name_both_are_bound() {
    let guardian = Guardian::new(Script::Allow);
    let shown = |Path(ids): Path<Vec<(String, String)>>| async move { format!("{ids:?}") };
    let files = Router::new().route("/files/{id}", delete(shown));
    let tenants =
        Router::new().nest("/tenants/{id}", files.layer(GuardLayer::http(guardian.guard())));
    // The tenant is in a header, and in no URI that the guard sees.
    let by_header = tower::util::MapRequestLayer::new(|mut request: Request<Body>| {
        let tenant = request.headers()["x-tenant"].to_str().expect("text").to_owned();
        let path = format!("/tenants/{tenant}{}", request.uri().path());
        *request.uri_mut() = path.parse().expect("a path");
        request
    });
    let app = Router::new().fallback_service(tower::Layer::layer(&by_header, tenants));
    let served = Served::router(app).await;
    let mut connection = served.connect().await;
    for tenant in ["x-tenant: one", "x-tenant: two"] {
        let lines = ["DELETE /files/a HTTP/1.1", "host: here", tenant];
        let answer = connection.ask(&lines, "").await;
        assert_eq!(answer.status, 200, "{}", answer.head);
        assert!(answer.body.contains(r#"("id", "a")"#), "{}", answer.body);
    }
    let checks = guardian.checks();
    assert_ne!(checks[0].digest, checks[1].digest);
}

#[tokio::test]
async fn the_input_has_the_path_as_sent_and_the_parameter_as_the_handler_sees_it() {
    let guardian = Guardian::new(Script::Allow);
    let guard = AgentTrustGuard::builder(guardian.client(), "agt_1").log_inputs(true).build();
    let served = Served::router(files(guard)).await;
    assert_eq!(seen(&served, &["/files/a%2Fb/c?d=%2F"]).await, ["a/b/c"]);
    let sent = guardian.checks().remove(0).sent;
    for shown in [r#"/files/a%2Fb/c"#, r#"a/b/c"#, r#"d=%2F"#] {
        assert!(sent.contains(shown), "no {shown} in {sent}");
    }
}
