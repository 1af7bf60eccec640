//! The era without sessions, from 2026-07-28 on.

use agenttrust_testkit::eventually;
use axum::http::Method;
use serde_json::json;

use super::{Fixture, Speaks, call, modern, next, read, request};

#[tokio::test]
async fn call_travels_with_its_headers_and_comes_back() {
    let fixture = Fixture::of(Speaks::Modern, &["echo", "count"]).await;
    let said = fixture.modern(call("echo", json!({ "a": 1 }))).await;
    assert_eq!(said.text_of_tool(), "echo {\"a\":1}");
    assert!(!said.headers.contains_key("mcp-session-id"));
    let heard = fixture.upstream.last("tools/call");
    assert_eq!(heard.header("mcp-method"), "tools/call");
    assert_eq!(heard.header("mcp-name"), "echo");
    let said = fixture.modern(call("count", json!({}))).await;
    assert_eq!(said.messages.len(), 4);
    // A session of the other era's is no concern of it.
    let said = fixture.modern_with(&[("mcp-session-id", "x")], call("echo", json!({}))).await;
    said.text_of_tool();
}

#[tokio::test]
async fn server_is_discovered_and_only_versions_that_pass_are_told() {
    let fixture = Fixture::of(Speaks::Modern, &["echo"]).await;
    let said = fixture.modern(request(1, "server/discover", json!({}))).await;
    assert_eq!(said.answer()["result"]["supportedVersions"], json!(["2026-07-28"]));
    // Asked once, and remembered: the other one was the client's.
    for _ in 0..3 {
        fixture.modern(call("echo", json!({}))).await.text_of_tool();
    }
    assert_eq!(fixture.upstream.count("server/discover"), 2);
    assert_eq!(fixture.upstream.count("initialize"), 0);
}

#[tokio::test]
async fn server_of_sessions_answers_with_the_versions_that_it_speaks() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let said = fixture.modern(call("echo", json!({}))).await;
    said.refused(400, -32022, "2025-11-25");
    let data = &said.answer()["error"]["data"];
    assert_eq!(*data, json!({ "supported": ["2025-11-25"], "requested": "2026-07-28" }));
}

#[tokio::test]
async fn method_that_is_not_known_is_not_found() {
    let fixture = Fixture::of(Speaks::Modern, &["echo"]).await;
    for method in ["ping", "initialize", "logging/setLevel", "tools/destroy", "tasks/list"] {
        let said = fixture.modern(request(1, method, json!({}))).await;
        said.refused(404, -32601, method);
        assert_eq!(fixture.upstream.count(method), 0);
    }
    for method in [Method::GET, Method::DELETE] {
        let headers = [("mcp-protocol-version", "2026-07-28")];
        let said = read(fixture.begin(method, &headers, None).await).await;
        said.refused(405, -32600, "POST and nothing else");
    }
}

#[tokio::test]
async fn header_that_contradicts_the_body_is_refused_and_told() {
    let fixture = Fixture::of(Speaks::Modern, &["echo", "other"]).await;
    for (name, value) in
        [("mcp-method", "tools/list"), ("mcp-name", "other"), ("mcp-name", "=?base64?b3RoZXI=?=")]
    {
        let (headers, message) = modern(call("echo", json!({})));
        let mut headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
        headers.retain(|(of, _)| *of != name);
        headers.push((name, value));
        fixture.post(&headers, message).await.refused(400, -32020, name);
    }
    assert_eq!(fixture.upstream.called(), [""; 0]);
    let told = fixture.api.audit("mcp.refused").await;
    assert_eq!(told.len(), 3);
    assert_eq!(told[0]["body"]["name"], "echo");
    assert_eq!(told[0]["body"]["agent_id"], fixture.agent);
}

#[tokio::test]
async fn header_that_is_missing_or_there_twice_or_of_another_version_is_refused() {
    let fixture = Fixture::of(Speaks::Modern, &["echo"]).await;
    for name in ["mcp-protocol-version", "mcp-method", "mcp-name"] {
        let (headers, message) = modern(call("echo", json!({})));
        let all: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
        let without: Vec<_> = all.iter().copied().filter(|(of, _)| *of != name).collect();
        fixture.post(&without, message.clone()).await.refused(400, -32020, name);
        let twice: Vec<_> = all.iter().copied().filter(|(of, _)| *of == name).collect();
        fixture.post(&[all, twice].concat(), message).await.refused(400, -32020, name);
    }
    let (headers, message) = modern(call("echo", json!({})));
    let mut headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
    headers[0].1 = "2025-11-25";
    fixture.post(&headers, message).await.refused(400, -32020, "mcp-protocol-version");
    assert_eq!(fixture.upstream.called(), [""; 0]);
}

#[tokio::test]
async fn argument_that_is_repeated_in_a_header_agrees_with_the_body() {
    let fixture = Fixture::of(Speaks::Modern, &["query"]).await;
    fixture.upstream.inner.tools.lock().unwrap()[0]["inputSchema"] = json!({
        "type": "object",
        "properties": { "region": { "type": "string", "x-mcp-header": "Region" }, "n": { "type": "integer", "x-mcp-header": "N" } },
    });
    let asked = call("query", json!({ "region": "eu west", "n": 42 }));
    let fine = [("mcp-param-region", "=?base64?ZXUgd2VzdA==?="), ("mcp-param-n", "42.0")];
    fixture.modern_with(&fine, asked.clone()).await.text_of_tool();
    let heard = fixture.upstream.last("tools/call");
    // As the body has them.
    assert_eq!((heard.header("mcp-param-region"), heard.header("mcp-param-n")), ("eu west", "42"));
    // Who knows nothing of MCP repeats nothing, and the proxy does.
    fixture.plain(call("query", json!({ "region": "世界" }))).await.text_of_tool();
    let heard = fixture.upstream.last("tools/call");
    assert_eq!(heard.header("mcp-param-region"), "=?base64?5LiW55WM?=");
    for wrong in [
        &[("mcp-param-region", "us-west"), ("mcp-param-n", "42")][..],
        &[("mcp-param-region", "eu west"), ("mcp-param-n", "43")],
        &[("mcp-param-region", "eu west")],
    ] {
        fixture.modern_with(wrong, asked.clone()).await.refused(400, -32020, "mcp-param-");
    }
    assert_eq!(fixture.upstream.called().len(), 2);
}

#[tokio::test]
async fn subscription_is_heard_until_it_is_hung_up() {
    let fixture = Fixture::of(Speaks::Modern, &["echo"]).await;
    let listen = request(
        "l",
        "subscriptions/listen",
        json!({ "notifications": { "toolsListChanged": true } }),
    );
    let (headers, listen) = modern(listen);
    let headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
    let mut body = fixture.begin(Method::POST, &headers, Some(listen.clone())).await.into_body();
    assert!(next(&mut body).await.contains("acknowledged"));
    let changed =
        json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {} });
    fixture.upstream.inner.says.send(changed).unwrap();
    assert!(next(&mut body).await.contains("list_changed"));
    // In this era a server asks nothing.
    let asks =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": {} });
    fixture.upstream.inner.says.send(asks).unwrap();
    let told =
        json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {} });
    fixture.upstream.inner.says.send(told).unwrap();
    assert!(next(&mut body).await.contains("resources/updated"));
    // It ends with the Guardian, and the client is told that this was no accident.
    let mut other = fixture.begin(Method::POST, &headers, Some(listen)).await.into_body();
    assert!(next(&mut other).await.contains("acknowledged"));
    drop(body);
    eventually("one is hung up on", async || fixture.upstream.running() == 1).await;
    fixture.api.guardian.close().await;
    let last = next(&mut other).await;
    assert!(
        last.contains("\"resultType\":\"complete\"") && last.contains("\"id\":\"l\""),
        "{last}"
    );
    eventually("it is hung up on", async || fixture.upstream.running() == 0).await;
}

#[tokio::test]
async fn question_comes_back_with_a_state_and_its_answer_is_bound() {
    let fixture = Fixture::of(Speaks::Modern, &["confirm"]).await;
    let said = fixture.modern(call("confirm", json!({}))).await;
    let result = &said.answer()["result"];
    assert_eq!(result["resultType"], "input_required");
    // The server's own is not shown: it is this agent's alone.
    let state = result["requestState"].as_str().unwrap();
    assert_ne!(state, "state-1");
    let mut again = call("confirm", json!({}));
    again["params"]["inputResponses"] = json!({ "sure": { "action": "accept" } });
    again["params"]["requestState"] = state.into();
    fixture.modern(again).await.text_of_tool();
    let bodies: Vec<_> = fixture.api.audit("decision").await;
    let digests: Vec<_> = bodies.iter().map(|row| row["body"]["input_digest"].clone()).collect();
    assert_eq!(digests.len(), 2);
    assert_ne!(digests[0], digests[1]);
    let heard = fixture.upstream.last("tools/call");
    assert_eq!(heard.body["params"]["requestState"], "state-1");
}
