//! A list shows an agent what it may call, in the order that the server has, and nothing else.

use agenttrust_testkit::eventually;
use axum::http::Method;
use serde_json::{Value, json};

use super::{House, Speaks, call, next, of_session, request};

fn names(said: &super::Said) -> Vec<&str> {
    let tools = said.answer()["result"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

async fn seeing(house: House, capabilities: &[&str]) -> House {
    let agent = house.api.agent(capabilities).await;
    let key = house.api.key("agent", &[&agent]).await;
    House { agent, key, ..house }
}

#[tokio::test]
async fn list_has_what_the_agent_may_call_in_the_order_of_the_server() {
    for speaks in [Speaks::Legacy, Speaks::Modern] {
        let house = House::of(speaks, &["zeta", "write", "alpha", "delete_all", "mid"]).await;
        let house = seeing(house, &["files/alpha", "files/zeta", "files/delete_all"]).await;
        let properties =
            r#"{"zulu":{"type":"string"},"alpha":{"type":"string"},"mike":{"type":"string"}}"#;
        let schema = format!(r#"{{"type":"object","properties":{properties}}}"#);
        house.upstream.inner.tools.lock().unwrap()[0]["inputSchema"] =
            serde_json::from_str(&schema).unwrap();
        let list = request(1, "tools/list", json!({}));
        let said = match speaks {
            Speaks::Modern => house.modern(list).await,
            _ => {
                let session = house.session().await;
                house.in_session(&session, list).await
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
        assert_eq!(house.api.audit("decision").await.len(), 0);
    }
}

#[tokio::test]
async fn pages_are_filtered_one_by_one_and_no_tool_is_gone_for_not_being_on_one() {
    let house = House::of(Speaks::Modern, &["a", "b", "c", "d", "e"]).await;
    *house.upstream.inner.page.lock().unwrap() = Some(2);
    let house = seeing(house, &["files/b", "files/c", "files/e"]).await;
    let mut cursor = Value::Null;
    let mut pages = Vec::new();
    for _ in 0..3 {
        let params = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
        let said = house.modern(request(1, "tools/list", params)).await;
        pages.push(names(&said).join(" "));
        cursor = said.answer()["result"]["nextCursor"].clone();
    }
    assert_eq!(pages, ["b", "c", "e"]);
    assert_eq!(house.api.audit("mcp_tool.gone").await.len(), 0);
    house.modern(call("e", json!({}))).await.text_of_tool();
}

#[tokio::test]
async fn token_sees_what_it_reaches() {
    let house = House::of(Speaks::Modern, &["a", "b"]).await;
    let token = format!("Bearer {}", house.token(&["files/b"], &["files"]).await);
    let (headers, list) = super::modern(request(1, "tools/list", json!({})));
    let mut headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
    headers.push(("authorization", &token));
    let answer = house.begin_as(axum::http::Method::POST, &headers, Some(list.to_string())).await;
    assert_eq!(names(&super::read(answer).await), ["b"]);
}

#[tokio::test]
async fn tool_that_is_missing_in_a_list_is_looked_for_and_not_called_where_it_is_gone() {
    let house = House::of(Speaks::Modern, &["echo", "other"]).await;
    house.modern(call("echo", json!({}))).await.text_of_tool();
    house.upstream.inner.tools.lock().unwrap().remove(0);
    // The server tells no one, and its tools were listed a moment ago.
    let said = house.modern(request(1, "tools/list", json!({}))).await;
    assert_eq!(names(&said), ["other"]);
    house.modern(call("echo", json!({}))).await.refused(200, -32602, "has no tool \"echo\"");
    assert_eq!(house.upstream.called().len(), 1);
}

#[tokio::test]
async fn list_that_comes_on_a_stream_of_the_session_is_filtered_too() {
    let house = House::of(Speaks::Legacy, &["echo", "write"]).await;
    let house = seeing(house, &["files/echo"]).await;
    let session = house.session().await;
    let opened = house.begin(Method::GET, &of_session(&session), None).await;
    let mut stream = opened.into_body();
    eventually("it listens", async || house.upstream.inner.says.receiver_count() == 1).await;
    let tools = house.upstream.inner.tools.lock().unwrap().clone();
    let late = json!({ "jsonrpc": "2.0", "id": 9, "result": { "tools": tools } });
    house.upstream.inner.says.send(late).unwrap();
    let heard = next(&mut stream).await;
    assert!(heard.contains("does echo") && !heard.contains("does write"), "{heard}");
}

#[tokio::test]
async fn tool_that_cannot_be_read_is_none_and_the_others_are_listed_and_called() {
    for speaks in [Speaks::Legacy, Speaks::Modern] {
        let house = House::of(speaks, &["echo", "half", "write"]).await;
        house.upstream.describe("half", "HALF A CHARACTER");
        let said = house.plain(request(1, "tools/list", json!({}))).await;
        assert_eq!(names(&said), ["echo", "write"], "{speaks:?}");
        house.plain(call("echo", json!({}))).await.text_of_tool();
        house.plain(call("half", json!({}))).await.refused(200, -32602, "has no tool");
        assert_eq!(house.upstream.called(), ["echo"]);
    }
}
