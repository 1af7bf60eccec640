//! What the client sends of tasks between agents, and what it makes of a gateway that knows none of our extensions.

mod inbox;
mod streamed;

use agenttrust::client::{SendMessageOptions, SendTaskOptions, TaskEvents, TaskFilter};
use agenttrust::model::{A2ATaskStatus, TaskEvent, TaskPart, TaskRole, TaskState};
use agenttrust::{AgentTrustClient, AgentTrustError, SendTaskRequest, blocking};
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};

/// An id that would leave its path, its segment and the path altogether.
const ODD: &str = "../a?b";
const ODD_SEGMENT: &str = "..%2Fa%3Fb";

fn answer(status: u16, body: &Value) -> Response<String> {
    Response::builder().status(status).body(body.to_string()).unwrap()
}

/// Returns whether what is sent to one of the guide's own methods has these members, and no other.
fn is_of_guide(method: &str, params: &Value) -> bool {
    let members = |object: &Value, known: &[&str]| {
        object.as_object().unwrap().keys().all(|name| known.contains(&name.as_str()))
    };
    match method {
        "tasks/send" => {
            members(params, &["source_agent_id", "target_agent_id", "message", "metadata"])
        }
        "tasks/get" | "tasks/cancel" => *params == json!({ "id": ODD }),
        "tasks/list" => *params == json!({ "limit": 50 }),
        "message/send" => {
            let message = &params["message"];
            members(params, &["message"])
                && members(message, &["role", "parts", "messageId", "taskId"])
                && message["role"] == "user"
                && message["messageId"].as_str().is_some_and(|id| !id.is_empty())
        }
        _ => false,
    }
}

/// Returns a task in the words of the guide's `POST /a2a`.
fn task(id: &str, status: &str) -> Value {
    json!({ "id": id, "source_agent_id": "a", "target_agent_id": "b", "status": status, "message": "hi" })
}

/// Returns a gateway that has the guide's endpoints alone: a member, a query or a header of ours is a 400. It answers
/// with what was asked for, `bare`, or wrapped by name.
fn strict(request: &Request<Bytes>, bare: bool) -> Response<String> {
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    let ours = request.headers().keys().any(|name| {
        let name = name.as_str();
        name.starts_with("agenttrust-") || name.starts_with("a2a-") || name == "x-agent-id"
    });
    let method = body["method"].as_str().unwrap();
    let path = match method {
        "message/send" => format!("/a2a/agents/{ODD_SEGMENT}"),
        _ => "/a2a".to_owned(),
    };
    let known = is_of_guide(method, &body["params"]) && body["jsonrpc"] == "2.0";
    let there = request.method() == Method::POST && request.uri().path() == path;
    if ours || !known || !there || request.uri().query().is_some() {
        return answer(400, &json!({ "error": "VALIDATION_ERROR", "message": "unknown" }));
    }
    let result = match method {
        "tasks/list" if bare => json!([task("t1", "running")]),
        "tasks/list" => json!({ "tasks": [task("t1", "running")] }),
        "tasks/send" => task("t1", "pending"),
        "tasks/get" => task(ODD, "completed"),
        "tasks/cancel" => task(ODD, "cancelled"),
        _ => json!({
            "id": "t2", "contextId": "c1", "status": { "state": "completed", "timestamp": "2026-06-02T00:00:00Z" },
            "history": [body["params"]["message"]],
            "artifacts": [{ "name": "reply", "parts": [{ "kind": "text", "text": "done" }] }],
        }),
    };
    let result = match method {
        "tasks/list" => result,
        _ if bare => result,
        _ => json!({ "task": result }),
    };
    answer(200, &json!({ "jsonrpc": "2.0", "id": body["id"], "result": result }))
}

fn client(
    answers: impl Fn(&Request<Bytes>) -> Response<String> + Clone + Send + Sync + 'static,
) -> AgentTrustClient {
    let service = tower::service_fn(move |request: Request<Bytes>| {
        let answered = answers(&request);
        async move { Ok::<_, std::io::Error>(answered) }
    });
    AgentTrustClient::builder().api_key("k").service(service).build().unwrap()
}

/// Returns the first thing that is told.
async fn heard(events: agenttrust::Result<TaskEvents>) -> agenttrust::Result<TaskEvent> {
    events?.next().await.unwrap()
}

fn request() -> SendTaskRequest {
    SendTaskRequest {
        source_agent_id: "a".to_string(),
        target_agent_id: "b".to_string(),
        message: json!({ "text": "summarize" }),
    }
}

/// Makes every call, with `$done` around each.
macro_rules! all {
    ($client:ident, $done:ident) => {{
        let sent = $done!($client.a2a().send_message(ODD, "Search for recent papers"));
        assert_eq!((&*sent.id, &*sent.context_id), ("t2", "c1"));
        assert_eq!((sent.status.state, sent.text().as_str()), (TaskState::Completed, "done"));
        assert_eq!(sent.status.timestamp.unwrap().to_string(), "2026-06-02T00:00:00Z");
        assert_eq!(sent.history[0].text(), "Search for recent papers");
        assert_eq!(sent.history[0].role, TaskRole::User);
        let options = SendMessageOptions::default().message_id("m1").task_id("t0");
        let sent = $done!($client.a2a().send_message_with(ODD, "more", &options));
        let [said] = &sent.history[..] else { panic!("{sent:?}") };
        assert_eq!((&*said.message_id, said.task_id.as_deref()), ("m1", Some("t0")));
        let made = $done!($client.a2a().send_task(&request()));
        assert_eq!((&*made.id, made.status), ("t1", A2ATaskStatus::Pending));
        assert_eq!((&*made.source_agent_id, &*made.target_agent_id), ("a", "b"));
        assert_eq!($done!($client.a2a().create_task(&request())), made);
        let options = SendTaskOptions::default().metadata(json!({ "ticket": 1 }));
        assert_eq!($done!($client.a2a().send_task_with(&request(), &options)), made);
        let got = $done!($client.a2a().get_task(ODD));
        assert_eq!((&*got.id, got.status.as_str()), (ODD, "completed"));
        assert!(!got.in_doubt() && got.state.is_none() && got.created_at.is_none());
        assert_eq!($done!($client.a2a().cancel_task(ODD)).status, "cancelled");
        let listed = $done!($client.a2a().list_tasks());
        assert_eq!(listed.iter().map(|it| &*it.id).collect::<Vec<_>>(), ["t1"]);
    }};
}

#[tokio::test]
async fn gateway_that_knows_the_guide_alone_is_sent_nothing_else() {
    macro_rules! done {
        ($call:expr) => {
            $call.await.unwrap()
        };
    }
    for bare in [false, true] {
        let client = client(move |request| strict(request, bare));
        all!(client, done);
    }
}

#[test]
fn blocking_client_makes_the_same_calls() {
    macro_rules! done {
        ($call:expr) => {
            $call.unwrap()
        };
    }
    let client = blocking::AgentTrustClient::from(client(|request| strict(request, false)));
    all!(client, done);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_before_it_is_sent() {
    let client = client(|request| panic!("sent {request:?}"));
    let a2a = client.a2a();
    let of = |options: SendMessageOptions| async move {
        a2a.send_message_with("agt_1", "hi", &options).await.map(drop)
    };
    for refused in [
        a2a.send_message("", "hi").await.map(drop),
        a2a.send_message("..", "hi").await.map(drop),
        a2a.send_message_streaming("", "hi").await.map(drop),
        a2a.subscribe("agt_1", "").await.map(drop),
        a2a.get_task("").await.map(drop),
        a2a.cancel_task("").await.map(drop),
        of(SendMessageOptions::default().message_id("")).await,
        of(SendMessageOptions::default().task_id("")).await,
        of(SendMessageOptions::default().context_id("")).await,
        of(SendMessageOptions::default().as_agent("")).await,
        of(SendMessageOptions::default().as_agent("a\nb")).await,
    ] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, AgentTrustError::Validation { status: 0, .. }), "{refused:?}");
    }
}

#[tokio::test]
async fn error_of_a2a_is_the_error_of_the_guide_that_says_the_same_else_has_its_number() {
    for (status, code, expected) in [
        (200, -32001, "NOT_FOUND"),
        (200, -32602, "VALIDATION_ERROR"),
        (200, -32002, "A2A_ERROR_-32002"),
        (404, -32001, "NOT_FOUND"),
        (400, -32602, "VALIDATION_ERROR"),
        (400, -32002, "A2A_ERROR_-32002"),
        (403, -32600, "AUTH_DENIED"),
    ] {
        let client = client(move |_| {
            let fault = json!({ "code": code, "message": "said the gateway" });
            answer(status, &json!({ "jsonrpc": "2.0", "id": 1, "error": fault }))
        });
        for error in [
            client.a2a().get_task("t1").await.unwrap_err(),
            client.a2a().send_message("b", "hi").await.unwrap_err(),
            heard(client.a2a().subscribe("b", "t1").await).await.unwrap_err(),
        ] {
            assert_eq!((error.code(), &*error.message()), (expected, "said the gateway"));
            assert_eq!(error.status(), Some(status));
        }
    }
    for (body, code) in [
        (json!({ "jsonrpc": "2.0", "id": 1 }), "A2A_NO_RESULT"),
        (json!({ "jsonrpc": "2.0", "id": 1, "result": null }), "A2A_NO_RESULT"),
        (json!({ "jsonrpc": "2.0", "id": 1, "result": [true] }), "A2A_NO_RESULT"),
        (json!({}), "A2A_NO_RESULT"),
        (json!({ "jsonrpc": "2.0", "id": 1, "error": {} }), "A2A_ERROR_null"),
        (json!({ "jsonrpc": "2.0", "id": 1, "result": { "artifacts": 1 } }), "JSON_ERROR"),
    ] {
        let client = client(move |_| answer(200, &body));
        assert_eq!(client.a2a().send_message("b", "hi").await.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn answer_is_read_in_every_dialect() {
    let of = |result: Value| client(move |_| answer(200, &result));
    // Without JSON-RPC around it.
    let bare = of(task("t1", "running")).a2a().get_task("t1").await.unwrap();
    assert_eq!(bare.status, A2ATaskStatus::Running);
    // As A2A 1.0 has it, which an A2A gateway may answer to any of these.
    let v1 = json!({ "task": { "id": "t1", "status": { "state": "TASK_STATE_AUTH_REQUIRED" } } });
    let read = of(json!({ "jsonrpc": "2.0", "result": v1 }));
    let sent = read.a2a().send_message("b", "hi").await.unwrap();
    assert_eq!(sent.status.state, TaskState::AuthRequired);
    assert_eq!(read.a2a().get_task("t1").await.unwrap().status, A2ATaskStatus::Pending);
    // A message is all that an agent may answer.
    let message = json!({ "kind": "message", "role": "agent", "parts": [{ "kind": "text", "text": "hello" }] });
    let sent = of(json!({ "result": message })).a2a().send_message("b", "hi").await.unwrap();
    assert_eq!((&*sent.id, sent.status.state, &*sent.text()), ("", TaskState::Completed, "hello"));
    // A word of tomorrow is no permission.
    let odd = of(json!({ "result": { "id": "t1", "status": "approved-by-vibes" } }));
    assert_eq!(odd.a2a().get_task("t1").await.unwrap().status, A2ATaskStatus::Unknown);
}

#[tokio::test]
async fn our_guardian_is_told_more_and_tells_more() {
    let client = client(|request| {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let params = &body["params"];
        let result = match body["method"].as_str().unwrap() {
            "message/send" => {
                assert_eq!(request.headers()["x-agent-id"], "agt_1");
                assert_eq!(params["metadata"], json!({ "m": 1 }));
                assert_eq!(params["message"]["contextId"], "ctx_1");
                let parts = json!([{ "kind": "data", "data": { "year": 2026 } }]);
                assert_eq!(params["message"]["parts"], parts);
                let doubt =
                    json!({ agenttrust::model::ATI_TRUST_EXTENSION_URI: { "in_doubt": true } });
                json!({ "id": "task_1", "status": { "state": "submitted" }, "metadata": doubt })
            }
            _ => {
                let asked = json!({ "limit": 2, "target_agent_id": "b", "context_id": "ctx_1", "state": "working", "cursor": "x" });
                assert_eq!(*params, asked);
                let mut one = task("task_1", "pending");
                one["state"] = json!("auth-required");
                one["context_id"] = json!("ctx_1");
                let held = json!({ "approval_id": "apr_1" });
                one["metadata"] = json!({ agenttrust::model::ATI_TRUST_EXTENSION_URI: held });
                json!({ "tasks": [one], "next_cursor": "y" })
            }
        };
        answer(200, &json!({ "jsonrpc": "2.0", "id": 1, "result": result }))
    });
    let options = SendMessageOptions::default()
        .as_agent("agt_1")
        .context_id("ctx_1")
        .metadata(json!({ "m": 1 }))
        .part(TaskPart::data(json!({ "year": 2026 })));
    let sent = client.a2a().send_message_with("b", "", &options).await.unwrap();
    assert!(sent.in_doubt() && sent.approval_id().is_none());
    let filter = TaskFilter::default()
        .target_agent_id("b")
        .context_id("ctx_1")
        .state(TaskState::Working)
        .before("x")
        .limit(2);
    let page = client.a2a().list_tasks_with(&filter).await.unwrap();
    assert_eq!(page.next.as_deref(), Some("y"));
    let [one] = &page.items[..] else { panic!("{page:?}") };
    assert_eq!(one.state, Some(TaskState::AuthRequired));
    assert_eq!((one.context_id.as_deref(), one.approval_id()), (Some("ctx_1"), Some("apr_1")));
}
