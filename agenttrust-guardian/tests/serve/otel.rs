//! Spans, at a collector.

mod collector;
mod joined;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::json;

use self::collector::{Collector, Span};
use crate::program::{DEV_KEY, Program, client, refused};

#[tokio::test]
async fn every_check_is_a_span_in_the_callers_trace() {
    let mut collector = Collector::start().await;
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str())];
    let mut program = Program::serve(&["--dev", "--replica", "one"], &environment).await;
    let create = json!({ "name": "librarian", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", DEV_KEY, &create).await;
    let check = json!({
        "agent_id": agent["id"], "action_name": "db_delete", "session_id": "conv-1",
        "action_input_summary": "summary-marker",
    });
    let request = client()
        .post(program.url("/api/v1/agenttrust/check"))
        .header("x-api-key", DEV_KEY)
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let answer = request.body(check.to_string()).send().await.unwrap();
    let held: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let alone = json!({ "agent_id": agent["id"], "action_name": "search" });
    program.post("/api/v1/agenttrust/check", DEV_KEY, &alone).await;
    // A caller that does not sample is not sampled.
    let request = client()
        .post(program.url("/api/v1/agenttrust/check"))
        .header("x-api-key", DEV_KEY)
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-00");
    request.body(alone.to_string()).send().await.unwrap();
    // Nothing may be lost by stopping.
    program.signal("TERM");
    assert!(program.ends().await.success());

    let spans = collector.spans(2).await;
    let [deleted, searched] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(deleted.name, "execute_tool db_delete");
    assert_eq!(deleted.trace, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(deleted.parent, "b7ad6b7169203331");
    for (name, value) in [
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.name", "db_delete"),
        ("gen_ai.agent.id", agent["id"].as_str().unwrap()),
        ("gen_ai.agent.name", "librarian"),
        ("gen_ai.conversation.id", "conv-1"),
        ("agenttrust.decision", "hold"),
        ("agenttrust.effect", "destructive"),
        ("agenttrust.check_id", held["check_id"].as_str().unwrap()),
        ("agenttrust.approval_id", held["approval_id"].as_str().unwrap()),
    ] {
        assert_eq!(
            deleted.attributes.get(name).map(String::as_str),
            Some(value),
            "{name} {deleted:?}"
        );
    }
    assert!(!deleted.attributes["agenttrust.policies"].is_empty(), "{deleted:?}");
    assert_eq!(deleted.resource["service.name"], "agenttrust-guardian");
    assert_eq!(deleted.resource["service.instance.id"], "one");
    assert!(!format!("{spans:?}").contains("summary-marker"), "{spans:?}");

    assert_eq!(searched.name, "execute_tool search");
    assert_eq!(searched.parent, "", "nobody asked for it in a trace");
    assert_eq!(searched.attributes["agenttrust.decision"], "allow");
}

#[tokio::test]
async fn collector_that_is_away_holds_nothing_up() {
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")];
    let mut program = Program::serve(&["--dev"], &environment).await;
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", DEV_KEY, &create).await;
    let check = json!({ "agent_id": agent["id"], "action_name": "search" });
    let (_, answer) = program.post("/api/v1/agenttrust/check", DEV_KEY, &check).await;
    assert_eq!(answer["allowed"], true);
    program.signal("TERM");
    assert!(program.ends().await.success());
}

#[tokio::test]
async fn collector_without_tls_is_told_where_no_authority_is_known() {
    let mut collector = Collector::start().await;
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
        ("SSL_CERT_DIR", "/nowhere"),
    ];
    let mut program = Program::serve(&["--dev"], &environment).await;
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", DEV_KEY, &create).await;
    let check = json!({ "agent_id": agent["id"], "action_name": "search" });
    program.post("/api/v1/agenttrust/check", DEV_KEY, &check).await;
    program.signal("TERM");
    assert!(program.ends().await.success());
    assert_eq!(collector.spans(1).await[0].name, "execute_tool search");
}

#[tokio::test]
async fn collector_without_an_address_is_refused() {
    let said = refused(&["--dev"], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url")]).await;
    assert!(said.contains("spans cannot be exported") && said.contains("OTEL_"), "{said}");
}

/// Returns a server of MCP with one tool, that says of each call by which trace it came.
async fn mcp_server() -> String {
    let answer = async |headers: HeaderMap, axum::Json(asked): axum::Json<serde_json::Value>| {
        let parent = headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned());
        let result = match asked["method"].as_str().unwrap() {
            "server/discover" => json!({ "supportedVersions": ["2026-07-28"], "capabilities": {} }),
            "tools/list" => {
                let tool = json!({ "name": "read", "inputSchema": { "type": "object" } });
                json!({ "tools": [tool] })
            }
            _ => json!({ "content": [], "parent": parent }),
        };
        axum::Json(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result }))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let router = Router::new().route("/mcp", post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn call_of_an_mcp_tool_goes_on_with_the_trace_of_its_message() {
    let (mut collector, server) = (Collector::start().await, mcp_server().await);
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str())];
    let arguments = ["--dev", "--allow-outbound", "127.0.0.0/8"];
    let mut program = Program::serve(&arguments, &environment).await;
    let create = json!({ "name": "librarian", "capabilities": ["files/*"] });
    let (_, agent) = program.post("/api/v1/agents", DEV_KEY, &create).await;
    let register = json!({ "name": "files", "url": server });
    let (_, server) = program.post("/mcp/servers", DEV_KEY, &register).await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let call = async |meta: serde_json::Value, header: Option<&str>| {
        let params = json!({ "name": "read", "arguments": {}, "_meta": meta });
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let path = format!("/mcp/{}", server["id"].as_str().unwrap());
        let request = client().post(program.url(&path)).header("x-api-key", DEV_KEY);
        let mut request = request.header("x-agent-id", agent["id"].as_str().unwrap());
        if let Some(header) = header {
            request = request.header("traceparent", header);
        }
        let answer = request.body(call.to_string()).send().await.unwrap().text().await.unwrap();
        serde_json::from_str::<serde_json::Value>(&answer).unwrap()["result"]["parent"].clone()
    };
    // What the message says is the caller's own word; the header is of whoever is in between.
    let between = "00-11111111111111111111111111111111-2222222222222222-01";
    assert_eq!(call(json!({ "traceparent": parent }), Some(between)).await, *parent);
    assert_eq!(call(json!({}), Some(between)).await, *between);
    call(json!({ "traceparent": "00-none" }), None).await;
    program.signal("TERM");
    assert!(program.ends().await.success());

    let spans = collector.spans(3).await;
    let [in_message, in_header, alone] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(in_message.name, "execute_tool files/read");
    assert_eq!(in_message.attributes["gen_ai.agent.name"], "librarian");
    let of = |span: &Span| (span.trace.clone(), span.parent.clone());
    let expected = |parent: &str| {
        let mut parts = parent.split('-').skip(1).map(str::to_owned);
        (parts.next().unwrap(), parts.next().unwrap())
    };
    assert_eq!(of(in_message), expected(parent));
    assert_eq!(of(in_header), expected(between));
    assert_eq!(alone.parent, "", "what is no trace is none");
}
