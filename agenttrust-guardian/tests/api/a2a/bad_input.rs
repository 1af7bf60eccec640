//! What cannot be asked: the protocol's own error, nothing sent, and nothing said about other
//! agents.

use serde_json::{Value, json};

use super::target::Speaks;
use super::{Reached, V1, refused, request, v1_message};

impl Reached {
    /// Posts a text as it is.
    async fn posts(&self, text: &str) -> Value {
        use axum::body::Body;
        use axum::http::Request;
        let request = Request::post(self.path())
            .header("x-api-key", &self.fixture.key)
            .header("content-type", "application/json")
            .header(V1.0, V1.1)
            .body(Body::from(text.to_owned()))
            .unwrap();
        self.fixture.api.send(request).await.ok().body
    }
}

#[tokio::test]
async fn what_is_no_request_of_json_rpc_is_told_with_its_code() {
    let reached = Reached::by(Speaks::V1).await;
    for (text, code) in [
        ("", -32700),
        ("{", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"GetTask"}"#, -32700),
        ("[]", -32600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"GetTask"}]"#, -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"GetTask"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"GetTask"}"#, -32600),
        (r#"{"jsonrpc":"2.0","method":"GetTask","params":{"id":"x"}}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"GetTask","params":["x"]}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"getTask"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get"}"#, -32601),
    ] {
        let said = reached.posts(text).await;
        refused(&said, code, "");
        assert_eq!(said["jsonrpc"], "2.0");
    }
    assert_eq!(reached.target.sent().len(), 0);
}

#[tokio::test]
async fn message_that_cannot_be_one_names_what_is_wrong_and_is_not_sent() {
    let reached = Reached::by(Speaks::V1).await;
    let with = |member: &str, value: Value| {
        let mut message = v1_message("x");
        message[member] = value;
        message
    };
    for (message, says) in [
        (json!(null), "message is missing"),
        (json!([]), "message is no object"),
        (with("parts", json!([])), "parts"),
        (with("parts", json!([{ "video": "x" }])), "message.parts[0]"),
        (with("parts", json!([{ "kind": "text", "text": 1 }])), "message.parts[0]"),
        (with("parts", json!([{ "text": "a", "url": "b" }])), "two kinds"),
        (with("parts", json!([["text"]])), "message.parts[0] is no object"),
        (with("parts", json!([{ "raw": "no base64!" }])), "base64"),
        (with("role", json!("user")), "message.role"),
        (with("role", json!("ROLE_AGENT")), "role"),
        (with("messageId", json!("")), "messageId"),
        (with("messageId", json!("x".repeat(300))), "messageId"),
        (with("messageId", json!("a\nb")), "messageId"),
    ] {
        let said = reached.v1("SendMessage", json!({ "message": message })).await;
        refused(&said, -32602, says);
    }
    let old = json!({ "messageId": "m", "role": "user", "parts": [{ "kind": "video" }] });
    refused(
        &reached.v03("message/send", json!({ "message": old })).await,
        -32602,
        "of kind \"video\"",
    );
    for task in ["task_none", "theirs/1", "../x"] {
        let said =
            reached.v1("SendMessage", json!({ "message": with("taskId", task.into()) })).await;
        refused(&said, -32001, "");
    }
    assert_eq!(reached.target.sent().len(), 0);
}

#[tokio::test]
async fn same_message_is_sent_once_and_another_under_its_id_not_at_all() {
    let reached = Reached::by(Speaks::V1).await;
    let message = v1_message("x");
    let first = reached.v1("SendMessage", json!({ "message": message })).await;
    let again = reached.v1("SendMessage", json!({ "message": message })).await;
    assert_eq!(first["result"]["task"]["id"], again["result"]["task"]["id"], "{again}");
    let mut other = message;
    other["parts"][0]["text"] = "y".into();
    let said = reached.v1("SendMessage", json!({ "message": other })).await;
    refused(&said, -32602, "was used for another message");
    assert_eq!(reached.target.sent().len(), 1);
}

#[tokio::test]
async fn agent_does_not_approve_its_own_task() {
    let reached = Reached::by(Speaks::V1).await;
    reached.fixture.holds().await;
    let task = reached.sends("x").await;
    assert_eq!(task["status"]["state"], "TASK_STATE_AUTH_REQUIRED", "{task}");
    let pending =
        reached.fixture.api.get("/mcp/approvals?status=pending", agenttrust_testkit::ADMIN);
    let pending = pending.await.ok().body;
    let approval = pending["approvals"][0]["id"].as_str().unwrap().to_owned();
    for key in [&reached.fixture.key, &reached.fixture.target_key] {
        reached.fixture.api.approve(key, &approval).await.refused(403, "AUTH_DENIED");
    }
    assert_eq!(reached.target.sent().len(), 0);
    // What follows on a task that waits authorises nothing either.
    let mut more = v1_message("now");
    more["taskId"] = task["id"].clone();
    let said =
        reached.asks(&[V1], request(1, "SendMessage", json!({ "message": more }))).await.ok().body;
    assert_eq!(reached.target.sent().len(), 0, "{said}");
    reached.fixture.api.approve(&reached.fixture.operator, &approval).await.ok();
    reached.fixture.becomes(&task["id"], "TASK_STATE_COMPLETED").await;
    assert_eq!(reached.target.sent().len(), 1);
}
