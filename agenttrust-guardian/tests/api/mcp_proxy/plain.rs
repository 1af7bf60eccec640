//! The SDK guide's clients: a key, an agent, plain JSON, and nothing of MCP's.

use agenttrust_testkit::ADMIN;
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use super::{Fixture, Speaks, call, read, request};

const EVERY: [Speaks; 3] = [Speaks::Legacy, Speaks::LegacyStateless, Speaks::Modern];

#[tokio::test]
async fn published_client_calls_a_tool_of_a_server_of_either_era_without_any_of_mcp() {
    for speaks in EVERY {
        let fixture = Fixture::of(speaks, &["echo", "count"]).await;
        // As PyPI agenttrustid 0.4.0 and crates.io agenttrustid 0.5.0 do.
        let body = call("echo", json!({ "a": 1 })).to_string();
        let sent = Request::post(fixture.path())
            .header("X-API-Key", ADMIN)
            .header("X-Agent-ID", &fixture.agent)
            .header("X-Session-ID", "chat-7")
            .header("Content-Type", "application/json")
            .header("Accept", "*/*");
        let said = read(fixture.send(sent.body(Body::from(body)).unwrap()).await).await;
        assert_eq!(said.text_of_tool(), "echo {\"a\":1}", "{speaks:?}");
        assert_eq!(said.headers["content-type"], "application/json");
        assert_eq!(said.answer()["id"], 1);
        let decision = &fixture.api.audit("decision").await[0]["body"];
        assert_eq!(
            (&decision["tool"], &decision["session_id"]),
            (&json!("files/echo"), &json!("chat-7"))
        );
    }
}

#[tokio::test]
async fn answer_that_is_a_stream_is_one_message_to_who_reads_no_streams() {
    for speaks in EVERY {
        let fixture = Fixture::of(speaks, &["count", "question"]).await;
        for tool in ["count", "question"] {
            let said = fixture.plain(call(tool, json!({}))).await;
            assert_eq!(said.headers["content-type"], "application/json", "{said:?}");
            assert_eq!(said.messages.len(), 1, "{said:?}");
            assert!(said.answer()["result"]["content"].is_array(), "{said:?}");
        }
    }
}

#[tokio::test]
async fn session_of_the_proxys_own_is_opened_once_for_each_agent_and_anew_when_it_is_gone() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    for _ in 0..3 {
        fixture.plain(call("echo", json!({}))).await.text_of_tool();
    }
    // One looks at the tools, one is the agent's.
    assert_eq!(fixture.upstream.sessions(), 2);
    fixture.upstream.forget_sessions();
    fixture.plain(call("echo", json!({}))).await.text_of_tool();
    assert_eq!(fixture.upstream.sessions(), 1);
    let (other, _) = fixture.api.worker().await;
    let sent = [("x-api-key", ADMIN), ("x-agent-id", &*other)];
    let body = call("echo", json!({})).to_string();
    read(fixture.begin_as(Method::POST, &sent, Some(body)).await).await.text_of_tool();
    assert_eq!(fixture.upstream.sessions(), 2);
}

#[tokio::test]
async fn everything_else_that_is_known_is_answered_too() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let said = fixture.plain(request("x", "ping", json!({}))).await;
    assert_eq!((&said.answer()["id"], &said.answer()["result"]), (&json!("x"), &json!({})));
    let said = fixture.plain(json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" })).await;
    assert_eq!(said.answer()["result"]["tools"][0]["name"], "echo");
    let told = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(fixture.plain(told).await.status, 202);
    let said = fixture.plain(request(3, "tools/destroy", json!({}))).await;
    said.refused(200, -32601, "is not known here");
    assert_eq!(fixture.upstream.count("tools/destroy"), 0);
}

#[tokio::test]
async fn nothing_of_the_callers_but_its_message_goes_to_the_server() {
    for speaks in EVERY {
        let fixture = Fixture::of(speaks, &["echo"]).await;
        let more = [
            ("cookie", "a=b"),
            ("x-session-id", "chat"),
            ("x-forwarded-for", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
            ("mcp-made-up", "x"),
            ("user-agent", "caller/1"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"),
        ];
        fixture.post(&more, call("echo", json!({}))).await.text_of_tool();
        for heard in fixture.upstream.heard() {
            for header in heard.headers.keys() {
                let known = [
                    "accept",
                    "content-type",
                    "content-length",
                    "host",
                    "user-agent",
                    "mcp-protocol-version",
                    "mcp-session-id",
                    "mcp-method",
                    "mcp-name",
                    "traceparent",
                ];
                assert!(known.contains(&header.as_str()), "{header} in {heard:?}");
            }
            let all = format!("{heard:?}");
            assert!(!all.contains(&fixture.key) && !all.contains("caller/1"), "{all}");
        }
        assert!(fixture.upstream.last("tools/call").header("traceparent").starts_with("00-0af765"));
    }
}
