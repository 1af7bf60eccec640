//! A body that is not one well-formed message is refused in JSON-RPC's own words: no Guardian is asked, nothing runs,
//! and the connection goes on.

use bytes::Bytes;
use http::{Request, Version};
use serde_json::{Value, json};

use crate::connection::{Body, Connection, VERSIONS, post};
use crate::guardian::Script;
use crate::mcp::guarded_server::{GuardedServer, tools_call};

pub(crate) const PARSE_ERROR: i32 = -32700;
pub(crate) const INVALID_REQUEST: i32 = -32600;
pub(crate) const INVALID_PARAMS: i32 = -32602;
pub(crate) const HEADER_MISMATCH: i32 = -32020;

/// A request, and the status, the code and the id of its refusal.
pub(crate) struct Bad {
    pub(crate) what: String,
    pub(crate) request: Box<dyn Fn() -> Request<Body>>,
    pub(crate) status: u16,
    pub(crate) code: i32,
    pub(crate) id: Value,
}

impl Bad {
    /// Creates a body that is refused with 400.
    pub(crate) fn text(text: impl Into<Bytes>, code: i32, id: impl Into<Value>) -> Self {
        let text = text.into();
        let what = String::from_utf8_lossy(text.get(..90).unwrap_or(&text)).into_owned();
        Self {
            what,
            request: Box::new(move || post(text.clone())),
            status: 400,
            code,
            id: id.into(),
        }
    }

    pub(crate) fn request(
        what: &str,
        (status, code): (u16, i32),
        id: impl Into<Value>,
        request: impl Fn() -> Request<Body> + 'static,
    ) -> Self {
        Self { what: what.to_owned(), request: Box::new(request), status, code, id: id.into() }
    }
}

/// Sends each of them, and after each a good call on the same connection.
pub(crate) async fn all_refused(server: &GuardedServer, bad: &[Bad]) {
    for version in VERSIONS {
        let mut connection = Connection::open(server.address, version).await;
        for Bad { what, request, status, code, id } in bad {
            let before = (server.heard().len(), server.guardian.checks().len());
            let reply = connection.send(request()).await;
            assert_eq!(reply.status, *status, "{version:?} {what}: {reply:?}");
            assert_eq!(reply.header("content-type"), Some("application/json"), "{what}");
            assert_eq!(reply.header("connection"), None, "{what}: it says that it closes");
            let answer = reply.json();
            assert_eq!(answer["jsonrpc"], "2.0", "{what}");
            assert_eq!(answer["error"]["code"], *code, "{version:?} {what}: {answer}");
            assert_eq!(answer.get("id"), Some(id), "{what}: {answer}");
            assert_eq!(answer.get("result"), None, "{what}");
            let message = answer["error"]["message"].as_str().unwrap_or_default();
            assert!((10..300).contains(&message.len()), "{what}: {message:?}");
            let after = (server.heard().len(), server.guardian.checks().len());
            assert_eq!(after, before, "{what}: it reached the server, or the Guardian was asked");

            let good = connection.post(&tools_call(7, "good", json!({}))).await;
            assert_eq!(good.json()["result"]["content"][0]["text"], "done", "after {what}");
        }
        assert_eq!(server.reports().await.len(), server.heard().len(), "one report a call");
    }
}

/// Returns a call with this text in the place of its id.
fn with_id(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"good"}}}}"#)
}

/// Returns a call with this text in the place of its params.
fn with_params(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{params}}}"#)
}

#[tokio::test]
async fn what_is_no_json_text_is_refused() {
    let server = GuardedServer::open(Script::Allow).await;
    let good = with_params(r#"{"name":"good"}"#);
    let mut bad: Vec<_> = [1, good.len() / 2, good.len() - 1]
        .into_iter()
        .map(|cut| Bad::text(good[..cut].to_owned(), PARSE_ERROR, Value::Null))
        .collect();
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    for text in [
        String::new(),
        " ".to_owned(),
        format!("{good}{good}"),
        format!("{good}\n{good}\n"),
        format!("{good} x"),
        format!("\u{feff}{good}"),
        good.replace("good", "go\u{0}od"),
        good.replace("good", r"go\ud800od"),
        good.replace('"', "'"),
        good.replace("7,", "7,,"),
        good.replace("7,", "1e999,"),
        with_params(&format!(r#"{{"name":"good","arguments":{{"a":{deep}}}}}"#)),
        "[".repeat(1_000_000),
    ] {
        bad.push(Bad::text(text, PARSE_ERROR, Value::Null));
    }
    let mut invalid = good.into_bytes();
    invalid[60] = 0xff;
    bad.push(Bad::text(invalid, PARSE_ERROR, Value::Null));
    all_refused(&server, &bad).await;
}

#[tokio::test]
async fn a_key_that_comes_twice_is_refused_wherever_it_is_and_however_it_is_written() {
    let server = GuardedServer::open(Script::Allow).await;
    let bad = [
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/call","params":{"name":"good"}}"#
            .to_owned(),
        r#"{"jsonrpc":"2.0","id":7,"id":8,"method":"ping"}"#.to_owned(),
        with_params(r#"{"name":"good","name":"delete"}"#),
        with_params(r#"{"name":"good","n\u0061me":"delete"}"#),
        with_params(r#"{"name":"good","arguments":{"a":1,"a":2}}"#),
        with_params(r#"{"name":"good","arguments":{"a":[{"b":{"c":1,"d":2,"\u0063":3}}]}}"#),
        with_params(r#"{"name":"good","_meta":{"a":1,"a":1}}"#),
    ];
    all_refused(&server, &bad.map(|text| Bad::text(text, PARSE_ERROR, Value::Null))).await;
}

#[tokio::test]
async fn what_is_json_and_no_message_is_refused() {
    let server = GuardedServer::open(Script::Allow).await;
    let good = with_params(r#"{"name":"good"}"#);
    let unidentified = |text: String| Bad::text(text, INVALID_REQUEST, Value::Null);
    let identified = |text: String| Bad::text(text, INVALID_REQUEST, 7);
    let mut bad: Vec<_> =
        ["[]", "null", "1", r#""tools/call""#, "{}"].map(|text| unidentified(text.into())).into();
    bad.push(unidentified(format!("[{good}]")));
    bad.push(unidentified(format!("[{good},{good}]")));
    for change in ["", "1.0", "2", "2.0 "] {
        bad.push(identified(good.replace("2.0", change)));
    }
    bad.push(identified(good.replace(r#""2.0""#, "2.0")));
    for method in [r#""""#, "null", "1", "[]", r#"{"a":1}"#, r#""tools/call ""#, r#""tools\tcall""#]
    {
        bad.push(identified(good.replace(r#""tools/call""#, method)));
    }
    bad.push(identified(good.replace("tools/call", &"m".repeat(1_000_000))));
    bad.push(identified(r#"{"jsonrpc":"2.0","id":7}"#.into()));
    bad.push(identified(r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{}}"#.into()));
    bad.push(unidentified(r#"{"jsonrpc":"2.0","result":{}}"#.into()));
    all_refused(&server, &bad).await;
}

#[tokio::test]
async fn an_id_that_is_neither_text_nor_whole_number_is_refused() {
    let server = GuardedServer::open(Script::Allow).await;
    let bad = [
        "null",
        "true",
        "false",
        "1.5",
        "1.0",
        "1e3",
        "{}",
        r#"{"a":1}"#,
        "[]",
        "[1]",
        // 2^64, and one below -2^63: no whole number of 64 bits.
        "18446744073709551616",
        "-9223372036854775809",
    ];
    let bad = bad.map(|id| Bad::text(with_id(id), INVALID_REQUEST, Value::Null));
    all_refused(&server, &bad).await;
}

#[tokio::test]
async fn every_other_id_comes_back_exactly_as_it_was_in_denials_and_in_refusals() {
    let server = GuardedServer::open(Script::Deny).await;
    let long = format!("\"{}\"", "i".repeat(10_000));
    for version in VERSIONS {
        let mut connection = Connection::open(server.address, version).await;
        for id in [
            "0",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            r#""""#,
            r#""7""#,
            r#""\u0000\"é😀""#,
            &long,
        ] {
            let told = format!(r#""id":{id}"#).replace(r"\u0000", r"\u0000");
            for text in [with_id(id), with_id(id).replace(r#""good""#, "1")] {
                let reply = connection.send(post(text)).await;
                let answer = String::from_utf8(reply.text.to_vec()).expect("text");
                assert!(answer.contains(&told), "{id:.40}: {answer:.200}");
            }
        }
    }
    assert_eq!(server.heard().len(), 0);
}

#[tokio::test]
async fn a_guarded_call_that_does_not_say_what_it_calls_is_refused() {
    let server = GuardedServer::open(Script::Allow).await;
    let mut bad: Vec<_> = [
        "null",
        "[]",
        r#"["good",{}]"#,
        r#""good""#,
        "{}",
        r#"{"arguments":{}}"#,
        r#"{"name":null}"#,
        r#"{"name":1}"#,
        r#"{"name":["good"]}"#,
        r#"{"name":""}"#,
        r#"{"name":"go\u0000od"}"#,
        r#"{"name":"good\n"}"#,
        r#"{"name":"good","arguments":"{}"}"#,
        r#"{"name":"good","arguments":[]}"#,
        r#"{"name":"good","arguments":1}"#,
        r#"{"name":"good","arguments":false}"#,
    ]
    .map(|params| Bad::text(with_params(params), INVALID_PARAMS, 7))
    .into();
    let long = format!(r#"{{"name":"{}"}}"#, "n".repeat(257));
    bad.push(Bad::text(with_params(&long), INVALID_PARAMS, 7));
    let huge = format!(r#"{{"name":"{}"}}"#, "n".repeat(1_000_000));
    bad.push(Bad::text(with_params(&huge), INVALID_PARAMS, 7));
    let absent = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call"}"#;
    bad.push(Bad::text(absent, INVALID_PARAMS, 7));
    all_refused(&server, &bad).await;
}

#[tokio::test]
async fn a_guarded_call_in_the_form_of_a_notification_is_refused() {
    let server =
        GuardedServer::with(Script::Allow, |layer| layer.resources(true).prompts(true)).await;
    let bad = [
        ("tools/call", r#"{"name":"good"}"#),
        ("resources/read", r#"{"uri":"file:///a"}"#),
        ("prompts/get", r#"{"name":"good"}"#),
    ];
    let bad = bad.map(|(method, params)| {
        let text = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
        Bad::text(text, INVALID_REQUEST, Value::Null)
    });
    all_refused(&server, &bad).await;
}

#[tokio::test]
async fn nothing_that_was_sent_is_repeated_in_a_refusal_but_the_id() {
    let server = GuardedServer::open(Script::Allow).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    for text in [
        r#"{"s3cret":1,"s3cret":2}"#.to_owned(),
        r#"{"s3cret": s3cret}"#.to_owned(),
        with_params(r#"{"name":"s3cret\n"}"#),
        with_params(r#"{"name":"x","arguments":"s3cret"}"#),
        with_params(r#"{"name":"x"}, "s3cret": 1"#),
    ] {
        let reply = connection.send(post(text)).await;
        assert_eq!(reply.status, 400);
        assert!(!String::from_utf8_lossy(&reply.text).contains("s3cret"), "{:?}", reply.text);
    }
}
