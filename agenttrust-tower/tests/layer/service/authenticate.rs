//! Gateways that answer in ways that ours does not: no agent is let in on them.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use agenttrust::{AgentIdentity, AgentTrustClient};
use agenttrust_tower::AuthenticateLayer;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

/// Returns a gateway that answers every introspection and every session with these.
fn gateway(worth: Value, session: Value) -> AgentTrustClient {
    AgentTrustClient::builder()
        .base_url("http://guardian.test")
        .api_key("sk_test_of_the_gateway")
        .service(service_fn(move |request: Request<Bytes>| {
            let answer = match request.uri().path() {
                "/api/v1/agent-tokens/introspect" => worth.to_string(),
                "/api/v1/agenttrust/api-sessions/init" => session.to_string(),
                unknown => panic!("the layer asked for {unknown}"),
            };
            async move { Ok::<_, io::Error>(Response::new(Full::from(answer))) }
        }))
        .build()
        .expect("the settings are right")
}

/// Returns the status, and as whom the request came in.
async fn visit(worth: Value, session: Value) -> (StatusCode, Option<String>) {
    let service = AuthenticateLayer::new(gateway(worth, session)).layer(service_fn(
        |request: Request<String>| async move {
            let identity = request.extensions().get::<AgentIdentity>().expect("an identity");
            Ok::<_, Infallible>(Response::new(identity.agent_id().to_owned()))
        },
    ));
    let request = Request::get("/")
        .header("authorization", "Bearer at_secret")
        .body(String::new())
        .expect("a request");
    let response = service.oneshot(request).await.expect("infallible");
    let status = response.status();
    let body = response.into_body();
    assert!(!body.contains("at_secret"), "{body}");
    (status, status.is_success().then_some(body))
}

#[tokio::test]
async fn a_plain_answer_lets_the_agent_in() {
    let worth = json!({ "active": true, "agent_id": "agt_2" });
    let session = json!({ "session": { "session_id": "ats_1", "agent_id": "agt_2" } });
    assert_eq!(visit(worth, session).await, (StatusCode::OK, Some("agt_2".to_owned())));
}

#[tokio::test]
async fn whatever_does_not_say_plainly_that_it_works_lets_nobody_in() {
    let session = json!({ "session_id": "ats_1", "agent_id": "agt_2" });
    for worth in [
        json!({ "active": false, "agent_id": "agt_2", "scopes": ["*"] }),
        json!({ "agent_id": "agt_2" }),
        json!({}),
        json!({ "active": true }),
        json!({ "active": true, "agent_id": "" }),
    ] {
        let told = visit(worth.clone(), session.clone()).await;
        assert_eq!(told, (StatusCode::UNAUTHORIZED, None), "{worth}");
    }
    // What cannot be read at all says nothing of the token.
    for worth in [json!({ "active": "yes", "agent_id": "agt_2" }), json!([true]), json!("active")] {
        let told = visit(worth.clone(), session.clone()).await;
        assert_eq!(told, (StatusCode::INTERNAL_SERVER_ERROR, None), "{worth}");
    }
}

#[tokio::test]
async fn a_session_that_is_not_the_agents_lets_nobody_in() {
    let worth = json!({ "active": true, "agent_id": "agt_2" });
    for session in [
        json!({ "session_id": "ats_1", "agent_id": "agt_3" }),
        json!({ "session_id": "ats_1" }),
        json!({ "session_id": "", "agent_id": "agt_2" }),
    ] {
        let told = visit(worth.clone(), session.clone()).await;
        assert_eq!(told, (StatusCode::UNAUTHORIZED, None), "{session}");
    }
}

#[tokio::test]
async fn a_required_scope_is_carried_by_what_covers_it_and_by_nothing_else() {
    for (scopes, status) in [
        (json!(["files:read"]), StatusCode::OK),
        (json!(["files:*"]), StatusCode::OK),
        (json!(["*"]), StatusCode::OK),
        (json!(["files:reader"]), StatusCode::FORBIDDEN),
        (json!(["files:Read"]), StatusCode::FORBIDDEN),
        (json!([]), StatusCode::FORBIDDEN),
        // Not the notation: it carries nothing rather than something.
        (json!(["fi*les", "files:read"]), StatusCode::FORBIDDEN),
    ] {
        let worth = json!({ "active": true, "agent_id": "agt_2", "scopes": scopes });
        let session = json!({ "session_id": "ats_1", "agent_id": "agt_2" });
        let service = AuthenticateLayer::new(gateway(worth, session))
            .required_scopes(["files:read"])
            .layer(service_fn(|_: Request<String>| async {
                Ok::<_, Infallible>(Response::new(String::new()))
            }));
        let request = Request::get("/")
            .header("authorization", "Bearer at_secret")
            .body(String::new())
            .expect("a request");
        let response = service.oneshot(request).await.expect("infallible");
        assert_eq!(response.status(), status, "{scopes}");
    }
}

#[tokio::test]
async fn a_token_is_remembered_by_the_guardians_clock_however_far_off_ours_is() {
    let session = json!({ "session_id": "ats_1", "agent_id": "agt_2" });
    // By the Guardian's clock it is 08:49:37, in a year that is not ours.
    for (year, ends, date, questions) in [
        (1994, "08:54:37", true, 1),
        (2093, "08:54:37", true, 1),
        // It is over within this second ...
        (1994, "08:49:38", true, 2),
        (2093, "08:49:38", true, 2),
        // ... or nobody says by which clock it ends.
        (2093, "08:54:37", false, 2),
    ] {
        let day = if year == 1994 { "Sun, 06 Nov 1994" } else { "Fri, 06 Nov 2093" };
        let ends = format!("{year}-11-06T{ends}Z");
        let worth = json!({ "active": true, "agent_id": "agt_2", "expires_at": ends });
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, session) = (Arc::clone(&asked), session.to_string());
        let client = AgentTrustClient::builder()
            .base_url("http://guardian.test")
            .service(service_fn(move |request: Request<Bytes>| {
                let mut response = Response::builder();
                if date {
                    response = response.header("date", format!("{day} 08:49:37 GMT"));
                }
                let introspects = request.uri().path().ends_with("/introspect");
                count.fetch_add(usize::from(introspects), Ordering::Relaxed);
                let body = if introspects { worth.to_string() } else { session.clone() };
                async move { response.body(Full::from(body)).map_err(io::Error::other) }
            }))
            .build()
            .expect("the settings are right");
        let service =
            AuthenticateLayer::new(client).layer(service_fn(|_: Request<String>| async {
                Ok::<_, Infallible>(Response::new(String::new()))
            }));
        for _ in 0..2 {
            let request = Request::get("/").header("authorization", "Bearer at_secret");
            let request = request.body(String::new()).expect("a request");
            let response = service.clone().oneshot(request).await.expect("infallible");
            assert_eq!(response.status(), StatusCode::OK);
        }
        assert_eq!(asked.load(Ordering::Relaxed), questions, "{ends}");
    }
}
