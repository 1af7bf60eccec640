//! What the client sends of MCP servers, and what it makes of a gateway that knows none of our extensions.

use agenttrust::client::RegisterMcpServerOptions;
use agenttrust::model::{McpServer, McpToolState, RegisterMcpServerRequest};
use agenttrust::{AgentTrustClient, AgentTrustError, blocking};
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};

/// An id that would leave its path, its segment and the path altogether.
const ODD: &str = "../a?b";
const ODD_SEGMENT: &str = "..%2Fa%3Fb";

fn answer(status: u16, body: &Value) -> Response<String> {
    Response::builder().status(status).body(body.to_string()).unwrap()
}

/// Returns what the guide says that a server is, and nothing of ours.
fn server(id: &str) -> Value {
    json!({ "id": id, "name": "fs", "url": "https://example/fs" })
}

/// Returns a gateway that has the guide's endpoints alone: a member, a query or a header of ours is a 400. It answers
/// lists `bare` where that is asked for.
fn strict(request: &Request<Bytes>, bare: bool) -> Response<String> {
    let body: Value = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
    let members: Vec<&String> = body.as_object().into_iter().flat_map(|body| body.keys()).collect();
    let (calls, registers) =
        (["id", "jsonrpc", "method", "params"], ["capabilities", "name", "url"]);
    let known = |list: &[&str]| members.iter().all(|name| list.contains(&name.as_str()));
    let ours = request.headers().keys().any(|name| name.as_str().starts_with("agenttrust-"));
    if ours || !(known(&calls) || known(&registers)) || request.uri().query().is_some() {
        return answer(400, &json!({ "error": "VALIDATION_ERROR", "message": "unknown" }));
    }
    let one = format!("/mcp/servers/{ODD_SEGMENT}");
    let said = match (request.method(), request.uri().path()) {
        (&Method::POST, "/mcp/servers") if bare => server("s1"),
        (&Method::POST, "/mcp/servers") => json!({ "server": server("s1") }),
        (&Method::GET, "/mcp/servers") if bare => json!([server("s1")]),
        (&Method::GET, "/mcp/servers") => json!({ "servers": [server("s1")] }),
        (&Method::GET, path) if path == one => server(ODD),
        (&Method::DELETE, path) if path == one => return Response::new(String::new()),
        (&Method::POST, path) if path == format!("/mcp/{ODD_SEGMENT}") => {
            assert_eq!((&body["jsonrpc"], &body["method"]), (&json!("2.0"), &json!("tools/call")));
            assert_eq!(request.headers()["x-agent-id"], "agt_1");
            let session = request.headers().get("x-session-id").map(|id| id.to_str().unwrap());
            json!({ "jsonrpc": "2.0", "id": 1, "result": { "params": body["params"], "session": session } })
        }
        _ => return answer(404, &json!({ "error": "NOT_FOUND", "message": "no" })),
    };
    answer(200, &said)
}

fn client(
    answers: impl Fn(&Request<Bytes>) -> Response<String> + Clone + Send + Sync + 'static,
) -> AgentTrustClient {
    let service = tower::service_fn(move |request: Request<Bytes>| {
        let answered = answers(&request);
        async move { Ok::<_, std::io::Error>(answered) }
    });
    AgentTrustClient::builder().api_key("k").service(service).build().unwrap()
}

fn request() -> RegisterMcpServerRequest {
    RegisterMcpServerRequest {
        name: "fs".to_string(),
        url: "https://example/fs".to_string(),
        capabilities: None,
    }
}

/// Makes every call, with `$done` around each.
macro_rules! all {
    ($client:ident, $done:ident) => {{
        let made: McpServer = $done!($client.mcp().register_server(&request()));
        assert_eq!((&*made.id, &*made.name, made.capabilities.len()), ("s1", "fs", 0));
        let listed = $done!($client.mcp().list_servers());
        assert_eq!(listed.iter().map(|it| &*it.id).collect::<Vec<_>>(), ["s1"]);
        assert_eq!($done!($client.mcp().get_server(ODD)).id, ODD);
        let params = json!({ "name": "ls" });
        let called = $done!($client.mcp().call_tool(
            ODD,
            "agt_1",
            "tools/call",
            Some(params.clone()),
            Some("ats_1")
        ));
        assert_eq!(called, json!({ "params": params, "session": "ats_1" }));
        for none in [None, Some("")] {
            let called = $done!($client.mcp().call_tool(ODD, "agt_1", "tools/call", None, none));
            assert_eq!(called, json!({ "params": null, "session": null }));
        }
        $done!($client.mcp().remove_server(ODD));
    }};
}

#[tokio::test]
async fn gateway_that_knows_the_guide_alone_is_sent_nothing_else() {
    macro_rules! done {
        ($call:expr) => {
            $call.await.unwrap()
        };
    }
    for bare in [false, true] {
        let client = client(move |request| strict(request, bare));
        all!(client, done);
        assert!(matches!(
            client.mcp().tools("s1").await.unwrap_err(),
            AgentTrustError::NotFound { .. }
        ));
    }
}

#[test]
fn blocking_client_makes_the_same_calls() {
    macro_rules! done {
        ($call:expr) => {
            $call.unwrap()
        };
    }
    let client = blocking::AgentTrustClient::from(client(|request| strict(request, false)));
    all!(client, done);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_before_it_is_sent() {
    let client = client(|request| panic!("sent {request:?}"));
    let mcp = client.mcp();
    for id in ["", ".", ".."] {
        for refused in [
            mcp.get_server(id).await.map(drop),
            mcp.remove_server(id).await,
            mcp.tools(id).await.map(drop),
            mcp.accept_tool("s1", id, "d").await.map(drop),
            mcp.call_tool(id, "agt_1", "tools/list", None, None).await.map(drop),
        ] {
            let refused = refused.unwrap_err();
            assert!(
                matches!(refused, AgentTrustError::Validation { status: 0, .. }),
                "{refused:?}"
            );
        }
    }
    for agent in ["", "a\nb"] {
        let refused = mcp.call_tool("s1", agent, "tools/list", None, None).await.unwrap_err();
        assert!(matches!(refused, AgentTrustError::Validation { status: 0, .. }), "{refused:?}");
    }
}

#[tokio::test]
async fn error_of_mcp_is_an_error_whatever_its_status_says() {
    for status in [200, 400, 404, 502] {
        let client = client(move |_| {
            let fault = json!({ "code": -32602, "message": "the server has no tool \"x\"" });
            answer(status, &json!({ "jsonrpc": "2.0", "id": 1, "error": fault }))
        });
        let error = client.mcp().call_tool("s1", "agt_1", "tools/call", None, None).await;
        let error = error.unwrap_err();
        assert!(error.message().contains("no tool \"x\""), "{status}: {error}");
        assert_eq!(error.status(), Some(status));
        if status == 200 {
            assert_eq!(error.code(), "JSON_RPC_-32602");
        }
    }
    for (said, told) in [
        (json!({ "jsonrpc": "2.0", "id": 1, "error": {} }), "error null of MCP"),
        (json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -1 } }), "error -1 of MCP"),
    ] {
        let client = client(move |_| answer(200, &said));
        let error = client.mcp().call_tool("s1", "agt_1", "tools/call", None, None).await;
        assert_eq!(error.unwrap_err().message(), told);
    }
}

#[tokio::test]
async fn our_guardian_is_told_of_credentials_and_tells_of_tools() {
    let client = client(|request| {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        match (request.method(), request.uri().path()) {
            (&Method::POST, "/mcp/servers") => {
                assert_eq!(body["authorization"], "Bearer S3cret");
                answer(201, &json!({ "id": "s1", "has_authorization": true }))
            }
            (&Method::GET, "/mcp/servers/s1/tools") => answer(
                200,
                &json!({ "tools": [{
                    "name": "a/b", "state": "changed", "digest": "d1", "definition": { "name": "a/b" },
                    "changed": { "digest": "d2", "definition": { "name": "a/b", "title": "x" } },
                    "effect_hint": "destructive",
                }]}),
            ),
            (&Method::POST, "/mcp/servers/s1/tools/a%2Fb/accept") => {
                assert_eq!(body, json!({ "digest": "d2" }));
                answer(200, &json!({ "name": "a/b", "state": "pinned", "digest": "d2" }))
            }
            other => panic!("{other:?}"),
        }
    });
    let options = RegisterMcpServerOptions::default().authorization("Bearer S3cret");
    let made = client.mcp().register_server_with(&request(), &options).await.unwrap();
    assert!(made.has_authorization);
    let tools = client.mcp().tools("s1").await.unwrap();
    assert_eq!(
        (tools[0].state, tools[0].effect_hint),
        (McpToolState::Changed, Some(agenttrust::Effect::Destructive))
    );
    let changed = tools[0].changed.as_ref().unwrap();
    let accepted = client.mcp().accept_tool("s1", "a/b", &changed.digest).await.unwrap();
    assert_eq!((accepted.state, accepted.digest.as_str()), (McpToolState::Pinned, "d2"));
}
