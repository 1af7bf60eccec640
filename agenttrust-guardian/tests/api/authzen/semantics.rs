//! The three ways to go through several evaluations, and how many there may be.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::profile::Pep;
use super::{EVALUATIONS, REQUESTS, deletes, with_policies};
use crate::support::{Harness, open};

/// Returns documents 1 and 3 may be read, 2 may not.
async fn documents() -> Harness {
    with_policies(
        r#"permit (principal, action, resource == Tool::"read")
           when { context has access && context.access.resource.id != "2" };"#,
    )
    .await
}

fn reads(documents: &[&str], options: Value) -> Value {
    let evaluations: Vec<Value> = documents
        .iter()
        .map(|id| json!({ "resource": { "type": "document", "id": id } }))
        .collect();
    json!({
        "subject": { "type": "user", "id": "alice@example.com" }, "action": { "name": "read" },
        "evaluations": evaluations, "options": options,
    })
}

#[tokio::test]
async fn each_semantic_stops_where_it_says_and_asks_nothing_beyond() {
    let harness = documents().await;
    let all: &[&str] = &["1", "2", "3"];
    let mut asked = 0;
    for (semantic, documents, decisions) in [
        (None, all, &[true, false, true][..]),
        (Some("execute_all"), all, &[true, false, true]),
        (Some("deny_on_first_deny"), all, &[true, false]),
        (Some("deny_on_first_deny"), &["1", "3"], &[true, true]),
        (Some("deny_on_first_deny"), &["2", "1"], &[false]),
        (Some("permit_on_first_permit"), all, &[true]),
        (Some("permit_on_first_permit"), &["2", "2", "3", "1"], &[false, false, true]),
        (Some("permit_on_first_permit"), &["2", "2"], &[false, false]),
    ] {
        let options = match semantic {
            Some(semantic) => json!({ "evaluations_semantic": semantic }),
            None => Value::Null,
        };
        let answer = harness.post(EVALUATIONS, &harness.key, reads(documents, options)).await.ok();
        let expected: Vec<Value> = decisions.iter().map(|it| json!({ "decision": it })).collect();
        assert_eq!(answer.body["evaluations"], json!(expected), "{semantic:?} {documents:?}");
        asked += decisions.len();
        assert_eq!(harness.audit("decision").await.len(), asked, "{semantic:?} {documents:?}");
    }
}

#[tokio::test]
async fn one_that_cannot_be_evaluated_is_a_denial_where_it_stands() {
    let harness = documents().await;
    for (semantic, statuses) in [
        ("execute_all", &[None, Some(400), None][..]),
        ("deny_on_first_deny", &[None, Some(400)]),
        ("permit_on_first_permit", &[None]),
    ] {
        let mut body = reads(&["1", "2", "3"], json!({ "evaluations_semantic": semantic }));
        body["evaluations"][1]["subject"] = json!({ "type": "robot", "id": "r2" });
        let answer = harness.post(EVALUATIONS, &harness.key, body).await.ok();
        let found: Vec<Option<u64>> = answer.body["evaluations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["context"]["error"]["status"].as_u64())
            .collect();
        assert_eq!(found, statuses, "{answer:?}");
    }
    // One of another agent is forbidden, and one that is not there is unknown: in their places.
    let mut body = reads(&["1", "1", "1"], json!({}));
    let (other, _) = harness.worker().await;
    body["evaluations"][0]["subject"] = json!({ "type": "agent", "id": other });
    body["evaluations"][2]["subject"] = json!({ "type": "agent", "id": harness.agent });
    let answer = harness.post(EVALUATIONS, &harness.key, body).await.ok();
    let evaluations = answer.body["evaluations"].as_array().unwrap();
    assert_eq!(evaluations[0]["context"]["error"]["status"], 403, "{answer:?}");
    assert_eq!(evaluations[1], json!({ "decision": true }));
    assert_eq!(evaluations[2], json!({ "decision": true }));
}

#[tokio::test]
async fn explained_list_says_why_and_under_which_id() {
    let harness = documents().await;
    let body = reads(&["1", "2"], json!({ "explain": true }));
    let answer = harness.post(EVALUATIONS, &harness.key, body).await.ok();
    let evaluations = answer.body["evaluations"].as_array().unwrap();
    let ids: Vec<&str> =
        evaluations.iter().map(|one| one["context"]["evaluation_id"].as_str().unwrap()).collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!(evaluations[1]["context"]["reason"], "denied");
    assert!(evaluations[1]["context"]["reason_admin"]["403"].is_string(), "{answer:?}");
}

#[tokio::test]
async fn denial_in_a_list_says_how_access_is_requested_and_serves_to_request_it() {
    let harness = Harness::new(open().await).await;
    let wanted = ["users", "orders"].map(|table| deletes(&harness.agent, table));
    let body = json!({ "evaluations": wanted });
    let answer = harness.post(EVALUATIONS, &harness.key, body).await.ok();
    let list = answer.body["evaluations"].as_array().unwrap();
    assert_eq!(list.len(), 2, "{list:?}");
    for (wanted, one) in wanted.iter().zip(list) {
        let denied = &one["context"];
        assert_eq!(
            (&one["decision"], &denied["reason"]),
            (&json!(false), &json!("approval_required"))
        );
        assert!(denied["access_request"]["binding_token"].is_string(), "{one}");
        let submitted = Pep::submission(wanted, denied);
        let submitted = harness.post(REQUESTS, &harness.key, submitted).await;
        assert_eq!(submitted.status, 202, "{submitted:?}");
        let id = submitted.body["task"]["id"].as_str().unwrap();
        assert_eq!(harness.approval(id).await["input"]["resource"], wanted["resource"]);
    }
}

#[tokio::test]
async fn default_that_no_approver_could_be_shown_is_refused_before_each_evaluation_has_a_copy() {
    let harness = documents().await;
    for (default, says) in [
        ("subject", "subject is 70"),
        ("action", "action is 70"),
        ("resource", "resource is 70"),
        ("context", "context is 70"),
    ] {
        let mut body = reads(&["1"; 100], json!({}));
        body[default]["properties"]["long"] = json!("x".repeat(70_000));
        let refused = harness.post(EVALUATIONS, &harness.key, body).await;
        refused.refused(400, "VALIDATION_ERROR").says(says);
    }
    assert_eq!(harness.audit("decision").await.len(), 0);
    // One of a list that is too large is its own affair.
    let mut body = reads(&["1", "1"], json!({}));
    body["evaluations"][0]["context"] = json!({ "long": "x".repeat(70_000) });
    let list = harness.post(EVALUATIONS, &harness.key, body).await.ok().body["evaluations"].clone();
    assert_eq!(list[0]["context"]["error"]["status"], 400, "{list}");
    assert_eq!(list[1], json!({ "decision": true }));
}

#[tokio::test]
async fn hundred_evaluations_are_taken_and_ten_thousand_refused_at_once_while_others_go_on() {
    let harness = documents().await;
    let hundred = reads(&["1"; 100], json!({}));
    let answer = harness.post(EVALUATIONS, &harness.key, hundred).await.ok();
    let evaluations = answer.body["evaluations"].as_array().unwrap();
    assert!(evaluations.len() == 100 && evaluations.iter().all(|one| one["decision"] == true));

    let many = reads(&["1"; 10_000], json!({}));
    let rows = harness.audit_rows().await;
    let begun = Instant::now();
    let (refused, other) = tokio::join!(
        harness.post(EVALUATIONS, &harness.key, many),
        harness.post(EVALUATIONS, &harness.key, reads(&["1"], json!({}))),
    );
    refused.refused(400, "VALIDATION_ERROR").says("evaluations has 10000 entries; 100 is the most");
    assert_eq!(other.ok().body["evaluations"], json!([{ "decision": true }]));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(harness.audit_rows().await, rows + 1);
    let over = harness.post(EVALUATIONS, &harness.key, reads(&["1"; 101], json!({}))).await;
    over.refused(400, "VALIDATION_ERROR");
}
