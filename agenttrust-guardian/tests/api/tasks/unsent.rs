//! What has not reached its target: there is no such task for it, or as much of it as has reached it.

use agenttrust_guardian::GuardianBuilder;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::receiver::Receiver;
use agenttrust_testkit::{ADMIN, eventually};
use serde_json::{Value, json};

use super::target::{Does, Target};
use super::{Fixture, call, known, message};

/// The time after which the target is asked again how a task stands.
const ASKED_AGAIN: std::time::Duration = std::time::Duration::from_millis(1_200);

impl Fixture {
    /// Returns whatever the target asks about the task of this id, as it is answered, without the id.
    async fn all_of(&self, id: &str) -> Vec<Value> {
        let key = &self.target_key;
        let mut told = Vec::new();
        for (method, params) in [
            ("GetTask", json!({ "id": id })),
            ("CancelTask", json!({ "id": id })),
            ("SubscribeToTask", json!({ "id": id })),
            (
                "CreateTaskPushNotificationConfig",
                json!({ "taskId": id, "url": "https://example.com/" }),
            ),
            ("ListTaskPushNotificationConfigs", json!({ "taskId": id })),
        ] {
            told.push(call(&self.api, &self.target, key, method, params).await.body);
        }
        for method in ["tasks/get", "tasks/cancel"] {
            let body =
                json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "id": id } });
            told.push(self.api.post("/a2a", key, body.clone()).await.body);
            let path = format!("/a2a/agents/{}", self.target);
            told.push(self.api.post(&path, key, body).await.body);
        }
        for (what, member) in [("complete", "text"), ("fail", "reason"), ("extend", "")] {
            let path = format!("/api/v1/agents/{}/inbox/{id}/{what}", self.target);
            let mut body = json!({ "lease_id": "lease_1" });
            if !member.is_empty() {
                body[member] = json!("mine");
            }
            told.push(self.api.post(&path, key, body).await.body);
        }
        told.into_iter().map(|said| plain(said, id)).collect()
    }

    /// Returns how many tasks the target has, by every list.
    async fn listed(&self, more: Value) -> u64 {
        let listed = self.done(&self.target_key, "ListTasks", more).await;
        let total = listed["totalSize"].as_u64().unwrap();
        assert_eq!(listed["tasks"].as_array().unwrap().len() as u64, total, "{listed}");
        total
    }

    async fn is_unknown_to_its_target(&self, id: &Value) {
        let id = id.as_str().unwrap();
        assert_eq!(self.all_of(id).await, self.all_of("task_unknown").await);
        assert_eq!(self.listed(json!({})).await, 0);
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tasks/list", "params": {} });
        let listed = self.api.post("/a2a", &self.target_key, body).await.ok().body;
        assert_eq!(listed["result"]["tasks"], json!([]), "{listed}");
        let seen = self.done(&self.operator, "GetTask", json!({ "id": id })).await;
        assert_eq!(seen["id"], id);
    }

    fn goes_on(id: &Value, message_id: &str, text: &str) -> Value {
        let mut more = message(message_id, text);
        more["message"]["taskId"] = id.clone();
        more
    }
}

/// Returns an answer without the id that was asked for, and without when it was given.
fn plain(said: Value, id: &str) -> Value {
    match said {
        Value::String(text) => text.replace(id, "").into(),
        Value::Array(items) => items.into_iter().map(|item| plain(item, id)).collect(),
        Value::Object(members) => {
            let members = members.into_iter().filter(|(name, _)| name != "timestamp");
            members.map(|(name, member)| (name, plain(member, id))).collect()
        }
        other => other,
    }
}

async fn held_is_unknown(settings: impl FnOnce(GuardianBuilder) -> GuardianBuilder) {
    let fixture = Fixture::with(settings).await;
    let target = Target::start(Does::Completes).await;
    fixture.reached_at(&target).await;
    fixture.holds().await;
    let task = fixture.sends("m-1", "the secret plan").await;
    let approval = known(&task, "approval_id").as_str().unwrap().to_owned();
    fixture.is_unknown_to_its_target(&task["id"]).await;
    fixture.api.deny(&fixture.operator, &approval).await.ok();
    fixture.becomes(&task["id"], "TASK_STATE_REJECTED").await;
    fixture.is_unknown_to_its_target(&task["id"]).await;

    let task = fixture.sends("m-2", "the plan").await;
    let approval = known(&task, "approval_id").as_str().unwrap().to_owned();
    fixture.api.approve(&fixture.operator, &approval).await.ok();
    fixture.becomes(&task["id"], "TASK_STATE_COMPLETED").await;
    let seen = fixture.done(&fixture.target_key, "GetTask", json!({ "id": task["id"] })).await;
    assert_eq!(seen["history"][0]["parts"][0]["text"], "the plan", "{seen}");
    assert_eq!(fixture.listed(json!({})).await, 1);
}

#[tokio::test]
async fn task_that_is_held_or_was_denied_does_not_exist_for_its_target() {
    held_is_unknown(|builder| builder).await;
    let Some(fresh) = Fresh::or_skip() else { return };
    held_is_unknown(|builder| builder.database(fresh.url()).secret_key("0f1e".repeat(16))).await;
}

#[tokio::test]
async fn task_whose_target_was_not_reached_does_not_exist_for_it() {
    let fixture = Fixture::new().await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::start(Does::Completes).await;
    let url = format!("http://{}/a2a", closed.local_addr().unwrap());
    drop(closed);
    fixture.reached_at(&Target { url, ..target.clone() }).await;
    let id = fixture.sends("m-1", "do it").await["id"].clone();
    eventually("it is not tried", async || {
        super::said(&fixture.task(&id).await).contains("not reached")
    })
    .await;
    fixture.is_unknown_to_its_target(&id).await;
    fixture.reached_at(&target).await;
    fixture.becomes(&id, "TASK_STATE_COMPLETED").await;
    assert_eq!(fixture.listed(json!({})).await, 1);
}

async fn later_one_is_left_out(settings: impl FnOnce(GuardianBuilder) -> GuardianBuilder) {
    let fixture = Fixture::with(settings).await;
    let target = Target::start(Does::AsksBack).await;
    fixture.reached_at(&target).await;
    target.is("TASK_STATE_INPUT_REQUIRED");
    let id = fixture.sends("m-1", "do it").await["id"].clone();
    fixture.becomes(&id, "TASK_STATE_INPUT_REQUIRED").await;
    let mut receiver = Receiver::answering(&[200]).await;
    let push = json!({ "taskId": id, "url": receiver.url() });
    fixture.done(&fixture.target_key, "CreateTaskPushNotificationConfig", push).await;
    let look = async || fixture.done(&fixture.target_key, "GetTask", json!({ "id": id })).await;
    let before = look().await;
    assert_eq!(before["history"].as_array().unwrap().len(), 1, "{before}");

    fixture.holds().await;
    let held = Fixture::goes_on(&id, "m-2", "the secret plan");
    fixture.done(&fixture.key, "SendMessage", held).await;
    let task = fixture.becomes(&id, "TASK_STATE_AUTH_REQUIRED").await;
    let approval = known(&task, "approval_id").as_str().unwrap().to_owned();
    assert_eq!(look().await, before);
    let of = |state: &str| json!({ "status": state });
    assert_eq!(fixture.listed(of("TASK_STATE_AUTH_REQUIRED")).await, 0);
    assert_eq!(fixture.listed(of("TASK_STATE_INPUT_REQUIRED")).await, 1);
    let since = json!({ "statusTimestampAfter": task["status"]["timestamp"] });
    assert_eq!(fixture.listed(since).await, 0);
    tokio::time::sleep(ASKED_AGAIN).await;
    let held = fixture.task(&id).await;
    assert_eq!(held["status"], task["status"], "its target, asked again, took it back");
    assert_eq!(known(&held, "approval_id"), approval.as_str());

    fixture.api.deny(&fixture.operator, &approval).await.ok();
    let task = fixture.becomes(&id, "TASK_STATE_INPUT_REQUIRED").await;
    assert!(super::said(&task).contains("was denied"), "{task}");
    assert_eq!(look().await, before);
    tokio::time::sleep(ASKED_AGAIN).await;
    let task = fixture.task(&id).await;
    assert!(
        super::said(&task).contains("was denied"),
        "its target, asked again, took it back: {task}"
    );
    assert_eq!(receiver.rest().len(), 0, "the target was told of it");
    assert_eq!(target.sent().len(), 1);

    // What is handed on it sees, and hears of.
    let task =
        fixture.done(&fixture.key, "SendMessage", Fixture::goes_on(&id, "m-3", "go on")).await;
    let approval = known(&task["task"], "approval_id").as_str().unwrap().to_owned();
    target.does(Does::Completes);
    fixture.api.approve(&fixture.operator, &approval).await.ok();
    fixture.becomes(&id, "TASK_STATE_COMPLETED").await;
    assert_eq!(look().await["status"]["state"], "TASK_STATE_COMPLETED");
    let told = receiver.next().await.json();
    assert_eq!(told["task"]["status"]["state"], "TASK_STATE_COMPLETED", "{told}");
}

#[tokio::test]
async fn later_message_that_is_held_or_was_denied_is_left_out_of_what_its_target_sees() {
    later_one_is_left_out(|builder| builder).await;
    let Some(fresh) = Fresh::or_skip() else { return };
    later_one_is_left_out(|builder| builder.database(fresh.url()).secret_key("0f1e".repeat(16)))
        .await;
}

#[tokio::test]
async fn one_who_is_both_parties_or_oversees_them_sees_all() {
    let fixture = Fixture::new().await;
    fixture.holds().await;
    let task = fixture.sends("m-1", "do it").await;
    let both = fixture.api.key("agent", &[&fixture.source, &fixture.target]).await;
    let auditor = fixture.api.key("auditor", &[]).await;
    for key in [&fixture.key, &fixture.operator, &auditor, &both, &ADMIN.to_owned()] {
        let seen = fixture.done(key, "GetTask", json!({ "id": task["id"] })).await;
        assert_eq!(seen["status"]["state"], "TASK_STATE_AUTH_REQUIRED", "{seen}");
        assert_eq!(fixture.done(key, "ListTasks", json!({})).await["totalSize"], 1);
    }
}
