//! What is handed on is what was sent and checked: no number is another one, and nothing beside the checked input
//! steers the server.

use http::Version;
use serde_json::{Value, json};

use crate::connection::{Connection, post};
use crate::guardian::Script;
use crate::mcp::guarded_server::{GuardedServer, tools_call};
use crate::mcp::messages::{Bad, INVALID_PARAMS, all_refused};

fn with_argument(number: &str) -> String {
    tools_call(7, "good", json!({ "a": "NUMBER" })).to_string().replace("\"NUMBER\"", number)
}

#[tokio::test]
async fn a_number_that_would_be_another_one_on_the_way_is_refused() {
    let server = GuardedServer::open(Script::Allow).await;
    let bad: Vec<_> = [
        "18446744073709551616",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "0.1000000000000000055511151231257827",
        "3.14159265358979323846264338327950288",
        "9007199254740993.0",
        "1e-400",
        "123456789012345678901e-3",
        "[{\"b\":18446744073709551616}]",
    ]
    .into_iter()
    .map(|number| Bad::text(with_argument(number), INVALID_PARAMS, 7))
    .collect();
    all_refused(&server, &bad).await;
}

#[tokio::test]
async fn a_number_that_every_reader_keeps_is_handed_on() {
    let server = GuardedServer::open(Script::Allow).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    for number in [
        "18446744073709551615",
        "-9223372036854775808",
        "0.1",
        "-0",
        "-0.0",
        "0e999999999999999999999",
        "1.50",
        "1E3",
        "1e23",
        "1.7976931348623157e308",
        "5e-324",
        "0.30000000000000004",
        "120000000000000000000.0",
        "\"18446744073709551616 \\\" 0.1000000000000000055511151231257827\"",
    ] {
        let text = with_argument(number);
        let reply = connection.send(post(text.clone())).await;
        assert_eq!(reply.status, 200, "{number}: {reply:?}");
        let heard = server.heard().pop().expect("a call").message();
        assert_eq!(heard, serde_json::from_str::<Value>(&text).expect("JSON"), "{number}");
    }
}

#[tokio::test]
async fn params_that_are_null_are_as_absent() {
    let server = GuardedServer::open(Script::Allow).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    for method in ["ping", "tools/list", "notifications/initialized"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":null}}"#);
        assert_eq!(connection.send(post(text)).await.status, 200, "{method}");
        let heard = server.heard().pop().expect("a message").message();
        assert_eq!(heard, json!({ "jsonrpc": "2.0", "id": 7, "method": method }));
    }
    let call = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":null}"#;
    let list = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","params":[]}"#;
    let bad = [call, list].map(|text| Bad::text(text, INVALID_PARAMS, 7));
    all_refused(&GuardedServer::open(Script::Allow).await, &bad).await;
}

#[tokio::test]
async fn of_meta_a_call_takes_along_what_mcp_says_and_nothing_that_was_not_checked() {
    let server = GuardedServer::with(Script::Allow, |layer| layer.resources(true)).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    let of_mcp = json!({
        "progressToken": 7,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
        "tracestate": "a=b",
        "baggage": "c=d",
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut said = of_mcp.clone();
    for (name, value) in [
        ("dry_run", json!(false)),
        ("com.example/tenant", json!("b")),
        ("ProgressToken", json!(8)),
        ("io.modelcontextprotocol", json!(1)),
        ("io.modelcontextprotocol.evil/x", json!(1)),
        ("agenttrust/denial", json!({})),
    ] {
        said[name] = value;
    }
    let read = json!({ "jsonrpc": "2.0", "id": 7, "method": "resources/read", "params": { "uri": "a:b" } });
    for mut message in [tools_call(7, "good", json!({ "a": 1 })), read] {
        message["params"]["_meta"] = said.clone();
        assert_eq!(connection.post(&message).await.status, 200);
        let heard = server.heard().pop().expect("a call").message();
        assert_eq!(heard["params"]["_meta"], of_mcp, "{message}");
    }
    // Of what is not checked it is the server's own affair.
    let mut listed = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {} });
    listed["params"]["_meta"] = said.clone();
    assert_eq!(connection.post(&listed).await.status, 200);
    assert_eq!(server.heard().pop().expect("a list").message()["params"]["_meta"], said);
    let odd = [json!([]), json!("x"), json!(1)].map(|odd| {
        let mut message = tools_call(7, "good", json!({}));
        message["params"]["_meta"] = odd;
        Bad::text(message.to_string(), INVALID_PARAMS, 7)
    });
    all_refused(&GuardedServer::open(Script::Allow).await, &odd).await;
}

#[tokio::test]
async fn meta_that_the_server_goes_by_is_handed_on_and_bound_where_the_layer_is_told_of_it() {
    let server =
        GuardedServer::with(Script::Allow, |layer| layer.bind_meta(["com.example/tenant"])).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    for tenant in [json!("a"), json!("b"), json!(null)] {
        let mut message = tools_call(7, "good", json!({ "a": 1 }));
        message["params"]["_meta"] =
            json!({ "com.example/tenant": tenant, "other": 1, "progressToken": tenant });
        assert_eq!(connection.post(&message).await.status, 200);
        let heard = server.heard().pop().expect("a call").message();
        let expected = json!({ "com.example/tenant": tenant, "progressToken": tenant });
        assert_eq!(heard["params"]["_meta"], expected);
    }
    connection.post(&tools_call(7, "good", json!({ "a": 1 }))).await;
    let digests: Vec<_> = server.guardian.checks().into_iter().map(|it| it.digest).collect();
    let apart: std::collections::HashSet<_> = digests.iter().collect();
    assert_eq!((digests.len(), apart.len()), (4, 4), "{digests:?}");
}
