//! What time does to denials, approvals and tasks, and what becomes of a Guardian that has no time to decide.

use std::time::Duration;

use agenttrust_testkit::{ADMIN, Answer};
use serde_json::{Value, json};

use crate::harness::{Harness, open_with};

const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";
const REQUESTS: &str = "/access/v1/requests";
const MINUTE: Duration = Duration::from_secs(60);

fn deletes(agent: &str) -> Value {
    json!({
        "subject": { "type": "agent", "id": agent }, "action": { "name": "db_delete" },
        "resource": { "type": "table", "id": "users" },
    })
}

/// Evaluates, and returns what to submit after the denial.
async fn submission(harness: &Harness) -> Value {
    let mut body = deletes(&harness.agent);
    let denied = harness.post(EVALUATION, &harness.key, body.clone()).await.ok().body;
    let requestable = &denied["context"]["access_request"];
    body["denial"] = json!({
        "binding_token": requestable["binding_token"], "expires_at": requestable["expires_at"],
    });
    body
}

async fn submit(harness: &Harness, body: &Value) -> Answer {
    let named = harness.with(&[("Idempotency-Key", "one")]);
    named.post(REQUESTS, &harness.key, body.clone()).await
}

#[track_caller]
fn problem(answer: &Answer, status: u16, name: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.text("type").ends_with(name), "{answer:?}");
}

#[tokio::test]
async fn access_is_requested_within_ten_minutes_of_the_denial_and_no_later() {
    let harness = Harness::new(open_with(|builder| builder).await).await;
    let (late, body) = (submission(&harness).await, submission(&harness).await);
    harness.guardian.engine().clock.advance(10 * MINUTE - Duration::from_secs(2));
    let task = submit(&harness, &body).await.ok().body["task"]["id"].clone();
    harness.guardian.engine().clock.advance(Duration::from_secs(2));
    problem(&harness.post(REQUESTS, &harness.key, late).await, 410, "expired_denial");
    // The same request once more is told of its task still: its name is kept for as long as that is told of.
    assert_eq!(submit(&harness, &body).await.ok().body["task"]["id"], task);

    let path = format!("{REQUESTS}/{}", task.as_str().unwrap());
    harness.guardian.engine().clock.advance(10 * MINUTE);
    let told = harness.get(&path, &harness.key).await.ok().body;
    assert_eq!(told["task"]["status"], "expired");
    harness.guardian.engine().clock.advance(24 * 60 * MINUTE);
    problem(&harness.get(&path, &harness.key).await, 410, "task_expired");
}

#[tokio::test]
async fn approval_that_was_not_used_in_time_is_over() {
    let harness = Harness::new(open_with(|builder| builder).await).await;
    let submitted = submit(&harness, &submission(&harness).await).await.ok();
    let id = submitted.body["task"]["id"].as_str().unwrap().to_owned();
    harness.approve(&harness.operator, &id).await.ok();
    harness.guardian.engine().clock.advance(5 * MINUTE);
    let mut again = deletes(&harness.agent);
    again["context"] = json!({ "approval": { "id": id } });
    let answer = harness.post(EVALUATION, &harness.key, again).await.ok().body;
    assert_eq!(answer["decision"], false);
    assert_eq!(answer["context"]["reason"], "approval_expired");
    assert!(answer["context"]["access_request"].is_object());
    // It was approved all the same: until when is told.
    let told = harness.get(&format!("{REQUESTS}/{id}"), &harness.key).await.ok().body;
    assert_eq!(told["task"]["status"], "approved");
    assert!(told["result"]["approval"]["approved_until"].is_string());
}

#[tokio::test]
async fn evaluation_that_is_not_decided_in_time_is_an_error_and_no_permission() {
    let hurried = open_with(|builder| builder.check_deadline(Duration::from_millis(50))).await;
    let harness = Harness::new(hurried).await;
    let reads = |tool: &str| {
        json!({
            "subject": { "type": "agent", "id": harness.agent }, "action": { "name": tool },
            "resource": { "type": "table", "id": "users" },
        })
    };
    // Everything that has to be kept waits for the one connection.
    let held = harness.guardian.engine().store.db().begin().await.unwrap();
    let undecided = harness.post(EVALUATION, ADMIN, reads("db_write")).await;
    undecided.refused(503, "UNAVAILABLE").says("not decided");
    assert_eq!(undecided.headers["retry-after"], "1");
    let list = json!({ "evaluations": [reads("db_write"), reads("db_write"), reads("db_write")] });
    let answer = harness.post(EVALUATIONS, ADMIN, list).await.ok().body;
    for one in answer["evaluations"].as_array().unwrap() {
        assert_eq!(one["decision"], false, "{answer}");
        assert_eq!(one["context"]["error"]["status"], 503, "{answer}");
    }
    drop(held);
}

#[tokio::test]
async fn name_of_a_request_of_one_agent_tells_another_nothing() {
    let harness = Harness::new(open_with(|builder| builder).await).await;
    let policies = json!({ "files": [{
        "name": "people.cedar",
        "text": "@elevate permit (principal, action, resource) when { context has access };",
    }] });
    harness.put("/api/v1/policies", ADMIN, policies).await.ok();
    let (other, _) = harness.worker().await;
    let mut body = deletes(&harness.agent);
    body["subject"] = json!({ "type": "user", "id": "alice" });
    let of_first = harness.with(&[("Idempotency-Key", "one"), ("X-Agent-ID", &harness.agent)]);
    let denied = of_first.post(EVALUATION, ADMIN, body.clone()).await.ok().body;
    let requestable = &denied["context"]["access_request"];
    body["denial"] = json!({
        "binding_token": requestable["binding_token"], "expires_at": requestable["expires_at"],
    });
    of_first.post(REQUESTS, ADMIN, body.clone()).await.ok();
    let of_other = harness.with(&[("Idempotency-Key", "one"), ("X-Agent-ID", &other)]);
    problem(&of_other.post(REQUESTS, ADMIN, body).await, 409, "duplicate_request");
}
