//! Those who follow a task cost what they are told, and no more of it is held than may be.

use std::time::{Duration, Instant};

use agenttrust_testkit::{ADMIN, eventually};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::target::Speaks;
use super::{Reached, V1, request};

/// Returns how many bytes of answers are held, as the metrics say.
async fn held(reached: &Reached) -> usize {
    let text = reached.fixture.api.get("/metrics", ADMIN).await.ok().body;
    let text = text.as_str().unwrap_or_default().to_owned();
    let line =
        text.lines().find(|line| line.contains("held{") && line.contains("task_answer_bytes"));
    let line = line.unwrap_or_else(|| panic!("it is not counted: {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Makes the task at the target hold a text of so many bytes.
fn weighs(reached: &Reached, bytes: usize) {
    let text = "x".repeat(bytes);
    reached.target.shapes(move |it| {
        if !it["id"].is_null() {
            let part = &mut it["artifacts"][0]["parts"][0];
            part["text"] = text.as_str().into();
        }
    });
}

fn subscribe(id: &Value) -> Value {
    request("s", "SubscribeToTask", json!({ "id": id }))
}

#[tokio::test]
async fn followers_of_one_task_that_read_nothing_hold_its_text_once() {
    let reached = Reached::patient(Speaks::V1, Duration::from_secs(20)).await;
    weighs(&reached, 3_900_000);
    let id = reached.works().await;
    eventually("its result is there", async || {
        let got = reached.v1("GetTask", json!({ "id": id })).await;
        got["result"]["artifacts"].is_array()
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..40 {
        let mut stream = reached.streams(&[V1], subscribe(&id)).await;
        assert_eq!(stream.status, 200);
        // A piece of it, as a connection takes that is not read.
        let piece = stream.body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(piece.len() <= 64 << 10, "{}", piece.len());
        stream.rest.push_str(std::str::from_utf8(&piece).unwrap());
        open.push(stream);
    }
    let bytes = held(&reached).await;
    assert!((3_900_000..24_000_000).contains(&bytes), "{bytes}");
    // What was held back is told whole.
    let first = open.pop().unwrap().next().await.unwrap();
    let text = first["result"]["task"]["artifacts"][0]["parts"][0]["text"].as_str().unwrap();
    assert_eq!(text.len(), 3_900_000);
    drop(open);
    eventually("the room is given back", async || held(&reached).await == 0).await;
}

#[tokio::test]
async fn tasks_that_are_not_read_are_bounded_for_a_key_and_make_room_again() {
    let reached = Reached::patient(Speaks::V1, Duration::from_secs(20)).await;
    weighs(&reached, 3_900_000);
    let id = reached.works().await;
    let mut open = Vec::new();
    let refused = loop {
        let stream = reached.streams(&[V1], request(1, "GetTask", json!({ "id": id }))).await;
        if stream.status != 200 {
            break stream;
        }
        open.push(stream);
        assert!(open.len() <= 24, "there is no limit");
    };
    assert_eq!(refused.status, 429);
    let said = refused.whole().await.to_string();
    assert!(said.contains("bytes of tasks"), "{said}");
    drop(open.pop());
    let again = reached.streams(&[V1], request(1, "GetTask", json!({ "id": id }))).await;
    assert_eq!(again.status, 200);
    drop(again);
    drop(open);
    eventually("the room is given back", async || held(&reached).await == 0).await;
}

/// Returns how long it takes to hear of 2,000 small pieces of a task that holds so many values
/// beside them.
async fn hears_small_pieces_beside(values: usize) -> Duration {
    let reached = Reached::patient(Speaks::V1, Duration::from_secs(20)).await;
    let many: Vec<Value> = (0..values).map(|number| Value::from(format!("{number}"))).collect();
    reached.target.shapes(move |it| {
        if !it["id"].is_null() {
            it["artifacts"][0]["parts"][0] = json!({ "data": many });
        }
    });
    reached.target.tells_small_pieces(2_000);
    let id = reached.works().await;
    let mut stream = reached.streams(&[V1], subscribe(&id)).await;
    let begun = Instant::now();
    let mut last = String::new();
    while !last.contains("1999.") {
        last = stream.next().await.unwrap().to_string();
    }
    let took = begun.elapsed();
    reached.target.release();
    let told = stream.all().await;
    assert!(told.last().unwrap().to_string().contains("TASK_STATE_COMPLETED"), "{told:#?}");
    took
}

#[tokio::test]
async fn small_pieces_cost_what_they_are_however_large_their_task_is() {
    let small = hears_small_pieces_beside(1).await;
    // What is copied or compared as a whole takes a hundred times as long.
    let large = hears_small_pieces_beside(60_000).await;
    println!("beside one value {small:?}, beside 60,000 {large:?}");
    assert!(large < (small * 20).max(Duration::from_secs(10)), "{small:?}, {large:?}");
}

#[tokio::test]
async fn what_was_heard_is_kept_while_the_agent_says_nothing_more() {
    let reached = Reached::patient(Speaks::V1, Duration::from_secs(20)).await;
    let message = json!({ "message": super::v1_message("stream") });
    let mut stream = reached.streams(&[V1], request("s", "SendStreamingMessage", message)).await;
    while !stream.next().await.unwrap().to_string().contains("half") {}
    eventually("the row holds it", async || {
        let listed = reached.v1("ListTasks", json!({ "includeArtifacts": true })).await;
        listed["result"]["tasks"][0]["artifacts"].to_string().contains("half")
    })
    .await;
    reached.target.release();
    stream.all().await;
}

#[tokio::test]
async fn last_piece_is_kept_however_many_came_before_it() {
    let reached = Reached::patient(Speaks::V1, Duration::from_secs(20)).await;
    reached.target.tells_small_pieces(500);
    let message = json!({ "message": super::v1_message("stream") });
    let mut stream = reached.streams(&[V1], request("s", "SendStreamingMessage", message)).await;
    let first = stream.next().await.unwrap();
    reached.target.release();
    let told = stream.all().await;
    assert!(told.last().unwrap().to_string().contains("TASK_STATE_COMPLETED"), "{told:#?}");
    let id = first["result"]["task"]["id"].clone();
    let task = reached.v1("GetTask", json!({ "id": id })).await["result"].clone();
    assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED");
    let artifacts = task["artifacts"].as_array().unwrap();
    let pieces = artifacts.iter().find(|it| it["artifactId"] == "b").unwrap();
    assert_eq!(pieces["parts"].as_array().unwrap().len(), 502, "{task}");
}
