//! How long those who ask wait, and what they hear meanwhile.

use std::time::{Duration, Instant};

use agenttrust_testkit::eventually;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::target::Speaks;
use super::{Reached, Streamed, V1, request, v1_message, v03_message};
use crate::tasks::{Fixture, known};

/// Returns a fixture whose target is reached nowhere.
async fn with_inbox() -> Reached {
    let target = super::target::Target::start(Speaks::V1).await;
    Reached { fixture: Fixture::new().await, target }
}

#[tokio::test]
async fn one_who_sends_into_an_inbox_is_answered_before_clients_give_up() {
    let reached = with_inbox().await;
    let begun = Instant::now();
    let task = reached.sends("take your time").await;
    let took = begun.elapsed();
    assert_eq!(task["status"]["state"], "TASK_STATE_SUBMITTED", "{task}");
    let expected = Duration::from_secs(3)..Duration::from_millis(4_900);
    assert!(expected.contains(&took), "it took {took:?}");
}

#[tokio::test]
async fn word_of_the_other_version_is_named_as_skipped() {
    let reached = with_inbox().await;
    let configuration = json!({ "blocking": false, "returnImmediately": true });
    let params = json!({ "message": v1_message("x"), "configuration": configuration, "more": 1 });
    let answer = reached.asks(&[V1], request(1, "SendMessage", params)).await.ok();
    let named = answer.headers.get("agenttrust-ignored").map(|it| it.to_str().unwrap());
    assert_eq!(named, Some("more, configuration.blocking"), "{}", answer.body);
    let configuration = json!({ "blocking": false, "returnImmediately": true });
    let params = json!({ "message": v03_message("x"), "configuration": configuration });
    let answer = reached.asks(&[], request(1, "message/send", params)).await.ok();
    let named = answer.headers.get("agenttrust-ignored").map(|it| it.to_str().unwrap());
    assert_eq!(named, Some("configuration.returnImmediately"), "{}", answer.body);
    let known = json!({ "returnImmediately": true, "acceptedOutputModes": [], "historyLength": 1 });
    let params = json!({ "message": v1_message("x"), "configuration": known, "tenant": "" });
    let answer = reached.asks(&[V1], request(1, "SendMessage", params)).await.ok();
    assert!(!answer.headers.contains_key("agenttrust-ignored"), "{:?}", answer.headers);
}

#[tokio::test]
async fn stream_that_has_nothing_to_tell_says_so_before_clients_give_up() {
    let reached = with_inbox().await;
    let params = json!({ "message": v1_message("take your time") });
    let mut stream = reached.streams(&[V1], request("s", "SendStreamingMessage", params)).await;
    stream.next().await.unwrap();
    let begun = Instant::now();
    beats(&mut stream).await;
    assert!(begun.elapsed() < Duration::from_millis(4_500), "{:?}", begun.elapsed());
}

/// Reads on until the task waits for an approval; returns the id of that.
async fn held(stream: &mut Streamed) -> String {
    loop {
        let told = stream.next().await.unwrap_or_else(|| panic!("it ended before it was held"));
        let result = &told["result"];
        let task = result.get("task").unwrap_or(result);
        let held = known(task, "approval_id").as_str();
        let held = held.or_else(|| known(&result["statusUpdate"], "approval_id").as_str());
        if let Some(approval) = held {
            return approval.to_owned();
        }
    }
}

/// Expects that the stream goes on with nothing to tell.
async fn beats(stream: &mut Streamed) {
    let frame = tokio::time::timeout(Duration::from_secs(20), stream.body.frame()).await;
    let said = frame.unwrap().expect("it ended while it was held").unwrap().into_data().unwrap();
    assert_eq!(&said[..2], b": ", "{said:?}");
}

#[tokio::test]
async fn stream_of_what_waits_for_an_approval_goes_on_once_that_is_given() {
    let v1: fn(&str) -> Value =
        |text| request("s", "SendStreamingMessage", json!({ "message": v1_message(text) }));
    let v03: fn(&str) -> Value =
        |text| request("s", "message/stream", json!({ "message": v03_message(text) }));
    for (headers, body, end) in
        [(&[V1][..], v1, "TASK_STATE_COMPLETED"), (&[][..], v03, "\"completed\"")]
    {
        let reached = Reached::by(Speaks::V1).await;
        reached.fixture.holds().await;
        let mut stream = reached.streams(headers, body("stream")).await;
        let approval = held(&mut stream).await;
        let subscribe = match headers {
            [] => "tasks/resubscribe",
            _ => "SubscribeToTask",
        };
        let all = reached.v1("ListTasks", json!({})).await;
        let id = &all["result"]["tasks"][0]["id"];
        let body = request("s", subscribe, json!({ "id": id }));
        let mut other = reached.streams(headers, body).await;
        assert_eq!(held(&mut other).await, approval);
        tokio::join!(beats(&mut stream), beats(&mut other));
        reached.fixture.api.approve(&reached.fixture.operator, &approval).await.ok();
        let arrived = async || reached.target.sent().len() == 1;
        eventually("it is sent", arrived).await;
        reached.target.release();
        for stream in [stream, other] {
            let told = stream.all().await;
            let last = told.last().unwrap_or_else(|| panic!("it ended while it was held"));
            assert!(last.to_string().contains(end), "{told:#?}");
        }
    }
}

#[tokio::test]
async fn stream_of_what_is_denied_ends_with_the_task() {
    let reached = Reached::by(Speaks::V1).await;
    reached.fixture.holds().await;
    let params = json!({ "message": v1_message("stream") });
    let mut stream = reached.streams(&[V1], request("s", "SendStreamingMessage", params)).await;
    let approval = held(&mut stream).await;
    reached.fixture.api.deny(&reached.fixture.operator, &approval).await.ok();
    let told = stream.all().await;
    let last = told.last().unwrap_or_else(|| panic!("it ended while it was held"));
    assert!(last.to_string().contains("TASK_STATE_REJECTED"), "{told:#?}");
}
