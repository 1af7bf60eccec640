//! Answers that come as a stream of events: handed on as they come, and reported at the answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use agenttrust_testkit::eventually;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::Version;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::connection::{Connection, VERSIONS, post, with_method};
use crate::guardian::Script;
use crate::mcp::guarded_server::{GuardedServer, tools_call};

type Event = Result<Bytes, std::io::Error>;

/// Returns a server that answers its one call with what we say, piece by piece.
async fn told() -> (GuardedServer, mpsc::UnboundedSender<Event>) {
    let (tell, hears) = mpsc::unbounded_channel::<Event>();
    let hears = Mutex::new(Some(hears));
    let answer = move |_: &_, _: &_| {
        let hears = hears.lock().expect("no panic").take().expect("one call");
        let events = stream::unfold(hears, async |mut hears| Some((hears.recv().await?, hears)));
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(Body::from_stream(events))
            .expect("the head is right")
    };
    (GuardedServer::answering(Script::Allow, |layer| layer, Arc::new(answer)).await, tell)
}

async fn next(body: &mut Incoming) -> Option<Result<Bytes, hyper::Error>> {
    let frame = timeout(Duration::from_secs(10), body.frame()).await.expect("it is handed on");
    frame.map(|frame| frame.map(|frame| frame.into_data().expect("no trailers")))
}

fn event(text: &str) -> Event {
    Ok(format!("data: {text}\n\n").into())
}

const PROGRESS: &str = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;

#[tokio::test]
async fn events_come_as_they_are_sent_and_the_call_is_reported_at_the_answer() {
    for version in VERSIONS {
        let (server, tell) = told().await;
        let mut connection = Connection::open(server.address, version).await;
        let call = post(tools_call(1, "slow", json!({})).to_string());
        let mut body = connection.head(call).await.into_body();
        for _ in 0..2 {
            tell.send(event(PROGRESS)).expect("it is read");
            let got = next(&mut body).await.expect("not the end").expect("no error");
            assert!(got.ends_with(b"{}}\n\n"), "{got:?}");
        }
        assert_eq!(server.reports().await.len(), 0, "it was reported before it was answered");
        tell.send(event(ANSWER)).expect("it is read");
        next(&mut body).await.expect("not the end").expect("no error");
        // The stream goes on.
        let report = server.report().await;
        assert_eq!((&report["success"], &report["tool_name"]), (&json!(true), &json!("slow")));
        tell.send(event(PROGRESS)).expect("it is read");
        next(&mut body).await.expect("not the end").expect("no error");
        drop(tell);
        while let Some(piece) = next(&mut body).await {
            assert!(piece.expect("no error").is_empty(), "the end is the server's");
        }
        assert_eq!(server.reports().await.len(), 1);
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_before_the_answer_is_a_failure() {
    let half = || Ok(Bytes::from(&ANSWER[..40]));
    for (what, last, error_type) in [
        ("ends", event(PROGRESS), "NoReply"),
        (
            "ends in the middle",
            half().map(|half| Bytes::from([b"data: ", &*half].concat())),
            "NoReply",
        ),
    ] {
        let (server, tell) = told().await;
        let mut connection = Connection::open(server.address, Version::HTTP_11).await;
        let call = post(tools_call(1, "slow", json!({})).to_string());
        let mut body = connection.head(call).await.into_body();
        tell.send(last).expect("it is read");
        drop(tell);
        while let Some(Ok(_)) = next(&mut body).await {}
        let report = server.report().await;
        assert_eq!(report["success"], false, "{what}");
        assert_eq!(report["error_type"], error_type, "{what}");
    }
}

/// Returns a server that says this on the stream of a call, and then what we say on the one that is listened to.
async fn elsewhere(first: &'static str) -> (GuardedServer, mpsc::UnboundedSender<Event>) {
    let (tell, hears) = mpsc::unbounded_channel::<Event>();
    let hears = Mutex::new(Some(hears));
    let answer = move |head: &http::request::Parts, _: &_| {
        let body = if head.method == http::Method::GET {
            let hears = hears.lock().expect("no panic").take().expect("one stream");
            let events =
                stream::unfold(hears, async |mut hears| Some((hears.recv().await?, hears)));
            Body::from_stream(events)
        } else {
            Body::from(first)
        };
        let response = Response::builder().header("content-type", "text/event-stream");
        response.body(body).expect("the head is right")
    };
    (GuardedServer::answering(Script::Allow, |layer| layer, Arc::new(answer)).await, tell)
}

const TOLD: &str = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n";
const TOLD_WITH_ID: &str =
    "id: e1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n";

fn in_session(
    request: http::Request<crate::connection::Body>,
) -> http::Request<crate::connection::Body> {
    let mut request = request;
    request.headers_mut().insert("mcp-session-id", "s".parse().expect("a value"));
    request
}

/// Makes the call, whose stream ends without an answer.
async fn unanswered(server: &GuardedServer, call: http::Request<crate::connection::Body>) {
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    assert_eq!(connection.send(call).await.status, 200);
}

#[tokio::test]
async fn a_call_that_is_answered_on_another_stream_of_its_session_is_reported_as_it_ended() {
    let call = || in_session(post(tools_call(7, "slow", json!({})).to_string()));
    let listens = || in_session(with_method(http::Method::GET, ""));
    // It goes on from an event, or is listened to already.
    for (first, listened_before) in [(TOLD_WITH_ID, false), (TOLD_WITH_ID, true), (TOLD, true)] {
        let (server, tell) = elsewhere(first).await;
        let mut connection = Connection::open(server.address, Version::HTTP_11).await;
        if !listened_before {
            unanswered(&server, call()).await;
        }
        // Its head comes with its first piece.
        tell.send(event(PROGRESS)).expect("it is kept");
        let mut stream = connection.head(listens()).await.into_body();
        if listened_before {
            unanswered(&server, call()).await;
        }
        for other in [
            r#"{"jsonrpc":"2.0","id":8,"result":{"content":[]}}"#,
            r#"{"jsonrpc":"2.0","id":"7","result":{"content":[]}}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{}}"#,
        ] {
            tell.send(event(other)).expect("it is read");
        }
        for _ in 0..4 {
            next(&mut stream).await.expect("not the end").expect("no error");
        }
        assert_eq!(server.reports().await.len(), 0, "{first} {listened_before}");
        let answer = r#"{"result":{"content":[],"isError":true},"jsonrpc":"2.0","id":7}"#;
        tell.send(event(answer)).expect("it is read");
        next(&mut stream).await.expect("not the end").expect("no error");
        assert_eq!(server.report().await["error_type"], "ToolError", "{first} {listened_before}");
        assert_eq!(server.reports().await.len(), 1);
    }
}

#[tokio::test]
async fn a_call_that_can_be_answered_nowhere_else_has_no_reply() {
    let call = || post(tools_call(7, "slow", json!({})).to_string());
    for (first, call) in [(TOLD_WITH_ID, call()), (TOLD, in_session(call()))] {
        let (server, _tell) = elsewhere(first).await;
        unanswered(&server, call).await;
        assert_eq!(server.report().await["error_type"], "NoReply", "{first}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_a_failure_and_breaks_for_the_caller_too() {
    let (server, tell) = told().await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    let call = post(tools_call(1, "slow", json!({})).to_string());
    let mut body = connection.head(call).await.into_body();
    tell.send(event(PROGRESS)).expect("it is read");
    tell.send(Err(std::io::ErrorKind::ConnectionReset.into())).expect("it is read");
    let mut broke = false;
    while let Some(piece) = next(&mut body).await {
        broke |= piece.is_err();
        if broke {
            break;
        }
    }
    assert!(broke, "the caller takes it for the end");
    assert_eq!(server.report().await["success"], false);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_one_cancelled() {
    for version in VERSIONS {
        let (server, tell) = told().await;
        let mut connection = Connection::open(server.address, version).await;
        let call = post(tools_call(1, "slow", json!({})).to_string());
        let mut body = connection.head(call).await.into_body();
        tell.send(event(PROGRESS)).expect("it is read");
        next(&mut body).await.expect("not the end").expect("no error");
        drop((body, connection));
        // Whoever writes notices only when there is something to write.
        let gone = async || tell.send(event(PROGRESS)).is_err();
        eventually("nobody notices that it went away", gone).await;
        let report = server.report().await;
        assert_eq!(report["error_type"], "Cancelled", "{version:?}");
        assert_eq!(server.reports().await.len(), 1);
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_before_the_server_answers_leaves_one_cancelled() {
    let (started, mut starts) = mpsc::unbounded_channel::<()>();
    let router = axum::Router::new().route(
        "/mcp",
        axum::routing::any(move || {
            let _ = started.send(());
            std::future::pending::<String>()
        }),
    );
    let guardian = crate::guardian::Guardian::new(Script::Allow);
    let server = GuardedServer::around(guardian, |layer| layer, router).await;
    let mut connection = Connection::open(server.address, Version::HTTP_2).await;
    let call = tokio::spawn(async move {
        connection.head(post(tools_call(1, "slow", json!({})).to_string())).await
    });
    starts.recv().await.expect("it runs");
    call.abort();
    assert_eq!(server.report().await["error_type"], "Cancelled");
}
