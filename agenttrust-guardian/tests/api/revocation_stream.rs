//! A server that caches what a token was worth hears at once that it is worth less: what the stream
//! of revocations says, to which callers, and when it ends.

use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, Stream};
use axum::http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Api, open};

const STREAM: &str = "/api/v1/revocations/stream";
const ISSUE: &str = "/api/v1/agent-tokens/issue";
const INTROSPECT: &str = "/api/v1/agent-tokens/introspect";
const REVOKE: &str = "/api/v1/agent-tokens/revoke";
const INIT: &str = "/api/v1/agenttrust/api-sessions/init";

/// Returns a Guardian, an agent of it, and a gateway that listens.
async fn listening() -> (Api, String, Stream) {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let gateway = api.key(Role::Gateway, &[]).await;
    let stream = api.revocations(&gateway).await;
    (api, agent, stream)
}

async fn agent_is(api: &Api, agent: &str, verb: &str) {
    api.post(&format!("/api/v1/agents/{agent}/{verb}"), ADMIN, json!({})).await.ok();
}

async fn introspected(api: &Api, token: &str) -> Value {
    api.post(INTROSPECT, ADMIN, json!({ "token": token })).await.ok().body
}

fn sha256(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn revoked_token_is_told_by_its_digest_and_never_itself() {
    let (api, agent, mut stream) = listening().await;
    let issued = json!({ "agent_id": agent, "scopes": ["search"] });
    let issued = api.post(ISSUE, ADMIN, issued).await.ok();
    let token = issued.text("token");
    api.post(REVOKE, ADMIN, json!({ "token": token })).await.ok();
    let said = stream.next().await.unwrap();
    assert!(!said.contains(&token) && !said.contains("at_"), "{said}");
    let data = said.strip_prefix("event: revocation\ndata: ").unwrap();
    let expected = json!({
        "kind": "token",
        "agent_id": agent,
        "token_id": issued.text("token_id"),
        "token_sha256": sha256(&token),
    });
    assert_eq!(serde_json::from_str::<Value>(data).unwrap(), expected);
}

#[tokio::test]
async fn revoked_and_suspended_agents_and_set_floors_are_told() {
    let (api, agent, mut stream) = listening().await;
    let told = json!({ "kind": "agent", "agent_id": agent });
    agent_is(&api, &agent, "suspend").await;
    assert_eq!(stream.revocation().await, told);
    // Says nothing: nothing is taken back.
    agent_is(&api, &agent, "reactivate").await;
    let floor = json!({ "mode": "restricted", "scope_ceiling": ["search"] });
    api.put(&format!("/api/v1/agents/{agent}/floor"), ADMIN, floor).await.ok();
    assert_eq!(stream.revocation().await, told);
    agent_is(&api, &agent, "revoke").await;
    assert_eq!(stream.revocation().await, told);
    let other = api.agent(&["*"]).await;
    agent_is(&api, &other, "suspend").await;
    assert_eq!(stream.revocation().await, json!({ "kind": "agent", "agent_id": other }));
}

#[tokio::test]
async fn whoever_asks_again_when_told_hears_how_things_stand_now() {
    let api = open().await;
    let gateway = api.key(Role::Gateway, &[]).await;
    let mut stream = api.revocations(&gateway).await;
    for verb in ["revoke", "suspend"] {
        let agent = api.agent(&["*"]).await;
        let token = api.token(&agent, &["search"]).await;
        let asks_again = async {
            stream.revocation().await;
            introspected(&api, &token).await
        };
        let ((), answer) = tokio::join!(agent_is(&api, &agent, verb), asks_again);
        assert_eq!(answer["active"], false, "{verb}");
    }
    let agent = api.agent(&["*"]).await;
    let token = api.token(&agent, &["search", "fetch"]).await;
    let path = format!("/api/v1/agents/{agent}/floor");
    let floor = json!({ "mode": "restricted", "scope_ceiling": ["search"] });
    let asks_again = async {
        stream.revocation().await;
        introspected(&api, &token).await
    };
    let (set, answer) = tokio::join!(api.put(&path, ADMIN, floor), asks_again);
    set.ok();
    assert_eq!(answer["scopes"], json!(["search"]));
    let asks_again = async {
        stream.revocation().await;
        introspected(&api, &token).await
    };
    let (revoked, answer) =
        tokio::join!(api.post(REVOKE, ADMIN, json!({ "token": token })), asks_again);
    revoked.ok();
    assert_eq!(answer["active"], false);
}

#[tokio::test]
async fn token_that_ends_with_the_session_of_another_is_told_too() {
    let (api, agent, mut stream) = listening().await;
    let outer = api.token(&agent, &["search"]).await;
    let session = api.post(INIT, ADMIN, json!({ "token": outer })).await.ok().text("session_id");
    let unused = api.token(&agent, &["search"]).await;
    api.post(REVOKE, ADMIN, json!({ "token": unused })).await.ok();
    let issue = json!({ "agent_id": agent, "scopes": ["search"], "session_id": session });
    let inner = api.post(ISSUE, ADMIN, issue).await.ok().text("token");
    api.post(REVOKE, ADMIN, json!({ "token": outer })).await.ok();
    assert_eq!(introspected(&api, &inner).await["active"], false);
    assert_eq!(stream.revocation().await["token_sha256"], sha256(&unused));
    assert_eq!(stream.revocation().await["token_sha256"], sha256(&outer));
    assert_eq!(stream.revocation().await, json!({ "kind": "agent", "agent_id": agent }));
}

#[tokio::test]
async fn reader_who_falls_behind_is_told_and_ended() {
    let (api, agent, mut slow) = listening().await;
    let mut quick = api.revocations(ADMIN).await;
    for _ in 0..1_025 {
        api.put(&format!("/api/v1/agents/{agent}/floor"), ADMIN, json!({ "mode": "open" }))
            .await
            .ok();
        quick.revocation().await;
    }
    assert_eq!(slow.next().await.unwrap(), "event: lagged\ndata: {}\n\n");
    slow.over().await;
    agent_is(&api, &agent, "suspend").await;
    quick.revocation().await;
}

#[tokio::test]
async fn stream_ends_with_the_key_that_opened_it_and_no_other_does() {
    let api = open().await;
    let keys = api.post("/api/v1/keys", ADMIN, json!({ "role": "gateway" })).await.ok();
    let mut stays = api.revocations(ADMIN).await;
    let mut ends = api.revocations(&keys.text("key")).await;
    let path = format!("/api/v1/keys/{}", keys.text("id"));
    api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
    ends.over().await;
    let agent = api.agent(&["*"]).await;
    agent_is(&api, &agent, "suspend").await;
    assert_eq!(stays.revocation().await["agent_id"], agent);
    api.get(STREAM, &keys.text("key")).await.refused(401, "AUTH_FAILED");
}

#[tokio::test]
async fn stream_ends_when_the_guardian_closes_or_is_gone() {
    let api = open().await;
    let mut stream = api.revocations(ADMIN).await;
    api.guardian.close().await;
    stream.over().await;
    api.get(STREAM, ADMIN).await.refused(503, "UNAVAILABLE");

    let api = open().await;
    let mut stream = api.revocations(ADMIN).await;
    drop(api);
    stream.over().await;
}

#[tokio::test]
async fn too_many_streams_are_refused_until_one_is_closed() {
    let api = open().await;
    let mut streams = Vec::new();
    for _ in 0..15 {
        let gateway = api.key(Role::Gateway, &[]).await;
        for _ in 0..4 {
            streams.push(api.revocations(&gateway).await);
        }
    }
    let keys = api.post("/api/v1/keys", ADMIN, json!({ "role": "auditor" })).await.ok();
    let mut of_auditor = Vec::new();
    for _ in 0..4 {
        of_auditor.push(api.revocations(&keys.text("key")).await);
    }
    let refused = api.get(STREAM, ADMIN).await;
    refused.refused(429, "TOO_MANY");
    assert!(refused.text("message").contains("64 streams"), "{refused:?}");
    assert_eq!(refused.headers["retry-after"], "1");
    // The rest is there for others.
    let other = api.guardian.create_key_in("org_other", Role::Gateway, &[]).await.unwrap();
    drop(api.revocations(&other).await);
    streams.pop();
    streams.push(api.revocations(ADMIN).await);
    api.get(STREAM, ADMIN).await.refused(429, "TOO_MANY");
    // One that has said its last word has no place either, even if nobody looks at it any more.
    let path = format!("/api/v1/keys/{}", keys.text("id"));
    api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
    of_auditor.last_mut().unwrap().over().await;
    drop(api.revocations(ADMIN).await);
}

#[tokio::test]
async fn streams_of_one_key_leave_places_for_others() {
    let api = open().await;
    let (one, other) = (api.key(Role::Gateway, &[]).await, api.key(Role::Gateway, &[]).await);
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(api.revocations(&one).await);
    }
    let refused = api.get(STREAM, &one).await;
    refused.refused(429, "TOO_MANY");
    assert!(refused.text("message").contains("a key of its own"), "{refused:?}");
    drop(api.revocations(&other).await);
    streams.pop();
    drop(api.revocations(&one).await);
}
