//! What an agent tells while it works is told on as it comes.

use std::time::Duration;

use agenttrust_testkit::{ADMIN, eventually};
use serde_json::{Value, json};

use super::target::Speaks;
use super::{Reached, V1, refused, request, v1_message, v03_message};

fn v1_stream(text: &str) -> Value {
    request("s", "SendStreamingMessage", json!({ "message": v1_message(text) }))
}

/// Returns the one member of a result, which says what it is.
fn kind(message: &Value) -> &str {
    assert_eq!((&message["jsonrpc"], &message["id"]), (&json!("2.0"), &json!("s")), "{message}");
    let members = message["result"].as_object().unwrap_or_else(|| panic!("{message}"));
    assert_eq!(members.len(), 1, "{message}");
    members.keys().next().unwrap()
}

#[tokio::test]
async fn first_event_passes_before_the_agent_is_done_and_the_stream_ends_with_the_task() {
    for speaks in Speaks::ALL {
        let reached = Reached::by(speaks).await;
        let mut stream = reached.streams(&[V1], v1_stream("stream")).await;
        assert_eq!(stream.status, 200);
        assert_eq!(stream.headers["content-type"], "text/event-stream");
        let first = stream.next().await.unwrap();
        assert_eq!(kind(&first), "task", "{speaks:?}");
        let id = first["result"]["task"]["id"].as_str().unwrap().to_owned();
        assert!(id.starts_with("task_"));
        // The piece that came before the agent waits is told before it goes on.
        let mut told = vec![first];
        while !told.iter().any(|it| it.to_string().contains("half")) {
            told.push(stream.next().await.unwrap());
        }
        reached.target.release();
        told.extend(stream.all().await);
        let last = told.last().unwrap();
        assert!(last.to_string().contains("TASK_STATE_COMPLETED"), "{speaks:?}: {told:#?}");
        for message in &told {
            kind(message);
            assert!(!message.to_string().contains("theirs"), "{message}");
        }
        let task = reached.v1("GetTask", json!({ "id": id })).await["result"].clone();
        assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED");
        let whole = task["artifacts"].to_string();
        assert!(whole.contains("half") && whole.contains(" and half"), "{task}");
        assert_eq!(reached.target.sent().len(), 1, "it was sent once");
    }
}

#[tokio::test]
async fn caller_of_0_3_hears_events_that_say_what_they_are() {
    let reached = Reached::by(Speaks::V1).await;
    let params = json!({ "message": v03_message("stream") });
    let mut stream = reached.streams(&[], request("s", "message/stream", params)).await;
    let first = stream.next().await.unwrap();
    assert_eq!(first["result"]["kind"], "task", "{first}");
    reached.target.release();
    let told = stream.all().await;
    let known = ["task", "status-update", "artifact-update"];
    assert!(
        told.iter().all(|it| known.contains(&it["result"]["kind"].as_str().unwrap())),
        "{told:#?}"
    );
    let last = &told.last().unwrap()["result"];
    assert_eq!(last["status"]["state"], "completed", "{told:#?}");
}

#[tokio::test]
async fn agent_without_streams_is_followed_and_what_is_in_order_is_told_in_it() {
    for speaks in Speaks::ALL {
        let reached = Reached::by(speaks).await;
        let stream = reached.streams(&[V1], v1_stream("no stream")).await;
        let told = stream.all().await;
        assert_eq!(kind(&told[0]), "task");
        assert!(told.last().unwrap().to_string().contains("TASK_STATE_COMPLETED"), "{told:#?}");
        let (stream, send) = match speaks {
            Speaks::V03 => ("message/stream", "message/send"),
            _ => ("SendStreamingMessage", "SendMessage"),
        };
        assert_eq!((reached.target.count(stream), reached.target.count(send)), (1, 1));
    }
}

#[tokio::test]
async fn task_that_goes_on_is_subscribed_to_and_its_state_comes_first() {
    let reached = Reached::by(Speaks::V1).await;
    let id = reached.works().await;
    let subscribe = request("s", "SubscribeToTask", json!({ "id": id }));
    let mut one = reached.streams(&[V1], subscribe.clone()).await;
    let mut other = reached.streams(&[V1], subscribe).await;
    for stream in [&mut one, &mut other] {
        let first = stream.next().await.unwrap();
        assert_eq!(kind(&first), "task");
        assert_eq!(first["result"]["task"]["status"]["state"], "TASK_STATE_WORKING");
    }
    // The agent tells each of them as it goes.
    for stream in [&mut one, &mut other] {
        while !stream.next().await.unwrap().to_string().contains("half") {}
    }
    reached.target.is("completed");
    reached.target.release();
    reached.target.release();
    for stream in [one, other] {
        let told = stream.all().await;
        assert!(told.last().unwrap().to_string().contains("TASK_STATE_COMPLETED"), "{told:#?}");
    }
    reached.fixture.becomes(&id, "TASK_STATE_COMPLETED").await;
    let said = reached.streams(&[V1], request("s", "SubscribeToTask", json!({ "id": id }))).await;
    refused(&said.whole().await, -32004, "completed");
    let none = request("s", "SubscribeToTask", json!({ "id": "task_none" }));
    refused(&reached.streams(&[V1], none).await.whole().await, -32001, "task_none");
}

#[tokio::test]
async fn stream_that_goes_wrong_is_told_as_far_as_it_is_known() {
    for speaks in Speaks::ALL {
        let reached = Reached::by(speaks).await;
        for text in ["broken", "strays"] {
            let mut stream = reached.streams(&[V1], v1_stream(text)).await;
            let first = stream.next().await.unwrap();
            assert_eq!(kind(&first), "task", "{speaks:?} {text}");
            let id = first["result"]["task"]["id"].clone();
            // It goes on at the agent, which is asked after it.
            eventually("it is asked after", async || {
                let task = reached.v1("GetTask", json!({ "id": id })).await;
                task["result"]["status"]["state"] == "TASK_STATE_WORKING"
            })
            .await;
            assert!(!first.to_string().contains("other"), "{first}");
        }
        assert_eq!(reached.target.sent().len(), 2, "nothing was sent twice");
    }
}

#[tokio::test]
async fn stream_ends_when_its_caller_may_no_more() {
    let reached = Reached::by(Speaks::V1).await;
    let id = reached.works().await;
    let subscribe = request("s", "SubscribeToTask", json!({ "id": id }));
    let mut stream = reached.streams(&[V1], subscribe).await;
    stream.next().await.unwrap();
    let path = format!("/api/v1/agents/{}/suspend", reached.fixture.source);
    reached.fixture.api.post(&path, ADMIN, json!({})).await.ok();
    let told = stream.all().await;
    let last = told.last().unwrap_or_else(|| panic!("{told:?}"));
    assert_eq!(last["error"]["code"], -32603, "{last}");
}

#[tokio::test]
async fn streams_of_one_key_are_bounded_and_given_back() {
    let reached = Reached::by(Speaks::V1).await;
    let id = reached.works().await;
    let subscribe = || request("s", "SubscribeToTask", json!({ "id": id }));
    let mut open = Vec::new();
    let full = loop {
        let stream = reached.streams(&[V1], subscribe()).await;
        if stream.status != 200 {
            break stream;
        }
        open.push(stream);
        assert!(open.len() <= 512, "there is no limit");
    };
    assert_eq!(full.status, 429);
    assert!(full.whole().await.to_string().contains("streams of tasks"));
    drop(open);
    let again = async || reached.streams(&[V1], subscribe()).await.status == 200;
    eventually("the places are given back", again).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
}
