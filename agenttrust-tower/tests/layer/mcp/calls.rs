//! What is asked about a message, and what runs then.

use std::time::Duration;

use agenttrust::{AgentTrustError, Effect, OnElevation, guarded};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::any;
use http::{Method, Version};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::connection::{Connection, VERSIONS, post, with_method};
use crate::guardian::{Guardian, Script};
use crate::mcp::guarded_server::{GuardedServer, plain, tools_call};

/// Returns the digests of what was asked, one for each of these bodies.
async fn digests(texts: &[String]) -> Vec<String> {
    // One guard: the key that goes into a digest is a guard's own.
    let server = GuardedServer::open(Script::Allow).await;
    let mut connection = Connection::open(server.address, Version::HTTP_2).await;
    for text in texts {
        let reply = connection.send(post(text.clone())).await;
        assert_eq!(reply.status, 200, "{text}: {reply:?}");
    }
    let digests: Vec<_> = server.guardian.checks().into_iter().map(|check| check.digest).collect();
    assert_eq!(digests.len(), texts.len());
    assert!(digests.iter().all(|digest| digest.len() > 60), "{digests:?}");
    digests
}

#[tokio::test]
async fn an_allowed_call_runs_once_as_it_was_checked_and_leaves_one_report() {
    for version in VERSIONS {
        let server = GuardedServer::open(Script::Allow).await;
        let mut connection = Connection::open(server.address, version).await;
        let call = tools_call("a", "send_mail", json!({ "to": "é\u{0}😀", "n": [1.5, -3, 1e300] }));
        let reply = connection.post(&call).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.json()["id"], "a");
        let heard = server.only_heard();
        assert_eq!(heard.message(), call);
        assert_eq!(heard.head.headers["content-length"], heard.text.len().to_string());
        let checks = server.guardian.checks();
        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].tool, "send_mail");
        assert!(!checks[0].sent.contains("1e300") && !checks[0].sent.contains('😀'), "inputs stay");
        assert_eq!(server.report().await["success"], true);
        assert_eq!(server.reports().await.len(), 1);
    }
}

#[tokio::test]
async fn spelling_order_and_meta_are_no_part_of_what_an_approval_is_bound_to() {
    let same = [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":1,"b":"é"}}}"#,
        r#"{"params":{"arguments":{"b":"\u00e9","a":1},"name":"t"},"method":"tools/call","id":1,"jsonrpc":"2.0"}"#,
        " { \"jsonrpc\" : \"2.0\" ,\r\n\t\"id\":1,\"method\":\"tools\\/call\",\"params\":{\"name\":\"t\",\"arguments\":{\"a\":1.0,\"b\":\"é\"}}} \n",
        r#"{"jsonrpc":"2.0","id":"another","method":"tools/call","params":{"name":"t","arguments":{"a":1,"b":"é"},"_meta":{"progressToken":7}}}"#,
    ];
    let digests = digests(&same.map(str::to_owned)).await;
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[tokio::test]
async fn no_arguments_are_no_arguments_however_they_are_written() {
    let with = |params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)
    };
    let same =
        [r#"{"name":"t"}"#, r#"{"name":"t","arguments":{}}"#, r#"{"name":"t","arguments":null}"#];
    let digests = digests(&same.map(with)).await;
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[tokio::test]
async fn all_that_a_server_may_go_by_is_part_of_what_an_approval_is_bound_to() {
    let with = |params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)
    };
    let different = [
        r#"{"name":"t","arguments":{"a":1}}"#,
        r#"{"name":"t","arguments":{"a":2}}"#,
        r#"{"name":"t","arguments":{"a":"1"}}"#,
        r#"{"name":"t","arguments":{"A":1}}"#,
        r#"{"name":"t","arguments":{"a":1,"b":null}}"#,
        r#"{"name":"t","arguments":{"a":1,"_meta":{}}}"#,
        // Told apart by a server that reads whole numbers, if not by one that reads doubles.
        r#"{"name":"t","arguments":{"a":9007199254740992}}"#,
        r#"{"name":"t","arguments":{"a":9007199254740993}}"#,
        r#"{"name":"t","arguments":{"a":1},"task":{"ttl":1}}"#,
        r#"{"name":"t","arguments":{"a":1},"inputResponses":{"x":{}}}"#,
        r#"{"name":"t","arguments":{"a":1},"anything":1}"#,
    ];
    let digests = digests(&different.map(with)).await;
    let apart: std::collections::HashSet<_> = digests.iter().collect();
    assert_eq!(apart.len(), different.len(), "{digests:#?}");
}

#[tokio::test]
async fn tools_are_named_after_their_server_and_their_effect_is_what_was_said() {
    let server = GuardedServer::with(Script::Allow, |layer| {
        layer.server("notes").effects(|tool| match tool {
            "purge" => Some(Effect::Destructive),
            "search" => Some(Effect::Read),
            _ => None,
        })
    })
    .await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    for tool in ["purge", "search", "other"] {
        connection.post(&tools_call(1, tool, json!({}))).await;
    }
    let asked: Vec<_> =
        server.guardian.checks().into_iter().map(|check| (check.tool, check.effect)).collect();
    let expected = [("notes/purge", "destructive"), ("notes/search", "read"), ("notes/other", "")];
    assert_eq!(asked, expected.map(|(tool, effect)| (tool.to_owned(), effect.to_owned())));
}

#[tokio::test]
async fn resources_and_prompts_are_guarded_where_that_was_asked_for() {
    let read = json!({ "uri": "file:///a b" });
    let read = json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": read });
    let get = json!({ "name": "greet", "arguments": { "who": "x" } });
    let get = json!({ "jsonrpc": "2.0", "id": 2, "method": "prompts/get", "params": get });

    let server = GuardedServer::open(Script::Deny).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    for message in [&read, &get] {
        assert_eq!(connection.post(message).await.json()["result"]["content"][0]["text"], "done");
    }
    assert_eq!((server.heard().len(), server.guardian.checks().len()), (2, 0));

    let server = GuardedServer::with(Script::Deny, |layer| {
        layer.server("notes").resources(true).prompts(true)
    })
    .await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    for message in [&read, &get] {
        let answer = connection.post(message).await.json();
        assert_eq!(answer["id"], message["id"]);
        assert_eq!(answer["error"]["code"], -32600);
        assert_eq!(answer["error"]["data"]["code"], "ACTION_DENIED", "{answer}");
        assert!(answer["error"]["message"].as_str().expect("text").contains("denied"), "{answer}");
        assert_eq!(answer.get("result"), None);
    }
    assert_eq!(server.heard().len(), 0);
    let asked: Vec<_> =
        server.guardian.checks().into_iter().map(|check| (check.tool, check.effect)).collect();
    let expected = [("notes/mcp/resources/read", "read"), ("notes/mcp/prompts/get", "read")];
    assert_eq!(asked, expected.map(|(tool, effect)| (tool.to_owned(), effect.to_owned())));
}

#[tokio::test]
async fn everything_else_of_the_protocol_passes_unasked() {
    let server = GuardedServer::open(Script::Deny).await;
    for version in VERSIONS {
        let mut connection = Connection::open(server.address, version).await;
        let before = server.heard().len();
        let messages = [
            json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "capabilities": {} } }),
            json!({ "jsonrpc": "2.0", "id": "2", "method": "tools/list" }),
            json!({ "jsonrpc": "2.0", "id": 3, "method": "some.vendor/Method_1", "params": {} }),
            json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
            json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } }),
            json!({ "jsonrpc": "2.0", "id": 4, "result": { "roots": [] } }),
            json!({ "jsonrpc": "2.0", "id": 5, "error": { "code": -1, "message": "no" } }),
            // To a message whose id could not be read.
            json!({ "jsonrpc": "2.0", "error": { "code": -32700, "message": "what?" } }),
            json!({ "jsonrpc": "2.0", "id": 6, "method": "tasks/get", "params": { "taskId": "t" } }),
        ];
        for message in &messages {
            assert_eq!(connection.post(message).await.status, 200, "{message}");
        }
        let heard = server.heard();
        let heard: Vec<_> = heard.iter().skip(before).map(|heard| heard.message()).collect();
        assert_eq!(heard, messages);

        let before = server.heard().len();
        let methods = [Method::GET, Method::DELETE, Method::OPTIONS, Method::HEAD];
        for method in &methods {
            assert_eq!(connection.send(with_method(method.clone(), "")).await.status, 200);
        }
        let heard = server.heard();
        let heard: Vec<_> = heard.iter().skip(before).map(|heard| &heard.head.method).collect();
        assert_eq!(heard, methods.iter().collect::<Vec<_>>());
    }
    assert_eq!((server.guardian.checks().len(), server.reports().await.len()), (0, 0));
}

#[tokio::test]
async fn a_held_call_that_waits_runs_once_it_is_approved() {
    let server = GuardedServer::with(Script::Hold, |layer| {
        layer.on_elevation(OnElevation::Wait(Duration::from_secs(60)))
    })
    .await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    let call = tokio::spawn(async move {
        connection.post(&tools_call(1, "delete", json!({ "a": 1 }))).await.json()
    });
    server.guardian.asked(1).await;
    // Longer than a ready service is kept.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(server.heard().len(), 0, "it ran before it was approved");
    server.guardian.approve();
    let answer = call.await.expect("no panic");
    assert_eq!(answer["result"]["content"][0]["text"], "done");
    assert_eq!(server.only_heard().message()["params"]["arguments"]["a"], 1);
    assert_eq!(server.report().await["success"], true);
}

#[guarded(tool = "cache_clear", effect = "mutating")]
async fn clear() -> Result<(), AgentTrustError> {
    Ok(())
}

async fn clearing(request: Request) -> axum::response::Response<Body> {
    let text = request.into_body().collect().await.expect("a body").to_bytes();
    let message: Value = serde_json::from_slice(&text).expect("JSON");
    let cleared = clear().await.map_err(|error| error.to_string());
    plain(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": { "cleared": cleared } }))
}

#[tokio::test]
async fn a_covered_function_inside_is_not_asked_about_again() {
    let refine = |layer: agenttrust_tower::McpHttpLayer| {
        layer.effects(|_| Some(Effect::Mutating)).covers_inner(true)
    };
    let router = Router::new().route("/mcp", any(clearing));
    let server = GuardedServer::around(Guardian::new(Script::Allow), refine, router).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    let answer = connection.post(&tools_call(1, "cache_clear", json!({}))).await.json();
    assert_eq!(answer["result"]["cleared"], json!({ "Ok": null }), "{answer}");
    assert_eq!(server.guardian.checks().len(), 1);
    server.report().await;
    assert_eq!(server.reports().await.len(), 1);
    // The permit of another tool covers nothing: the function asks for itself.
    connection.post(&tools_call(2, "cache_fill", json!({}))).await;
    let asked: Vec<_> = server.guardian.checks().into_iter().map(|check| check.tool).collect();
    assert_eq!(asked, ["cache_clear", "cache_fill", "cache_clear"]);
}

#[tokio::test]
async fn the_server_is_given_the_permit_of_the_call() {
    let router = Router::new().route(
        "/mcp",
        any(|request: Request| async move {
            let handle = request.extensions().get::<agenttrust::PermitHandle>();
            format!("{}", handle.is_some())
        }),
    );
    let server = GuardedServer::around(Guardian::new(Script::Allow), |layer| layer, router).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    let reply = connection.post(&tools_call(1, "good", json!({}))).await;
    assert_eq!(reply.text, "true");
}
