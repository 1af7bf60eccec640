//! What callers of each version send and are answered, to agents that speak any.

use serde_json::{Value, json};

use super::target::Speaks;
use super::{Reached, V1, refused, request, v1_message, v03_message};

const PARTS: [&str; 4] = ["text", "bytes", "url", "data"];

fn v1_parts() -> Value {
    json!([
        { "text": "all", "metadata": { "k": [1] } },
        { "raw": "aGk=", "filename": "a.txt", "mediaType": "text/plain" },
        { "url": "https://example.com/a.png", "mediaType": "image/png" },
        { "data": { "x": null } },
    ])
}

fn v03_parts() -> Value {
    json!([
        { "kind": "text", "text": "all", "metadata": { "k": [1] } },
        { "kind": "file", "file": { "bytes": "aGk=", "name": "a.txt", "mimeType": "text/plain" } },
        { "kind": "file", "file": { "uri": "https://example.com/a.png", "mimeType": "image/png" } },
        { "kind": "data", "data": { "x": null } },
    ])
}

#[tokio::test]
async fn message_of_either_version_reaches_an_agent_of_any_with_every_part() {
    for speaks in Speaks::ALL {
        let reached = Reached::by(speaks).await;
        let mut new = v1_message("");
        new["parts"] = v1_parts();
        let said = reached.v1("SendMessage", json!({ "message": new })).await;
        let task = &said["result"]["task"];
        assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED", "{said}");
        assert_eq!(task["artifacts"][0]["parts"], json!([{ "text": "a result" }]));
        assert_eq!(task["status"]["message"]["role"], "ROLE_AGENT");

        let mut old = v03_message("");
        old["parts"] = v03_parts();
        let waits = json!({ "message": old, "configuration": { "blocking": true } });
        let said = reached.v03("message/send", waits).await;
        let task = &said["result"];
        assert_eq!(
            (&task["kind"], &task["status"]["state"]),
            (&json!("task"), &json!("completed"))
        );
        assert_eq!(task["artifacts"][0]["parts"], json!([{ "kind": "text", "text": "a result" }]));
        assert_eq!(task["status"]["message"]["role"], "agent");

        let sent = reached.target.sent();
        assert_eq!(sent.len(), 2);
        for sent in sent {
            let (role, parts) = match speaks {
                Speaks::V03 => ("user", v03_parts()),
                _ => ("ROLE_USER", v1_parts()),
            };
            assert_eq!(sent["message"]["role"], role);
            assert_eq!(sent["message"]["parts"], parts, "{PARTS:?} {speaks:?}");
        }
        // What the agent calls its task is nobody's business.
        assert!(!said.to_string().contains("theirs/1") && !said.to_string().contains("theirs-c"));
    }
}

#[tokio::test]
async fn task_that_goes_on_is_got_cancelled_and_listed() {
    for speaks in Speaks::ALL {
        let reached = Reached::by(speaks).await;
        let id = reached.works().await;
        let id = id.as_str().unwrap();
        assert!(id.starts_with("task_"));
        let got = reached.v1("GetTask", json!({ "id": id })).await;
        assert_eq!(got["result"]["status"]["state"], "TASK_STATE_WORKING", "{got}");
        let old = reached.v03("tasks/get", json!({ "id": id })).await;
        assert_eq!(old["result"]["status"]["state"], "working", "{old}");
        let canceled = reached.v1("CancelTask", json!({ "id": id })).await;
        assert_eq!(canceled["result"]["status"]["state"], "TASK_STATE_CANCELED", "{canceled}");
        refused(&reached.v1("CancelTask", json!({ "id": id })).await, -32002, "canceled");
        refused(&reached.v1("SubscribeToTask", json!({ "id": id })).await, -32004, "canceled");
        let more = json!({ "messageId": "more", "taskId": id, "role": "ROLE_USER", "parts": [{ "text": "x" }] });
        refused(&reached.v1("SendMessage", json!({ "message": more })).await, -32004, "");

        let listed = reached.v1("ListTasks", json!({ "status": "TASK_STATE_CANCELED" })).await;
        let result = &listed["result"];
        assert_eq!(
            (&result["totalSize"], &result["pageSize"]),
            (&json!(1), &json!(50)),
            "{listed}"
        );
        assert_eq!(result["nextPageToken"], "");
        assert_eq!(result["tasks"][0]["id"], id);
        assert!(result["tasks"][0]["artifacts"].is_null(), "{listed}");
        let whole = reached.v1("ListTasks", json!({ "includeArtifacts": true })).await;
        assert!(whole["result"]["tasks"][0]["artifacts"].is_array(), "{whole}");
    }
}

#[tokio::test]
async fn answer_without_a_task_is_a_task_that_is_done() {
    for speaks in Speaks::ALL {
        let reached = Reached::by(speaks).await;
        let task = reached.sends("say").await;
        assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED", "{task}");
        assert!(task.to_string().contains("hello"), "{task}");
    }
}

#[tokio::test]
async fn agent_that_asks_back_is_answered_in_its_own_task() {
    for speaks in Speaks::ALL {
        let reached = Reached::by(speaks).await;
        let task = reached.sends("ask").await;
        assert_eq!(task["status"]["state"], "TASK_STATE_INPUT_REQUIRED", "{task}");
        let mut more = v1_message("this one");
        more["taskId"] = task["id"].clone();
        more["contextId"] = task["contextId"].clone();
        let said = reached.v1("SendMessage", json!({ "message": more })).await;
        let after = &said["result"]["task"];
        assert_eq!(after["id"], task["id"], "{said}");
        assert_eq!(after["status"]["state"], "TASK_STATE_COMPLETED", "{said}");
        let sent = reached.target.sent();
        assert_eq!(sent[1]["message"]["taskId"], "theirs/1");
        assert_eq!(sent[1]["message"]["contextId"], "theirs-c");
        let mut strayed = v1_message("x");
        strayed["taskId"] = task["id"].clone();
        strayed["contextId"] = "ctx_other".into();
        let said = reached.v1("SendMessage", json!({ "message": strayed })).await;
        assert!(said["error"].is_object(), "{said}");
    }
}

#[tokio::test]
async fn id_of_every_type_comes_back_as_it_was_sent() {
    let reached = Reached::by(Speaks::V1).await;
    for id in [json!("a"), json!(""), json!(7), json!(-1), json!(1.5), Value::Null] {
        for (headers, method) in [(&[V1][..], "GetTask"), (&[], "tasks/get")] {
            let asked = request(id.clone(), method, json!({ "id": "task_none" }));
            let said = reached.asks(headers, asked).await.ok().body;
            assert_eq!(said["id"], id);
            refused(&said, -32001, "task_none");
        }
    }
}

#[tokio::test]
async fn version_is_said_in_the_header_or_in_the_query_and_is_otherwise_0_3() {
    let reached = Reached::by(Speaks::V1).await;
    let ask = || request(1, "GetTask", json!({ "id": "task_none" }));
    for version in ["1.0", "1.0.3"] {
        refused(
            &reached.asks(&[("a2a-version", version)], ask()).await.ok().body,
            -32001,
            "task_none",
        );
    }
    let in_query = format!("{}?A2A-Version=1.0", reached.path());
    let said = reached.fixture.api.post(&in_query, &reached.fixture.key, ask()).await.ok().body;
    refused(&said, -32001, "task_none");
    let twice = reached.fixture.api.with(&[("a2a-version", "0.3")]);
    twice.post(&in_query, &reached.fixture.key, ask()).await.refused(400, "VALIDATION_ERROR");
    for headers in [&[][..], &[("a2a-version", "")], &[("a2a-version", "0.3")]] {
        refused(&reached.asks(headers, ask()).await.ok().body, -32601, "A2A-Version: 1.0");
    }
    for version in ["0.2", "2.0", "1", "one"] {
        let said = reached.asks(&[("a2a-version", version)], ask()).await.ok().body;
        refused(&said, -32009, version);
        let info = &said["error"]["data"][0];
        assert_eq!(info["reason"], "VERSION_NOT_SUPPORTED", "{said}");
        assert_eq!(info["domain"], "a2a-protocol.org");
        assert_eq!(info["metadata"]["supportedVersions"], "1.0, 0.3");
    }
}

#[tokio::test]
async fn history_is_as_long_as_it_is_asked_for() {
    let reached = Reached::by(Speaks::V1).await;
    let id = reached.sends("ask").await["id"].clone();
    let whole = reached.v1("GetTask", json!({ "id": id })).await["result"].clone();
    let count = whole["history"].as_array().map_or(0, Vec::len);
    assert!(count >= 1, "{whole}");
    for (most, left) in [(0, 0), (1, 1), (100, count)] {
        let asked = json!({ "id": id, "historyLength": most });
        let got = reached.v1("GetTask", asked).await["result"].clone();
        assert_eq!(got["history"].as_array().map_or(0, Vec::len), left, "{got}");
    }
    let all = reached.v03("tasks/get", json!({ "id": id, "historyLength": 0 })).await;
    assert_eq!(all["result"]["history"].as_array().map_or(0, Vec::len), count, "{all}");
}

#[tokio::test]
async fn there_is_no_other_card_than_the_public_one() {
    let reached = Reached::by(Speaks::V1).await;
    refused(&reached.v1("GetExtendedAgentCard", json!({})).await, -32004, "public");
    refused(&reached.v03("agent/getAuthenticatedExtendedCard", json!({})).await, -32007, "public");
}
