//! What is no message of MCP is refused with the code that the protocol has for it, and nothing of it goes on.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Fixture, Said, Speaks, call, read, request};

impl Fixture {
    pub(super) async fn raw(&self, text: &str) -> Said {
        let headers = [("x-api-key", &*self.key)];
        read(self.begin_as(Method::POST, &headers, Some(text.to_owned())).await).await
    }
}

#[tokio::test]
async fn message_that_is_none_is_refused_with_its_code() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    for (text, status, code) in [
        ("", 400, -32700),
        ("{", 400, -32700),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} x", 400, -32700),
        ("[]", 400, -32600),
        ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", 400, -32600),
        ("null", 400, -32600),
        ("7", 400, -32600),
        ("{}", 400, -32600),
        ("{\"id\":1,\"method\":\"ping\"}", 400, -32600),
        ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", 400, -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", 400, -32600),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"Method\":\"tools/call\"}",
            400,
            -32600,
        ),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"Tools/call\"}", 400, -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":[1]}", 400, -32602),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":\"x\"}", 400, -32602),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":null}", 400, -32602),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}", 400, -32602),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":7}}",
            400,
            -32602,
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"\"}}",
            400,
            -32602,
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"Name\":\"x\"}}",
            400,
            -32602,
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":[]}}",
            400,
            -32602,
        ),
    ] {
        let said = fixture.raw(text).await;
        said.refused(status, code, "");
    }
    assert_eq!(fixture.upstream.called(), [""; 0]);
}

#[tokio::test]
async fn version_that_nobody_knows_is_answered_with_those_that_the_server_speaks() {
    for (speaks, versions) in
        [(Speaks::Modern, json!(["2026-07-28"])), (Speaks::Legacy, json!(["2025-11-25"]))]
    {
        let fixture = Fixture::of(speaks, &["echo"]).await;
        for version in ["2099-01-01", "1.0", "", "a very long one".repeat(100).as_str()] {
            let (mut headers, mut message) = super::modern(call("echo", json!({})));
            message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = version.into();
            headers[0].1 = version.to_owned();
            let headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
            let said = fixture.post(&headers, message).await;
            said.refused(400, -32022, "does not speak version");
            assert_eq!(said.answer()["error"]["data"]["supported"], versions);
        }
        assert_eq!(fixture.upstream.called(), [""; 0]);
    }
}

#[tokio::test]
async fn id_is_a_text_or_a_whole_number_and_comes_back_as_it_was() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    for id in ["\"a\"", "\"\"", "0", "-1", "9223372036854775807", "18446744073709551615"] {
        let text = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}");
        let said = fixture.raw(&text).await;
        assert_eq!(said.status, 200, "{said:?}");
        assert_eq!(said.answer()["id"].to_string(), id);
    }
    for id in ["null", "1.5", "true", "[]", "{}", "1e400", "36893488147419103232"] {
        let text = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}");
        let said = fixture.raw(&text).await;
        assert_eq!(said.status, 400, "{id}: {said:?}");
        assert_eq!(said.answer()["id"], Value::Null);
    }
}

#[tokio::test]
async fn state_of_a_megabyte_is_refused_and_told() {
    let fixture = Fixture::of(Speaks::Modern, &["echo"]).await;
    let with = |state: Value| {
        let mut asked = call("echo", json!({}));
        asked["params"]["requestState"] = state;
        asked
    };
    for state in [json!("x".repeat(100_000)), json!("x".repeat(1_000_000))] {
        fixture.modern(with(state)).await.refused(400, -32602, "is the most");
    }
    fixture.modern(with(json!({ "a": 1 }))).await.refused(400, -32602, "is no text");
    fixture.modern(with(json!("x".repeat(64 << 10)))).await.refused(400, -32602, "was not given");
    assert_eq!(fixture.api.audit("mcp.refused").await.len(), 4);
    // A body beyond what is read at all.
    let text = with(json!("x".repeat(2 << 20))).to_string();
    let said = fixture.raw(&text).await;
    said.refused(413, -32600, "larger than");
}

#[tokio::test]
async fn name_that_could_be_no_tool_here_is_refused() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    // With the server's it is too long.
    let said = fixture.plain(call(&"x".repeat(198), json!({}))).await;
    assert!(said.answer()["error"]["code"] == -32602, "{said:?}");
    let said = fixture.plain(request(1, "tools/call", json!({ "name": "a\u{1b}[2J" }))).await;
    said.refused(400, -32602, "control character");
    let notification =
        json!({ "jsonrpc": "2.0", "method": "tools/call", "params": { "name": "echo" } });
    let said = fixture.plain(notification).await;
    assert_eq!(said.status, 400, "{said:?}");
    let told = json!({ "jsonrpc": "2.0", "method": "notifications/made_up" });
    let session = fixture.session().await;
    fixture.in_session(&session, told).await.refused(400, -32601, "is not known here");
    assert_eq!(fixture.upstream.called(), [""; 0]);
}

#[tokio::test]
async fn many_values_and_deep_ones_are_refused() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let many = format!("[{}1]", "1,".repeat(100_000));
    let text = call("echo", json!({ "a": 0 })).to_string().replace(":0", &format!(":{many}"));
    fixture.raw(&text).await.refused(413, -32600, "values");
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let text = call("echo", json!({ "a": 0 })).to_string().replace(":0", &format!(":{deep}"));
    fixture.raw(&text).await.refused(400, -32700, "");
}
