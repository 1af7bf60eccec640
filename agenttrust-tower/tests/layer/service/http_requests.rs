//! What is asked about an HTTP request where no router left anything in it.

use std::convert::Infallible;

use agenttrust_tower::http::HttpExtract;
use agenttrust_tower::{ExtractAction, GuardLayer};
use http::{Method, Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};

use crate::guardian::{Check, Guardian, Script};

async fn asked_with<X>(extract: X, requests: Vec<Request<String>>) -> Vec<Check>
where
    X: ExtractAction<Request<String>> + Clone,
{
    let guardian = Guardian::new(Script::Allow);
    // One guard: digests are compared, and the key that goes into them is a guard's own.
    let service = GuardLayer::http(guardian.guard()).extract(extract).layer(service_fn(
        |_: Request<String>| async { Ok::<_, Infallible>(Response::new(String::new())) },
    ));
    for request in requests {
        service.clone().oneshot(request).await.expect("infallible");
    }
    guardian.checks()
}

async fn asked(requests: Vec<Request<String>>) -> Vec<Check> {
    asked_with(HttpExtract::new(), requests).await
}

fn request(method: &str, uri: &str) -> Request<String> {
    Request::builder().method(method).uri(uri).body(String::new()).expect("a request")
}

fn with_host(host: &str) -> Request<String> {
    let mut request = request("DELETE", "/files/a");
    request.headers_mut().append("host", host.parse().expect("a header"));
    request
}

#[tokio::test]
async fn the_method_says_the_effect() {
    for (method, effect) in [
        ("GET", "read"),
        ("HEAD", "read"),
        ("OPTIONS", "read"),
        ("DELETE", "destructive"),
        ("POST", "mutating"),
        ("PUT", "mutating"),
        ("PATCH", "mutating"),
        ("TRACE", "mutating"),
        ("PURGE", "mutating"),
        ("purge", "mutating"),
    ] {
        let checks = asked(vec![request(method, "/")]).await;
        assert_eq!(checks[0].effect, effect, "{method}");
    }
}

#[tokio::test]
async fn an_unmatched_request_is_guarded_and_its_path_stays_here() {
    let checks = asked(vec![request("DELETE", "/patients/jones?name=smith")]).await;
    assert_eq!(checks[0].tool, "http/DELETE/(unmatched)");
    assert!(!checks[0].sent.contains("jones"), "{}", checks[0].sent);
    assert!(!checks[0].sent.contains("smith"), "{}", checks[0].sent);
}

#[tokio::test]
async fn the_tool_is_named_after_the_template_and_never_after_the_path() {
    let fixed = HttpExtract::new().template("/files/{name}");
    let checks = asked_with(fixed, vec![request("DELETE", "/files/secret.txt")]).await;
    assert_eq!(checks[0].tool, "http/DELETE/files/{name}");
    assert!(!checks[0].sent.contains("secret"), "{}", checks[0].sent);
}

#[tokio::test]
async fn a_closure_may_route_and_what_it_does_not_know_is_unmatched() {
    let routed = HttpExtract::new().template(|request: &Request<String>| {
        request.uri().path().starts_with("/files/").then_some("/files/{name}")
    });
    let requests = vec![request("GET", "/files/a"), request("GET", "/etc/passwd")];
    let checks = asked_with(routed, requests).await;
    assert_eq!(checks[0].tool, "http/GET/files/{name}");
    assert_eq!(checks[1].tool, "http/GET/(unmatched)");
}

#[tokio::test]
async fn the_same_request_has_the_same_digest() {
    let checks =
        asked(vec![request("DELETE", "/files/a?force=1"), request("DELETE", "/files/a?force=1")])
            .await;
    assert!(!checks[0].digest.is_empty());
    assert_eq!(checks[0].digest, checks[1].digest);
}

#[tokio::test]
async fn an_approval_of_one_resource_is_bound_to_it() {
    let checks = asked(vec![
        request("DELETE", "/files/a"),
        request("DELETE", "/files/b"),
        request("DELETE", "/files/a?force=1"),
        request("DELETE", "/files/a?"),
        request("DELETE", "/files/a/"),
        request("DELETE", "/files/%61"),
        request("PURGE", "/files/a"),
        request("DELETE", "http://one.test/files/a"),
        request("DELETE", "http://two.test/files/a"),
        with_host("one.test"),
        with_host("two.test"),
    ])
    .await;
    for (n, check) in checks.iter().enumerate() {
        assert!(!check.digest.is_empty());
        // And to its head alone, which is said.
        assert_eq!(check.binds, "request");
        for other in &checks[n + 1..] {
            assert_ne!(check.digest, other.digest, "{} and {}", check.sent, other.sent);
        }
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_refused_without_asking() {
    let mut two_hosts = with_host("one.test");
    two_hosts.headers_mut().append("host", "two.test".parse().expect("a header"));
    let mut no_text = request("DELETE", "/files/a");
    let bytes = http::HeaderValue::from_bytes(b"\xff").expect("a header");
    no_text.headers_mut().append("host", bytes);
    let mut long = request("GET", "/");
    *long.method_mut() = Method::from_bytes(&[b'X'; 10_000]).expect("a method");

    let guardian = Guardian::new(Script::Allow);
    let service =
        GuardLayer::http(guardian.guard()).layer(service_fn(|_: Request<String>| async {
            panic!("it ran");
            #[expect(unreachable_code)]
            Ok::<Response<String>, Infallible>(Response::new(String::new()))
        }));
    // To servers that fold case these are methods of HTTP, and to the guard they are not.
    let folded = ["delete", "Delete", "gET", "dElEtE", "post"].map(|method| request(method, "/"));
    for request in [two_hosts, no_text, long].into_iter().chain(folded) {
        let response = service.clone().oneshot(request).await.expect("infallible");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert!(response.body().contains("REQUEST_REFUSED"), "{}", response.body());
    }
    assert_eq!(guardian.checks().len(), 0);
}
