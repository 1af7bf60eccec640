//! What is handed on is what was sent and checked: no number is another one, and nothing beside the checked input
//! steers the server.

use serde_json::{Value, json};

use super::{Fixture, Speaks, call};

#[tokio::test]
async fn number_that_would_be_another_one_on_the_way_is_refused_and_every_other_one_arrives() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let with = |number: &str| {
        call("echo", json!({ "a": "NUMBER" })).to_string().replace("\"NUMBER\"", number)
    };
    for number in [
        "18446744073709551616",
        "-9223372036854775809",
        "3.14159265358979323846264338327950288",
        "9007199254740993.0",
        "1e-400",
    ] {
        let said = fixture.raw(&with(number)).await;
        assert_eq!(said.refused(400, -32602, "digits").answer()["id"], 1, "{number}");
    }
    assert_eq!(fixture.upstream.called(), [""; 0]);
    for number in ["18446744073709551615", "-9223372036854775808", "0.1", "1.50", "1e23"] {
        fixture.raw(&with(number)).await.text_of_tool();
        let heard = &fixture.upstream.last("tools/call").body["params"]["arguments"]["a"];
        assert_eq!(*heard, serde_json::from_str::<Value>(number).unwrap(), "{number}");
    }
}

#[tokio::test]
async fn params_that_are_null_are_as_absent() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    for method in ["ping", "resources/list", "tools/list"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":null}}"#);
        let said = fixture.raw(&text).await;
        assert!(said.answer()["result"].is_object(), "{method}: {said:?}");
    }
    assert_eq!(fixture.upstream.last("ping").body.get("params"), None);
    fixture.raw(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#).await.refused(
        400,
        -32602,
        "params is an object",
    );
}

#[tokio::test]
async fn of_meta_a_call_takes_along_what_mcp_says_and_nothing_that_was_not_checked() {
    let fixture = Fixture::of(Speaks::Modern, &["echo"]).await;
    let of_mcp = json!({
        "progressToken": 7,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
        "tracestate": "a=b",
        "baggage": "c=d",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    });
    let mut asked = call("echo", json!({}));
    asked["params"]["_meta"] = of_mcp.clone();
    for name in ["dry_run", "com.example/tenant", "ProgressToken", "agenttrust/denial"] {
        asked["params"]["_meta"][name] = json!({ "steers": true });
    }
    fixture.modern(asked).await.text_of_tool();
    assert_eq!(fixture.upstream.last("tools/call").body["params"]["_meta"], of_mcp);
    let mut odd = call("echo", json!({}));
    odd["params"]["_meta"] = json!([1]);
    fixture.plain(odd).await.refused(400, -32602, "params._meta is an object");
}
