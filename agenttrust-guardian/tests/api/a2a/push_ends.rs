//! A party is notified of a task as long as it may read the task, and no longer.

use agenttrust_guardian::Role;
use agenttrust_testkit::ADMIN;
use agenttrust_testkit::receiver::Receiver;
use axum::http::Method;
use serde_json::{Value, json};

use super::target::Speaks;
use super::{Reached, V1, request, v1_message};

/// The receiver and the name of a party that is notified, as they were when it asked.
struct Told {
    receiver: Receiver,
    name: &'static str,
}

impl Reached {
    /// Asks by this key and these headers that a receiver is notified of a task.
    async fn tells(
        &self,
        (key, headers): (&str, &[(&str, &str)]),
        (id, name): (&Value, &'static str),
    ) -> Told {
        let receiver = Receiver::answering(&[200]).await;
        let asked = json!({ "taskId": id, "id": name, "url": receiver.url() });
        let asked = request(1, "CreateTaskPushNotificationConfig", asked);
        let mut all = vec![V1];
        all.extend(headers);
        let set = self.fixture.api.with(&all).post(&self.path(), key, asked).await.ok().body;
        assert!(set["error"].is_null(), "{name}: {set}");
        Told { receiver, name }
    }

    /// Returns the names of the receivers of a task, as this key sees them.
    async fn names(&self, key: &str, headers: &[(&str, &str)], id: &Value) -> Vec<String> {
        let list = request(1, "ListTaskPushNotificationConfigs", json!({ "taskId": id }));
        let mut all = vec![V1];
        all.extend(headers);
        let listed = self.fixture.api.with(&all).post(&self.path(), key, list).await.ok().body;
        let configs = listed["result"]["configs"].as_array().unwrap_or_else(|| panic!("{listed}"));
        configs.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Cancels the task; returns once the operator, who sees every task, was notified as well.
    async fn changes(&self, id: &Value, watch: &mut Told) {
        let cancel = request(1, "CancelTask", json!({ "id": id }));
        self.fixture.api.with(&[V1]).post(&self.path(), ADMIN, cancel).await.ok();
        watch.receiver.next().await;
        // Those who follow in the same turn are told by then.
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    }

    async fn posts_as_admin(&self, path: &str) {
        self.fixture.api.post(path, ADMIN, json!({})).await.ok();
    }
}

#[track_caller]
fn heard_nothing(told: &mut Told) {
    let heard = told.receiver.rest();
    assert!(heard.is_empty(), "{} was told: {heard:?}", told.name);
}

#[tokio::test]
async fn suspended_agent_is_told_once_it_is_active_again_and_not_before() {
    let reached = Reached::by(Speaks::V1).await;
    let id = reached.works().await;
    let mut agent = reached.tells((&reached.fixture.key, &[]), (&id, "agent")).await;
    let mut watch = reached.tells((ADMIN, &[]), (&id, "watch")).await;
    reached.posts_as_admin(&format!("/api/v1/agents/{}/suspend", reached.fixture.source)).await;
    reached.changes(&id, &mut watch).await;
    heard_nothing(&mut agent);
    reached.posts_as_admin(&format!("/api/v1/agents/{}/reactivate", reached.fixture.source)).await;
    let told = agent.receiver.next().await.json();
    assert_eq!(told["task"]["status"]["state"], "TASK_STATE_CANCELED", "{told}");
}

#[tokio::test]
async fn revoked_agent_is_told_nothing() {
    let reached = Reached::by(Speaks::V1).await;
    let id = reached.works().await;
    let mut agent = reached.tells((&reached.fixture.key, &[]), (&id, "agent")).await;
    let mut watch = reached.tells((ADMIN, &[]), (&id, "watch")).await;
    reached.posts_as_admin(&format!("/api/v1/agents/{}/revoke", reached.fixture.source)).await;
    reached.changes(&id, &mut watch).await;
    heard_nothing(&mut agent);
}

#[tokio::test]
async fn gateway_is_told_as_long_as_its_session_is_open_and_forgotten_then() {
    for ends in ["nothing", "token", "session"] {
        let reached = Reached::by(Speaks::V1).await;
        let api = &reached.fixture.api;
        let gateway = api.key(Role::Gateway, &[]).await;
        let token = api.token(&reached.fixture.source, &["*"]).await;
        let begin = "/api/v1/agenttrust/api-sessions/init";
        let session = api.post(begin, &gateway, json!({ "token": token })).await.ok();
        let session = session.text("session_id");
        let source = reached.fixture.source.clone();
        let headers = [("x-agent-id", source.as_str()), ("x-session-id", session.as_str())];
        let id = reached.works().await;
        let mut told = reached.tells((&gateway, &headers), (&id, "gateway")).await;
        // Of the same agent, by a key of its own.
        let mut own = reached.tells((&reached.fixture.key, &[]), (&id, "own")).await;
        match ends {
            "token" => {
                let body = json!({ "token": token });
                api.post("/api/v1/agent-tokens/revoke", ADMIN, body).await.ok();
            }
            "session" => {
                reached.posts_as_admin(&format!("/api/v1/sessions/{session}/revoke")).await
            }
            _ => {}
        }
        reached.changes(&id, &mut own).await;
        let names = reached.names(&reached.fixture.key, &[], &id).await;
        if ends == "nothing" {
            told.receiver.next().await;
            assert_eq!(names, ["gateway", "own"]);
        } else {
            heard_nothing(&mut told);
            assert_eq!(names, ["own"], "after the {ends} was revoked");
        }
    }
}

#[tokio::test]
async fn config_of_a_revoked_key_is_forgotten() {
    let reached = Reached::by(Speaks::V1).await;
    let api = &reached.fixture.api;
    let id = reached.works().await;
    let spare = api.key("agent", &[&reached.fixture.source]).await;
    let keys = api.get("/api/v1/keys", ADMIN).await.ok().body;
    let newest =
        keys["keys"].as_array().unwrap().iter().max_by_key(|key| key["id"].as_str()).unwrap();
    let path = format!("/api/v1/keys/{}", newest["id"].as_str().unwrap());
    let mut revoked = reached.tells((&spare, &[]), (&id, "revoked")).await;
    let mut own = reached.tells((&reached.fixture.key, &[]), (&id, "own")).await;
    api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
    reached.changes(&id, &mut own).await;
    heard_nothing(&mut revoked);
    assert_eq!(reached.names(&reached.fixture.key, &[], &id).await, ["own"]);
}

#[tokio::test]
async fn who_is_told_of_more_than_one_change_is_looked_at_for_each() {
    let reached = Reached::by(Speaks::V1).await;
    let receiver = Receiver::answering(&[200]).await;
    let mut told = Told { receiver, name: "agent" };
    let params = json!({
        "message": v1_message("work"),
        "configuration": {
            "returnImmediately": true,
            "taskPushNotificationConfig": { "url": told.receiver.url() },
        },
    });
    let said = reached.v1("SendMessage", params).await;
    let id = said["result"]["task"]["id"].clone();
    reached.fixture.becomes(&id, "TASK_STATE_WORKING").await;
    while told.receiver.next().await.json()["task"]["status"]["state"] != "TASK_STATE_WORKING" {}
    let mut watch = reached.tells((ADMIN, &[]), (&id, "watch")).await;
    reached.posts_as_admin(&format!("/api/v1/agents/{}/suspend", reached.fixture.source)).await;
    reached.changes(&id, &mut watch).await;
    heard_nothing(&mut told);
}
