//! Those who are told how a task goes.

use agenttrust_testkit::ADMIN;
use agenttrust_testkit::receiver::Receiver;
use serde_json::{Value, json};

use super::target::Speaks;
use super::{Reached, V1, refused, request, v1_message, v03_message};

fn whom(receiver: &Receiver) -> Value {
    json!({
        "url": receiver.url(), "token": "known-to-both",
        "authentication": { "scheme": "Bearer", "credentials": "proof" },
    })
}

#[tokio::test]
async fn who_is_named_with_a_message_is_told_of_its_end_with_the_proof_that_was_given() {
    let reached = Reached::by(Speaks::V1).await;
    let mut receiver = Receiver::answering(&[500, 200]).await;
    let params = json!({
        "message": v1_message("x"), "configuration": { "taskPushNotificationConfig": whom(&receiver) },
    });
    let task = reached.v1("SendMessage", params).await["result"]["task"].clone();
    let first = receiver.next().await;
    // One that failed is told again.
    let told = receiver.next().await;
    assert_eq!(first.json(), told.json());
    assert_eq!(told.headers["authorization"], "Bearer proof");
    assert_eq!(told.headers["x-a2a-notification-token"], "known-to-both");
    assert_eq!(told.headers["content-type"], "application/a2a+json");
    let said = told.json();
    assert_eq!(said["task"]["id"], task["id"], "{said}");
    assert_eq!(said["task"]["status"]["state"], "TASK_STATE_COMPLETED");
    assert_eq!(said["task"]["artifacts"][0]["parts"][0]["text"], "a result");
}

#[tokio::test]
async fn who_asked_in_0_3_is_told_in_0_3() {
    let reached = Reached::by(Speaks::V1).await;
    let mut receiver = Receiver::answering(&[200]).await;
    let whom = json!({
        "url": receiver.url(), "authentication": { "schemes": ["Bearer"], "credentials": "proof" },
    });
    let params = json!({
        "message": v03_message("x"), "configuration": { "pushNotificationConfig": whom },
    });
    reached.v03("message/send", params).await;
    let told = receiver.next().await;
    assert_eq!(told.headers["authorization"], "Bearer proof");
    let said = told.json();
    assert_eq!(
        (&said["kind"], &said["status"]["state"]),
        (&json!("task"), &json!("completed")),
        "{said}"
    );
}

#[tokio::test]
async fn who_is_named_later_is_told_of_what_follows_and_can_be_looked_up_without_the_secrets() {
    for speaks in Speaks::ALL {
        let reached = Reached::by(speaks).await;
        let id = reached.works().await;
        let mut receiver = Receiver::answering(&[200]).await;
        let mut asked = whom(&receiver);
        asked["taskId"] = id.clone();
        asked["id"] = "mine".into();
        let set = reached.v1("CreateTaskPushNotificationConfig", asked.clone()).await;
        assert_eq!(set["result"]["id"], "mine", "{set}");
        assert_eq!(set["result"]["url"], receiver.url());
        assert_eq!(set["result"]["taskId"], id);
        let get = json!({ "taskId": id, "id": "mine" });
        let got = reached.v1("GetTaskPushNotificationConfig", get.clone()).await;
        let listed = reached.v1("ListTaskPushNotificationConfigs", json!({ "taskId": id })).await;
        assert_eq!(listed["result"]["configs"], json!([got["result"]]), "{listed}");
        let old = reached.v03("tasks/pushNotificationConfig/get", json!({ "id": id })).await;
        assert_eq!(old["result"]["pushNotificationConfig"]["id"], "mine", "{old}");
        for said in [&set, &got, &listed, &old] {
            assert!(!said.to_string().contains("proof"), "{said}");
            assert!(!said.to_string().contains("known-to-both"), "{said}");
        }
        reached.v1("CancelTask", json!({ "id": id })).await;
        let told = receiver.next().await.json();
        assert_eq!(told["task"]["status"]["state"], "TASK_STATE_CANCELED", "{told}");
        for _ in 0..2 {
            let gone = reached.v1("DeleteTaskPushNotificationConfig", get.clone()).await;
            assert_eq!(gone["result"], json!({}), "{gone}");
        }
        refused(
            &reached.v1("GetTaskPushNotificationConfig", get).await,
            -32001,
            "notification of task",
        );
    }
}

#[tokio::test]
async fn who_was_deleted_or_asked_with_a_revoked_key_is_told_nothing() {
    let reached = Reached::by(Speaks::V1).await;
    let api = &reached.fixture.api;
    let id = reached.works().await;
    let (mut deleted, mut revoked, mut heard) = (
        Receiver::answering(&[200]).await,
        Receiver::answering(&[200]).await,
        Receiver::answering(&[200]).await,
    );
    let spare = api.key("agent", &[&reached.fixture.source]).await;
    for (receiver, name, key) in [
        (&deleted, "deleted", reached.fixture.key.as_str()),
        (&revoked, "revoked", &spare),
        (&heard, "heard", &reached.fixture.key),
    ] {
        let mut asked = whom(receiver);
        asked["taskId"] = id.clone();
        asked["id"] = name.into();
        let asked = request(1, "CreateTaskPushNotificationConfig", asked);
        let set = api.with(&[V1]).post(&reached.path(), key, asked).await.ok().body;
        assert!(set["error"].is_null(), "{set}");
    }
    let named = json!({ "taskId": id, "id": "deleted" });
    reached.v1("DeleteTaskPushNotificationConfig", named).await;
    let keys = api.get("/api/v1/keys", ADMIN).await.ok().body;
    let newest =
        keys["keys"].as_array().unwrap().iter().max_by_key(|key| key["id"].as_str()).unwrap();
    let path = format!("/api/v1/keys/{}", newest["id"].as_str().unwrap());
    api.ask(axum::http::Method::DELETE, &path, ADMIN, None).await.ok();
    reached.v1("CancelTask", json!({ "id": id })).await;
    heard.next().await;
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert_eq!((deleted.rest().len(), revoked.rest().len()), (0, 0));
}

#[tokio::test]
async fn who_could_not_be_told_is_refused_and_nothing_is_sent() {
    let reached = Reached::by(Speaks::V1).await;
    let id = reached.works().await;
    let sent = reached.target.sent().len();
    for (whom, says) in [
        (json!({ "url": "http://example.com/" }), "url"),
        (json!({ "url": "https://user:pw@example.com/" }), "url"),
        (json!({ "url": "ftp://example.com/" }), "url"),
        (json!({ "url": "https://example.com/", "token": "a\nb" }), "token"),
        (
            json!({ "url": "https://example.com/", "authentication": { "scheme": "Bearer x" } }),
            "scheme",
        ),
    ] {
        let mut asked = whom.clone();
        asked["taskId"] = id.clone();
        refused(&reached.v1("CreateTaskPushNotificationConfig", asked).await, -32602, says);
        let params = json!({
            "message": v1_message("x"), "configuration": { "taskPushNotificationConfig": whom },
        });
        refused(&reached.v1("SendMessage", params).await, -32602, says);
    }
    assert_eq!(reached.target.sent().len(), sent);
}

#[tokio::test]
async fn those_who_are_told_are_few_and_seen_by_who_named_them() {
    let reached = Reached::by(Speaks::V1).await;
    let id = reached.works().await;
    let create =
        |name: String| json!({ "taskId": id, "id": name, "url": "https://example.com/hook" });
    for number in 0..10 {
        let set = reached.v1("CreateTaskPushNotificationConfig", create(number.to_string())).await;
        assert!(set["error"].is_null(), "{set}");
    }
    let one_more = request(1, "CreateTaskPushNotificationConfig", create("more".to_owned()));
    reached.asks(&[V1], one_more).await.refused(429, "TOO_MANY");
    let again = reached.v1("CreateTaskPushNotificationConfig", create("3".to_owned())).await;
    assert!(again["error"].is_null(), "{again}");
    let list = request(1, "ListTaskPushNotificationConfigs", json!({ "taskId": id }));
    let mine = reached.asks(&[V1], list.clone()).await.ok().body;
    assert_eq!(mine["result"]["configs"].as_array().unwrap().len(), 10);
    // The target sees the task, and not whom its sender has told.
    let v1 = reached.fixture.api.with(&[V1]);
    let theirs =
        v1.post(&reached.path(), &reached.fixture.target_key, list.clone()).await.ok().body;
    assert_eq!(theirs["result"]["configs"], json!([]), "{theirs}");
    let (_, stranger) = reached.fixture.api.worker().await;
    refused(&v1.post(&reached.path(), &stranger, list).await.ok().body, -32001, "no task");
}
