//! Calls that are made so that one reader sees them and another does not.

use http::header::HeaderValue;
use http::{Method, Version};
use serde_json::{Value, json};

use crate::connection::{Connection, post, raw, with_method};
use crate::guardian::Script;
use crate::mcp::guarded_server::{GuardedServer, tools_call};
use crate::mcp::messages::{Bad, INVALID_PARAMS, INVALID_REQUEST, all_refused};

// Go's own reader of JSON takes `Method` for `method`, and `paramſ` for `params`; another takes
// `params\0` for it.

#[tokio::test]
async fn a_member_that_another_reader_takes_for_one_of_the_message_is_refused() {
    let server = GuardedServer::open(Script::Allow).await;
    let bad: Vec<_> = [
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","Method":"tools/call","params":{"name":"good"}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","METHOD":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","method\u0000":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"good"},"paramſ":{}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"good"},"param\u017f":{}}"#,
        r#"{"jsonrpc":"2.0","id":7,"ID":8,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","error":null}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{},"params":{"name":"good"}}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{},"Method":"tools/call"}"#,
    ]
    .map(|text| Bad::text(text, INVALID_REQUEST, 7))
    .into();
    all_refused(&server, &bad).await;
}

#[tokio::test]
async fn a_member_that_another_reader_takes_for_one_of_the_params_is_refused() {
    let server =
        GuardedServer::with(Script::Allow, |layer| layer.resources(true).prompts(true)).await;
    let bad: Vec<_> = [
        r#"{"name":"good","Name":"delete"}"#,
        r#"{"name":"good","NAME":"delete"}"#,
        r#"{"name":"good","name\u0000":"delete"}"#,
        r#"{"name":"good","name ":"delete"}"#,
        r#"{"name":"good","argumentſ":{}}"#,
        r#"{"name":"good","Arguments":{}}"#,
        r#"{"name":"good","_META":{}}"#,
        r#"{"name":"good","Uri":{}}"#,
        r#"{"name":"good","tasK":{}}"#,
    ]
    .into_iter()
    .flat_map(|params| {
        ["tools/call", "prompts/get"].map(|method| {
            let text =
                format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{params}}}"#);
            Bad::text(text, INVALID_PARAMS, 7)
        })
    })
    .collect();
    all_refused(&server, &bad).await;
}

#[tokio::test]
async fn a_method_that_another_reader_takes_for_a_guarded_one_is_refused() {
    let server = GuardedServer::open(Script::Allow).await;
    let methods = [
        "Tools/Call",
        "TOOLS/CALL",
        "toolſ/call",
        r"tools/call\u0000",
        " tools/call",
        "Prompts/get",
    ];
    let bad = methods.map(|method| {
        let call = tools_call(7, "good", json!({})).to_string();
        Bad::text(call.replace("tools/call", method), INVALID_REQUEST, 7)
    });
    all_refused(&server, &bad).await;
}

#[tokio::test]
async fn a_message_in_the_body_of_another_method_is_refused() {
    let server = GuardedServer::open(Script::Allow).await;
    let call = tools_call(7, "good", json!({})).to_string();
    let bad: Vec<_> = [Method::GET, Method::DELETE, Method::OPTIONS]
        .into_iter()
        .map(|method| {
            let (what, call) = (method.to_string(), call.clone());
            Bad::request(&what, (400, INVALID_REQUEST), Value::Null, move || {
                let mut request = with_method(method.clone(), call.clone());
                let overridden = HeaderValue::from_static("POST");
                request.headers_mut().insert("x-http-method-override", overridden);
                request
            })
        })
        .collect();
    all_refused(&server, &bad).await;
}

#[tokio::test]
async fn nothing_is_said_of_the_body_that_came_which_is_not_true_of_the_one_that_goes_on() {
    let server = GuardedServer::open(Script::Allow).await;
    let call = tools_call(7, "good", json!({ "a": 1.50 })).to_string();
    let spaced = call.replace(':', " :  ");
    // Its own length, and a trailer after it.
    let said = format!(
        "POST /mcp HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: Application/JSON;charset=\"UTF-8\"\r\ncontent-encoding: identity\r\n\
         content-digest: sha-256=:AAAA:\r\nrepr-digest: sha-256=:AAAA:\r\ndigest: sha-256=AAAA\r\n\
         content-md5: AAAA\r\ntrailer: x-after\r\nupgrade: h2c\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{spaced}\r\n0\r\nx-after: 1\r\n\r\n",
        spaced.len()
    );
    let answer = raw(server.address, said.as_bytes(), false).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let heard = server.only_heard();
    let headers = &heard.head.headers;
    for gone in [
        "content-encoding",
        "content-digest",
        "repr-digest",
        "digest",
        "content-md5",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ] {
        assert_eq!(headers.get(gone), None, "{gone}");
    }
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["content-length"], heard.text.len().to_string());
    assert!(!heard.text.contains(&b' '), "it is as it came: {:?}", heard.text);
    assert_eq!(heard.message(), serde_json::from_str::<Value>(&call).expect("JSON"));
}

#[tokio::test]
async fn a_body_of_no_type_stays_one() {
    let server = GuardedServer::open(Script::Allow).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    let mut request = post(tools_call(7, "good", json!({})).to_string());
    request.headers_mut().remove("content-type");
    assert_eq!(connection.send(request).await.status, 200);
    assert_eq!(server.only_heard().head.headers.get("content-type"), None);
}

#[tokio::test]
async fn a_stream_of_the_server_does_not_become_another_connection() {
    let server = GuardedServer::open(Script::Allow).await;
    let said = "GET /mcp HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    let answer = raw(server.address, said.as_bytes(), true).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(server.only_heard().head.headers.get("upgrade"), None);
}

#[tokio::test]
async fn two_messages_in_one_stream_of_bytes_are_two_calls() {
    // What is left of one message is not the beginning of the next.
    let server = GuardedServer::open(Script::Allow).await;
    let call = |tool: &str| tools_call(7, tool, json!({})).to_string();
    let (first, second) = (call("first"), call("second"));
    let said = format!(
        "POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{first}POST /mcp HTTP/1.1\r\n\
         host: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{second}",
        first.len(),
        second.len()
    );
    raw(server.address, said.as_bytes(), false).await;
    let tools: Vec<_> = server.guardian.checks().into_iter().map(|check| check.tool).collect();
    assert_eq!(tools, ["first", "second"]);
}
