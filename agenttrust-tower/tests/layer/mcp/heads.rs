//! Heads that say something else than the body, or that the body is something else.

use http::header::HeaderValue;
use http::{Method, Version};
use serde_json::{Value, json};

use crate::connection::{Connection, VERSIONS, post, with_method};
use crate::guardian::Script;
use crate::mcp::guarded_server::{GuardedServer, tools_call};
use crate::mcp::messages::{Bad, HEADER_MISMATCH, INVALID_REQUEST, all_refused};

fn with(headers: &'static [(&'static str, &'static str)], message: &Value) -> Bad {
    let text = message.to_string();
    Bad::request(
        &format!("{headers:?}"),
        (400, HEADER_MISMATCH),
        message["id"].clone(),
        move || {
            let mut request = post(text.clone());
            for (name, value) in headers {
                request.headers_mut().append(*name, HeaderValue::from_static(value));
            }
            request
        },
    )
}

#[tokio::test]
async fn a_header_that_contradicts_the_body_is_refused() {
    let server = GuardedServer::open(Script::Allow).await;
    let call = tools_call(7, "delete", json!({}));
    let mut bad: Vec<_> = [
        &[("mcp-method", "tools/list")][..],
        &[("mcp-method", "Tools/Call")],
        &[("mcp-method", "tools/call"), ("mcp-method", "ping")],
        &[("mcp-method", "tools/call"), ("mcp-name", "read")],
        &[("mcp-name", "Delete")],
        &[("mcp-name", "")],
        &[("mcp-name", "delete"), ("mcp-name", "read")],
        &[("mcp-name", "read"), ("mcp-name", "delete")],
        // "read", and something that is no base64.
        &[("mcp-name", "=?base64?cmVhZA==?=")],
        &[("mcp-name", "=?base64?%%?=")],
        &[("mcp-name", "=?base64?ZGVsZXRl")],
    ]
    .map(|headers| with(headers, &call))
    .into();
    // To whoever decodes it, it says "read".
    let looks_encoded = tools_call(7, "=?base64?cmVhZA==?=", json!({}));
    bad.push(with(&[("mcp-name", "=?base64?cmVhZA==?=")], &looks_encoded));
    let list = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list" });
    bad.push(with(&[("mcp-method", "tools/call")], &list));
    bad.push(with(&[("mcp-name", "delete")], &list));
    let answer = json!({ "jsonrpc": "2.0", "id": 7, "result": {} });
    bad.push(with(&[("mcp-method", "tools/call")], &answer));
    all_refused(&server, &bad).await;
}

#[tokio::test]
async fn headers_that_say_what_the_body_says_are_handed_on_with_it() {
    let server = GuardedServer::open(Script::Allow).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    // The second one is "größe" in base64.
    for (name, said) in [("delete", "delete"), ("größe", "=?base64?Z3LDtsOfZQ==?=")] {
        let mut request = post(tools_call(7, name, json!({})).to_string());
        let headers = request.headers_mut();
        headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
        headers.insert("mcp-name", HeaderValue::from_static(said));
        assert_eq!(connection.send(request).await.status, 200, "{name}");
        assert_eq!(server.guardian.checks().last().expect("a check").tool, name);
        assert_eq!(server.heard().last().expect("a call").head.headers["mcp-name"], said);
    }
    let task = json!({ "taskId": "t1" });
    let get = json!({ "jsonrpc": "2.0", "id": 7, "method": "tasks/get", "params": task });
    let mut request = post(get.to_string());
    request.headers_mut().insert("mcp-name", HeaderValue::from_static("t1"));
    assert_eq!(connection.send(request).await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_compressed_or_in_another_character_set_is_refused() {
    let server = GuardedServer::open(Script::Allow).await;
    let call = tools_call(7, "good", json!({})).to_string();
    const ENCODING: &str = "content-encoding";
    const KIND: &str = "content-type";
    let bad: Vec<_> = [
        &[(ENCODING, "gzip")][..],
        &[(ENCODING, "identity"), (ENCODING, "deflate")],
        &[(ENCODING, "identity, br")],
        &[(ENCODING, "")],
        &[(KIND, "application/json; charset=utf-7")],
        &[(KIND, "application/json; charset=utf-16le")],
        &[(KIND, "application/json;charset=utf-8;charset=utf-7")],
        &[(KIND, "application/json"), (KIND, "text/plain")],
        &[(KIND, "text/plain")],
        &[(KIND, "application/x-www-form-urlencoded")],
        &[(KIND, "")],
    ]
    .into_iter()
    .flat_map(|headers| {
        // Long ones too: they are read to their end all the same.
        let long = format!("{call}{}", " ".repeat(600_000));
        [call.clone(), long].map(|text| {
            Bad::request(&format!("{headers:?}"), (415, INVALID_REQUEST), Value::Null, move || {
                let mut request = post(text.clone());
                request.headers_mut().remove("content-type");
                for (name, value) in headers {
                    request.headers_mut().append(*name, HeaderValue::from_static(value));
                }
                request
            })
        })
    })
    .collect();
    all_refused(&server, &bad).await;
}

#[tokio::test]
async fn a_method_of_http_that_mcp_does_not_have_is_refused_with_those_that_it_has() {
    let server = GuardedServer::open(Script::Allow).await;
    let call = tools_call(7, "good", json!({})).to_string();
    let bad: Vec<_> = ["PUT", "PATCH", "TRACE", "POSTS", "post", "QUERY"]
        .into_iter()
        .flat_map(|method| {
            let long = format!("{call}{}", " ".repeat(600_000));
            [call.clone(), long].map(|text| {
                let method: Method = method.parse().expect("a method");
                let what = method.to_string();
                Bad::request(&what, (405, INVALID_REQUEST), Value::Null, move || {
                    with_method(method.clone(), text.clone())
                })
            })
        })
        .collect();
    all_refused(&server, &bad).await;
    for version in VERSIONS {
        let mut connection = Connection::open(server.address, version).await;
        let reply = connection.send(with_method(Method::PUT, call.clone())).await;
        assert_eq!(reply.header("allow"), Some("POST, GET, DELETE"));
    }
}
