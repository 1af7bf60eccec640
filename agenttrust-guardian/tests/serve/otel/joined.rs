//! Checks that are not asked for as such: by AuthZEN, and of what one agent sends to another. Each is a span in its
//! caller's trace, and the audit names that trace.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::{Value, json};

use super::collector::{Collector, Span};
use crate::program::{DEV_KEY, Program, client};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn traceparent() -> String {
    format!("00-{TRACE}-{PARENT}-01")
}

/// Asks for something in a trace; returns what is answered.
async fn ask(program: &Program, path: &str, headers: &[(&str, &str)], body: &Value) -> Value {
    let mut request = client().post(program.url(path)).header("x-api-key", DEV_KEY);
    request = request.header("content-type", "application/json");
    request = request.header("traceparent", traceparent()).header("tracestate", "vendor=1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.body(body.to_string()).send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&answer).unwrap()
}

/// Returns the trace that the rows of these decisions name.
async fn audited(program: &Program, tool: &str) -> Vec<Value> {
    let request = client().get(program.url("/api/v1/audit?limit=1000"));
    let answer = request.header("x-api-key", DEV_KEY).send().await.unwrap().text().await.unwrap();
    let page: Value = serde_json::from_str(&answer).unwrap();
    let rows = page["entries"].as_array().unwrap().iter();
    rows.filter(|row| row["kind"] == "decision" && row["body"]["tool"] == tool)
        .map(|row| row["body"]["trace_id"].clone())
        .collect()
}

#[track_caller]
fn is_joined(span: &Span, tool: &str) {
    assert_eq!(span.name, format!("execute_tool {tool}"));
    assert_eq!((span.trace.as_str(), span.parent.as_str()), (TRACE, PARENT), "{span:?}");
    assert_eq!(span.attributes["gen_ai.operation.name"], "execute_tool");
    assert_eq!(span.attributes["gen_ai.tool.name"], tool);
}

#[tokio::test]
async fn evaluation_of_authzen_is_a_span_in_the_callers_trace() {
    let mut collector = Collector::start().await;
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str())];
    let mut program = Program::serve(&["--dev"], &environment).await;
    let create = json!({ "name": "librarian", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", DEV_KEY, &create).await;
    let evaluation = |action: &str| {
        json!({
            "subject": { "type": "agent", "id": agent["id"] },
            "action": { "name": action },
            "resource": { "type": "table", "id": "customers" },
        })
    };
    let decided = ask(&program, "/access/v1/evaluation", &[], &evaluation("search")).await;
    assert_eq!(decided["decision"], true, "{decided}");
    let several = json!({ "evaluations": [evaluation("list"), evaluation("read")] });
    let decided = ask(&program, "/access/v1/evaluations", &[], &several).await;
    assert_eq!(decided["evaluations"].as_array().unwrap().len(), 2, "{decided}");
    assert_eq!(audited(&program, "search").await, [TRACE]);
    program.signal("TERM");
    assert!(program.ends().await.success());

    let spans = collector.spans(3).await;
    for tool in ["search", "list", "read"] {
        let name = format!("execute_tool {tool}");
        let span = spans.iter().find(|span| span.name == name);
        is_joined(span.unwrap_or_else(|| panic!("{spans:?}")), tool);
    }
}

/// Returns an agent that speaks A2A 1.0, is done at once, and remembers by which trace it was asked.
async fn a2a_agent() -> (String, Arc<Mutex<Vec<HeaderMap>>>) {
    type Asked = Arc<Mutex<Vec<HeaderMap>>>;
    let answer = async |State(asked): State<Asked>, headers: HeaderMap, body: axum::Json<Value>| {
        asked.lock().unwrap().push(headers);
        let status = json!({ "state": "TASK_STATE_COMPLETED" });
        let task = json!({ "id": "theirs-1", "contextId": "theirs-c", "status": status });
        let result = json!({ "task": task });
        axum::Json(json!({ "jsonrpc": "2.0", "id": body["id"], "result": result }))
    };
    let asked = Asked::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a2a", listener.local_addr().unwrap());
    let router = Router::new().route("/a2a", post(answer)).with_state(Arc::clone(&asked));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, asked)
}

#[tokio::test]
async fn message_to_another_agent_goes_on_with_its_senders_trace_also_after_an_approval() {
    let (mut collector, (url, asked)) = (Collector::start().await, a2a_agent().await);
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str())];
    let arguments = ["--dev", "--allow-outbound", "127.0.0.0/8"];
    let mut program = Program::serve(&arguments, &environment).await;
    let create = json!({ "name": "asker", "capabilities": ["*"] });
    let (_, asker) = program.post("/api/v1/agents", DEV_KEY, &create).await;
    let (_, target) = program.post("/api/v1/agents", DEV_KEY, &json!({ "name": "asked" })).await;
    let (asker, target) = (asker["id"].as_str().unwrap(), target["id"].as_str().unwrap());
    let place = json!({ "url": url, "protocol_binding": "JSONRPC", "protocol_version": "1.0" });
    let card = json!({ "interfaces": [place] });
    program.post(&format!("/api/v1/agents/{target}/card"), DEV_KEY, &card).await;
    let tool = format!("a2a/{target}");
    let effect = client().put(program.url(&format!("/api/v1/tools/a2a%2F{target}/effect")));
    let destructive = json!({ "effect": "destructive" }).to_string();
    effect.header("x-api-key", DEV_KEY).body(destructive).send().await.unwrap();

    let message =
        json!({ "messageId": "m-1", "role": "ROLE_USER", "parts": [{ "text": "hello" }] });
    let send = json!({
        "jsonrpc": "2.0", "id": 1, "method": "SendMessage",
        "params": { "message": message, "configuration": { "returnImmediately": true } },
    });
    let headers = [("a2a-version", "1.0"), ("x-agent-id", asker)];
    let sent = ask(&program, &format!("/a2a/agents/{target}"), &headers, &send).await;
    let task = &sent["result"]["task"]["metadata"]["https://agenttrust.id/ext/trust/v1"];
    let approval = task["approval_id"].as_str().unwrap_or_else(|| panic!("{sent}"));
    let approve = format!("/mcp/approvals/{approval}/approve");
    program.post(&approve, DEV_KEY, &json!({})).await;
    agenttrust_testkit::eventually("it was not handed on", async || {
        asked.lock().unwrap().len() == 1
    })
    .await;
    assert_eq!(audited(&program, &tool).await, [TRACE, TRACE]);
    program.signal("TERM");
    assert!(program.ends().await.success());

    let spans = collector.spans(2).await;
    for span in &spans {
        is_joined(span, &tool);
    }
    assert_eq!(spans[0].attributes["agenttrust.decision"], "hold", "{spans:?}");
    let asked = asked.lock().unwrap();
    assert_eq!(asked[0]["traceparent"], traceparent().as_str());
    assert_eq!(asked[0]["tracestate"], "vendor=1");
}

#[tokio::test]
async fn request_for_access_is_a_span_in_the_callers_trace() {
    let mut collector = Collector::start().await;
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str())];
    let mut program = Program::serve(&["--dev"], &environment).await;
    let create = json!({ "name": "librarian", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", DEV_KEY, &create).await;
    let mut wanted = json!({
        "subject": { "type": "agent", "id": agent["id"] },
        "action": { "name": "db_delete" },
        "resource": { "type": "table", "id": "customers" },
    });
    let denied = ask(&program, "/access/v1/evaluation", &[], &wanted).await;
    let requestable = &denied["context"]["access_request"];
    wanted["denial"] = json!({
        "binding_token": requestable["binding_token"], "expires_at": requestable["expires_at"],
    });
    let told = ask(&program, "/access/v1/requests", &[], &wanted).await;
    assert_eq!(told["task"]["status"], "pending", "{told}");
    assert_eq!(audited(&program, "db_delete").await, [TRACE, TRACE]);
    program.signal("TERM");
    assert!(program.ends().await.success());

    let spans = collector.spans(2).await;
    for span in &spans {
        is_joined(span, "db_delete");
        assert_eq!(span.attributes["agenttrust.decision"], "hold", "{span:?}");
    }
    assert_eq!(spans.len(), 2, "{spans:?}");
}
