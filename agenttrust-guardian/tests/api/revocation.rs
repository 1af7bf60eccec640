//! What was taken back stays taken back: whatever was made from it, asked in the same moment, or is
//! asked again, and also after a restart.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, Answer, eventually};
use serde_json::{Value, json};

use crate::support::{Api, open, open_with};

const INIT: &str = "/api/v1/agenttrust/api-sessions/init";
const ISSUE: &str = "/api/v1/agent-tokens/issue";
const INTROSPECT: &str = "/api/v1/agent-tokens/introspect";
const REVOKE: &str = "/api/v1/agent-tokens/revoke";
const REPORT: &str = "/api/v1/telemetry/report";

async fn at(path: &Path) -> Api {
    open_with(|builder| builder.database(path.to_str().unwrap())).await
}

async fn floor(api: &Api, agent: &str, floor: Value) {
    api.put(&format!("/api/v1/agents/{agent}/floor"), ADMIN, floor).await.ok();
}

async fn agent_is(api: &Api, agent: &str, verb: &str) {
    api.post(&format!("/api/v1/agents/{agent}/{verb}"), ADMIN, json!({})).await.ok();
}

async fn token_in(api: &Api, agent: &str, session: &str, scopes: &[&str]) -> Answer {
    let body = json!({ "agent_id": agent, "scopes": scopes, "session_id": session, "ttl": 86_400 });
    api.post(ISSUE, ADMIN, body).await
}

async fn api_session(api: &Api, token: &str) -> Answer {
    api.post(INIT, ADMIN, json!({ "token": token })).await
}

async fn introspected(api: &Api, token: &str, required: &[&str]) -> Value {
    let body = json!({ "token": token, "required_scopes": required });
    api.post(INTROSPECT, ADMIN, body).await.ok().body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn revoked_token_leaves_no_session_however_close_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    let api = Arc::new(at(&path).await);
    let agent = api.agent(&["*"]).await;
    let mut begun = Vec::new();
    for round in 0..150 {
        let token = api.token(&agent, &["search"]).await;
        let (one, two) = (Arc::clone(&api), Arc::clone(&api));
        let (init, revoke) = (json!({ "token": token }), json!({ "token": token }));
        let initiated = tokio::spawn(async move { one.post(INIT, ADMIN, init).await });
        for _ in 0..round % 3 {
            tokio::task::yield_now().await;
        }
        let revoked = tokio::spawn(async move { two.post(REVOKE, ADMIN, revoke).await });
        let initiated = initiated.await.unwrap();
        revoked.await.unwrap().ok();
        if initiated.status.is_success() {
            let session = initiated.text("session_id");
            api.check_in(ADMIN, &agent, "search", &session).await.denied("not open");
            api.get(&format!("/mcp/sessions/{session}"), ADMIN).await.refused(404, "NOT_FOUND");
            begun.push(session);
        } else {
            initiated.refused(401, "AUTH_FAILED");
        }
    }
    api.guardian.close().await;
    let api = at(&path).await;
    for session in begun {
        api.check_in(ADMIN, &agent, "search", &session).await.denied("not open");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn revoked_agent_leaves_no_session_or_token_however_close_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    let api = Arc::new(at(&path).await);
    for _ in 0..50 {
        let agent = api.agent(&["*"]).await;
        let (one, two, three) = (Arc::clone(&api), Arc::clone(&api), Arc::clone(&api));
        let (a, b, c) = (agent.clone(), agent.clone(), agent.clone());
        let session = tokio::spawn(async move { one.session(ADMIN, &a, json!({})).await });
        let token = tokio::spawn(async move {
            two.post(ISSUE, ADMIN, json!({ "agent_id": b, "scopes": [] })).await
        });
        let revoked = tokio::spawn(async move { agent_is(&three, &c, "revoke").await });
        let (session, token) = (session.await.unwrap(), token.await.unwrap());
        revoked.await.unwrap();
        if session.status.is_success() {
            let path = format!("/mcp/sessions/{}", session.text("session_id"));
            api.get(&path, ADMIN).await.refused(404, "NOT_FOUND");
        }
        if token.status.is_success() {
            let revoke = json!({ "token": token.text("token") });
            api.post(REVOKE, ADMIN, revoke).await.refused(404, "NOT_FOUND");
        }
    }
    api.guardian.close().await;
    // Nothing of a revoked agent is open in the database either.
    use sqlx::Connection;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).read_only(true);
    let mut database = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    for left in [
        "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL",
        "SELECT COUNT(*) FROM tokens WHERE revoked_at IS NULL",
    ] {
        let left: i64 = sqlx::query_scalar(left).fetch_one(&mut database).await.unwrap();
        assert_eq!(left, 0);
    }
}

#[tokio::test]
async fn revoked_token_takes_everything_along_that_was_made_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    let api = at(&path).await;
    let agent = api.agent(&["*"]).await;
    let outer_token = api.token(&agent, &["search"]).await;
    let outer = api_session(&api, &outer_token).await.ok().text("session_id");
    let inner_token = token_in(&api, &agent, &outer, &["search"]).await.ok().text("token");
    let inner = api_session(&api, &inner_token).await.ok().text("session_id");
    api.check_in(ADMIN, &agent, "search", &inner).await.allowed();
    api.post(REVOKE, ADMIN, json!({ "token": outer_token })).await.ok();
    let over = async |api: &Api| {
        api.check_in(ADMIN, &agent, "search", &outer).await.denied("not open");
        api.check_in(ADMIN, &agent, "search", &inner).await.denied("not open");
        assert_eq!(introspected(api, &inner_token, &[]).await["active"], false);
        api_session(api, &inner_token).await.refused(401, "AUTH_FAILED");
    };
    over(&api).await;
    api.guardian.close().await;
    over(&at(&path).await).await;
}

#[tokio::test]
async fn token_reaches_no_further_than_the_floor_when_issued_and_when_looked_into() {
    let api = open().await;
    let agent = api.agent(&["files:*", "web:search"]).await;
    let token = api.token(&agent, &["files:read", "files:write", "web:search"]).await;
    assert_eq!(introspected(&api, &token, &["files:write"]).await["active"], true);
    let lowered = json!({ "mode": "restricted", "scope_ceiling": ["files:read", "web:search"] });
    floor(&api, &agent, lowered).await;
    assert_eq!(introspected(&api, &token, &["files:write"]).await["active"], false);
    let shown = introspected(&api, &token, &["files:read"]).await;
    assert_eq!(shown["scopes"], json!(["files:read", "web:search"]), "{shown}");
    for scopes in [json!(["files:write"]), json!(["files:*"])] {
        let body = json!({ "agent_id": agent, "scopes": scopes });
        api.post(ISSUE, ADMIN, body).await.refused(403, "AUTH_DENIED");
    }
    api.token(&agent, &["files:read"]).await;
}

#[tokio::test]
async fn token_issued_in_a_session_is_as_strict_as_it_and_ends_with_it() {
    let api = open_with(|builder| builder.session_ttl(Duration::from_millis(1_500))).await;
    let agent = api.agent(&["*"]).await;
    let asked = json!({ "mode": "supervised", "scope_ceiling": ["search", "db_delete"] });
    let session = api.session(ADMIN, &agent, asked).await.ok().text("session_id");
    token_in(&api, &agent, &session, &["send_mail"]).await.refused(403, "AUTH_DENIED");
    let token = token_in(&api, &agent, &session, &["search", "db_delete"]).await.ok();
    let life = |answer: &Answer, field: &str| -> agenttrust::Timestamp {
        serde_json::from_value(answer.body[field].clone()).unwrap()
    };
    let (from, until) = (life(&token, "issued_at"), life(&token, "expires_at"));
    assert!(from.until(until) <= Duration::from_millis(1_500), "{token:?}");
    let token = token.text("token");
    let inner = api_session(&api, &token).await.ok();
    assert_eq!(inner.body["mode"], "supervised");
    let inner = inner.text("session_id");
    api.check_in(ADMIN, &agent, "search", &inner).await.allowed();
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    api.check_in(ADMIN, &agent, "search", &inner).await.denied("expired");
    assert_eq!(introspected(&api, &token, &[]).await["active"], false);
}

#[tokio::test]
async fn session_mode_and_ceiling_that_mean_nothing_are_refused() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let names = |answer: Answer, field: &str| {
        assert_eq!(answer.refused(400, "VALIDATION_ERROR").body["details"]["field"], field);
    };
    for mode in [json!(null), json!("restricted"), json!("supervised")] {
        let asked = json!({ "mode": mode, "scope_ceiling": [] });
        names(api.session(ADMIN, &agent, asked).await, "scope_ceiling");
    }
    names(api.session(ADMIN, &agent, json!({ "mode": "chained" })).await, "mode");
    let token = api.token(&agent, &["search"]).await;
    let body = json!({ "token": token, "mode": "chained" });
    names(api.post(INIT, ADMIN, body).await, "mode");
    let body = json!({ "token": token, "mode": "supervised" });
    assert_eq!(api.post(INIT, ADMIN, body).await.ok().body["mode"], "supervised");
    let body = json!({ "token": token, "mode": "open" });
    assert_eq!(api.post(INIT, ADMIN, body).await.ok().body["mode"], "restricted");
}

#[tokio::test]
async fn a_token_has_one_session_for_one_key_however_often_it_is_asked_for() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let token = api.token(&agent, &["search"]).await;
    let (one, other) = (api.key(Role::Gateway, &[]).await, api.key(Role::Gateway, &[]).await);
    let open = async |key: &str, body: Value| api.post(INIT, key, body).await.ok();
    let first = open(&one, json!({ "token": token })).await;
    api.check_in(&one, &agent, "search", &first.text("session_id")).await.allowed();
    let again = open(&one, json!({ "token": token })).await;
    assert_eq!(again.body["session_id"], first.body["session_id"]);
    assert_eq!(again.body["total_calls"], 1, "as it stands now");

    // Another key's, another mode's and another token's are other ones.
    let supervised = json!({ "token": token, "mode": "supervised" });
    let another = api.token(&agent, &["search"]).await;
    let mut ids = vec![first.text("session_id")];
    ids.push(open(&other, json!({ "token": token })).await.text("session_id"));
    ids.push(open(&one, supervised.clone()).await.text("session_id"));
    ids.push(open(&one, json!({ "token": another })).await.text("session_id"));
    assert_eq!(open(&one, supervised).await.text("session_id"), ids[2]);
    let different: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(different.len(), 4, "{ids:?}");

    // A floor that was tightened since is kept to.
    floor(&api, &agent, json!({ "mode": "supervised" })).await;
    let strict = open(&one, json!({ "token": token })).await;
    assert_eq!(
        (&strict.body["mode"], strict.text("session_id")),
        (&json!("supervised"), ids.remove(2))
    );
    api.post(REVOKE, ADMIN, json!({ "token": token })).await.ok();
    api.post(INIT, &one, json!({ "token": token })).await.refused(401, "AUTH_FAILED");
}

#[tokio::test]
async fn permission_is_repeated_only_while_it_would_still_be_given() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let session = api.session(&key, &agent, json!({})).await.ok().text("session_id");
    let token = api.token(&agent, &["search"]).await;
    let of_token = api_session(&api, &token).await.ok().text("session_id");
    let ask = async |once: &str, session: &str, tool: &str| {
        let body = json!({ "agent_id": agent, "action_name": tool, "session_id": session });
        api.check_with(&key, &[("idempotency-key", once)], body).await
    };
    let first = ask("a", &session, "search").await;
    first.allowed();
    assert_eq!(ask("a", &session, "search").await.body, first.body);
    ask("b", "", "web_search").await.allowed();
    ask("c", &of_token, "search").await.allowed();

    agent_is(&api, &agent, "suspend").await;
    ask("a", &session, "search").await.denied("suspended");
    agent_is(&api, &agent, "reactivate").await;
    floor(&api, &agent, json!({ "mode": "restricted", "scope_ceiling": ["search"] })).await;
    ask("b", "", "web_search").await.denied("outside the scope ceiling");
    api.post(REVOKE, ADMIN, json!({ "token": token })).await.ok();
    ask("c", &of_token, "search").await.denied("not open");
    api.put("/api/v1/tools/search/effect", ADMIN, json!({ "effect": "admin" })).await.ok();
    ask("a", &session, "search").await.held();
    agent_is(&api, &agent, "revoke").await;
    ask("a", &session, "search").await.denied("revoked");
}

#[tokio::test]
async fn repeated_permission_never_uses_a_second_approval() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let body = json!({ "agent_id": agent, "action_name": "db_delete" });
    let ask = async || api.check_with(&key, &[("idempotency-key", "a")], body.clone()).await;
    let approved = async || {
        let approval = api.check(&key, &agent, "db_delete").await.held();
        api.approve(ADMIN, &approval).await.ok();
        approval
    };
    let first = approved().await;
    let answer = ask().await;
    assert_eq!(answer.allowed().body["approval_id"], first);
    let second = approved().await;
    assert_eq!(ask().await.body, answer.body);
    api.put("/api/v1/tools/db_delete/effect", ADMIN, json!({ "effect": "admin" })).await.ok();
    ask().await.denied("not what was approved");
    agent_is(&api, &agent, "suspend").await;
    ask().await.denied("suspended");
    assert_eq!(api.approval(&second).await["status"], "approved");
}

async fn report(api: &Api, key: &str, agent: &str, check: &str) -> Answer {
    let event = json!({ "event_type": "tool_end", "tool_name": "db_delete", "success": true });
    let body = json!({ "agent_id": agent, "events": [event] });
    let headers = [("agenttrust-check-ids", check)];
    api.with(&headers).post(REPORT, key, body).await
}

#[tokio::test]
async fn report_of_a_call_that_was_not_allowed_is_never_believed() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let held = api.check(&key, &agent, "db_delete").await;
    let approval = held.held();
    report(&api, &key, &agent, &held.text("check_id")).await.ok();
    api.deny(ADMIN, &approval).await.ok();
    let denied = api.check(&key, &agent, "db_delete").await;
    denied.denied("was denied");
    report(&api, &key, &agent, &denied.text("check_id")).await.ok();
    assert!(api.audit("outcome").await.is_empty());
}

#[tokio::test]
async fn report_that_could_not_be_kept_is_believed_when_it_comes_again() {
    use sqlx::Connection;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    let api = at(&path).await;
    let (agent, key) = api.worker().await;
    api.put("/api/v1/tools/db_delete/effect", ADMIN, json!({ "effect": "mutating" })).await.ok();
    let check = api.check(&key, &agent, "db_delete").await;
    let check = check.allowed().text("check_id");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut database = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("ALTER TABLE telemetry RENAME TO away").execute(&mut database).await.unwrap();
    report(&api, &key, &agent, &check).await.refused(503, "UNAVAILABLE");
    sqlx::query("ALTER TABLE away RENAME TO telemetry").execute(&mut database).await.unwrap();
    for _ in 0..2 {
        report(&api, &key, &agent, &check).await.ok();
    }
    // Once, although it came three times.
    assert_eq!(api.audit("outcome").await.len(), 1);
}

#[tokio::test]
async fn wait_that_is_over_answers_how_things_stand_then() {
    use sqlx::Connection;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    let api = Arc::new(at(&path).await);
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, "db_delete").await.held();
    let (waiting, wanted) = (Arc::clone(&api), format!("/mcp/approvals/{approval}?wait=1"));
    let waiting = tokio::spawn(async move { waiting.get(&wanted, ADMIN).await });
    eventually("nobody waits", async || api.places_held("waiting").await == 1).await;
    // A change that nobody announces.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut database = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("UPDATE approvals SET status = 'expired' WHERE id = $1")
        .bind(&approval)
        .execute(&mut database)
        .await
        .unwrap();
    assert_eq!(waiting.await.unwrap().ok().body["status"], "expired");
}

#[tokio::test]
async fn approver_sees_every_character_of_the_summary_that_is_bound() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let with = async |summary: &str| {
        let body = json!({
            "agent_id": agent, "action_name": "db_delete", "action_input_summary": summary,
        });
        api.check_as(&key, body).await
    };
    let longest = "🙂".repeat(200);
    let approval = with(&longest).await.held();
    let shown = api.approval(&approval).await;
    assert_eq!(shown["bound_to"], "summary", "{shown}");
    assert_eq!(shown["action_input_summary"], longest, "{shown}");
    let answer = with(&format!("{longest}x")).await;
    let answer = answer.refused(400, "VALIDATION_ERROR");
    assert_eq!(answer.body["details"]["field"], "action_input_summary");
    api.approve(ADMIN, &approval).await.ok();
    assert_ne!(with(&"🙂".repeat(199)).await.held(), approval);
    with(&longest).await.allowed();
}
