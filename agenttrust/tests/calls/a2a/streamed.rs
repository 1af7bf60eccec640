//! The events of a task while it goes on: read as they come in, and never taken for whole when they are not.

use std::io;
use std::sync::Arc;

use agenttrust::model::{TaskEvent, TaskState};
use agenttrust::{AgentTrustClient, blocking};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use serde_json::{Value, json};

type Piece = io::Result<String>;

/// Returns a client of a gateway that answers with these pieces, of this type.
fn client<S>(
    content_type: &'static str,
    pieces: impl Fn() -> S + Send + Sync + 'static,
) -> AgentTrustClient
where
    S: Stream<Item = Piece> + Send + 'static,
{
    let pieces = Arc::new(pieces);
    let service = tower::service_fn(move |request: Request<Bytes>| {
        assert_eq!(request.uri().path(), "/a2a/agents/b");
        assert_eq!(request.headers()["accept"], "text/event-stream");
        let asked: Value = serde_json::from_slice(request.body()).unwrap();
        match asked["method"].as_str().unwrap() {
            "message/stream" => assert_eq!(asked["params"]["message"]["parts"][0]["text"], "go"),
            "tasks/resubscribe" => assert_eq!(asked["params"], json!({ "id": "t1" })),
            method => panic!("{method}"),
        }
        let frames = pieces().map(|piece| piece.map(|piece| Frame::data(Bytes::from(piece))));
        let answer = Response::builder().header("content-type", content_type);
        let answer = answer.body(StreamBody::new(Box::pin(frames))).unwrap();
        async { Ok::<_, io::Error>(answer) }
    });
    AgentTrustClient::builder().base_url("http://guardian.test").service(service).build().unwrap()
}

/// Returns a client of a gateway that answers with these pieces and ends.
fn of(content_type: &'static str, pieces: &[&str]) -> AgentTrustClient {
    let pieces: Vec<String> = pieces.iter().map(ToString::to_string).collect();
    client(content_type, move || stream::iter(pieces.clone()).map(Ok))
}

const STREAM: &str = "text/event-stream; charset=utf-8";

fn told(result: &Value) -> String {
    format!("data: {}\n\n", json!({ "jsonrpc": "2.0", "id": 1, "result": result }))
}

fn working() -> String {
    told(
        &json!({ "kind": "task", "id": "t1", "contextId": "c1", "status": { "state": "working" } }),
    )
}

fn artifact(text: &str) -> String {
    let parts = json!([{ "text": text }]);
    told(
        &json!({ "artifactUpdate": { "taskId": "t1", "artifact": { "artifactId": "r", "parts": parts }, "append": true } }),
    )
}

fn done() -> String {
    told(
        &json!({ "kind": "status-update", "taskId": "t1", "status": { "state": "completed" }, "final": true }),
    )
}

/// Returns what these events come to.
fn states(events: &[TaskEvent]) -> Vec<String> {
    let word = |event: &TaskEvent| match event {
        TaskEvent::Artifact(update) => update.artifact.text(),
        other => other.status().map_or("?".to_owned(), |status| status.state.to_string()),
    };
    events.iter().map(word).collect()
}

#[tokio::test]
async fn what_is_told_is_read_wherever_the_stream_is_cut() {
    // More than the events of other streams may be long.
    let long = "é".repeat(100_000);
    let whole =
        format!(": still here\n\nevent: ping\ndata:\n\n{}{}{}", working(), artifact(&long), done());
    let (one, other) = whole.split_at(whole.find("working").unwrap());
    let client = of(STREAM, &[one, "", other]);
    for subscribe in [false, true] {
        let events = match subscribe {
            true => client.a2a().subscribe("b", "t1").await,
            false => client.a2a().send_message_streaming("b", "go").await,
        };
        let events: Vec<TaskEvent> = events.unwrap().map(Result::unwrap).collect().await;
        assert_eq!(states(&events), ["working", &long, "completed"]);
    }
}

#[test]
fn blocking_client_reads_the_same() {
    let client = of(STREAM, &[&working(), &done()]);
    let client = blocking::AgentTrustClient::from(client);
    let sent: Result<Vec<TaskEvent>, _> =
        client.a2a().send_message_streaming("b", "go").unwrap().collect();
    assert_eq!(states(&sent.unwrap()), ["working", "completed"]);
    let mut heard = client.a2a().subscribe("b", "t1").unwrap();
    assert_eq!(heard.by_ref().count(), 2);
    assert!(heard.next().is_none());
}

#[tokio::test]
async fn gateway_that_does_not_stream_tells_one_thing() {
    let task = json!({ "jsonrpc": "2.0", "id": 1, "result": { "id": "t1", "status": { "state": "submitted" } } });
    let task = task.to_string();
    let (one, other) = task.split_at(20);
    let client = of("application/json", &[one, other]);
    let mut events = client.a2a().send_message_streaming("b", "go").await.unwrap();
    let TaskEvent::Task(task) = events.next().await.unwrap().unwrap() else { panic!("no task") };
    assert_eq!((&*task.id, task.status.state), ("t1", TaskState::Submitted));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn what_is_told_ends_with_an_error_where_something_may_be_missing() {
    let refusal = json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -32001, "message": "no such task" } });
    let in_stream = format!("data: {refusal}\n\n{}", done());
    let endless = "x".repeat(8 * 1024 * 1024 + 1);
    for (content_type, said, code) in [
        (STREAM, in_stream.as_str(), "NOT_FOUND"),
        ("application/json", &refusal.to_string(), "NOT_FOUND"),
        (STREAM, "data: {\"jsonrpc\": \"2.0\"}\n\n", "A2A_NO_RESULT"),
        (STREAM, "data: {\"jsonrpc\"\n\n", "JSON_ERROR"),
        ("text/html", "<html>", "JSON_ERROR"),
        (STREAM, &format!("data: {endless}"), "NETWORK_ERROR"),
        ("application/json", &endless, "NETWORK_ERROR"),
    ] {
        let client = of(content_type, &[said]);
        let mut events = client.a2a().send_message_streaming("b", "go").await.unwrap();
        assert_eq!(events.next().await.unwrap().unwrap_err().code(), code, "{content_type}");
        assert!(events.next().await.is_none(), "{content_type} {code}");
    }
    let broken = || stream::iter([Ok(working()), Err(io::ErrorKind::ConnectionReset.into())]);
    let mut events = client(STREAM, broken).a2a().subscribe("b", "t1").await.unwrap();
    assert!(events.next().await.unwrap().is_ok());
    assert_eq!(events.next().await.unwrap().unwrap_err().code(), "NETWORK_ERROR");
    assert!(events.next().await.is_none());
}
