//! What the profile refuses, in its own words; and how its tasks end.

use std::time::Duration;

use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Answer, eventually};
use axum::http::Method;
use serde_json::{Value, json};

use super::profile::{Pep, with_approval};
use super::{CONFIGURATION, EVALUATION, REQUESTS, decided, deletes, put_policies};
use crate::support::{Api, Harness, open, open_with};

/// Expects a problem of the profile.
#[track_caller]
fn problem(answer: &Answer, status: u16, name: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{answer:?}");
    assert_eq!(answer.body["type"], format!("urn:openid:authzen:access-request:error:{name}"));
    assert_eq!(answer.body["status"], status);
    assert!(answer.body["title"].is_string() && answer.body["detail"].is_string(), "{answer:?}");
}

#[tokio::test]
async fn request_that_is_not_bound_to_the_denial_is_refused() {
    let harness = Harness::new(open().await).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let mut wanted = deletes(&harness.agent, "users");
    wanted["context"] = json!({ "ticket": "OPS-7" });
    let denied = decided(&pep.evaluate(&wanted).await, false);
    let good = Pep::submission(&wanted, &denied);
    let token = good["denial"]["binding_token"].as_str().unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let unsigned = format!("{signed}.");
    let forged = format!("{signed}.{}{signature}", "AAAA");
    // Another kind of token that this Guardian signs with the same key.
    let body = json!({ "agent_id": harness.agent });
    let workload = harness.post("/api/v1/wimse/token", &harness.key, body).await.ok().text("token");
    for (place, value) in [
        ("/denial/binding_token", json!(null)),
        ("/denial/binding_token", json!("")),
        ("/denial/binding_token", json!(unsigned)),
        ("/denial/binding_token", json!(forged)),
        ("/denial/binding_token", json!(workload)),
        ("/denial/expires_at", json!("2099-01-01T00:00:00Z")),
        ("/denial/evaluation_id", json!("chk_other")),
        ("/resource/id", json!("orders")),
        ("/action/name", json!("table_delete")),
        ("/context/ticket", json!("OPS-8")),
        ("/context", json!({})),
        ("/context/session_id", json!("other")),
    ] {
        let mut body = good.clone();
        let (parent, name) = place.rsplit_once('/').unwrap();
        let parent = if parent.is_empty() { &mut body } else { body.pointer_mut(parent).unwrap() };
        parent[name] = value;
        let answer = pep.submit(place, &body).await;
        if place == "/context/session_id" {
            // What was not there when it was denied is not bound: it goes to the approver, and into the approval.
            assert_eq!(answer.status, 202, "{answer:?}");
            continue;
        }
        problem(&answer, 400, "invalid_denial_binding");
    }
    // Another agent's key, and an admin for another agent.
    let (other, other_key) = harness.worker().await;
    let theirs = Pep::discover(&harness, &other_key).await;
    theirs.submit("x", &good).await.refused(403, "AUTH_DENIED");
    let mut body = good.clone();
    body["subject"]["id"] = json!(other);
    problem(&theirs.submit("x", &body).await, 400, "invalid_denial_binding");
    // After all that, the right one is taken.
    assert_eq!(pep.submit("right", &good).await.status, 202);
}

#[tokio::test]
async fn only_what_is_held_can_be_requested_at_the_moment_it_is() {
    let harness = Harness::new(open().await).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let wanted = deletes(&harness.agent, "users");
    let denied = decided(&pep.evaluate(&wanted).await, false);
    let body = Pep::submission(&wanted, &denied);
    // What nothing permits is no request, and neither is what needs no approval any more.
    put_policies(&harness, "permit (principal, action == Action::\"read\", resource);").await;
    let plain = decided(&pep.evaluate(&wanted).await, false);
    assert!(plain.get("access_request").is_none() && plain["reason"] == "denied", "{plain}");
    problem(&pep.submit("a", &body).await, 400, "not_requestable");
    put_policies(&harness, "permit (principal, action, resource);").await;
    let answer = pep.submit("b", &body).await;
    problem(&answer, 400, "not_requestable");
    assert!(answer.text("detail").contains("permitted by now"), "{answer:?}");
    put_policies(&harness, "@elevate permit (principal, action, resource);").await;
    assert_eq!(pep.submit("c", &body).await.status, 202);
}

#[tokio::test]
async fn one_name_is_for_one_request_of_one_key_on_sqlite() {
    one_name_is_for_one_request_of_one_key(open().await).await;
}

#[tokio::test]
async fn one_name_is_for_one_request_of_one_key_on_postgres() {
    let Some(database) = Fresh::or_skip() else { return };
    // Denials are signed by a key that is kept there.
    let sealed_by = "0f1e".repeat(16);
    let api = open_with(|it| it.database(database.url()).secret_key(sealed_by)).await;
    one_name_is_for_one_request_of_one_key(api).await;
}

#[tokio::test]
async fn nothing_can_be_requested_where_no_key_signs_denials_and_nothing_says_so() {
    let Some(database) = Fresh::or_skip() else { return };
    let harness = Harness::new(open_with(|it| it.database(database.url())).await).await;
    let said = harness.get(CONFIGURATION, "").await.ok().body;
    for member in ["access_request_endpoint", "access_request_profile", "capabilities"] {
        assert!(said.get(member).is_none(), "{said}");
    }
    let wanted = deletes(&harness.agent, "users");
    let denied = decided(&harness.post(EVALUATION, &harness.key, wanted).await, false);
    assert_eq!(denied["reason"], "approval_required");
    assert!(denied.get("access_request").is_none(), "{denied}");
}

async fn one_name_is_for_one_request_of_one_key(api: Api) {
    let harness = Harness::new(api).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let wanted = deletes(&harness.agent, "users");
    let denied = decided(&pep.evaluate(&wanted).await, false);
    let body = Pep::submission(&wanted, &denied);
    let task = pep.submit("one", &body).await.ok().body["task"].clone();
    let mut other = body.clone();
    other["requested_access"] = json!({ "emergency": true });
    problem(&pep.submit("one", &other).await, 409, "duplicate_request");
    // Members in another order are the same.
    let turned: serde_json::Map<String, Value> =
        body.as_object().unwrap().clone().into_iter().rev().collect();
    assert_eq!(pep.submit("one", &turned.into()).await.ok().body["task"]["id"], task["id"]);
    // Another key's names are its own.
    let second = harness.key("agent", &[&harness.agent]).await;
    let theirs = Pep::discover(&harness, &second).await;
    assert_eq!(theirs.submit("one", &other).await.ok().body["task"]["id"], task["id"]);
    // The same once more is told what became of it, also when it is denied.
    harness.deny(&harness.operator, task["id"].as_str().unwrap()).await.ok();
    let late = pep.submit("one", &body).await;
    assert_eq!(
        (late.status.as_u16(), &late.body["task"]["status"]),
        (201, &json!("denied")),
        "{late:?}"
    );
    // A new name asks anew, and hears that the denial holds.
    problem(&pep.submit("new", &body).await, 400, "not_requestable");
    let context = decided(&pep.evaluate(&wanted).await, false);
    assert!(context.get("access_request").is_none(), "{context}");
}

#[tokio::test]
async fn task_ends_denied_cancelled_or_expired_and_none_of_them_is_an_approval() {
    let harness = Harness::new(open_with(|it| it.approval_ttl(Duration::from_secs(2))).await).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let ends = async |task: &Value, status: &str, evaluation: &Value| {
        let told = pep.status(task).await.ok();
        assert_eq!(told.body["task"]["status"], status, "{told:?}");
        assert!(told.body.get("result").is_none(), "{told:?}");
        assert!(told.body["task"].get("links").is_none(), "{told:?}");
        assert!(!told.headers.contains_key("retry-after"));
        let presented = with_approval(evaluation, &json!({ "id": task["id"] }));
        decided(&pep.evaluate(&presented).await, false);
        let cancel = format!("{}/cancel", task["status_endpoint"].as_str().unwrap());
        problem(&pep.ask(Method::POST, &cancel, None).await, 409, "invalid_task_state");
    };
    let submit = async |table: &str| {
        let wanted = deletes(&harness.agent, table);
        let denied = decided(&pep.evaluate(&wanted).await, false);
        let task =
            pep.submit(table, &Pep::submission(&wanted, &denied)).await.ok().body["task"].clone();
        (wanted, task)
    };
    let (wanted, task) = submit("denied").await;
    harness.deny(&harness.operator, task["id"].as_str().unwrap()).await.ok();
    ends(&task, "denied", &wanted).await;

    let (wanted, task) = submit("cancelled").await;
    let cancel = task["links"]["cancel"].as_str().unwrap();
    let why = json!({ "reason": "not_needed", "comment": "found another way" });
    let cancelled = pep.ask(Method::POST, cancel, Some(why)).await.ok();
    assert_eq!(cancelled.body["task"]["status"], "cancelled");
    ends(&task, "cancelled", &wanted).await;
    let id = task["id"].as_str().unwrap();
    harness.approve(&harness.operator, id).await.refused(409, "CONFLICT").says("found another way");
    let rows = harness.audit("approval.cancelled").await;
    assert_eq!(rows[0]["body"]["approval_id"], *id);

    let (wanted, task) = submit("expired").await;
    eventually("it expires", async || {
        pep.status(&task).await.ok().body["task"]["status"] == "expired"
    })
    .await;
    ends(&task, "expired", &wanted).await;
}

#[tokio::test]
async fn task_is_told_to_those_who_may_see_its_approval_and_to_nobody_else() {
    let harness = Harness::new(open().await).await;
    let pep = Pep::discover(&harness, &harness.key).await;
    let wanted = deletes(&harness.agent, "users");
    let (_, task) = pep.request(&wanted).await;
    let (_, other_key) = harness.worker().await;
    let gateway = harness.key("gateway", &[]).await;
    for key in [other_key.as_str(), gateway.as_str()] {
        let theirs = Pep::discover(&harness, key).await;
        problem(&theirs.status(&task).await, 404, "unknown_task");
        let cancel =
            theirs.ask(Method::POST, task["links"]["cancel"].as_str().unwrap(), None).await;
        problem(&cancel, 404, "unknown_task");
    }
    for key in [harness.operator.as_str(), ADMIN] {
        Pep::discover(&harness, key).await.status(&task).await.ok();
    }
    let cancel = task["links"]["cancel"].as_str().unwrap();
    let operators = Pep::discover(&harness, &harness.operator).await;
    operators.ask(Method::POST, cancel, None).await.refused(403, "AUTH_DENIED");
    // The approval of another kind of check is no task.
    let held = harness.asks("db_delete").await.held();
    let path = format!("{REQUESTS}/{held}");
    problem(&harness.get(&path, &harness.key).await, 404, "unknown_task");
    problem(&harness.get(&format!("{REQUESTS}/apr_none"), ADMIN).await, 404, "unknown_task");
    pep.ask(Method::POST, cancel, None).await.ok();
}
