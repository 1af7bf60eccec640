//! An approval of an evaluation is used once, by whom it was given to, and decided by another.

use agenttrust_testkit::Answer;
use axum::http::Method;
use serde_json::{Value, json};

use super::profile::{Pep, with_approval};
use super::{EVALUATIONS, REQUESTS, asked, decided, deletes, put_policies};
use crate::support::{Harness, open};

#[track_caller]
fn problem(answer: &Answer, status: u16, name: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.text("type").ends_with(name), "{answer:?}");
}

fn decisions(answer: &Answer) -> Vec<bool> {
    let evaluations = answer.body["evaluations"].as_array().unwrap();
    evaluations.iter().map(|one| one["decision"].as_bool().unwrap()).collect()
}

#[tokio::test]
async fn approval_that_a_list_presents_twice_permits_once_also_under_the_name_of_a_request() {
    let harness = Harness::new(open().await).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let wanted = deletes(&harness.agent, "users");
    let (_, task) = pep.request(&wanted).await;
    harness.approve(&harness.operator, task["id"].as_str().unwrap()).await.ok();
    let presented = with_approval(&wanted, &pep.approval(&task).await);
    let list = json!({ "evaluations": [presented, presented, presented] });
    let named = harness.with(&[("X-Request-ID", "r-1")]);
    let first = decisions(&named.post(EVALUATIONS, &harness.key, list.clone()).await.ok());
    assert_eq!(first.iter().filter(|permitted| **permitted).count(), 1, "{first:?}");
    // The same list under the same name is answered alike, and uses nothing.
    let again = decisions(&named.post(EVALUATIONS, &harness.key, list.clone()).await.ok());
    assert_eq!(again, first);
    let unnamed = decisions(&harness.post(EVALUATIONS, &harness.key, list).await.ok());
    assert_eq!(unnamed, [false, false, false]);
}

#[tokio::test]
async fn request_for_what_is_approved_already_is_told_of_it_and_uses_nothing() {
    let harness = Harness::new(open().await).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let wanted = deletes(&harness.agent, "users");
    let (denied, task) = pep.request(&wanted).await;
    harness.approve(&harness.operator, task["id"].as_str().unwrap()).await.ok();
    let submitted = pep.submit("two", &Pep::submission(&wanted, &denied)).await;
    assert_eq!(submitted.status, 201, "{submitted:?}");
    let told = &submitted.body;
    assert_eq!((&told["task"]["id"], &told["task"]["status"]), (&task["id"], &json!("approved")));
    let approval = &told["result"]["approval"];
    decided(&pep.evaluate(&with_approval(&wanted, approval)).await, true);
}

#[tokio::test]
async fn request_that_was_approved_is_not_cancelled_and_its_approval_serves() {
    let harness = Harness::new(open().await).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let wanted = deletes(&harness.agent, "users");
    let (_, task) = pep.request(&wanted).await;
    harness.approve(&harness.operator, task["id"].as_str().unwrap()).await.ok();
    let cancel = task["links"]["cancel"].as_str().unwrap();
    problem(&pep.ask(Method::POST, cancel, None).await, 409, "invalid_task_state");
    let approval = pep.approval(&task).await;
    decided(&pep.evaluate(&with_approval(&wanted, &approval)).await, true);
}

#[tokio::test]
async fn denial_of_one_agent_is_none_of_another_that_acts_for_the_same_person() {
    let harness = Harness::new(open().await).await;
    put_policies(
        &harness,
        "@elevate permit (principal, action, resource) when { context has access };",
    )
    .await;
    let (_, other_key) = harness.worker().await;
    let alice = json!({ "type": "user", "id": "alice@example.com" });
    let wanted = asked(alice, "db_delete", json!({ "type": "table", "id": "users" }));
    let pep = Pep::discover(&harness, &harness.key).await;
    let body = Pep::submission(&wanted, &decided(&pep.evaluate(&wanted).await, false));
    let theirs = Pep::discover(&harness, &other_key).await;
    problem(&theirs.submit("one", &body).await, 400, "invalid_denial_binding");
    let submitted = pep.submit("one", &body).await;
    assert_eq!(submitted.status, 202, "{submitted:?}");
    // Nor is what was approved for the one of any use to the other.
    let id = submitted.body["task"]["id"].clone();
    harness.approve(&harness.operator, id.as_str().unwrap()).await.ok();
    let presented = with_approval(&wanted, &json!({ "id": id }));
    let context = decided(&theirs.evaluate(&presented).await, false);
    assert_eq!(context["reason"], "approval_unverifiable", "{context}");
    decided(&pep.evaluate(&presented).await, true);
}

#[tokio::test]
async fn key_that_requested_access_does_not_approve_it() {
    let harness = Harness::new(open().await).await;
    let (first, second) = (harness.key("admin", &[]).await, harness.key("admin", &[]).await);
    let pep = Pep::discover(&harness, &first).await;
    let wanted = deletes(&harness.agent, "users");
    let (_, task) = pep.request(&wanted).await;
    let id = task["id"].as_str().unwrap();
    harness.approve(&first, id).await.refused(403, "AUTH_DENIED");
    // Nor does one that found it by requesting the same.
    let theirs = Pep::discover(&harness, &second).await;
    let denied = decided(&theirs.evaluate(&wanted).await, false);
    let found = theirs.submit("one", &Pep::submission(&wanted, &denied)).await;
    assert_eq!(found.body["task"]["id"], *id, "{found:?}");
    harness.approve(&second, id).await.refused(403, "AUTH_DENIED");
    harness.approve(&harness.operator, id).await.ok();
    let presented = with_approval(&wanted, &pep.approval(&task).await);
    decided(&pep.evaluate(&presented).await, true);
}

#[tokio::test]
async fn task_can_be_read_for_a_day_longer_than_its_approval_and_says_until_when() {
    let harness = Harness::new(open().await).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let (_, task) = pep.request(&deletes(&harness.agent, "users")).await;
    let at = |text: &Value| -> agenttrust::Timestamp { text.as_str().unwrap().parse().unwrap() };
    let approval = harness.approval(task["id"].as_str().unwrap()).await;
    let day = std::time::Duration::from_secs(24 * 3_600);
    assert_eq!(at(&task["expires_at"]), at(&approval["expires_at"]).saturating_add(day));
    assert!(task["status_endpoint"].as_str().unwrap().contains(REQUESTS), "{task}");
}

#[tokio::test]
async fn of_two_requests_at_once_under_one_name_the_first_counts_and_the_other_is_refused() {
    let harness = Harness::new(open().await).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let body = async |table: &str| {
        let wanted = deletes(&harness.agent, table);
        Pep::submission(&wanted, &decided(&pep.evaluate(&wanted).await, false))
    };
    let (users, orders) = (body("users").await, body("orders").await);
    let (one, other) = tokio::join!(pep.submit("name", &users), pep.submit("name", &orders));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409], "{one:?} {other:?}");
}
