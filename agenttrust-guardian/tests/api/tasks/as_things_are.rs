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
use super::{Fixture, call, known, message, said};
use crate::delegations::{begun, give, revoke};

/// Returns something at the address of which nothing listens.
async fn away(target: &Target) -> Target {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    Target { url: format!("http://{}/a2a", closed.local_addr().unwrap()), ..target.clone() }
}

impl Fixture {
    /// Sends a message that is allowed and put off, because its target is away; returns the id of its task.
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

    /// Returns how the task stands, by who oversees it.
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
    let fixture = Fixture::new().await;
    let target = Target::start(Does::Completes).await;
    fixture.reached_at(&away(&target).await).await;
    let id = fixture.puts_off("m-1").await;
    fixture.holds().await;
    fixture.reached_at(&target).await;
    let task = fixture.becomes(&id, "TASK_STATE_AUTH_REQUIRED").await;
    let approval = known(&task, "approval_id").as_str().unwrap().to_owned();
    assert!(target.sent().is_empty());
    assert_eq!(fixture.api.approval(&approval).await["status"], "pending");
    fixture.api.approve(&fixture.operator, &approval).await.ok();
    fixture.becomes(&id, "TASK_STATE_COMPLETED").await;
    assert_eq!(target.sent().len(), 1);
}

#[tokio::test]
async fn message_that_was_approved_for_itself_needs_no_other_approval() {
    let fixture = Fixture::new().await;
    let target = Target::start(Does::Completes).await;
    fixture.reached_at(&away(&target).await).await;
    fixture.holds().await;
    let task = fixture.sends("m-1", "do it").await;
    let approval = known(&task, "approval_id").as_str().unwrap().to_owned();
    fixture.api.approve(&fixture.operator, &approval).await.ok();
    let id = fixture.puts_off("m-1").await;
    assert_eq!(fixture.api.approval(&approval).await["status"], "consumed");
    fixture.reached_at(&target).await;
    fixture.becomes(&id, "TASK_STATE_COMPLETED").await;
    assert_eq!((target.sent().len(), fixture.approvals().await), (1, 1));
}

#[tokio::test]
async fn message_that_was_allowed_and_is_denied_by_now_is_rejected() {
    let fixture = Fixture::new().await;
    let target = Target::start(Does::Completes).await;
    fixture.reached_at(&away(&target).await).await;
    let id = fixture.puts_off("m-1").await;
    let path = format!("/api/v1/agents/{}", fixture.source);
    let body = json!({ "capabilities": ["search"] });
    fixture.api.ask(Method::PATCH, &path, ADMIN, Some(body)).await.ok();
    fixture.reached_at(&target).await;
    let task = fixture.becomes(&id, "TASK_STATE_REJECTED").await;
    assert!(said(&task).contains("was not sent"), "{task}");
    assert!(target.sent().is_empty());
}

#[tokio::test]
async fn message_is_sent_to_no_second_place_where_it_is_to_be_approved_by_then() {
    let fixture = Fixture::new().await;
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
    let path = format!("/api/v1/agents/{}/card", fixture.target);
    let card = json!({ "interfaces": [place(&first), place(&target.url)] });
    fixture.api.post(&path, ADMIN, card).await.ok();
    let id = fixture.sends("m-1", "do it").await["id"].clone();
    asked.notified().await;
    fixture.holds().await;
    goes_on.notify_one();
    let task = fixture.becomes(&id, "TASK_STATE_AUTH_REQUIRED").await;
    assert!(target.sent().is_empty(), "{task}");
}

#[tokio::test]
async fn message_in_an_inbox_whose_sender_is_taken_back_is_handed_out_to_no_one() {
    for what in ["key", "agent", "standing", "session", "delegation"] {
        let fixture = Fixture::new().await;
        let giver = fixture.api.agent(&["*"]).await;
        let delegation = give(&fixture.api, (&giver, &fixture.source), &["*"], json!({})).await;
        let session = match what {
            "delegation" => begun(&fixture.api, &delegation).await,
            _ => {
                let own = fixture.api.session(&fixture.key, &fixture.source, json!({})).await;
                own.ok().text("session_id")
            }
        };
        let api = fixture.api.with(&[("a2a-version", "1.0"), ("x-session-id", &session)]);
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": message("m-1", "do it"),
        });
        let path = format!("/a2a/agents/{}", fixture.target);
        let sent = api.post(&path, &fixture.key, body).await.ok().body;
        let id = sent["result"]["task"]["id"].clone();
        let look = async || fixture.api.audit("task.dispatched").await.len() == 1;
        eventually("it is not in the inbox", look).await;
        // One of another sender comes after it.
        let (_, other_key) = fixture.api.worker().await;
        let other = fixture.done(&other_key, "SendMessage", message("m-2", "mine")).await;
        let look = async || fixture.api.audit("task.dispatched").await.len() == 2;
        eventually("the other one is not in the inbox", look).await;

        match what {
            "delegation" => drop(revoke(&fixture.api, ADMIN, &delegation).await.ok()),
            "session" => fixture.takes_back(&session).await,
            _ => fixture.takes_back(what).await,
        }
        let fetched = fixture.next().await.ok().body;
        assert_eq!(fetched["task"]["id"], other["task"]["id"], "{what}: {fetched}");
        assert_eq!(fixture.next().await.status, 204, "{what}");
        let task = fixture.overseen(&id).await;
        assert_eq!(task["status"]["state"], "TASK_STATE_REJECTED", "{what}: {task}");
        assert!(said(&task).contains("was not handed on"), "{what}: {task}");
        let seen = call(
            &fixture.api,
            &fixture.target,
            &fixture.target_key,
            "GetTask",
            json!({ "id": id }),
        );
        assert_eq!(seen.await.body["error"]["code"], -32001, "{what}");
    }
}

#[tokio::test]
async fn message_in_an_inbox_that_is_to_be_approved_by_now_is_handed_out_once_it_is() {
    let fixture = Fixture::new().await;
    let id = fixture.sends("m-1", "do it").await["id"].clone();
    let look = async || fixture.api.audit("task.dispatched").await.len() == 1;
    eventually("it is not in the inbox", look).await;
    fixture.holds().await;
    assert_eq!(fixture.next().await.status, 204);
    let task = fixture.task(&id).await;
    assert_eq!(task["status"]["state"], "TASK_STATE_AUTH_REQUIRED", "{task}");
    let seen =
        call(&fixture.api, &fixture.target, &fixture.target_key, "GetTask", json!({ "id": id }));
    assert_eq!(seen.await.body["error"]["code"], -32001);
    let approval = known(&task, "approval_id").as_str().unwrap().to_owned();
    fixture.api.approve(&fixture.operator, &approval).await.ok();
    let path = format!("/api/v1/agents/{}/inbox/next?wait=20", fixture.target);
    let fetched = fixture.api.post(&path, &fixture.target_key, json!({})).await.ok().body;
    assert_eq!(fetched["task"]["id"], id, "{fetched}");
    assert_eq!(fixture.approvals().await, 1);
}

#[tokio::test]
async fn worker_whose_agent_is_taken_back_ends_no_task() {
    for what in ["suspend", "revoke"] {
        let fixture = Fixture::new().await;
        let sent = fixture.sends("m-1", "do it").await;
        let path = format!("/api/v1/agents/{}/inbox/next?wait=20", fixture.target);
        let fetched = fixture.api.post(&path, &fixture.target_key, json!({})).await.ok().body;
        let path = format!("/api/v1/agents/{}/{what}", fixture.target);
        fixture.api.post(&path, ADMIN, json!({ "reason": "a test" })).await.ok();
        for (how, member) in [("complete", "text"), ("fail", "reason"), ("extend", "")] {
            let id = sent["id"].as_str().unwrap();
            let path = format!("/api/v1/agents/{}/inbox/{id}/{how}", fixture.target);
            let mut body = json!({ "lease_id": fetched["lease_id"] });
            if !member.is_empty() {
                body[member] = json!("mine");
            }
            let said = fixture.api.post(&path, &fixture.target_key, body).await;
            assert!(said.status == 403 || said.status == 401, "{what} {how}: {said:?}");
        }
        let task = fixture.task(&sent["id"]).await;
        assert_eq!(task["status"]["state"], "TASK_STATE_WORKING", "{what}: {task}");
    }
}

#[tokio::test]
async fn one_sender_has_a_share_of_what_is_under_way_for_an_agent() {
    let fixture = Fixture::with(|builder| builder.check_deadline(Duration::from_secs(5))).await;
    for n in 0..250 {
        fixture.sends(&format!("m-{n}"), "do it").await;
    }
    let params = message("m-250", "do it");
    let full =
        call(&fixture.api, &fixture.target, &fixture.key, "SendMessage", params.clone()).await;
    full.refused(429, "TOO_MANY").says("tasks of this sender").says("its share").says("again once");
    let (_, other_key) = fixture.api.worker().await;
    fixture.done(&other_key, "SendMessage", message("m-0", "mine")).await;
    // Another agent it may ask all the same.
    let (other, _) = fixture.api.worker().await;
    call(&fixture.api, &other, &fixture.key, "SendMessage", message("m-251", "do it")).await.ok();
    let one = fixture.sends("m-0", "do it").await["id"].clone();
    fixture.done(&fixture.key, "CancelTask", json!({ "id": one })).await;
    fixture.done(&fixture.key, "SendMessage", params).await;
}

#[tokio::test]
async fn task_whose_target_is_away_is_not_cancelled_and_its_sender_is_told_so() {
    let fixture = Fixture::new().await;
    let target = Target::start(Does::Works).await;
    let between = Proxy::before(target.url[7..].replace("/a2a", "")).await;
    let url = format!("http://{}/a2a", between.address);
    fixture.reached_at(&Target { url, ..target.clone() }).await;
    let id = fixture.sends("m-1", "do it").await["id"].clone();
    fixture.becomes(&id, "TASK_STATE_WORKING").await;
    between.set(Wire::Cut);
    fixture.is_not_cancelled(&id, "gave no answer").await;
    drop(between);
    fixture.is_not_cancelled(&id, "could not be told").await;
    assert_eq!(fixture.task(&id).await["status"]["state"], "TASK_STATE_WORKING");
}
