//! Who sees a task: those who ask and are asked, those who oversee both, and no one else.

use agenttrust_testkit::ADMIN;
use serde_json::{Value, json};

use super::target::{Does, Target};
use super::{Fixture, call, message};

/// Returns the answer to this key when it asks for the task: a number where it is refused.
async fn sees(fixture: &Fixture, key: &str, id: &Value) -> Value {
    let answer = call(&fixture.api, &fixture.target, key, "GetTask", json!({ "id": id })).await;
    match answer.status.as_u16() {
        200 if answer.body["error"].is_null() => json!("sees"),
        200 => answer.body["error"]["code"].clone(),
        other => json!(other),
    }
}

#[tokio::test]
async fn task_is_seen_by_its_parties_and_those_who_oversee_them() {
    let fixture = Fixture::new().await;
    let target = Target::start(Does::Works).await;
    fixture.reached_at(&target).await;
    let id = fixture.sends("m-1", "do it").await["id"].clone();
    fixture.becomes(&id, "TASK_STATE_WORKING").await;
    let (third, third_key) = fixture.api.worker().await;
    let auditor = fixture.api.key("auditor", &[]).await;
    let foreign = json!({ "role": "admin", "org_id": "org_other" });
    let foreign = fixture.api.post("/api/v1/keys", ADMIN, foreign).await;
    for (who, key, expected) in [
        ("its sender", &fixture.key, json!("sees")),
        ("its target", &fixture.target_key, json!("sees")),
        ("an operator", &fixture.operator, json!("sees")),
        ("an auditor", &auditor, json!("sees")),
        ("another agent", &third_key, json!(-32001)),
    ] {
        assert_eq!(sees(&fixture, key, &id).await, expected, "{who}");
    }
    if foreign.status.is_success() {
        let seen = sees(&fixture, &foreign.text("key"), &id).await;
        assert_ne!(seen, "sees", "{seen}");
    }
    for unknown in
        [json!("task_unknown"), json!("theirs-1"), json!("a\u{0}b"), json!("x".repeat(500))]
    {
        let seen = sees(&fixture, &fixture.key, &unknown).await;
        assert!(seen == -32001 || seen == -32602, "{unknown}: {seen}");
    }
    // Below another agent's address there is none of this.
    let other = call(&fixture.api, &third, &fixture.key, "GetTask", json!({ "id": id })).await;
    assert_eq!(other.body["error"]["code"], -32001, "{other:?}");

    // Neither may another agent go on with it, or end it, or refer to it.
    let mut more = message("m-2", "and that");
    more["message"]["taskId"] = id.clone();
    for (key, expected) in [(&third_key, -32001), (&fixture.target_key, -32001)] {
        let answer = fixture.call(key, "SendMessage", more.clone()).await;
        assert_eq!(answer["error"]["code"], expected, "{answer}");
        let answer =
            call(&fixture.api, &fixture.target, key, "CancelTask", json!({ "id": id })).await;
        assert!(answer.status == 403 || !answer.body["error"].is_null(), "{answer:?}");
    }
    let mut refers = message("m-3", "as there");
    refers["message"]["referenceTaskIds"] = json!([id]);
    let answer = fixture.call(&third_key, "SendMessage", refers).await;
    assert_eq!(answer["error"]["code"], -32001, "{answer}");
    assert_eq!(target.sent().len(), 1);
}

#[tokio::test]
async fn list_has_ones_own_tasks_page_by_page() {
    let fixture = Fixture::new().await;
    let (_, third_key) = fixture.api.worker().await;
    for n in 0..5 {
        fixture.sends(&format!("m-{n}"), "do it").await;
    }
    fixture.done(&third_key, "SendMessage", message("m-0", "mine")).await;
    let (mut found, mut token, mut pages) = (Vec::new(), json!(""), 0);
    loop {
        let params = json!({ "pageSize": 2, "pageToken": token });
        let page = fixture.done(&fixture.key, "ListTasks", params).await;
        assert_eq!(page["totalSize"], 5, "{page}");
        let tasks = page["tasks"].as_array().unwrap();
        assert!(tasks.len() <= 2);
        found.extend(tasks.iter().map(|task| task["id"].as_str().unwrap().to_owned()));
        token = page["nextPageToken"].clone();
        pages += 1;
        if token.as_str().is_none_or(str::is_empty) {
            break;
        }
    }
    assert_eq!((found.len(), pages), (5, 3));
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 5);
    let of_all = fixture.done(&fixture.operator, "ListTasks", json!({})).await;
    assert_eq!(of_all["totalSize"], 6, "{of_all}");
    let made_up = fixture.call(&fixture.key, "ListTasks", json!({ "pageToken": "1.key_1" })).await;
    assert_eq!(made_up["error"]["code"], -32602, "{made_up}");
    let none =
        fixture.done(&fixture.key, "ListTasks", json!({ "status": "TASK_STATE_FAILED" })).await;
    assert_eq!(none["totalSize"], 0);
}
