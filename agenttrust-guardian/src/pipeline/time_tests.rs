//! The rules about time, with a clock that is moved by hand.

use std::sync::Arc;
use std::time::Duration;

use agenttrust::model::headers::{IDEMPOTENCY_KEY, INPUT_DIGEST};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::policy::PolicySet;
use crate::{Guardian, Role};

const MINUTE: Duration = Duration::from_secs(60);

struct World {
    guardian: Guardian,
    agent: String,
    key: String,
    operator: String,
}

impl World {
    async fn new() -> Self {
        Self::with_guardian(Guardian::in_memory().await.unwrap()).await
    }

    async fn with_policies(text: &str) -> Self {
        let set = PolicySet::parse("test.cedar", text).unwrap();
        Self::with_guardian(Guardian::builder().policy_set(set).build().await.unwrap()).await
    }

    async fn with_guardian(guardian: Guardian) -> Self {
        let request = agenttrust::CreateAgentRequest {
            name: "worker".to_owned(),
            capabilities: vec!["*".to_owned()],
            ..Default::default()
        };
        let agent = guardian.client().agents().create(&request).await.unwrap().id;
        let key = guardian.create_key(Role::Agent, &[&agent]).await.unwrap();
        let operator = guardian.create_key(Role::Operator, &[]).await.unwrap();
        Self { guardian, agent, key, operator }
    }

    fn advance(&self, by: Duration) {
        self.guardian.engine().clock.advance(by);
    }

    async fn send(
        &self,
        key: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> (u16, Value) {
        let mut request = Request::post(path).header("x-api-key", key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        let response = self.guardian.router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn check(&self, tool: &str, more: Value, headers: &[(&str, &str)]) -> Value {
        let mut body = json!({ "agent_id": self.agent, "action_name": tool });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, answer) =
            self.send(&self.key, "/api/v1/agenttrust/check", headers, body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn delete(&self) -> Value {
        self.check("db_delete", json!({}), &[]).await
    }

    async fn held(&self) -> String {
        let answer = self.delete().await;
        assert_eq!(answer["elevation_required"], true, "{answer}");
        answer["approval_id"].as_str().unwrap().to_owned()
    }

    async fn decide(&self, verb: &str, approval: &str) -> u16 {
        let path = format!("/mcp/approvals/{approval}/{verb}");
        self.send(&self.operator, &path, &[], json!({ "decided_by": "ada" })).await.0
    }

    async fn status(&self, approval: &str) -> String {
        let approval = self.guardian.client().approvals().get(approval).await.unwrap();
        approval.status.as_str().to_owned()
    }
}

#[tokio::test]
async fn pending_approval_lapses_after_five_minutes() {
    let world = World::new().await;
    let approval = world.held().await;
    world.advance(5 * MINUTE - Duration::from_secs(1));
    assert_eq!(world.held().await, approval);
    assert_eq!(world.status(&approval).await, "pending");
    world.advance(Duration::from_secs(1));
    assert_eq!(world.status(&approval).await, "expired");
    assert_eq!(world.decide("approve", &approval).await, 409);
    assert_ne!(world.held().await, approval);
}

#[tokio::test]
async fn approved_action_may_run_within_five_minutes_of_the_decision_and_no_later() {
    let world = World::new().await;
    let approval = world.held().await;
    world.advance(4 * MINUTE);
    assert_eq!(world.decide("approve", &approval).await, 200);
    world.advance(5 * MINUTE - Duration::from_secs(1));
    assert_eq!(world.delete().await["allowed"], true);

    let approval = world.held().await;
    assert_eq!(world.decide("approve", &approval).await, 200);
    world.advance(5 * MINUTE);
    assert_eq!(world.status(&approval).await, "expired");
    assert_ne!(world.held().await, approval);
}

#[tokio::test]
async fn granted_window_ends_for_an_approval_bound_to_the_input() {
    let world = World::with_policies(
        r#"@id("hold") @elevate @window("1h") permit (principal, action, resource);"#,
    )
    .await;
    let digest = "a".repeat(64);
    let headers = [(INPUT_DIGEST, digest.as_str())];
    let held = world.check("db_delete", json!({}), &headers).await;
    let approval = held["approval_id"].as_str().unwrap().to_owned();
    assert_eq!(world.decide("approve", &approval).await, 200);
    for _ in 0..2 {
        world.advance(29 * MINUTE);
        assert_eq!(world.check("db_delete", json!({}), &headers).await["allowed"], true);
    }
    world.advance(2 * MINUTE);
    assert_eq!(world.check("db_delete", json!({}), &headers).await["elevation_required"], true);
}

#[tokio::test]
async fn approval_is_worth_what_the_policies_say_when_it_is_used() {
    let world = World::with_policies(
        r#"@id("hold") @elevate @window("1h") permit (principal, action, resource);"#,
    )
    .await;
    let digest = "a".repeat(64);
    let headers = [(INPUT_DIGEST, digest.as_str())];
    let held = world.check("db_delete", json!({}), &headers).await;
    let approval = held["approval_id"].as_str().unwrap().to_owned();
    assert_eq!(world.decide("approve", &approval).await, 200);
    let reload = |text: &str| {
        let set = PolicySet::parse("test.cedar", text).unwrap();
        world.guardian.engine().policies.store(Arc::new(set));
    };
    reload(r#"@id("hold") @elevate @quorum("2") permit (principal, action, resource);"#);
    let answer = world.check("db_delete", json!({}), &headers).await;
    assert_eq!(answer["elevation_required"], true, "one approver is not two");
    assert_ne!(answer["approval_id"], approval);
    reload(r#"@id("never") forbid (principal, action, resource);"#);
    let answer = world.check("db_delete", json!({}), &headers).await;
    assert_eq!((&answer["allowed"], &answer["elevation_required"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn denial_holds_until_its_request_would_have_lapsed() {
    let world = World::new().await;
    let approval = world.held().await;
    world.advance(2 * MINUTE);
    assert_eq!(world.decide("deny", &approval).await, 200);
    world.advance(3 * MINUTE - Duration::from_secs(1));
    assert_eq!(world.delete().await["elevation_required"], false);
    world.advance(Duration::from_secs(1));
    assert_ne!(world.held().await, approval);
}

#[tokio::test]
async fn three_denials_of_a_tool_are_forgotten_after_ten_minutes() {
    let world = World::new().await;
    let in_session =
        async |session: &str| world.check("db_delete", json!({ "session_id": session }), &[]).await;
    for session in ["a", "b", "c"] {
        let held = in_session(session).await;
        assert_eq!(world.decide("deny", held["approval_id"].as_str().unwrap()).await, 200);
        world.advance(MINUTE);
    }
    assert_eq!(in_session("d").await["elevation_required"], false);
    // The first denial is ten minutes ago now.
    world.advance(7 * MINUTE);
    assert_eq!(in_session("d").await["elevation_required"], true);
}

#[tokio::test]
async fn answer_is_repeated_for_a_minute() {
    let world = World::new().await;
    let headers = [(IDEMPOTENCY_KEY, "once")];
    let first = world.check("search", json!({}), &headers).await;
    world.advance(Duration::from_secs(59));
    assert_eq!(world.check("search", json!({}), &headers).await, first);
    world.advance(Duration::from_secs(1));
    assert_ne!(world.check("search", json!({}), &headers).await["check_id"], first["check_id"]);
}

#[tokio::test]
async fn token_and_its_session_end_together() {
    let world = World::new().await;
    let admin = world.guardian.create_key(Role::Admin, &[]).await.unwrap();
    let body = json!({ "agent_id": world.agent, "scopes": ["search"], "ttl": 60 });
    let (_, token) = world.send(&admin, "/api/v1/agent-tokens/issue", &[], body).await;
    let body = json!({ "token": token["token"] });
    let init = "/api/v1/agenttrust/api-sessions/init";
    let (status, session) = world.send(&admin, init, &[], body.clone()).await;
    assert_eq!(status, 200, "{session}");
    let inside = json!({ "session_id": session["session_id"] });
    world.advance(Duration::from_secs(59));
    assert_eq!(world.check("search", inside.clone(), &[]).await["allowed"], true);
    world.advance(Duration::from_secs(1));
    let answer = world.check("search", inside, &[]).await;
    assert!(answer["reason"].as_str().unwrap().contains("expired"), "{answer}");
    let (status, answer) = world.send(&admin, init, &[], body.clone()).await;
    assert_eq!((status, &answer["error"]), (401, &json!("TOKEN_EXPIRED")));
    let (_, answer) = world.send(&admin, "/api/v1/agent-tokens/introspect", &[], body).await;
    assert_eq!(answer["active"], false);
}

#[tokio::test]
async fn budget_opens_again_when_its_time_has_passed_and_not_because_the_clock_was_set() {
    let world =
        World::with_policies(r#"@id("few") @limit("2/1m") permit (principal, action, resource);"#)
            .await;
    let search = || world.check("search", json!({}), &[]);
    let clock = &world.guardian.engine().clock;
    for _ in 0..2 {
        // The window begins with the first call, and has its length however many there are.
        for _ in 0..2 {
            assert_eq!(search().await["allowed"], true);
        }
        clock.set_ahead(60 * MINUTE);
        assert_eq!(search().await["allowed"], false);
        clock.set_back(120 * MINUTE);
        assert_eq!(search().await["allowed"], false);
        world.advance(MINUTE - Duration::from_secs(10));
        assert_eq!(search().await["allowed"], false);
        world.advance(Duration::from_secs(10));
    }
}

#[tokio::test]
async fn denials_are_told_of_again_after_five_quiet_minutes_and_not_because_the_clock_was_set_back()
{
    let world = World::with_policies("forbid (principal, action, resource);").await;
    let deny = async |times: usize| {
        for _ in 0..times {
            assert_eq!(world.check("search", json!({}), &[]).await["allowed"], false);
        }
        let engine = world.guardian.engine();
        engine.audit.flush().await;
        engine.audit.bursts()
    };
    assert_eq!(deny(9).await, 0);
    assert_eq!(deny(1).await, 1);
    assert_eq!(deny(40).await, 1);
    world.guardian.engine().clock.set_back(60 * MINUTE);
    assert_eq!(deny(10).await, 1);
    world.advance(5 * MINUTE - Duration::from_secs(10));
    assert_eq!(deny(20).await, 1, "the last was less than five minutes ago");
    world.advance(5 * MINUTE);
    assert_eq!(deny(9).await, 1);
    assert_eq!(deny(1).await, 2);
    // Nine in one minute and nine in the next are no burst.
    world.advance(5 * MINUTE);
    assert_eq!(deny(9).await, 2);
    world.advance(MINUTE + Duration::from_secs(1));
    assert_eq!(deny(9).await, 2);
}

#[tokio::test]
async fn session_that_has_expired_is_denied() {
    let world = World::new().await;
    let body = json!({ "agent_id": world.agent, "server_id": "files" });
    let (_, session) = world.send(&world.key, "/mcp/sessions/init", &[], body).await;
    let more = json!({ "session_id": session["session_id"] });
    world.advance(24 * 60 * MINUTE - Duration::from_secs(10));
    assert_eq!(world.check("search", more.clone(), &[]).await["allowed"], true);
    world.advance(Duration::from_secs(10));
    let answer = world.check("search", more, &[]).await;
    assert_eq!(answer["allowed"], false);
    assert!(answer["reason"].as_str().unwrap().contains("has expired"), "{answer}");
}

#[tokio::test]
async fn permission_is_withdrawn_when_what_it_rests_on_is_taken_back_meanwhile() {
    let world = World::new().await;
    let engine = world.guardian.engine();
    let hash = crate::domain::Fingerprint::from_text(&world.key);
    let check = super::Check {
        key: engine.registry.keys.get(&hash, engine.clock.now()).unwrap(),
        agent_id: world.agent.clone(),
        session_id: None,
        tool: "write_file".to_owned(),
        hint: None,
        source: "api".to_owned(),
        scopes: None,
        digest: None,
        binds: None,
        summary: None,
        _place: None,
    };
    let considered = super::consider(engine, &check).unwrap();
    let begun = std::time::Instant::now();
    let answer = super::conclude(engine, &check, considered, begun).await;
    assert!(answer.result.allowed);

    let considered = super::consider(engine, &check).unwrap();
    let path = format!("/api/v1/agents/{}/suspend", world.agent);
    world.send(&world.operator, &path, &[], json!({})).await;
    let answer = super::conclude(engine, &check, considered, std::time::Instant::now()).await;
    assert!(!answer.result.allowed);
    assert!(answer.result.reason.unwrap().contains("is suspended"));
    let rows = crate::audit::list(&engine.store.db(), "", 0, 100, None).await.unwrap();
    let withdrawn = rows.last().unwrap();
    assert_eq!(withdrawn.kind, "decision.withdrawn");
    assert_eq!(withdrawn.body["check_id"], answer.result.check_id.unwrap());
}
