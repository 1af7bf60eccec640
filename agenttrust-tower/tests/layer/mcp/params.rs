//! `Mcp-Param-*` beside the arguments that they repeat.

use agenttrust_tower::McpHttpLayer;
use agenttrust_tower::mcp::{InvalidParamHeaders, ParamHeaders};
use http::header::HeaderValue;
use http::{HeaderName, Request, Version};
use serde_json::{Value, json};

use crate::connection::{Body, Connection, VERSIONS, post};
use crate::guardian::Script;
use crate::mcp::guarded_server::{GuardedServer, tools_call};
use crate::mcp::messages::{Bad, HEADER_MISMATCH, all_refused};

type Headers = &'static [(&'static str, &'static [u8])];

const MODERN: (&str, &[u8]) = ("mcp-protocol-version", b"2026-07-28");

/// Returns a layer that knows what the tool `query` repeats, and nothing of others.
fn knows_query(layer: McpHttpLayer) -> McpHttpLayer {
    let query = json!({ "type": "object", "properties": {
        "region": { "type": "string", "x-mcp-header": "Region" },
        "limit": { "type": ["integer", "null"], "x-mcp-header": "Limit" },
        "text": { "type": "string" },
        "options": { "type": "object", "properties": {
            "dry": { "type": "boolean", "x-mcp-header": "Dry-Run" },
        }},
    }});
    let query = ParamHeaders::of(&query).expect("the schema is valid");
    layer.param_headers(move |tool| (tool == "query").then(|| query.clone()))
}

fn sent(headers: Headers, message: &Value) -> Request<Body> {
    let mut request = post(message.to_string());
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value).expect("HTTP lets it pass");
        request.headers_mut().append(HeaderName::from_static(name), value);
    }
    request
}

fn bad(headers: Headers, message: &Value) -> Bad {
    let (what, message) = (format!("{headers:?} {message}"), message.clone());
    let id = message["id"].clone();
    Bad::request(&what, (400, HEADER_MISMATCH), id, move || sent(headers, &message))
}

async fn all_pass(server: &GuardedServer, good: &[(Headers, Value)]) {
    for version in VERSIONS {
        let mut connection = Connection::open(server.address, version).await;
        for (headers, message) in good {
            let reply = connection.send(sent(headers, message)).await;
            assert_eq!(reply.status, 200, "{version:?} {headers:?} {message}: {reply:?}");
            let handed_on = server.heard().last().expect("a call").head.headers.clone();
            for (name, value) in *headers {
                let came = handed_on.get_all(*name).iter().any(|came| came.as_bytes() == *value);
                assert!(came, "{name} was not handed on: {handed_on:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_param_header_that_contradicts_its_argument_is_refused() {
    let server = GuardedServer::with(Script::Allow, knows_query).await;
    let full =
        json!({ "region": "us-west1", "limit": 42, "text": "eu", "options": { "dry": true } });
    let full = tools_call(7, "query", full);
    let strange =
        tools_call(7, "query", json!({ "region": "größe", "limit": 9_007_199_254_740_993_i64 }));
    let odd = tools_call(7, "query", json!({ "region": ["us"], "limit": 0.5, "options": 1 }));
    let none = tools_call(7, "query", json!({ "region": null, "Region": "us", "limit": null }));
    let looks_encoded = tools_call(7, "query", json!({ "region": "=?base64?dXM=?=" }));
    let bad = [
        bad(&[("mcp-param-region", b"eu")], &full),
        bad(&[("mcp-param-region", b"US-West1")], &full),
        bad(&[("mcp-param-region", b"")], &full),
        bad(&[("mcp-param-region", b"us-west1"), ("mcp-param-region", b"eu")], &full),
        // "eu", no base64, and base64 that is cut off.
        bad(&[("mcp-param-region", b"=?base64?ZXU=?=")], &full),
        bad(&[("mcp-param-region", b"=?base64?%?=")], &full),
        bad(&[("mcp-param-region", b"=?base64?dXMtd2VzdDE?=")], &full),
        bad(&[("mcp-param-region", b"=?BASE64?dXMtd2VzdDE=?=")], &full),
        bad(&[("mcp-param-limit", b"43")], &full),
        bad(&[("mcp-param-limit", b"+42")], &full),
        bad(&[("mcp-param-limit", b"0x2a")], &full),
        bad(&[("mcp-param-limit", b"42,42")], &full),
        bad(&[("mcp-param-limit", b"\"42\"")], &full),
        bad(&[("mcp-param-dry-run", b"True")], &full),
        bad(&[("mcp-param-dry-run", b"1")], &full),
        bad(&[("mcp-param-dry-run", b"false")], &full),
        // In UTF-8 as it is, which no header is, and a number that a double rounds.
        bad(&[("mcp-param-region", b"gr\xc3\xb6\xc3\x9fe")], &strange),
        bad(&[("mcp-param-limit", b"9007199254740992")], &strange),
        bad(&[("mcp-param-limit", b"9007199254740993.0")], &strange),
        bad(&[("mcp-param-region", b"us")], &odd),
        bad(&[("mcp-param-dry-run", b"1")], &odd),
        bad(&[("mcp-param-region", b"us")], &none),
        bad(&[("mcp-param-region", b"null")], &none),
        bad(&[("mcp-param-limit", b"null")], &none),
        // To a reader that decodes it, it says "us".
        bad(&[("mcp-param-region", b"=?base64?dXM=?=")], &looks_encoded),
    ];
    all_refused(&server, &bad).await;
}

#[tokio::test]
async fn a_param_header_that_is_missing_is_refused_since_there_are_any() {
    let server = GuardedServer::with(Script::Allow, knows_query).await;
    let both = tools_call(7, "query", json!({ "region": "us", "limit": 1 }));
    let version = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
    let mut in_body = both.clone();
    in_body["params"]["_meta"] = version;
    let refused = [
        bad(&[MODERN], &both),
        bad(&[MODERN, ("mcp-param-region", b"us")], &both),
        bad(&[MODERN, ("mcp-param-limit", b"1")], &both),
        bad(&[("mcp-param-limit", b"1")], &in_body),
    ];
    all_refused(&server, &refused).await;
    let empty = tools_call(7, "query", json!({ "region": null }));
    all_pass(
        &server,
        &[
            (&[MODERN, ("mcp-param-region", b"us"), ("mcp-param-limit", b"1")], both.clone()),
            (&[MODERN], empty),
            (&[("mcp-protocol-version", b"2025-11-25")], both.clone()),
            (&[], both),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_param_header_that_says_what_its_argument_says_is_handed_on_however_it_is_written() {
    let server = GuardedServer::with(Script::Allow, knows_query).await;
    let full =
        json!({ "region": "us-west1", "limit": 42, "text": "eu", "options": { "dry": true } });
    let full = tools_call(7, "query", full);
    let strange =
        tools_call(7, "query", json!({ "region": "größe", "limit": 9_007_199_254_740_993_i64 }));
    all_pass(
        &server,
        &[
            (&[("mcp-param-region", b"us-west1"), ("mcp-param-dry-run", b"true")], full.clone()),
            (&[("mcp-param-region", b"=?base64?dXMtd2VzdDE=?=")], full.clone()),
            (&[("mcp-param-limit", b"42.0")], full.clone()),
            (&[("mcp-param-limit", b"4.2e1")], full.clone()),
            (&[("mcp-param-limit", b"=?base64?NDI=?=")], full.clone()),
            // Not in the schema: nobody here knows what it repeats.
            (&[("mcp-param-other", b"anything")], full),
            (&[("mcp-param-region", b"=?base64?Z3LDtsOfZQ==?=")], strange.clone()),
            (&[("mcp-param-limit", b"9007199254740993")], strange),
        ],
    )
    .await;
}

#[tokio::test]
async fn without_a_schema_a_param_header_says_what_some_argument_says() {
    let server = GuardedServer::with(Script::Allow, knows_query).await;
    let call =
        json!({ "region": "us", "deep": { "er": { "limit": 42 } }, "list": ["eu"], "dry": false });
    let call = tools_call(7, "unknown", call);
    let refused = [
        bad(&[("mcp-param-region", b"eu")], &call),
        bad(&[("mcp-param-region", b"us"), ("mcp-param-limit", b"41")], &call),
        bad(&[("mcp-param-dry", b"true")], &call),
        bad(&[("mcp-param-dry", b"")], &call),
        bad(&[("mcp-param-x", b"=?base64?%?=")], &call),
        bad(&[("mcp-param-x", b"us")], &tools_call(7, "unknown", Value::Null)),
    ];
    all_refused(&server, &refused).await;
    // No client has to have them all, where nothing is known of them.
    all_pass(
        &server,
        &[
            (&[MODERN, ("mcp-param-anything", b"us")], call.clone()),
            (&[("mcp-param-limit", b"42.0"), ("mcp-param-dry", b"false")], call.clone()),
            (&[MODERN], call),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_calls_no_tool_repeats_no_arguments() {
    let server = GuardedServer::with(Script::Allow, |layer| knows_query(layer).prompts(true)).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    for method in ["tools/list", "prompts/get"] {
        let params = json!({ "name": "query", "arguments": { "region": "us" } });
        let message = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        let reply = connection.send(sent(&[MODERN, ("mcp-param-region", b"eu")], &message)).await;
        assert_eq!(reply.status, 200, "{method}: {reply:?}");
    }
}

#[tokio::test]
async fn a_version_in_the_body_that_the_header_contradicts_is_refused() {
    let server = GuardedServer::open(Script::Allow).await;
    let mut call = tools_call(7, "good", json!({}));
    call["params"]["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
    let refused = [
        bad(&[("mcp-protocol-version", b"2025-11-25")], &call),
        bad(&[MODERN, ("mcp-protocol-version", b"2025-11-25")], &call),
    ];
    all_refused(&server, &refused).await;
    all_pass(&server, &[(&[MODERN], call.clone()), (&[], call)]).await;
}

#[test]
fn a_schema_that_mcp_does_not_allow_says_nothing() {
    use InvalidParamHeaders::{Name, Place, Twice, Type};
    let region = |name: Value| json!({ "type": "string", "x-mcp-header": name });
    let properties = |inner: Value| json!({ "type": "object", "properties": inner });
    let bad = [
        (properties(json!({ "a": region(json!("")) })), Name),
        (properties(json!({ "a": region(json!("Reg ion")) })), Name),
        (properties(json!({ "a": region(json!("Reg\r\nion")) })), Name),
        (properties(json!({ "a": region(json!("größe")) })), Name),
        (properties(json!({ "a": region(json!(1)) })), Name),
        (properties(json!({ "a": region(json!("A")), "b": region(json!("a")) })), Twice),
        (properties(json!({ "a": { "type": "number", "x-mcp-header": "A" } })), Type),
        (properties(json!({ "a": { "type": ["string", "number"], "x-mcp-header": "A" } })), Type),
        (properties(json!({ "a": { "type": ["null"], "x-mcp-header": "A" } })), Type),
        (properties(json!({ "a": { "type": "object", "x-mcp-header": "A" } })), Type),
        (properties(json!({ "a": { "x-mcp-header": "A" } })), Type),
        (properties(json!({ "a": { "type": "array", "items": region(json!("A")) } })), Place),
        (json!({ "oneOf": [properties(json!({ "a": region(json!("A")) }))] }), Place),
        (json!({ "if": properties(json!({ "a": region(json!("A")) })) }), Place),
        (json!({ "$defs": { "a": region(json!("A")) } }), Place),
        (region(json!("A")), Place),
    ];
    for (schema, why) in bad {
        assert_eq!(ParamHeaders::of(&schema).unwrap_err(), why, "{schema}");
    }
    let value = json!({ "type": "object", "default": { "x-mcp-header": 1 } });
    let named = properties(json!({ "x-mcp-header": { "type": "string" }, "a": value }));
    for schema in [named, properties(json!({ "a": region(json!("A")) })), json!({}), json!(true)] {
        assert!(ParamHeaders::of(&schema).is_ok(), "{schema}");
    }
}
