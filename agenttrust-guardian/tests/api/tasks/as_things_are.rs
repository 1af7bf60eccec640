//! What was allowed and not handed over yet is looked at once more right before that is done: by the rules as they are
//! then, and with who sent it as it stands then.

use std::sync::Arc;
use std::time::Duration;

use agenttrust_testkit::proxy::{Proxy, Wire};
use agenttrust_testkit::{ADMIN, Answer, eventually};
use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::target::{Does, Target};
use super::{House, call, known, message, said};
use crate::delegations::{begun, give, revoke};

/// Something at the address of which nothing listens.
async fn away(target: &Target) -> Target {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    Target { url: format!("http://{}/a2a", closed.local_addr().unwrap()), ..target.clone() }
}

impl House {
    /// Has a message allowed and put off, because its target is away; returns the id of its task.
    async fn puts_off(&self, id: &str) -> Value {
        let task = self.sends(id, "do it").await["id"].clone();
        let look = async || said(&self.task(&task).await).contains("not reached at present");
        eventually("it is not put off", look).await;
        task
    }

    async fn next(&self) -> Answer {
        let path = format!("/api/v1/agents/{}/inbox/next", self.target);
        self.api.post(&path, &self.target_key, json!({})).await
    }

    /// How the task stands, by who oversees it.
    async fn overseen(&self, id: &Value) -> Value {
        self.done(&self.operator, "GetTask", json!({ "id": id })).await
    }

    async fn approvals(&self) -> usize {
        let listed = self.api.get("/mcp/approvals", ADMIN).await.ok();
        listed.body["approvals"].as_array().unwrap().len()
    }

    /// Expects the protocol's own error of each dialect.
    async fn is_not_cancelled(&self, id: &Value, says: &str) {
        let path = format!("/a2a/agents/{}", self.target);
        let v1 = self.api.with(&[("a2a-version", "1.0")]);
        for (api, path, method, status) in [
            (&v1, path.as_str(), "CancelTask", 200),
            (&self.api, path.as_str(), "tasks/cancel", 200),
            (&self.api, "/a2a", "tasks/cancel", 400),
        ] {
            let body =
                json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "id": id } });
            let refused = api.post(path, &self.key, body).await;
            assert_eq!(refused.status, status, "{refused:?}");
            assert_eq!(refused.body["error"]["code"], -32002, "{refused:?}");
            let message = refused.body["error"]["message"].as_str().unwrap();
            assert!(message.contains("is unchanged") && message.contains(says), "{refused:?}");
        }
    }

    async fn takes_back(&self, what: &str) {
        let path = match what {
            "key" => {
                let keys = self.api.get("/api/v1/keys", ADMIN).await.ok().body;
                let of = |key: &&Value| key["agents"] == json!([self.source]);
                let key = keys["keys"].as_array().unwrap().iter().find(of).unwrap();
                let path = format!("/api/v1/keys/{}", key["id"].as_str().unwrap());
                self.api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
                return;
            }
            "agent" => format!("/api/v1/agents/{}/revoke", self.source),
            "standing" => format!("/api/v1/agents/{}/suspend", self.source),
            session => format!("/api/v1/sessions/{session}/revoke"),
        };
        self.api.post(&path, ADMIN, json!({ "reason": "a test" })).await.ok();
    }
}

#[tokio::test]
async fn message_that_was_allowed_and_is_to_be_approved_by_now_waits_for_that() {
    let house = House::new().await;
    let target = Target::start(Does::Completes).await;
    house.reached_at(&away(&target).await).await;
    let id = house.puts_off("m-1").await;
    house.holds().await;
    house.reached_at(&target).await;
    let task = house.becomes(&id, "TASK_STATE_AUTH_REQUIRED").await;
    let approval = known(&task, "approval_id").as_str().unwrap().to_owned();
    assert!(target.sent().is_empty());
    assert_eq!(house.api.approval(&approval).await["status"], "pending");
    house.api.approve(&house.operator, &approval).await.ok();
    house.becomes(&id, "TASK_STATE_COMPLETED").await;
    assert_eq!(target.sent().len(), 1);
}

#[tokio::test]
async fn message_that_was_approved_for_itself_needs_no_other_approval() {
    let house = House::new().await;
    let target = Target::start(Does::Completes).await;
    house.reached_at(&away(&target).await).await;
    house.holds().await;
    let task = house.sends("m-1", "do it").await;
    let approval = known(&task, "approval_id").as_str().unwrap().to_owned();
    house.api.approve(&house.operator, &approval).await.ok();
    let id = house.puts_off("m-1").await;
    assert_eq!(house.api.approval(&approval).await["status"], "consumed");
    house.reached_at(&target).await;
    house.becomes(&id, "TASK_STATE_COMPLETED").await;
    assert_eq!((target.sent().len(), house.approvals().await), (1, 1));
}

#[tokio::test]
async fn message_that_was_allowed_and_is_denied_by_now_is_rejected() {
    let house = House::new().await;
    let target = Target::start(Does::Completes).await;
    house.reached_at(&away(&target).await).await;
    let id = house.puts_off("m-1").await;
    let path = format!("/api/v1/agents/{}", house.source);
    let body = json!({ "capabilities": ["search"] });
    house.api.ask(Method::PATCH, &path, ADMIN, Some(body)).await.ok();
    house.reached_at(&target).await;
    let task = house.becomes(&id, "TASK_STATE_REJECTED").await;
    assert!(said(&task).contains("was not sent"), "{task}");
    assert!(target.sent().is_empty());
}

#[tokio::test]
async fn message_is_sent_to_no_second_place_where_it_is_to_be_approved_by_then() {
    let house = House::new().await;
    let target = Target::start(Does::Completes).await;
    let (asked, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (asks, waits) = (Arc::clone(&asked), Arc::clone(&goes_on));
    let answer = move || {
        let (asks, waits) = (Arc::clone(&asks), Arc::clone(&waits));
        async move {
            asks.notify_one();
            waits.notified().await;
            StatusCode::TOO_MANY_REQUESTS
        }
    };
    let busy = Router::new().route("/a2a", post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let first = format!("http://{}/a2a", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, busy).await });
    let place =
        |url: &str| json!({ "url": url, "protocol_binding": "JSONRPC", "protocol_version": "1.0" });
    let path = format!("/api/v1/agents/{}/card", house.target);
    let card = json!({ "interfaces": [place(&first), place(&target.url)] });
    house.api.post(&path, ADMIN, card).await.ok();
    let id = house.sends("m-1", "do it").await["id"].clone();
    asked.notified().await;
    house.holds().await;
    goes_on.notify_one();
    let task = house.becomes(&id, "TASK_STATE_AUTH_REQUIRED").await;
    assert!(target.sent().is_empty(), "{task}");
}

#[tokio::test]
async fn message_in_an_inbox_whose_sender_is_taken_back_is_handed_out_to_no_one() {
    for what in ["key", "agent", "standing", "session", "delegation"] {
        let house = House::new().await;
        let giver = house.api.agent(&["*"]).await;
        let delegation = give(&house.api, (&giver, &house.source), &["*"], json!({})).await;
        let session = match what {
            "delegation" => begun(&house.api, &delegation).await,
            _ => {
                let own = house.api.session(&house.key, &house.source, json!({})).await;
                own.ok().text("session_id")
            }
        };
        let api = house.api.with(&[("a2a-version", "1.0"), ("x-session-id", &session)]);
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": message("m-1", "do it"),
        });
        let path = format!("/a2a/agents/{}", house.target);
        let sent = api.post(&path, &house.key, body).await.ok().body;
        let id = sent["result"]["task"]["id"].clone();
        let look = async || house.api.audit("task.dispatched").await.len() == 1;
        eventually("it is not in the inbox", look).await;
        // One of another sender comes after it.
        let (_, other_key) = house.api.worker().await;
        let other = house.done(&other_key, "SendMessage", message("m-2", "mine")).await;
        let look = async || house.api.audit("task.dispatched").await.len() == 2;
        eventually("the other one is not in the inbox", look).await;

        match what {
            "delegation" => drop(revoke(&house.api, ADMIN, &delegation).await.ok()),
            "session" => house.takes_back(&session).await,
            _ => house.takes_back(what).await,
        }
        let fetched = house.next().await.ok().body;
        assert_eq!(fetched["task"]["id"], other["task"]["id"], "{what}: {fetched}");
        assert_eq!(house.next().await.status, 204, "{what}");
        let task = house.overseen(&id).await;
        assert_eq!(task["status"]["state"], "TASK_STATE_REJECTED", "{what}: {task}");
        assert!(said(&task).contains("was not handed on"), "{what}: {task}");
        let seen =
            call(&house.api, &house.target, &house.target_key, "GetTask", json!({ "id": id }));
        assert_eq!(seen.await.body["error"]["code"], -32001, "{what}");
    }
}

#[tokio::test]
async fn message_in_an_inbox_that_is_to_be_approved_by_now_is_handed_out_once_it_is() {
    let house = House::new().await;
    let id = house.sends("m-1", "do it").await["id"].clone();
    let look = async || house.api.audit("task.dispatched").await.len() == 1;
    eventually("it is not in the inbox", look).await;
    house.holds().await;
    assert_eq!(house.next().await.status, 204);
    let task = house.task(&id).await;
    assert_eq!(task["status"]["state"], "TASK_STATE_AUTH_REQUIRED", "{task}");
    let seen = call(&house.api, &house.target, &house.target_key, "GetTask", json!({ "id": id }));
    assert_eq!(seen.await.body["error"]["code"], -32001);
    let approval = known(&task, "approval_id").as_str().unwrap().to_owned();
    house.api.approve(&house.operator, &approval).await.ok();
    let path = format!("/api/v1/agents/{}/inbox/next?wait=20", house.target);
    let fetched = house.api.post(&path, &house.target_key, json!({})).await.ok().body;
    assert_eq!(fetched["task"]["id"], id, "{fetched}");
    assert_eq!(house.approvals().await, 1);
}

#[tokio::test]
async fn worker_whose_agent_is_taken_back_ends_no_task() {
    for what in ["suspend", "revoke"] {
        let house = House::new().await;
        let sent = house.sends("m-1", "do it").await;
        let path = format!("/api/v1/agents/{}/inbox/next?wait=20", house.target);
        let fetched = house.api.post(&path, &house.target_key, json!({})).await.ok().body;
        let path = format!("/api/v1/agents/{}/{what}", house.target);
        house.api.post(&path, ADMIN, json!({ "reason": "a test" })).await.ok();
        for (how, member) in [("complete", "text"), ("fail", "reason"), ("extend", "")] {
            let id = sent["id"].as_str().unwrap();
            let path = format!("/api/v1/agents/{}/inbox/{id}/{how}", house.target);
            let mut body = json!({ "lease_id": fetched["lease_id"] });
            if !member.is_empty() {
                body[member] = json!("mine");
            }
            let said = house.api.post(&path, &house.target_key, body).await;
            assert!(said.status == 403 || said.status == 401, "{what} {how}: {said:?}");
        }
        let task = house.task(&sent["id"]).await;
        assert_eq!(task["status"]["state"], "TASK_STATE_WORKING", "{what}: {task}");
    }
}

#[tokio::test]
async fn one_sender_has_a_share_of_what_is_under_way_for_an_agent() {
    let house = House::with(|builder| builder.check_deadline(Duration::from_secs(5))).await;
    for n in 0..250 {
        house.sends(&format!("m-{n}"), "do it").await;
    }
    let params = message("m-250", "do it");
    let full = call(&house.api, &house.target, &house.key, "SendMessage", params.clone()).await;
    full.refused(429, "TOO_MANY").says("tasks of this sender").says("its share").says("again once");
    let (_, other_key) = house.api.worker().await;
    house.done(&other_key, "SendMessage", message("m-0", "mine")).await;
    // Another agent it may ask all the same.
    let (other, _) = house.api.worker().await;
    call(&house.api, &other, &house.key, "SendMessage", message("m-251", "do it")).await.ok();
    let one = house.sends("m-0", "do it").await["id"].clone();
    house.done(&house.key, "CancelTask", json!({ "id": one })).await;
    house.done(&house.key, "SendMessage", params).await;
}

#[tokio::test]
async fn task_whose_target_is_away_is_not_cancelled_and_its_sender_is_told_so() {
    let house = House::new().await;
    let target = Target::start(Does::Works).await;
    let between = Proxy::before(target.url[7..].replace("/a2a", "")).await;
    let url = format!("http://{}/a2a", between.address);
    house.reached_at(&Target { url, ..target.clone() }).await;
    let id = house.sends("m-1", "do it").await["id"].clone();
    house.becomes(&id, "TASK_STATE_WORKING").await;
    between.set(Wire::Cut);
    house.is_not_cancelled(&id, "gave no answer").await;
    drop(between);
    house.is_not_cancelled(&id, "could not be told").await;
    assert_eq!(house.task(&id).await["status"]["state"], "TASK_STATE_WORKING");
}
