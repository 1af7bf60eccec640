//! What is taken back is in force at once at the replica that was asked, whatever its database does, and is
//! stored once that can be.

use std::time::{Duration, Instant};

use agenttrust_guardian::Role;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::proxy::{Proxy, Wire};
use agenttrust_testkit::{ADMIN, Answer, eventually_within};
use axum::http::Method;
use serde_json::{Value, json};

use crate::load::stalled::{Database, NEVER, healthy};
use crate::support::{Api, open_with};

/// Ten times what is promised: one second.
const PROMISED: Duration = Duration::from_secs(10);

const INTROSPECT: &str = "/api/v1/agent-tokens/introspect";
const REVOKE: &str = "/api/v1/agent-tokens/revoke";

/// A record of each kind that can be taken back.
struct Everything {
    revoked: String,
    suspended: String,
    token_of_revoked: String,
    token_of_suspended: String,
    token: String,
    session: String,
    key: String,
    key_id: String,
}

impl Everything {
    async fn made(api: &Api) -> Self {
        let (revoked, suspended, other) =
            (api.agent(&["*"]).await, api.agent(&["*"]).await, api.agent(&["*"]).await);
        let token = api.token(&other, &["search"]).await;
        let session = json!({ "token": token });
        let session = api.post("/api/v1/agenttrust/api-sessions/init", ADMIN, session).await.ok();
        let key = api.key(Role::Auditor, &[]).await;
        let keys = api.get("/api/v1/keys", ADMIN).await.ok();
        let mut keys = keys.body["keys"].as_array().unwrap().iter();
        let works = |key: &&Value| key["role"] == "auditor" && key["revoked_at"].is_null();
        let key_id = keys.find(works).unwrap()["id"].as_str().unwrap();
        Self {
            token_of_revoked: api.token(&revoked, &["search"]).await,
            token_of_suspended: api.token(&suspended, &["search"]).await,
            session: session.text("session_id"),
            key_id: key_id.to_owned(),
            revoked,
            suspended,
            token,
            key,
        }
    }

    /// Takes all of it back; returns the answers.
    async fn take_back(&self, api: &Api) -> Vec<Answer> {
        let agent = |id: &str, verb| format!("/api/v1/agents/{id}/{verb}");
        let reason = json!({ "reason": "a trial" });
        let mut answers = Vec::new();
        let begun = Instant::now();
        let path = agent(&self.revoked, "revoke");
        answers.push(api.post(&path, ADMIN, reason.clone()).await.ok());
        let path = agent(&self.suspended, "suspend");
        answers.push(api.post(&path, ADMIN, reason).await.ok());
        answers.push(api.post(REVOKE, ADMIN, json!({ "token": self.token })).await.ok());
        let path = format!("/api/v1/keys/{}", self.key_id);
        answers.push(api.ask(Method::DELETE, &path, ADMIN, None).await.ok());
        assert!(begun.elapsed() < PROMISED * 4, "{:?}", begun.elapsed());
        answers
    }

    /// Checks that all of it is taken back, by what memory says.
    async fn is_taken_back(&self, api: &Api) {
        for (agent, status) in [(&self.revoked, "revoked"), (&self.suspended, "suspended")] {
            let path = format!("/api/v1/agents/{agent}");
            if let Some(answer) = told(api.get(&path, ADMIN).await) {
                assert_eq!(answer.ok().text("status"), status);
            }
            let answer = api.check(ADMIN, agent, "search").await.ok();
            assert_eq!(answer.body["allowed"], false, "{answer:?}");
        }
        for token in [&self.token_of_revoked, &self.token_of_suspended, &self.token] {
            if let Some(answer) = told(api.post(INTROSPECT, ADMIN, json!({ "token": token })).await)
            {
                assert_eq!(answer.ok().body["active"], false);
            }
        }
        if let Some(answer) = told(api.get("/api/v1/agents", &self.key).await) {
            answer.refused(401, "AUTH_FAILED");
        }
        let session = format!("/mcp/sessions/{}", self.session);
        if let Some(answer) = told(api.get(&session, ADMIN).await) {
            answer.refused(404, "NOT_FOUND");
        }
    }

    /// Waits until all of it is stored.
    async fn is_stored(&self, api: &Api) {
        let path = format!("/api/v1/agents/{}/revoke", self.revoked);
        let stored = async || api.post(&path, ADMIN, json!({})).await.ok().body["durable"] == true;
        eventually_within(NEVER, "never stored", stored).await;
        healthy(api).await;
        for kind in ["agent.suspended", "agent.revoked", "token.revoked", "key.revoked"] {
            let recorded = async || !api.audit(kind).await.is_empty();
            eventually_within(NEVER, format!("{kind} is never recorded"), recorded).await;
        }
    }
}

/// Returns the answer, unless it is that of a replica that has been out of touch for two seconds: it says nothing
/// else of what it knows.
fn told(answer: Answer) -> Option<Answer> {
    let out_of_touch = answer.status == 503 && answer.text("message").contains("out of touch");
    (!out_of_touch).then_some(answer)
}

fn all_durable(answers: &[Answer], durable: bool) {
    for answer in answers {
        assert_eq!(answer.body["durable"], durable, "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_taken_back_is_durable_when_nothing_is_in_the_way() {
    for database in Database::both() {
        let api = database.guardian().await;
        let everything = Everything::made(&api).await;
        let answers = everything.take_back(&api).await;
        all_durable(&answers, true);
        everything.is_taken_back(&api).await;
        assert_eq!(api.audit("agent.revoked").await.len(), 1, "{}", database.name());
        api.guardian.close().await;
        everything.is_taken_back(&database.guardian().await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_is_in_force_at_once_while_the_tables_are_locked() {
    for database in Database::both() {
        let api = database.guardian().await;
        let everything = Everything::made(&api).await;
        let lock = database.lock().await;
        let answers = everything.take_back(&api).await;
        all_durable(&answers, false);
        everything.is_taken_back(&api).await;
        // Asked again, it is not durable yet.
        all_durable(&everything.take_back(&api).await, false);
        let health = api.get("/health", ADMIN).await;
        assert_eq!(health.body["checks"]["revocations"], "degraded", "{health:?}");
        lock.let_go().await;
        everything.is_stored(&api).await;
        everything.is_taken_back(&api).await;
        api.guardian.close().await;
        everything.is_taken_back(&database.guardian().await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_is_in_force_at_once_without_a_database() {
    let Some(database) = Fresh::or_skip() else { return };
    let proxy = Proxy::before(database.address()).await;
    let url = database.url_by(proxy.address);
    let api = open_with(|builder| builder.database(&url)).await;
    for wire in [Wire::Cut, Wire::Silent] {
        let everything = Everything::made(&api).await;
        proxy.set(wire);
        let answers = everything.take_back(&api).await;
        all_durable(&answers, false);
        everything.is_taken_back(&api).await;
        proxy.set(Wire::Whole);
        everything.is_stored(&api).await;
        everything.is_taken_back(&api).await;
    }
}

/// Whether a suspension that was asked for first and could not be stored is lifted for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agent_that_is_made_active_again_is_not_suspended_by_what_was_asked_before() {
    for database in Database::both() {
        let api = database.guardian().await;
        let agent = api.agent(&["*"]).await;
        let path = |verb: &str| format!("/api/v1/agents/{agent}/{verb}");
        let status = async || {
            let answer = api.get(&format!("/api/v1/agents/{agent}"), ADMIN).await;
            told(answer).map(|answer| answer.ok().text("status"))
        };
        let lock = database.lock().await;
        let suspended = api.post(&path("suspend"), ADMIN, json!({})).await.ok();
        assert_eq!(suspended.body["durable"], false);
        // Not before it is stored.
        api.post(&path("reactivate"), ADMIN, json!({})).await.refused(503, "UNAVAILABLE");
        assert!(status().await.is_none_or(|status| status == "suspended"));
        lock.let_go().await;
        let active =
            async || api.post(&path("reactivate"), ADMIN, json!({})).await.status.is_success();
        eventually_within(NEVER, "never active again", active).await;
        // Nothing of the suspension is left to be stored.
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(status().await.as_deref(), Some("active"));
        api.check(ADMIN, &agent, "search").await.allowed();
        assert_eq!(database.count("SELECT COUNT(*) FROM agents WHERE status = 'active'").await, 1);
        let kinds: Vec<Value> =
            api.get("/api/v1/audit?limit=1000", ADMIN).await.ok().body["entries"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["kind"].clone())
                .filter(|kind| kind == "agent.suspended" || kind == "agent.reactivated")
                .collect();
        assert_eq!(kinds[..2], ["agent.suspended", "agent.reactivated"], "{}", database.name());
    }
}
