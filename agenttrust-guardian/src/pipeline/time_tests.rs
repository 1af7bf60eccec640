//! The rules about time, with a clock that is moved by hand.

use std::sync::Arc;
use std::time::Duration;

use agenttrust::model::headers::{IDEMPOTENCY_KEY, INPUT_DIGEST};
use agenttrust_testkit::ADMIN;
use serde_json::json;

use crate::harness::{Harness, open_with};
use crate::policy::PolicySet;

const MINUTE: Duration = Duration::from_secs(60);

async fn open() -> Harness {
    Harness::new(open_with(|builder| builder).await).await
}

async fn with_policies(text: &str) -> Harness {
    let set = PolicySet::parse("test.cedar", text).unwrap();
    Harness::new(open_with(|builder| builder.policy_set(set)).await).await
}

fn advance(harness: &Harness, by: Duration) {
    harness.guardian.engine().clock.advance(by);
}

async fn held(harness: &Harness) -> String {
    harness.asks("db_delete").await.held()
}

async fn status(harness: &Harness, approval: &str) -> String {
    harness.approval(approval).await["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn pending_approval_lapses_after_five_minutes() {
    let harness = open().await;
    let approval = held(&harness).await;
    advance(&harness, 5 * MINUTE - Duration::from_secs(1));
    assert_eq!(held(&harness).await, approval);
    assert_eq!(status(&harness, &approval).await, "pending");
    advance(&harness, Duration::from_secs(1));
    assert_eq!(status(&harness, &approval).await, "expired");
    harness.approve(&harness.operator, &approval).await.refused(409, "CONFLICT");
    assert_ne!(held(&harness).await, approval);
}

#[tokio::test]
async fn approved_action_may_run_within_five_minutes_of_the_decision_and_no_later() {
    let harness = open().await;
    let approval = held(&harness).await;
    advance(&harness, 4 * MINUTE);
    harness.approve(&harness.operator, &approval).await.ok();
    advance(&harness, 5 * MINUTE - Duration::from_secs(1));
    harness.asks("db_delete").await.allowed();

    let approval = held(&harness).await;
    harness.approve(&harness.operator, &approval).await.ok();
    advance(&harness, 5 * MINUTE);
    assert_eq!(status(&harness, &approval).await, "expired");
    assert_ne!(held(&harness).await, approval);
}

#[tokio::test]
async fn granted_window_ends_for_an_approval_bound_to_the_input() {
    let harness = with_policies(
        r#"@id("hold") @elevate @window("1h") permit (principal, action, resource);"#,
    )
    .await;
    let digest = "a".repeat(64);
    let headers = [(INPUT_DIGEST, digest.as_str())];
    let approval = harness.asks_with(&headers, "db_delete").await.held();
    harness.approve(&harness.operator, &approval).await.ok();
    for _ in 0..2 {
        advance(&harness, 29 * MINUTE);
        harness.asks_with(&headers, "db_delete").await.allowed();
    }
    advance(&harness, 2 * MINUTE);
    harness.asks_with(&headers, "db_delete").await.held();
}

#[tokio::test]
async fn approval_is_worth_what_the_policies_say_when_it_is_used() {
    let harness = with_policies(
        r#"@id("hold") @elevate @window("1h") permit (principal, action, resource);"#,
    )
    .await;
    let digest = "a".repeat(64);
    let headers = [(INPUT_DIGEST, digest.as_str())];
    let approval = harness.asks_with(&headers, "db_delete").await.held();
    harness.approve(&harness.operator, &approval).await.ok();
    let reload = |text: &str| {
        let set = PolicySet::parse("test.cedar", text).unwrap();
        harness.guardian.engine().policies.store(Arc::new(set));
    };
    reload(r#"@id("hold") @elevate @quorum("2") permit (principal, action, resource);"#);
    let again = harness.asks_with(&headers, "db_delete").await.held();
    assert_ne!(again, approval, "one approver is not two");
    reload(r#"@id("never") forbid (principal, action, resource);"#);
    harness.asks_with(&headers, "db_delete").await.denied("never");
}

#[tokio::test]
async fn denial_holds_until_its_request_would_have_lapsed() {
    let harness = open().await;
    let approval = held(&harness).await;
    advance(&harness, 2 * MINUTE);
    harness.deny(&harness.operator, &approval).await.ok();
    advance(&harness, 3 * MINUTE - Duration::from_secs(1));
    harness.asks("db_delete").await.denied("was denied");
    advance(&harness, Duration::from_secs(1));
    assert_ne!(held(&harness).await, approval);
}

#[tokio::test]
async fn three_denials_of_a_tool_are_forgotten_after_ten_minutes() {
    let harness = open().await;
    for session in ["a", "b", "c"] {
        let approval = harness.asks_in(session, "db_delete").await.held();
        harness.deny(&harness.operator, &approval).await.ok();
        advance(&harness, MINUTE);
    }
    harness.asks_in("d", "db_delete").await.denied("3 times within 10 minutes");
    // The first denial is ten minutes ago now.
    advance(&harness, 7 * MINUTE);
    harness.asks_in("d", "db_delete").await.held();
}

#[tokio::test]
async fn answer_is_repeated_for_a_minute() {
    let harness = open().await;
    let headers = [(IDEMPOTENCY_KEY, "once")];
    let search = async || harness.asks_with(&headers, "search").await.ok().body;
    let first = search().await;
    advance(&harness, Duration::from_secs(59));
    assert_eq!(search().await, first);
    advance(&harness, Duration::from_secs(1));
    assert_ne!(search().await["check_id"], first["check_id"]);
}

#[tokio::test]
async fn token_and_its_session_end_together() {
    let harness = open().await;
    let body = json!({ "agent_id": harness.agent, "scopes": ["search"], "ttl": 60 });
    let token = harness.post("/api/v1/agent-tokens/issue", ADMIN, body).await.ok().text("token");
    let body = json!({ "token": token });
    let init = "/api/v1/agenttrust/api-sessions/init";
    let session = harness.post(init, ADMIN, body.clone()).await.ok().text("session_id");
    advance(&harness, Duration::from_secs(59));
    harness.asks_in(&session, "search").await.allowed();
    advance(&harness, Duration::from_secs(1));
    harness.asks_in(&session, "search").await.denied("expired");
    harness.post(init, ADMIN, body.clone()).await.refused(401, "TOKEN_EXPIRED");
    let answer = harness.post("/api/v1/agent-tokens/introspect", ADMIN, body).await;
    assert_eq!(answer.ok().body["active"], false);
}

#[tokio::test]
async fn budget_opens_again_when_its_time_has_passed_and_not_because_the_clock_was_set() {
    let harness =
        with_policies(r#"@id("few") @limit("2/1m") permit (principal, action, resource);"#).await;
    let clock = &harness.guardian.engine().clock;
    for _ in 0..2 {
        // The window begins with the first call, and has its length however many there are.
        for _ in 0..2 {
            harness.asks("search").await.allowed();
        }
        clock.set_ahead(60 * MINUTE);
        harness.asks("search").await.denied("few");
        clock.set_back(120 * MINUTE);
        harness.asks("search").await.denied("few");
        advance(&harness, MINUTE - Duration::from_secs(10));
        harness.asks("search").await.denied("few");
        advance(&harness, Duration::from_secs(10));
    }
}

#[tokio::test]
async fn denials_are_told_of_again_after_five_quiet_minutes_and_not_because_the_clock_was_set_back()
{
    let harness = with_policies("forbid (principal, action, resource);").await;
    let deny = async |times: usize| {
        for _ in 0..times {
            assert_eq!(harness.asks("search").await.ok().body["allowed"], false);
        }
        let engine = harness.guardian.engine();
        engine.audit.flush().await;
        engine.audit.bursts()
    };
    assert_eq!(deny(9).await, 0);
    assert_eq!(deny(1).await, 1);
    assert_eq!(deny(40).await, 1);
    harness.guardian.engine().clock.set_back(60 * MINUTE);
    assert_eq!(deny(10).await, 1);
    advance(&harness, 5 * MINUTE - Duration::from_secs(10));
    assert_eq!(deny(20).await, 1, "the last was less than five minutes ago");
    advance(&harness, 5 * MINUTE);
    assert_eq!(deny(9).await, 1);
    assert_eq!(deny(1).await, 2);
    // Nine in one minute and nine in the next are no burst.
    advance(&harness, 5 * MINUTE);
    assert_eq!(deny(9).await, 2);
    advance(&harness, MINUTE + Duration::from_secs(1));
    assert_eq!(deny(9).await, 2);
}

#[tokio::test]
async fn session_that_has_expired_is_denied() {
    let harness = open().await;
    let session = harness.session(&harness.key, &harness.agent, json!({})).await.ok();
    let session = session.text("session_id");
    advance(&harness, 24 * 60 * MINUTE - Duration::from_secs(10));
    harness.asks_in(&session, "search").await.allowed();
    advance(&harness, Duration::from_secs(10));
    harness.asks_in(&session, "search").await.denied("has expired");
}

/// Returns a check of a tool that the built-in policies allow.
fn check(harness: &Harness) -> super::Check {
    let engine = harness.guardian.engine();
    let hash = crate::domain::Fingerprint::from_text(&harness.key);
    super::Check {
        key: engine.registry.keys.get(&hash, engine.clock.now()).unwrap(),
        agent_id: harness.agent.clone(),
        session_id: None,
        session_is_generated: false,
        tool: "write_file".to_owned(),
        hint: None,
        source: "api".to_owned(),
        scopes: None,
        digest: None,
        binds: None,
        key_id: None,
        summary: None,
        task_message: None,
        proof: None,
        trace: None,
        access: None,
        _place: None,
    }
}

/// Checks that an answer withdraws a permission that was recorded, and says why.
async fn is_withdrawn(harness: &Harness, answer: crate::domain::Answer, why: &str) {
    assert!(!answer.result.allowed);
    let reason = answer.result.reason.unwrap();
    assert!(reason.contains(why), "{reason}");
    let db = harness.guardian.engine().store.db();
    let rows = crate::audit::list(&db, "", 0, 100, None).await.unwrap();
    let withdrawn = rows.last().unwrap();
    assert_eq!(withdrawn.kind, "decision.withdrawn");
    assert_eq!(withdrawn.body["check_id"], answer.result.check_id.unwrap());
}

#[tokio::test]
async fn permission_is_withdrawn_when_what_it_rests_on_is_taken_back_meanwhile() {
    let harness = open().await;
    let (engine, check) = (harness.guardian.engine(), check(&harness));
    let evaluation = super::evaluate(engine, &check).unwrap();
    let judged = super::judge(engine, &check, &evaluation);
    let answer = super::conclude(engine, judged, std::time::Instant::now()).await;
    assert!(answer.result.allowed);

    let evaluation = super::evaluate(engine, &check).unwrap();
    let judged = super::judge(engine, &check, &evaluation);
    let path = format!("/api/v1/agents/{}/suspend", harness.agent);
    harness.post(&path, &harness.operator, json!({})).await.ok();
    let answer = super::conclude(engine, judged, std::time::Instant::now()).await;
    is_withdrawn(&harness, answer, "is suspended").await;
}

#[tokio::test]
async fn permission_without_an_approval_is_withdrawn_when_one_is_needed_by_then() {
    let harness = open().await;
    let (engine, check) = (harness.guardian.engine(), check(&harness));
    let evaluation = super::evaluate(engine, &check).unwrap();
    let judged = super::judge(engine, &check, &evaluation);
    let holds = r#"@id("hold") @elevate permit (principal, action, resource);"#;
    engine.policies.store(Arc::new(PolicySet::parse("test.cedar", holds).unwrap()));
    engine.synced.noted();
    let answer = super::conclude(engine, judged, std::time::Instant::now()).await;
    is_withdrawn(&harness, answer, "held by policy `hold`; ask again").await;
}
