//! A list shows an agent what it may call, in the order that the server has, and nothing else.

use agenttrust_testkit::eventually;
use axum::http::Method;
use serde_json::{Value, json};

use super::{Fixture, Speaks, call, next, of_session, request};

fn names(said: &super::Said) -> Vec<&str> {
    let tools = said.answer()["result"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

async fn seeing(fixture: Fixture, capabilities: &[&str]) -> Fixture {
    let agent = fixture.api.agent(capabilities).await;
    let key = fixture.api.key("agent", &[&agent]).await;
    Fixture { agent, key, ..fixture }
}

#[tokio::test]
async fn list_has_what_the_agent_may_call_in_the_order_of_the_server() {
    for speaks in [Speaks::Legacy, Speaks::Modern] {
        let fixture = Fixture::of(speaks, &["zeta", "write", "alpha", "delete_all", "mid"]).await;
        let fixture = seeing(fixture, &["files/alpha", "files/zeta", "files/delete_all"]).await;
        let properties =
            r#"{"zulu":{"type":"string"},"alpha":{"type":"string"},"mike":{"type":"string"}}"#;
        let schema = format!(r#"{{"type":"object","properties":{properties}}}"#);
        fixture.upstream.inner.tools.lock().unwrap()[0]["inputSchema"] =
            serde_json::from_str(&schema).unwrap();
        let list = request(1, "tools/list", json!({}));
        let said = match speaks {
            Speaks::Modern => fixture.modern(list).await,
            _ => {
                let session = fixture.session().await;
                fixture.in_session(&session, list).await
            }
        };
        // What needs an approval may be called, with one.
        assert_eq!(names(&said), ["zeta", "alpha", "delete_all"]);
        // What a model reads stands in the order in which it was written.
        assert!(said.text.contains(properties), "{}", said.text);
        let result = &said.answer()["result"];
        match speaks {
            Speaks::Modern => {
                assert_eq!(
                    (&result["cacheScope"], &result["ttlMs"]),
                    (&json!("private"), &json!(30_000))
                );
            }
            _ => assert_eq!(result["cacheScope"], Value::Null),
        }
        // Nothing was recorded, and the call is checked again.
        assert_eq!(fixture.api.audit("decision").await.len(), 0);
    }
}

#[tokio::test]
async fn pages_are_filtered_one_by_one_and_no_tool_is_gone_for_not_being_on_one() {
    let fixture = Fixture::of(Speaks::Modern, &["a", "b", "c", "d", "e"]).await;
    *fixture.upstream.inner.page.lock().unwrap() = Some(2);
    let fixture = seeing(fixture, &["files/b", "files/c", "files/e"]).await;
    let mut cursor = Value::Null;
    let mut pages = Vec::new();
    for _ in 0..3 {
        let params = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
        let said = fixture.modern(request(1, "tools/list", params)).await;
        pages.push(names(&said).join(" "));
        cursor = said.answer()["result"]["nextCursor"].clone();
    }
    assert_eq!(pages, ["b", "c", "e"]);
    assert_eq!(fixture.api.audit("mcp_tool.gone").await.len(), 0);
    fixture.modern(call("e", json!({}))).await.text_of_tool();
}

#[tokio::test]
async fn token_sees_what_it_reaches() {
    let fixture = Fixture::of(Speaks::Modern, &["a", "b"]).await;
    let token = format!("Bearer {}", fixture.token(&["files/b"], &["files"]).await);
    let (headers, list) = super::modern(request(1, "tools/list", json!({})));
    let mut headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
    headers.push(("authorization", &token));
    let answer = fixture.begin_as(axum::http::Method::POST, &headers, Some(list.to_string())).await;
    assert_eq!(names(&super::read(answer).await), ["b"]);
}

#[tokio::test]
async fn tool_that_is_missing_in_a_list_is_looked_for_and_not_called_where_it_is_gone() {
    let fixture = Fixture::of(Speaks::Modern, &["echo", "other"]).await;
    fixture.modern(call("echo", json!({}))).await.text_of_tool();
    fixture.upstream.inner.tools.lock().unwrap().remove(0);
    // The server tells no one, and its tools were listed a moment ago.
    let said = fixture.modern(request(1, "tools/list", json!({}))).await;
    assert_eq!(names(&said), ["other"]);
    fixture.modern(call("echo", json!({}))).await.refused(200, -32602, "has no tool \"echo\"");
    assert_eq!(fixture.upstream.called().len(), 1);
}

#[tokio::test]
async fn list_that_comes_on_a_stream_of_the_session_is_filtered_too() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo", "write"]).await;
    let fixture = seeing(fixture, &["files/echo"]).await;
    let session = fixture.session().await;
    let opened = fixture.begin(Method::GET, &of_session(&session), None).await;
    let mut stream = opened.into_body();
    eventually("it listens", async || fixture.upstream.inner.says.receiver_count() == 1).await;
    let tools = fixture.upstream.inner.tools.lock().unwrap().clone();
    let late = json!({ "jsonrpc": "2.0", "id": 9, "result": { "tools": tools } });
    fixture.upstream.inner.says.send(late).unwrap();
    let heard = next(&mut stream).await;
    assert!(heard.contains("does echo") && !heard.contains("does write"), "{heard}");
}

#[tokio::test]
async fn tool_that_cannot_be_read_is_none_and_the_others_are_listed_and_called() {
    for speaks in [Speaks::Legacy, Speaks::Modern] {
        let fixture = Fixture::of(speaks, &["echo", "half", "write"]).await;
        fixture.upstream.describe("half", "HALF A CHARACTER");
        let said = fixture.plain(request(1, "tools/list", json!({}))).await;
        assert_eq!(names(&said), ["echo", "write"], "{speaks:?}");
        fixture.plain(call("echo", json!({}))).await.text_of_tool();
        fixture.plain(call("half", json!({}))).await.refused(200, -32602, "has no tool");
        assert_eq!(fixture.upstream.called(), ["echo"]);
    }
}
