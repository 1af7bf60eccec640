//! Agents that answer what none should: the task says so, in bounded time, and nothing is sent twice.

use std::time::{Duration, Instant};

use agenttrust_testkit::eventually;
use serde_json::json;

use super::target::Speaks;
use super::{Reached, refused, v1_message};

/// The longest time that one costs, here with a time-out of two seconds and on a machine that is busy.
const BOUND: Duration = Duration::from_secs(60);

#[tokio::test]
async fn agent_that_lies_fails_its_task_with_what_it_did() {
    for speaks in Speaks::ALL {
        let reached = Reached::by(speaks).await;
        let mut cases = vec![
            ("html", "text/html instead of an answer"),
            ("huge", "longer than"),
            ("redirect", "where nothing is sent"),
            ("refuse", "no such content (-32005)"),
            ("version", "another version please (-32009)"),
            ("other version", "cannot be used"),
        ];
        if speaks != Speaks::Http {
            cases.push(("other id", "answers another request"));
        }
        for (text, says) in cases {
            let begun = Instant::now();
            let task = reached.sends(text).await;
            assert_eq!(task["status"]["state"], "TASK_STATE_FAILED", "{speaks:?} {text}: {task}");
            assert!(begun.elapsed() < BOUND, "{text}: {:?}", begun.elapsed());
            let said = task.to_string();
            assert!(said.contains(says), "{says:?} is not in {said}");
            for secret in ["169.254", "secret", "127.0.0.1"] {
                assert!(!said.contains(secret), "{text}: {said}");
            }
        }
        let count = reached.target.sent().len();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(reached.target.sent().len(), count, "something was sent twice");
    }
}

#[tokio::test]
async fn agent_that_does_not_answer_leaves_its_task_in_doubt_and_is_sent_nothing_again() {
    for speaks in Speaks::ALL {
        for text in ["hang", "busy"] {
            let reached = Reached::by(speaks).await;
            let message = v1_message(text);
            let params = json!({
                "message": message, "configuration": { "returnImmediately": true },
            });
            let begun = reached.v1("SendMessage", params.clone()).await;
            let id = begun["result"]["task"]["id"].clone();
            let is_in_doubt = async || {
                let task = reached.v1("GetTask", json!({ "id": id })).await["result"].clone();
                assert_eq!(task["status"]["state"], "TASK_STATE_SUBMITTED", "{text}: {task}");
                task["metadata"]["https://agenttrust.id/ext/trust/v1"]["in_doubt"] == true
            };
            eventually("it is in doubt", is_in_doubt).await;
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            assert_eq!(reached.target.sent().len(), 1);
            // Only its sender has it sent once more.
            reached.v1("SendMessage", params).await;
            eventually("it is sent again", async || reached.target.sent().len() == 2).await;
        }
    }
}

#[tokio::test]
async fn answer_about_another_task_than_was_gone_on_with_fails() {
    for speaks in Speaks::ALL {
        let reached = Reached::by(speaks).await;
        let task = reached.sends("ask").await;
        let mut more = v1_message("other task");
        more["taskId"] = task["id"].clone();
        let said = reached.v1("SendMessage", json!({ "message": more })).await;
        let after = &said["result"]["task"];
        assert_eq!(after["status"]["state"], "TASK_STATE_FAILED", "{said}");
        assert!(said.to_string().contains("another task"), "{said}");
        assert!(!said.to_string().contains("theirs/2"), "{said}");
    }
}

#[tokio::test]
async fn agent_that_is_not_there_is_tried_again_and_was_sent_nothing() {
    let reached = Reached::by(Speaks::V1).await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", gone.local_addr().unwrap());
    drop(gone);
    let interface = json!({ "url": url, "protocol_binding": "JSONRPC", "protocol_version": "1.0" });
    let path = format!("/api/v1/agents/{}/card", reached.fixture.target);
    let body = json!({ "interfaces": [interface] });
    reached.fixture.api.post(&path, agenttrust_testkit::ADMIN, body).await.ok();
    let id = reached.begins("x").await;
    let task = reached.v1("GetTask", json!({ "id": id })).await["result"].clone();
    assert_eq!(task["status"]["state"], "TASK_STATE_SUBMITTED", "{task}");
    let known = &task["metadata"]["https://agenttrust.id/ext/trust/v1"];
    assert!(known["in_doubt"].is_null() || known["in_doubt"] == false, "{task}");
    assert_eq!(reached.target.sent().len(), 0);
    // Not while it is just being tried.
    let cancels = async || {
        let said = reached.v1("CancelTask", json!({ "id": id })).await;
        said["result"]["status"]["state"] == "TASK_STATE_CANCELED"
    };
    eventually("it is cancelled", cancels).await;
    refused(&reached.v1("CancelTask", json!({ "id": id })).await, -32002, "canceled");
}
