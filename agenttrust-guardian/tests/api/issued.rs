//! What a key leaves behind. Tokens and sessions know the key that they came from, are listed, and are taken back by
//! their ids. They go with a key that is revoked as compromised. Reading with a key ends with the key.

use std::time::{Duration, Instant};

use agenttrust::client::{RevokeKeyOptions, SessionFilter, TokenFilter};
use agenttrust::model::{Issued, SessionState, TokenState};
use agenttrust_guardian::Role;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Answer};
use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Api, open, open_with};

const ISSUE: &str = "/api/v1/agent-tokens/issue";
const INIT: &str = "/api/v1/agenttrust/api-sessions/init";
const TOKENS: &str = "/api/v1/agent-tokens";
const SESSIONS: &str = "/api/v1/sessions";
/// The time by which taking back is in force: a second is promised, the rest is for a machine that is busy.
const IN_FORCE: Duration = Duration::from_secs(3);

/// A key: its id and itself.
struct Key {
    id: String,
    secret: String,
}

async fn key(api: &Api, role: &str, agents: &[&str]) -> Key {
    let made =
        api.post("/api/v1/keys", ADMIN, json!({ "role": role, "agents": agents })).await.ok();
    Key { id: made.text("id"), secret: made.text("key") }
}

/// A token: its id and itself.
struct Token {
    id: String,
    secret: String,
}

async fn issue(api: &Api, key: &str, agent: &str, session: Option<&str>) -> Token {
    let body = json!({ "agent_id": agent, "scopes": ["search"], "session_id": session });
    let issued = api.post(ISSUE, key, body).await.ok();
    Token { id: issued.text("token_id"), secret: issued.text("token") }
}

async fn init(api: &Api, key: &str, token: &Token) -> String {
    api.post(INIT, key, json!({ "token": token.secret })).await.ok().text("session_id")
}

async fn is_active(api: &Api, token: &Token) -> bool {
    let body = json!({ "token": token.secret });
    api.post("/api/v1/agent-tokens/introspect", ADMIN, body).await.ok().body["active"] == true
}

async fn revoke_key(api: &Api, id: &str, body: Option<Value>) -> Answer {
    api.ask(Method::DELETE, &format!("/api/v1/keys/{id}"), ADMIN, body).await
}

/// Returns the ids in a list, of those whom a query asks for.
async fn ids(api: &Api, key: &str, path: &str, query: &str) -> Vec<String> {
    ids_of(&api.get(&format!("{path}?{query}"), key).await.ok().body)
}

fn ids_of(answer: &Value) -> Vec<String> {
    let (list, id) = match answer.get("tokens") {
        Some(tokens) => (tokens, "token_id"),
        None => (&answer["sessions"], "session_id"),
    };
    let entries = list.as_array().unwrap().iter();
    entries.map(|entry| entry[id].as_str().unwrap().to_owned()).collect()
}

async fn compromised_key_takes_along_all_that_came_from_it(api: Api) {
    let agent = api.agent(&["*"]).await;
    let (bad, good) = (key(&api, "agent", &[&agent]).await, key(&api, "agent", &[&agent]).await);
    let gateway = key(&api, "gateway", &[]).await;
    let first = issue(&api, &bad.secret, &agent, None).await;
    let kept = issue(&api, &good.secret, &agent, None).await;
    let session = api.session(&bad.secret, &agent, json!({})).await.ok().text("session_id");
    let at_gateway = init(&api, &gateway.secret, &first).await;
    // By another key, inside of what the bad one opened: it would not be there without it.
    let inner = issue(&api, &good.secret, &agent, Some(&session)).await;
    let innermost = init(&api, &gateway.secret, &inner).await;
    let kept_session = init(&api, &gateway.secret, &kept).await;

    let answer = revoke_key(&api, &bad.id, Some(json!({ "reason": "compromised" }))).await.ok();
    assert_eq!(
        answer.body,
        json!({
            "status": "revoked", "durable": true, "issued": "revoke", "tokens": 2, "sessions": 3,
            "delegations": 0,
        })
    );
    for token in [&first, &inner] {
        assert!(!is_active(&api, token).await);
        let body = json!({ "token": token.secret });
        api.post(INIT, &gateway.secret, body).await.refused(401, "AUTH_FAILED");
    }
    for (session, key) in
        [(&session, ADMIN), (&at_gateway, &gateway.secret), (&innermost, &gateway.secret)]
    {
        api.check_in(key, &agent, "search", session).await.denied("not open");
    }
    assert!(is_active(&api, &kept).await);
    api.check_in(&gateway.secret, &agent, "search", &kept_session).await.allowed();

    assert_eq!(ids(&api, ADMIN, TOKENS, "state=active").await, [kept.id.as_str()]);
    assert_eq!(ids(&api, ADMIN, TOKENS, "state=revoked").await, [inner.id, first.id]);
    assert_eq!(ids(&api, ADMIN, SESSIONS, "state=open").await, [kept_session]);
    let gone = ids(&api, ADMIN, SESSIONS, "state=revoked").await;
    assert_eq!(gone, [innermost, at_gateway, session]);
    let recorded = api.audit("key.revoked").await;
    let said = json!({ "key_id": bad.id, "reason": "compromised", "tokens": 2, "sessions": 3, "delegations": 0 });
    assert_eq!(recorded[0]["body"], said);
}

#[tokio::test]
async fn compromised_key_takes_along_all_that_came_from_it_and_nothing_else() {
    compromised_key_takes_along_all_that_came_from_it(open().await).await;
}

#[tokio::test]
async fn compromised_key_takes_along_all_that_came_from_it_and_nothing_else_on_postgres() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let api = open_with(|builder| builder.database(fresh.url())).await;
    compromised_key_takes_along_all_that_came_from_it(api).await;
}

#[tokio::test]
async fn what_a_key_issued_stays_unless_it_is_said_or_the_key_is_compromised() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    for (body, stays) in [
        (None, true),
        (Some(json!({})), true),
        (Some(json!({ "reason": "its server was sold" })), true),
        (Some(json!({ "reason": "compromised", "issued": "keep" })), true),
        (Some(json!({ "reason": " Compromised\n" })), false),
        (Some(json!({ "reason": "its server was sold", "issued": "revoke" })), false),
        (Some(json!({ "issued": "revoke" })), false),
    ] {
        let key = key(&api, "agent", &[&agent]).await;
        let token = issue(&api, &key.secret, &agent, None).await;
        let answer = revoke_key(&api, &key.id, body.clone()).await.ok();
        assert_eq!(answer.body["issued"], if stays { "keep" } else { "revoke" }, "{body:?}");
        assert_eq!(answer.body["tokens"], u64::from(!stays), "{body:?}");
        assert_eq!(is_active(&api, &token).await, stays, "{body:?}");
        // What stays can be found by the key and taken back by its id.
        let found = ids(&api, ADMIN, TOKENS, &format!("key_id={}&state=active", key.id)).await;
        assert_eq!(found.len(), usize::from(stays), "{body:?}");
        for id in found {
            api.post(&format!("{TOKENS}/{id}/revoke"), ADMIN, json!({})).await.ok();
            assert!(!is_active(&api, &token).await);
        }
    }
}

#[tokio::test]
async fn revocation_of_a_key_that_cannot_be_understood_revokes_nothing() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let key = key(&api, "agent", &[&agent]).await;
    let token = issue(&api, &key.secret, &agent, None).await;
    let rows = api.audit_rows().await;
    for (body, field) in [
        (json!({ "issued": "drop" }), "issued"),
        (json!({ "issued": true }), "issued"),
        (json!({ "isued": "revoke" }), "isued"),
        (json!({ "reason": 1 }), "reason"),
        (json!({ "reason": "x".repeat(2_001) }), "reason"),
        (json!("compromised"), "body"),
    ] {
        let answer = revoke_key(&api, &key.id, Some(body)).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert!(answer.text("message").contains(field), "{answer:?}");
    }
    revoke_key(&api, "key_unknown", Some(json!({ "issued": "revoke" })))
        .await
        .refused(404, "NOT_FOUND");
    assert_eq!(api.audit_rows().await, rows);
    assert!(is_active(&api, &token).await);
    api.check(&key.secret, &agent, "search").await.allowed();
    revoke_key(&api, &key.id, None).await.ok();
    revoke_key(&api, &key.id, Some(json!({ "issued": "revoke" }))).await.refused(404, "NOT_FOUND");
    assert!(is_active(&api, &token).await, "it was kept, and by its id it goes");
}

async fn lists_are_filtered_and_paged(api: Api) {
    let (one, other) = (api.agent(&["*"]).await, api.agent(&["*"]).await);
    let both = key(&api, "agent", &[&one, &other]).await;
    let of_one = key(&api, "agent", &[&one]).await;
    let (mut tokens, mut sessions) = (Vec::new(), Vec::new());
    for n in 0..7 {
        let agent = if n % 3 == 0 { &one } else { &other };
        let token = issue(&api, &both.secret, agent, None).await;
        sessions.push(init(&api, &both.secret, &token).await);
        tokens.push(token.id);
    }
    tokens.reverse();
    sessions.reverse();
    for (path, all) in [(TOKENS, &tokens), (SESSIONS, &sessions)] {
        for key in [ADMIN, both.secret.as_str()] {
            let (mut seen, mut next) = (Vec::new(), String::new());
            loop {
                let page = api.get(&format!("{path}?limit=3&before={next}"), key).await.ok().body;
                let ids = ids_of(&page);
                assert!(ids.len() <= 3);
                seen.extend(ids);
                match page["next"].as_str() {
                    Some(more) => next = more.to_owned(),
                    None => break,
                }
            }
            assert_eq!(seen, *all);
        }
        let of_one_agent: Vec<&String> = all.iter().rev().step_by(3).collect();
        let listed = ids(&api, ADMIN, path, &format!("agent_id={one}")).await;
        assert_eq!(listed.iter().rev().collect::<Vec<_>>(), of_one_agent);
        // A key sees what is of its agents, whoever asked for it.
        assert_eq!(ids(&api, &of_one.secret, path, "").await, listed);
        api.get(&format!("{path}?agent_id={other}"), &of_one.secret)
            .await
            .refused(403, "AUTH_DENIED");
        assert_eq!(ids(&api, ADMIN, path, &format!("key_id={}", both.id)).await, *all);
        assert!(ids(&api, ADMIN, path, &format!("key_id={}", of_one.id)).await.is_empty());
        let theirs = api.guardian.create_key_in("org_theirs", Role::Admin, &[]).await.unwrap();
        assert!(ids(&api, &theirs, path, "").await.is_empty());
    }
    let shown = api.get(TOKENS, ADMIN).await.ok().body.to_string();
    assert!(!shown.contains("at_") && !shown.contains("hash"), "{shown}");

    api.post(&format!("{TOKENS}/{}/revoke", tokens[0]), ADMIN, json!({})).await.ok();
    api.post(&format!("{SESSIONS}/{}/revoke", sessions[1]), ADMIN, json!({})).await.ok();
    assert_eq!(ids(&api, ADMIN, TOKENS, "state=revoked").await, tokens[..1]);
    assert_eq!(ids(&api, ADMIN, TOKENS, "state=active").await, tokens[1..]);
    // A session goes with its token, and not the other way round.
    assert_eq!(ids(&api, ADMIN, SESSIONS, "state=revoked").await, sessions[..2]);
    assert_eq!(ids(&api, ADMIN, SESSIONS, "state=open").await, sessions[2..]);
    let (agent, body) = (&one, json!({ "agent_id": one, "scopes": [], "ttl": 1 }));
    let short = api.post(ISSUE, ADMIN, body).await.ok();
    let token = Token { id: short.text("token_id"), secret: short.text("token") };
    let session = init(&api, ADMIN, &token).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let of_agent = format!("state=expired&agent_id={agent}");
    assert_eq!(ids(&api, ADMIN, TOKENS, &of_agent).await, [token.id.as_str()]);
    assert_eq!(ids(&api, ADMIN, SESSIONS, &of_agent).await, [session.as_str()]);
    for path in [format!("{TOKENS}/{}/revoke", token.id), format!("{SESSIONS}/{session}/revoke")] {
        api.post(&path, ADMIN, json!({})).await.refused(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn tokens_and_sessions_are_listed_by_agent_key_and_state_page_by_page() {
    lists_are_filtered_and_paged(open().await).await;
}

#[tokio::test]
async fn tokens_and_sessions_are_listed_by_agent_key_and_state_page_by_page_on_postgres() {
    let Some(fresh) = Fresh::or_skip() else { return };
    lists_are_filtered_and_paged(open_with(|builder| builder.database(fresh.url())).await).await;
}

#[tokio::test]
async fn list_refuses_what_it_cannot_make_sense_of() {
    let api = open().await;
    let (agent, _) = api.worker().await;
    for n in 0..2 {
        let token = issue(&api, ADMIN, &agent, None).await;
        init(&api, ADMIN, &token).await;
        api.check(ADMIN, &agent, &format!("db_delete_{n}")).await.held();
    }
    let next =
        async |path: &str| api.get(&format!("{path}?limit=1"), ADMIN).await.ok().text("next");
    let lists = [TOKENS, SESSIONS, "/mcp/approvals"];
    for path in lists {
        for other in lists.iter().filter(|other| **other != path) {
            let cursor = next(other).await;
            let answer = api.get(&format!("{path}?before={cursor}"), ADMIN).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(answer.body["details"]["field"], "before", "{path} {other}: {answer:?}");
        }
    }
    for path in [TOKENS, SESSIONS] {
        for (query, field) in [
            ("before=x", "before"),
            ("before=.tok_1", "before"),
            ("state=lost", "state"),
            ("state=unknown", "state"),
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("agent_id=a%0Ab", "agent_id"),
            ("key_id=a%0Ab", "key_id"),
        ] {
            let answer = api.get(&format!("{path}?{query}"), ADMIN).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(answer.body["details"]["field"], field, "{path}?{query}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn token_and_session_are_taken_back_by_their_ids_with_all_that_was_made_from_them() {
    let api = open().await;
    let (agent, own) = api.worker().await;
    let gateway = api.key(Role::Gateway, &[]).await;
    for key in [own.as_str(), &api.key(Role::Operator, &[]).await, ADMIN] {
        let token = issue(&api, ADMIN, &agent, None).await;
        let session = init(&api, &gateway, &token).await;
        let inner = issue(&api, ADMIN, &agent, Some(&session)).await;
        let innermost = init(&api, &gateway, &inner).await;
        let path = format!("{SESSIONS}/{session}/revoke");
        let reason = json!({ "reason": "it went astray" });
        let answer = api.post(&path, key, reason.clone()).await.ok();
        assert_eq!(answer.body, json!({ "status": "revoked", "durable": true }));
        for gone in [&session, &innermost] {
            api.check_in(&gateway, &agent, "search", gone).await.denied("not open");
            api.get(&format!("/mcp/sessions/{gone}"), ADMIN).await.refused(404, "NOT_FOUND");
        }
        assert!(!is_active(&api, &inner).await);
        // As it stands in the database, too.
        let over = ids(&api, ADMIN, SESSIONS, "state=revoked&limit=2").await;
        assert_eq!(over, [innermost, session.clone()]);
        assert_eq!(ids(&api, ADMIN, TOKENS, "state=revoked&limit=1").await, [inner.id.as_str()]);
        assert!(is_active(&api, &token).await, "the token that it was opened with works on");
        let again = init(&api, &gateway, &token).await;
        assert_ne!(again, session);
        api.post(&format!("{TOKENS}/{}/revoke", token.id), key, reason).await.ok();
        assert!(!is_active(&api, &token).await);
        api.check_in(&gateway, &agent, "search", &again).await.denied("not open");
        for path in [path, format!("{TOKENS}/{}/revoke", token.id)] {
            api.post(&path, key, json!({})).await.refused(404, "NOT_FOUND");
        }
    }
    let told = api.audit("session.revoked").await;
    assert_eq!(told.len(), 3);
    assert_eq!(told[0]["body"]["reason"], "it went astray");
    assert_eq!(api.audit("token.revoked").await.len(), 3);
}

#[tokio::test]
async fn what_is_unknown_or_anothers_is_not_taken_back() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let token = issue(&api, ADMIN, &agent, None).await;
    let session = init(&api, ADMIN, &token).await;
    let (_, stranger) = api.worker().await;
    let theirs = api.guardian.create_key_in("org_theirs", Role::Admin, &[]).await.unwrap();
    let rows = api.audit_rows().await;
    for key in [&stranger, &theirs] {
        for path in
            [format!("{TOKENS}/{}/revoke", token.id), format!("{SESSIONS}/{session}/revoke")]
        {
            let answer = api.post(&path, key, json!({})).await;
            answer.refused(404, "NOT_FOUND");
            assert!(!answer.body.to_string().contains(&agent), "{answer:?}");
        }
    }
    for id in ["tok_unknown", "ats_unknown", "..%2Fx", "shared"] {
        for path in [TOKENS, SESSIONS] {
            let path = format!("{path}/{id}/revoke");
            api.post(&path, ADMIN, json!({})).await.refused(404, "NOT_FOUND");
        }
    }
    // The secret of a token is no id.
    let path = format!("{TOKENS}/{}/revoke", token.secret);
    let answer = api.post(&path, ADMIN, json!({})).await;
    answer.refused(404, "NOT_FOUND");
    let reason = json!({ "reason": "x".repeat(2_001) });
    for path in [format!("{TOKENS}/{}/revoke", token.id), format!("{SESSIONS}/{session}/revoke")] {
        api.post(&path, ADMIN, reason.clone()).await.refused(400, "VALIDATION_ERROR");
    }
    assert_eq!(api.audit_rows().await, rows);
    assert!(is_active(&api, &token).await);
    api.check_in(ADMIN, &agent, "search", &session).await.allowed();
}

#[tokio::test]
async fn agents_of_what_went_with_a_key_are_told_on_the_stream() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let key = key(&api, "agent", &[&agent]).await;
    let token = issue(&api, &key.secret, &agent, None).await;
    let mut stream = api.revocations(ADMIN).await;
    revoke_key(&api, &key.id, Some(json!({ "issued": "revoke" }))).await.ok();
    assert_eq!(stream.revocation().await, json!({ "kind": "agent", "agent_id": agent }));
    let token_of_other = issue(&api, ADMIN, &agent, None).await;
    let session = init(&api, ADMIN, &token_of_other).await;
    api.post(&format!("{SESSIONS}/{session}/revoke"), ADMIN, json!({})).await.ok();
    assert_eq!(stream.revocation().await, json!({ "kind": "agent", "agent_id": agent }));
    assert!(!is_active(&api, &token).await);
}

#[tokio::test]
async fn long_poll_ends_with_the_key_that_opened_it() {
    let api = open().await;
    let (agent, _) = api.worker().await;
    let reader = key(&api, "auditor", &[]).await;
    let approval = api.check(ADMIN, &agent, "db_delete").await.held();
    let path = format!("/mcp/approvals/{approval}?wait=30");
    let waiting = async {
        let answer = api.get(&path, &reader.secret).await;
        (answer, Instant::now())
    };
    let revoking = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let begun = Instant::now();
        revoke_key(&api, &reader.id, None).await.ok();
        begun
    };
    let ((answer, ended), begun) = tokio::join!(waiting, revoking);
    answer.refused(401, "AUTH_FAILED");
    assert!(!answer.body.to_string().contains(&agent), "{answer:?}");
    assert!(ended.saturating_duration_since(begun) < IN_FORCE, "{:?}", ended - begun);
}

#[tokio::test]
async fn long_poll_ends_with_the_overlap_of_its_rotated_secret() {
    let api = open().await;
    let (agent, _) = api.worker().await;
    let reader = key(&api, "auditor", &[]).await;
    let approval = api.check(ADMIN, &agent, "db_delete").await.held();
    let path = format!("/api/v1/keys/{}/rotate", reader.id);
    api.post(&path, ADMIN, json!({ "overlap": 1 })).await.ok();
    let begun = Instant::now();
    let path = format!("/mcp/approvals/{approval}?wait=30");
    api.get(&path, &reader.secret).await.refused(401, "AUTH_FAILED");
    assert!(begun.elapsed() < 2 * IN_FORCE, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn export_breaks_off_with_the_key_that_opened_it() {
    let api = open().await;
    let reader = key(&api, "auditor", &[]).await;
    let export = async || {
        let request = Request::get("/api/v1/audit/export").header("X-API-Key", &reader.secret);
        let request = request.body(Body::empty()).unwrap();
        api.guardian.router().oneshot(request).await.unwrap().into_body()
    };
    // Whole while the key works.
    let whole = export().await.collect().await.unwrap().to_bytes();
    assert!(whole.ends_with(b"\n"));
    let mut body = export().await;
    body.frame().await.unwrap().unwrap();
    revoke_key(&api, &reader.id, None).await.ok();
    let begun = Instant::now();
    let cut = loop {
        match body.frame().await {
            Some(Ok(_)) => {}
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(cut, "it reads as if it were whole");
    assert!(begun.elapsed() < IN_FORCE, "{:?}", begun.elapsed());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn clients_list_and_take_back_async_and_blocking_alike() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let (one, two) = (key(&api, "agent", &[&agent]).await, key(&api, "agent", &[&agent]).await);
    let client = api.guardian.client();
    for key in [&one, &two] {
        let token = issue(&api, &key.secret, &agent, None).await;
        init(&api, &key.secret, &token).await;
        issue(&api, &key.secret, &agent, None).await;
    }
    let filter = TokenFilter::default().key_id(&one.id).state(TokenState::Active).limit(1);
    let page = client.tokens().list(&filter).await.unwrap();
    let rest = client.tokens().list(&filter.clone().before(page.next.unwrap())).await.unwrap();
    let (newest, oldest) = (&page.items[0], &rest.items[0]);
    assert_eq!(newest.issued_by.as_deref(), Some(one.id.as_str()));
    assert!(rest.next.is_none());
    client.tokens().revoke_by_id(&newest.token_id, "a trial").await.unwrap();
    let sessions = SessionFilter::default().agent_id(&agent).key_id(&one.id);
    let session = client.sessions().list(&sessions).await.unwrap().items.remove(0);
    assert_eq!(
        (session.state, &session.token_id),
        (Some(SessionState::Open), &Some(oldest.token_id.clone()))
    );
    client.sessions().revoke(&session.session_id, "a trial").await.unwrap();
    let gone =
        client.sessions().list(&sessions.clone().state(SessionState::Revoked)).await.unwrap();
    assert_eq!(gone.items[0].session_id, session.session_id);
    let revoked = client.keys().revoke_with(&one.id, &RevokeKeyOptions::new("compromised")).await;
    let revoked = revoked.unwrap();
    assert_eq!((revoked.issued, revoked.tokens, revoked.sessions), (Issued::Revoke, 1, 0));

    let client = agenttrust::blocking::AgentTrustClient::from(client);
    tokio::task::spawn_blocking(move || {
        let filter = TokenFilter::default().key_id(&two.id).state(TokenState::Active);
        let page = client.tokens().list(&filter).unwrap();
        assert_eq!(page.items.len(), 2);
        client.tokens().revoke_by_id(&page.items[0].token_id, "a trial").unwrap();
        let sessions = SessionFilter::default().key_id(&two.id);
        let session = client.sessions().list(&sessions).unwrap().items.remove(0);
        client.sessions().revoke(&session.session_id, "a trial").unwrap();
        let options = RevokeKeyOptions::new("").issued(Issued::Revoke);
        let revoked = client.keys().revoke_with(&two.id, &options).unwrap();
        assert_eq!((revoked.tokens, revoked.sessions), (1, 0));
        assert!(client.keys().revoke_with(&two.id, &options).is_err());
    })
    .await
    .unwrap();
}
