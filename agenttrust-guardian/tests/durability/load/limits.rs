//! What one key has under way does not trouble others.

use std::time::Duration;

use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, Answer, RouterClient, eventually, eventually_within};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::support::{Api, open, open_with};

const CHECK: &str = "/api/v1/agenttrust/check";

/// Returns a body that begins and never ends.
fn stuck() -> Body {
    let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
    Body::from_stream(begun.chain(stream::pending()))
}

/// Sends requests that stay under way as long as the set is held.
async fn under_way(api: &Api, key: &str, count: usize, length: Option<usize>) -> JoinSet<()> {
    let mut all = JoinSet::new();
    for _ in 0..count {
        let mut request = Request::post(CHECK).header("X-API-Key", key);
        if let Some(length) = length {
            request = request.header("Content-Length", length);
        }
        let request = request.body(stuck()).unwrap();
        let answered = api.guardian.router().oneshot(request);
        all.spawn(async move { panic!("it is answered: {:?}", answered.await) });
    }
    // Each of them gets to where it waits for its body.
    tokio::time::sleep(Duration::from_millis(200)).await;
    all
}

async fn is_given_back(api: &Api, of: &str) {
    let given_back = async || api.places_held(of).await == 0;
    eventually_within(Duration::from_secs(30), format!("{of} is still held"), given_back).await;
}

#[track_caller]
fn is_turned_away(answer: &Answer, says: &str) {
    answer.refused(429, "TOO_MANY");
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(answer.headers["agenttrust-guardian"], "1");
    assert!(answer.text("message").contains(says), "{says:?} is not in {answer:?}");
}

/// Returns an agent of another organisation, and its key.
async fn stranger(api: &Api) -> (String, String) {
    let admin = api.guardian.create_key_in("org_other", Role::Admin, &[]).await.unwrap();
    let agent = json!({ "name": "worker", "capabilities": ["*"] });
    let agent = api.post("/api/v1/agents", &admin, agent).await.ok().text("id");
    let key = api.guardian.create_key_in("org_other", Role::Agent, &[&agent]).await.unwrap();
    (agent, key)
}

#[tokio::test]
async fn key_that_floods_is_told_and_takes_nobody_elses_place() {
    let api = open_with(|builder| builder.max_requests(64)).await;
    let (agent, key) = api.worker().await;
    let (colleague, colleagues) = api.worker().await;
    let (stranger, strangers) = stranger(&api).await;
    let flood = under_way(&api, &key, 32, None).await;
    assert_eq!(api.places_held("requests").await, 32);
    is_turned_away(&api.check(&key, &agent, "search").await, "this key has 32 requests");
    api.check(&colleagues, &colleague, "search").await.allowed();
    let more = under_way(&api, &colleagues, 10, None).await;
    let of_organisation = api.check(&colleagues, &colleague, "search").await;
    is_turned_away(&of_organisation, "the rest is kept for others");
    api.check(&strangers, &stranger, "search").await.allowed();

    // What takes back, and what tells how things are, works all the same, and with the very key.
    api.get("/health", &key).await.ok();
    api.get("/metrics", ADMIN).await.ok();
    let token = json!({ "token": "at_unknown", "reason": "" });
    api.post("/api/v1/agent-tokens/revoke", &key, token).await.refused(404, "NOT_FOUND");
    for verb in ["suspend", "revoke"] {
        let path = format!("/api/v1/agents/{agent}/{verb}");
        api.post(&path, ADMIN, json!({ "reason": "it floods" })).await.ok();
    }
    let keys = api.get("/api/v1/keys", &strangers).await;
    assert_ne!(keys.status, 429);
    drop((flood, more));
    is_given_back(&api, "requests").await;
    api.check(&colleagues, &colleague, "search").await.allowed();
    let text = api.get("/metrics", ADMIN).await.ok().body.to_string();
    assert!(text.contains(r#"agenttrust_refused_by_limit_total{of=\"requests\",limit=\"key\"} 1"#));
}

#[tokio::test]
async fn taking_back_keeps_its_places_where_the_router_is_nested() {
    let api = open_with(|builder| builder.max_requests(16)).await;
    let (agent, _) = api.worker().await;
    let nested = RouterClient::new(Router::new().nest("/guardian", api.guardian.router()));
    // Eight of its key are all there are.
    let _full = under_way(&api, ADMIN, 8, None).await;
    is_turned_away(&nested.get("/guardian/api/v1/agents", ADMIN).await, "this key has 8 requests");
    nested.get("/guardian/metrics", ADMIN).await.ok();
    nested.get("/guardian/health", "").await.ok();
    let path = format!("/guardian/api/v1/agents/{agent}/revoke");
    nested.post(&path, ADMIN, json!({ "reason": "it floods" })).await.ok();
}

#[tokio::test]
async fn bodies_on_the_way_are_bounded_and_counted_before_they_are_read() {
    let api = open().await;
    let (_, key) = api.worker().await;
    let (stranger, strangers) = stranger(&api).await;
    let flood = under_way(&api, &key, 16, Some(1 << 20)).await;
    assert_eq!(api.places_held("body_bytes").await, 16 << 20);
    // It is turned away by what it says of itself: its body never comes.
    let request = Request::post(CHECK).header("X-API-Key", &key).header("Content-Length", 2);
    let answer = api.send(request.body(stuck()).unwrap()).await;
    is_turned_away(&answer, "bytes of request bodies");
    assert_eq!(answer.headers["connection"], "close", "{answer:?}");
    // A body that does not say how long it is counts when it comes.
    let chunks = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{}"))]);
    let request = Request::post(CHECK).header("X-API-Key", &key);
    let answer = api.send(request.body(Body::from_stream(chunks)).unwrap()).await;
    is_turned_away(&answer, "bytes of request bodies");

    api.check(&strangers, &stranger, "search").await.allowed();
    let token = json!({ "token": "at_unknown", "reason": "" });
    api.post("/api/v1/agent-tokens/revoke", &key, token).await.refused(404, "NOT_FOUND");
    drop(flood);
    is_given_back(&api, "body_bytes").await;
}

#[tokio::test]
async fn body_of_a_caller_without_a_key_that_works_is_not_waited_for_and_takes_no_place() {
    let api = open().await;
    for key in ["", "sk_live_unknown"] {
        // What comes at once is thrown away, so that the connection can be used on; what does not ends it.
        let request = Request::post(CHECK).header("X-API-Key", key).header("Content-Length", 9);
        let asked = api.send(request.body(stuck()).unwrap());
        let (answer, held) = tokio::join!(asked, api.places_held("body_bytes"));
        answer.refused(401, "AUTH_FAILED");
        assert_eq!(answer.headers["connection"], "close", "{answer:?}");
        assert_eq!(held, 0);
    }
}

#[tokio::test]
async fn callers_that_wait_for_approvals_leave_their_key_room_to_ask() {
    let api = open_with(|builder| builder.max_requests(64)).await;
    let (agent, key) = api.worker().await;
    let (_, colleagues) = api.worker().await;
    let approval = api.check(&key, &agent, "db_delete").await.held();
    let wait = |key: &str| {
        let path = format!("/mcp/approvals/{approval}?wait=60");
        let request = Request::get(path).header("X-API-Key", key).body(Body::empty()).unwrap();
        api.guardian.router().oneshot(request)
    };
    let mut waiting = JoinSet::new();
    for count in 1..=512 {
        waiting.spawn(wait(&key));
        if count % 16 == 0 {
            // Before it waits, each is a request as any other.
            let all_wait = async || api.places_held("waiting").await >= count;
            eventually("some do not wait", all_wait).await;
        }
    }
    assert_eq!(api.places_held("requests").await, 0);
    let path = format!("/mcp/approvals/{approval}?wait=60");
    is_turned_away(&api.get(&path, &key).await, "512 requests that wait");
    api.check(&key, &agent, "search").await.allowed();
    assert_ne!(api.get("/mcp/approvals", &colleagues).await.status, 429);
    // They are told as ever.
    api.approve(ADMIN, &approval).await.ok();
    while let Some(answer) = waiting.join_next().await {
        assert_eq!(answer.unwrap().unwrap().status(), 200);
    }
    is_given_back(&api, "waiting").await;
}

#[tokio::test]
async fn caller_that_hangs_up_before_its_body_is_there_leaves_nothing_behind() {
    let api = open().await;
    let (_, key) = api.worker().await;
    for _ in 0..10 {
        drop(under_way(&api, &key, 20, Some(100)).await);
    }
    is_given_back(&api, "requests").await;
    is_given_back(&api, "body_bytes").await;
}

#[tokio::test]
async fn every_answer_says_that_it_is_the_guardians() {
    let api = open().await;
    let nothing: Option<Value> = None;
    for (method, path, key, status) in [
        (Method::GET, "/health", "", 200),
        (Method::GET, "/openapi.json", "", 200),
        (Method::GET, "/metrics", ADMIN, 200),
        (Method::GET, "/api/v1/agents", ADMIN, 200),
        (Method::GET, "/api/v1/revocations/stream", ADMIN, 200),
        (Method::GET, "/nowhere", "", 404),
        (Method::DELETE, "/health", "", 405),
        (Method::POST, CHECK, "", 401),
        (Method::POST, CHECK, ADMIN, 400),
    ] {
        let answer = api.ask(method, path, key, nothing.clone()).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.headers["agenttrust-guardian"], "1", "{path}");
    }
    api.guardian.close().await;
    let answer = api.get("/health", "").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["agenttrust-guardian"], "1");
}
