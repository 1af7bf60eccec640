//! The outcome of a call is what the server's answer says.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::Version;
use serde_json::{Value, json};

use crate::connection::{Connection, VERSIONS};
use crate::guardian::Script;
use crate::mcp::guarded_server::{GuardedServer, tools_call};

/// Returns what is reported of a call that is answered with this, and what the caller got.
async fn reported(
    version: Version,
    status: u16,
    kind: impl Into<Option<&'static str>>,
    text: &str,
) -> Value {
    let (kind, text) = (kind.into(), text.to_owned());
    let expected = text.clone();
    let answer = move |_: &_, _: &_| {
        let mut response = Response::builder().status(status);
        if let Some(kind) = kind {
            response = response.header("content-type", kind);
        }
        response.body(Body::from(text.clone())).expect("the head is right")
    };
    let server = GuardedServer::answering(Script::Allow, |layer| layer, Arc::new(answer)).await;
    let mut connection = Connection::open(server.address, version).await;
    let reply = connection.post(&tools_call(1, "tool", json!({}))).await;
    assert_eq!((reply.status.as_u16(), &*reply.text), (status, expected.as_bytes()), "as it was");
    let report = server.report().await;
    assert_eq!(server.reports().await.len(), 1, "one report a call");
    json!([report["success"], report["error_type"]])
}

#[tokio::test]
async fn an_answer_is_reported_by_what_it_says_plain_or_as_an_event() {
    let good = json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [], "isError": false } });
    let failed = json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [], "isError": true } });
    let error = json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -32602, "message": "no" } });
    let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": {} });
    for version in VERSIONS {
        for (answer, said) in [
            (&good, json!([true, null])),
            (&failed, json!([false, "ToolError"])),
            (&error, json!([false, "JsonRpcError"])),
            (&progress, json!([false, "NoReply"])),
        ] {
            for kind in ["application/json", "Application/JSON; charset=utf-8"] {
                let got = reported(version, 200, kind, &answer.to_string()).await;
                assert_eq!(got, said, "{answer} as {kind}");
            }
            let events = format!("data: {progress}\n\nevent: message\nid: 1\ndata: {answer}\n\n");
            for kind in ["text/event-stream", "Text/Event-Stream;charset=utf-8"] {
                let got = reported(version, 200, kind, &events).await;
                assert_eq!(got, said, "{answer} as {kind}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_reported_by_its_status() {
    let version = Version::HTTP_11;
    for (status, kind, text, said) in [
        (
            404,
            "application/json",
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            json!([false, "http 404"]),
        ),
        (500, "text/html", "<html>", json!([false, "http 500"])),
        (200, "application/json", "<html>", json!([false, "NoReply"])),
        (200, "application/json", "", json!([false, "NoReply"])),
        (
            200,
            "application/json",
            r#"{"jsonrpc":"2.0","id":1,"result":{"#,
            json!([false, "NoReply"]),
        ),
    ] {
        let got = reported(version, status, kind, text).await;
        assert_eq!(got, said, "{status} {kind} {text}");
    }
}

#[tokio::test]
async fn an_answer_that_says_nothing_of_the_call_is_no_success() {
    let good = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    for version in VERSIONS {
        for (status, kind, text) in [
            (202, None, ""),
            (202, Some("text/plain"), "Accepted"),
            (204, None, ""),
            (204, Some("application/json"), ""),
            // What it is, nobody said.
            (200, None, good),
            (200, Some("text/html"), good),
        ] {
            let got = reported(version, status, kind, text).await;
            assert_eq!(got, json!([false, "NoReply"]), "{status} {kind:?} {text}");
        }
    }
}

#[tokio::test]
async fn a_byte_order_mark_before_the_events_is_none_of_them() {
    let failed = r#"{"jsonrpc":"2.0","id":1,"result":{"isError":true}}"#;
    let events = format!("\u{feff}data: {failed}\n\n");
    let got = reported(Version::HTTP_11, 200, "text/event-stream", &events).await;
    assert_eq!(got, json!([false, "ToolError"]));
}
