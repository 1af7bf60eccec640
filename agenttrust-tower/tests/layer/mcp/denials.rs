//! A call that was not allowed does not run, and its caller can read why.

use agenttrust::Effect;
use http::Version;
use http::header::HeaderValue;
use serde_json::{Value, json};

use crate::connection::{Connection, VERSIONS, post};
use crate::guardian::{Guardian, Script};
use crate::mcp::guarded_server::{GuardedServer, tools_call};

/// Returns a denied call: its answer, after making sure that nothing ran.
async fn denied(script: Script, version: Version) -> Value {
    let server =
        GuardedServer::with(script, |layer| layer.effects(|_| Some(Effect::Destructive))).await;
    let mut connection = Connection::open(server.address, version).await;
    let reply = connection.post(&tools_call("the call", "delete", json!({ "a": "s3cret" }))).await;
    assert_eq!(reply.status, 200, "{script:?}: MCP clients throw away the body of anything else");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(server.heard().len(), 0, "{script:?}: it ran");
    assert_eq!(server.reports().await.len(), 0, "{script:?}: what did not run is not reported");
    assert!(!String::from_utf8_lossy(&reply.text).contains("s3cret"), "{:?}", reply.text);
    let answer = reply.json();
    assert_eq!(answer["jsonrpc"], "2.0");
    assert_eq!(answer["id"], "the call");
    assert_eq!(answer.get("error"), None, "{answer}");
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert_eq!(answer["result"]["content"][0]["type"], "text");
    assert_eq!(answer["result"].get("structuredContent"), None);
    answer
}

#[tokio::test]
async fn every_way_of_not_being_allowed_is_a_result_that_the_model_can_read() {
    for version in VERSIONS {
        for (script, code, words) in [
            (Script::Deny, "ACTION_DENIED", "it is not covered"),
            (Script::Hold, "ELEVATION_REQUIRED", "apr_1"),
            (Script::Unreachable, "GUARDIAN_UNAVAILABLE", "did not answer"),
            (Script::Status(503), "GUARDIAN_UNAVAILABLE", "did not answer"),
            (Script::Status(401), "", ""),
            (Script::Status(500), "", ""),
            (Script::Nonsense, "", ""),
        ] {
            let answer = denied(script, version).await;
            let text = answer["result"]["content"][0]["text"].as_str().expect("text");
            assert!(text.len() > 20 && text.contains(words), "{script:?}: {text}");
            let meta = &answer["result"]["_meta"]["agenttrust/denial"];
            let said = meta["code"].as_str().expect("a code");
            assert!(code.is_empty() || said == code, "{script:?}: {meta}");
        }
        let held = denied(Script::Hold, version).await;
        assert_eq!(held["result"]["_meta"]["agenttrust/denial"]["approval_id"], "apr_1");
    }
}

#[tokio::test]
async fn a_result_says_that_it_is_one_from_the_revision_on_that_has_it() {
    let server = GuardedServer::open(Script::Deny).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    for (revision, says) in [
        (None, false),
        (Some("2025-11-25"), false),
        (Some("2026-07-28"), true),
        (Some("2027-01-01"), true),
    ] {
        let mut request = post(tools_call(1, "delete", json!({})).to_string());
        if let Some(revision) = revision {
            let value = HeaderValue::from_static(revision);
            request.headers_mut().insert("mcp-protocol-version", value);
        }
        let answer = connection.send(request).await.json();
        assert_eq!(answer["result"].get("resultType").is_some(), says, "{revision:?}");
        assert!(!says || answer["result"]["resultType"] == "complete");
    }
}

#[tokio::test]
async fn one_tool_that_is_denied_is_no_matter_to_the_next() {
    let guardian = Guardian::new(Script::Allow).on("delete", Script::Deny);
    let router = axum::Router::new().route("/mcp", axum::routing::any(|| async { "it ran" }));
    let server = GuardedServer::around(guardian, |layer| layer, router).await;
    for version in VERSIONS {
        let mut connection = Connection::open(server.address, version).await;
        for _ in 0..3 {
            let denied = connection.post(&tools_call(1, "delete", json!({}))).await.json();
            assert_eq!(denied["result"]["isError"], true);
            assert_eq!(connection.post(&tools_call(1, "read", json!({}))).await.text, "it ran");
        }
    }
}

#[tokio::test]
async fn a_client_that_waits_for_a_task_is_told_by_an_error() {
    let server = GuardedServer::open(Script::Deny).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    let call = |task: Value| {
        let mut call = tools_call(7, "delete", json!({}));
        call["params"]["task"] = task;
        call
    };
    // A result would be read as that of a task that was made, and cannot be.
    let denied = connection.post(&call(json!({ "ttl": 60_000 }))).await;
    assert_eq!(denied.status, 200);
    let denied = denied.json();
    assert_eq!((&denied["id"], denied.get("result")), (&json!(7), None), "{denied}");
    assert_eq!(denied["error"]["code"], -32600);
    assert_eq!(denied["error"]["data"]["code"], "ACTION_DENIED");
    let message = denied["error"]["message"].as_str().expect("words");
    assert!(message.contains("it is not covered"), "{message}");
    // Without one it is a call like any other.
    assert_eq!(connection.post(&call(Value::Null)).await.json()["result"]["isError"], true);
    assert_eq!(server.heard().len(), 0, "it ran");
}
