//! What time does to denials, approvals and tasks, and what becomes of a Guardian that has no time to decide.

use std::time::Duration;

use agenttrust_testkit::{ADMIN, Answer, eventually};
use serde_json::{Value, json};

use crate::domain::Fingerprint;
use crate::harness::{Harness, open_with};
use crate::store::AccessRequestRow;

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

#[tokio::test]
async fn who_cancels_what_it_asked_for_has_no_more_brought_before_people_for_it() {
    let harness = Harness::new(open_with(|builder| builder).await).await;
    let ask = async |table: &str| {
        let mut body = deletes(&harness.agent);
        body["resource"]["id"] = json!(table);
        let denied = harness.post(EVALUATION, &harness.key, body.clone()).await.ok().body;
        let requestable = &denied["context"]["access_request"];
        body["denial"] = json!({
            "binding_token": requestable["binding_token"], "expires_at": requestable["expires_at"],
        });
        harness.post(REQUESTS, &harness.key, body).await
    };
    for number in 0..20 {
        let task = ask(&format!("table-{number}")).await.ok().body["task"].clone();
        let cancel = format!("{REQUESTS}/{}/cancel", task["id"].as_str().unwrap());
        harness.post(&cancel, &harness.key, json!({})).await.ok();
    }
    let refused = ask("one-more").await;
    problem(&refused, 400, "not_requestable");
    assert!(refused.text("detail").contains("cancelled within 10 minutes"), "{refused:?}");
    harness.guardian.engine().clock.advance(10 * MINUTE);
    ask("one-more").await.ok();
}

#[tokio::test]
async fn key_has_its_newest_thousand_requests_found_again_and_the_oldest_forgotten_first() {
    let harness = Harness::new(open_with(|builder| builder).await).await;
    let engine = harness.guardian.engine();
    let body = submission(&harness).await;
    let mut other = body.clone();
    other["requested_access"] = json!({ "emergency": true });
    let task = submit(&harness, &body).await.ok().body["task"]["id"].clone();
    let named = async |name: &str, body: &Value| {
        let named = harness.with(&[("Idempotency-Key", name)]);
        named.post(REQUESTS, &harness.key, body.clone()).await
    };
    // Those of another key are no concern of this one, however old they are.
    let keep = async |key_id: &str, name: String| {
        let row = AccessRequestRow {
            key_id: key_id.to_owned(),
            idempotency_key: name,
            body: String::new(),
            approval_id: task.as_str().unwrap().to_owned(),
            created_at: engine.clock.now(),
        };
        assert!(engine.store.insert_access_request(row).await.unwrap());
    };
    keep("key_other", "oldest".to_owned()).await;
    let key = engine.key(Fingerprint::from_text(&harness.key)).await.unwrap().unwrap();
    for number in 0..999 {
        keep(&key.id, format!("name-{number}")).await;
    }
    problem(&named("one", &other).await, 409, "duplicate_request");
    // One more, and the first is a new request; which then takes the place of the next one.
    named("one-more", &body).await.ok();
    assert_eq!(named("one", &other).await.ok().body["task"]["id"], task);
    problem(&named("one", &body).await, 409, "duplicate_request");
    let found = async |key_id: &str, name: &str| {
        engine.store.access_request(key_id.to_owned(), name.to_owned()).await.unwrap().is_some()
    };
    assert!(!found(&key.id, "name-0").await && found(&key.id, "name-1").await);
    assert!(found("key_other", "oldest").await);
}

#[tokio::test]
async fn lists_of_one_key_have_no_more_decided_at_a_time_than_eight_requests_would_have() {
    let harness = Harness::new(open_with(|builder| builder).await).await;
    let engine = harness.guardian.engine();
    let writes = |agent: &str| {
        let one = json!({ "resource": { "type": "table", "id": "users" } });
        json!({ "subject": { "type": "agent", "id": agent }, "action": { "name": "db_write" },
            "evaluations": vec![one; 20] })
    };
    let beside = || engine.limits.beside.held();
    // Everything that has to be kept waits for the one connection.
    let held = engine.store.db().begin().await.unwrap();
    let decided = async {
        let list = || harness.post(EVALUATIONS, &harness.key, writes(&harness.agent));
        let answers = tokio::join!(list(), list(), list());
        for answer in [answers.0, answers.1, answers.2] {
            let list = answer.ok().body["evaluations"].clone();
            assert!(list.as_array().unwrap().iter().all(|one| one["decision"] == true), "{list}");
        }
    };
    let looking = async {
        let all = async || engine.limits.requests.held() == 3 && beside() >= 5;
        eventually("the lists have all that there is for a key", all).await;
        // What the first ones took before the others came they keep to its end.
        let most = beside();
        assert!(most <= 7, "{most}");
        drop(held);
    };
    tokio::join!(decided, looking);
    assert_eq!(beside(), 0);
}

#[tokio::test]
async fn evaluations_one_after_the_other_have_the_time_of_one_check_together() {
    let second = Duration::from_secs(1);
    let hurried = open_with(|builder| builder.check_deadline(second)).await;
    let harness = Harness::new(hurried).await;
    let write = json!({
        "subject": { "type": "agent", "id": harness.agent }, "action": { "name": "db_write" },
        "resource": { "type": "table", "id": "users" },
    });
    let held = harness.guardian.engine().store.db().begin().await.unwrap();
    let list = json!({
        "evaluations": [write, write, write, write, write, write],
        "options": { "evaluations_semantic": "permit_on_first_permit" },
    });
    let begun = std::time::Instant::now();
    let answer = harness.post(EVALUATIONS, ADMIN, list).await.ok().body;
    assert!(begun.elapsed() < 4 * second, "{:?}", begun.elapsed());
    let evaluations = answer["evaluations"].as_array().unwrap();
    assert_eq!(evaluations.len(), 6, "{answer}");
    for one in evaluations {
        assert_eq!(one["context"]["error"]["status"], 503, "{answer}");
    }
    drop(held);
}
