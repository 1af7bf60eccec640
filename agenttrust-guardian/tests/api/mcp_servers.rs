//! MCP servers as they are registered: what is refused leaves nothing behind, what is secret is shown to no one, and
//! what is removed is gone everywhere.

use std::time::Duration;

use agenttrust_guardian::Role;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Answer, eventually_within};
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Api, open, open_with};

/// Returns an MCP server of its time, with these tools.
async fn upstream(tools: Value) -> String {
    let answer = move |Json(asked): Json<Value>| {
        let result = match asked["method"].as_str().unwrap() {
            "initialize" => json!({
                "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
                "serverInfo": { "name": "files", "version": "1" },
            }),
            "tools/list" => json!({ "tools": tools }),
            _ if asked["id"].is_null() => return StatusCode::ACCEPTED.into_response(),
            _ => {
                let error = json!({ "code": -32601, "message": "no such method" });
                let said = json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error });
                return Json(said).into_response();
            }
        };
        Json(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result })).into_response()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let answers = Router::new().route("/mcp", post(async move |asked| answer(asked)));
    tokio::spawn(async { axum::serve(listener, answers).await.unwrap() });
    url
}

/// Returns a server whose tool of this name was listed, and is pinned: its id, and the digest of the tool.
pub(crate) async fn pinned_tool(api: &Api, tool: &str) -> (String, String) {
    let tools = json!([{ "name": tool, "inputSchema": { "type": "object" } }]);
    let body = json!({ "name": "files", "url": upstream(tools).await });
    let id = register(api, body).await.ok().text("id");
    let agent = api.agent(&["*"]).await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    api.with(&[("x-agent-id", &agent)]).post(&format!("/mcp/{id}"), ADMIN, list).await.ok();
    let known = api.get(&format!("{SERVERS}/{id}/tools"), ADMIN).await.ok();
    let digest = known.body["tools"][0]["digest"].as_str().unwrap().to_owned();
    (id, digest)
}

const SERVERS: &str = "/mcp/servers";
const URL: &str = "https://mcp.example.com/T0p?key=K3y";

async fn register(api: &Api, body: Value) -> Answer {
    api.post(SERVERS, ADMIN, body).await
}

fn named(name: &str) -> Value {
    json!({ "name": name, "url": URL })
}

async fn remove(api: &Api, key: &str, id: &str) -> Answer {
    api.ask(Method::DELETE, &format!("{SERVERS}/{id}"), key, None).await
}

async fn servers(api: &Api, key: &str) -> Vec<Value> {
    api.get(SERVERS, key).await.ok().body["servers"].as_array().unwrap().clone()
}

/// Returns the gateway keys that work.
async fn gateways(api: &Api) -> Vec<Value> {
    let keys = api.get("/api/v1/keys", ADMIN).await.ok().body["keys"].clone();
    let mut keys = keys.as_array().unwrap().clone();
    keys.retain(|key| key["role"] == "gateway" && key["revoked_at"].is_null());
    keys
}

/// Returns what the audit says of gateway keys.
async fn gateway_rows(api: &Api, kind: &str) -> Vec<Value> {
    let mut rows = api.audit(kind).await;
    rows.retain(|row| kind != "key.created" || row["body"]["role"] == "gateway");
    rows
}

/// Checks that neither a server nor half of one is there.
async fn nothing_is_there(api: &Api) {
    assert!(servers(api, ADMIN).await.is_empty());
    assert!(gateways(api).await.is_empty());
    assert!(api.audit("mcp_server.registered").await.is_empty());
    assert!(gateway_rows(api, "key.created").await.is_empty());
}

#[tokio::test]
async fn server_is_registered_with_a_gateway_key_and_removed_with_it() {
    let api = open().await;
    let body = json!({ "name": "code-tools", "url": URL, "capabilities": ["run_code", "lint"] });
    let made = register(&api, body).await;
    assert_eq!(made.status, 201);
    let (id, key_id) = (made.text("id"), made.text("key_id"));
    assert!(id.starts_with("mcp_"));
    assert_eq!(made.body["capabilities"], json!(["run_code", "lint"]));
    assert_eq!((&made.body["url"], &made.body["name"]), (&json!(URL), &json!("code-tools")));
    assert_eq!(made.body["has_authorization"], false);
    assert!(made.body.get("tools_seen_at").is_none());
    let read = api.get(&format!("{SERVERS}/{id}"), ADMIN).await.ok();
    assert_eq!(read.body, made.body);
    assert_eq!(servers(&api, ADMIN).await, std::slice::from_ref(&made.body));
    let [gateway] = &gateways(&api).await[..] else { panic!("one gateway key") };
    assert_eq!((&gateway["id"], &gateway["gateway"]), (&json!(key_id), &json!("code-tools")));
    assert_eq!(gateway_rows(&api, "key.created").await[0]["body"]["key_id"], *key_id);
    let row = api.audit("mcp_server.registered").await.remove(0);
    assert_eq!(row["body"]["origin"], "https://mcp.example.com");
    assert!(!row.to_string().contains("T0p"), "{row}");

    remove(&api, ADMIN, &id).await.ok();
    assert!(servers(&api, ADMIN).await.is_empty() && gateways(&api).await.is_empty());
    assert_eq!(api.audit("key.revoked").await[0]["body"]["key_id"], *key_id);
    assert_eq!(api.audit("mcp_server.removed").await[0]["body"]["server_id"], *id);
    for answer in [
        remove(&api, ADMIN, &id).await,
        api.get(&format!("{SERVERS}/{id}"), ADMIN).await,
        api.get(&format!("{SERVERS}/{id}/tools"), ADMIN).await,
    ] {
        answer.refused(404, "NOT_FOUND").says(&id);
    }
    // Its name is free again.
    register(&api, named("code-tools")).await.ok();
}

#[tokio::test]
async fn server_goes_also_where_its_gateway_key_was_revoked_before() {
    let api = open().await;
    let made = register(&api, named("a")).await.ok();
    let key = format!("/api/v1/keys/{}", made.text("key_id"));
    api.ask(Method::DELETE, &key, ADMIN, None).await.ok();
    remove(&api, ADMIN, &made.text("id")).await.ok();
    assert!(servers(&api, ADMIN).await.is_empty());
}

#[tokio::test]
async fn url_of_a_forbidden_kind_is_refused_and_leaves_nothing_behind() {
    let api = open().await;
    let long = format!("https://example.com/{}", "x".repeat(2_000));
    let urls = [
        "",
        "mcp",
        "/mcp",
        "//mcp.example.com",
        "ftp://mcp.example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/plain,a",
        "http://mcp.example.com/",
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://0177.0.0.1/",
        "https://0x7f.0.0.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://127.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://0.0.0.0/",
        "https://[::]/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.0.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://localhost/",
        "https://localhost./",
        "https://mcp.localhost/",
        "https://LOCALHOST/",
        "https://127.0.0.1./",
        "https://user@mcp.example.com/",
        "https://:pw@mcp.example.com/",
        "https://mcp.example.com@127.0.0.1/",
        "https://mcp.example.com/#fragment",
        "https://mcp.example.com:99999/",
        "https://mcp.example.com:0x1bb/",
        "https:\\\\127.0.0.1\\",
        "https://",
        "https://exa mple.com/",
        &long,
    ];
    for url in urls {
        let refused = register(&api, json!({ "name": "a", "url": url })).await;
        assert_eq!(refused.status, 400, "{url}: {:?}", refused.body);
        refused.refused(400, "VALIDATION_ERROR").says("url ");
    }
    nothing_is_there(&api).await;
    let rows = api.audit("mcp_server.refused").await;
    assert!(rows.iter().all(|row| row["body"]["name"] == "a" && row["actor"].is_string()));
    // A flood of them is told of by some rows, and then by their number.
    assert!((10..=urls.len()).contains(&rows.len()), "{}", rows.len());
}

#[tokio::test]
async fn name_that_could_not_begin_that_of_a_tool_is_refused() {
    let api = open().await;
    let (long, longest) = ("x".repeat(201), "x".repeat(200));
    for name in [
        "",
        "a/b",
        "/",
        "a,b",
        "a*",
        "*",
        " a",
        "a ",
        "a\n",
        "a\u{7f}",
        "a\0b",
        "http",
        "mcp",
        "agenttrust",
        "a2a",
        &long,
    ] {
        let refused = register(&api, named(name)).await;
        refused.refused(400, "VALIDATION_ERROR").says("name ");
    }
    nothing_is_there(&api).await;
    assert!(!api.audit("mcp_server.refused").await.is_empty());
    for name in ["HTTP", "käse", "a b", "files.example", "🙂", "a:b", "..", &longest] {
        register(&api, named(name)).await.ok();
    }
}

#[tokio::test]
async fn body_that_is_not_as_it_must_be_is_refused_and_leaves_nothing_behind() {
    let api = open().await;
    let with = |member: &str, value: Value| {
        let mut body = named("a");
        body[member] = value;
        body
    };
    for (bad, says) in [
        (json!({}), "name is missing"),
        (json!({ "name": "a" }), "url is missing"),
        (json!([]), "body"),
        (json!("a"), "body"),
        (with("name", json!(1)), "name "),
        (with("name", json!(null)), "name "),
        (with("url", json!([URL])), "url "),
        (with("url", json!({ "href": URL })), "url "),
        (with("capabilities", json!("run_code")), "capabilities "),
        (with("capabilities", json!({})), "capabilities "),
        (with("capabilities", json!([1])), "capabilities[0] "),
        (with("capabilities", json!([""])), "capabilities[0] "),
        (with("capabilities", json!(["a\u{1b}"])), "capabilities[0] "),
        (with("capabilities", json!(["x".repeat(201)])), "capabilities[0] "),
        (with("capabilities", json!(vec!["x"; 257])), "257 entries"),
        (with("authorization", json!("")), "authorization is empty"),
        (with("authorization", json!(1)), "authorization "),
        (with("authorization", json!("Bearer a\r\nX-Admin: 1")), "what no header carries"),
        (with("authorization", json!("Bearer é")), "what no header carries"),
        (with("authorization", json!(" Bearer a")), "what no header carries"),
        (with("authorization", json!("x".repeat(8_001))), "8001 bytes"),
        (with("Authorization", json!("Bearer S3cret")), "did you mean \"authorization\""),
        (with("capabilites", json!([])), "did you mean \"capabilities\""),
    ] {
        let refused = register(&api, bad.clone()).await;
        assert_eq!(refused.status, 400, "{bad}: {:?}", refused.body);
        refused.refused(400, "VALIDATION_ERROR").says(says);
    }
    nothing_is_there(&api).await;
    let rows = json!(api.audit("mcp_server.refused").await).to_string();
    assert!(rows.contains("257 entries") || rows.contains("left_out"), "{rows}");
    assert!(!rows.contains("S3cret") && !rows.contains("X-Admin"), "{rows}");
    // What published clients of another version may send is skipped, and named.
    let more = register(&api, with("transport", json!("sse"))).await.ok();
    assert_eq!(more.headers["agenttrust-ignored"], "transport");
    for (n, nothing) in [json!(null), json!([])].into_iter().enumerate() {
        let mut body = named(&format!("b{n}"));
        body["capabilities"] = nothing;
        assert_eq!(register(&api, body).await.ok().body["capabilities"], json!([]));
    }
    register(&api, with("name", json!("c"))).await.ok();
}

#[tokio::test]
async fn two_servers_of_one_name_are_one_and_a_conflict_also_at_once() {
    let api = open().await;
    let all = join_all((0..10).map(|_| register(&api, named("files")))).await;
    let made: Vec<_> = all.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.len(), 1);
    let id = made[0].text("id");
    for refused in all.into_iter().filter(|answer| answer.status != 201) {
        refused.refused(409, "CONFLICT").says(&id);
    }
    assert_eq!((servers(&api, ADMIN).await.len(), gateways(&api).await.len()), (1, 1));
    assert_eq!(gateway_rows(&api, "key.created").await.len(), 1);
    let refused = api.audit("mcp_server.refused").await;
    assert_eq!(refused.len(), 9);
    assert_eq!(refused[0]["body"]["name"], "files");
    // Names are compared byte for byte.
    register(&api, named("Files")).await.ok();
}

#[tokio::test]
async fn organisation_has_a_hundred_servers_at_most() {
    let api = open().await;
    for n in 0..100 {
        register(&api, named(&format!("s{n}"))).await.ok();
    }
    let refused = register(&api, named("one-more")).await;
    refused.refused(429, "TOO_MANY").says("100 MCP servers");
    assert_eq!(gateways(&api).await.len(), 100);
    let id = servers(&api, ADMIN).await[7]["id"].as_str().unwrap().to_owned();
    remove(&api, ADMIN, &id).await.ok();
    register(&api, named("one-more")).await.ok();
}

#[tokio::test]
async fn path_of_a_url_is_seen_by_those_alone_who_look_after_servers() {
    let api = open().await;
    let id = register(&api, named("files")).await.ok().text("id");
    let agent = api.agent(&["*"]).await;
    for (role, whole) in [
        (Role::Agent, false),
        (Role::Gateway, false),
        (Role::Auditor, false),
        (Role::Operator, true),
        (Role::Admin, true),
    ] {
        let agents: &[&str] = if role == Role::Agent { &[&agent] } else { &[] };
        let key = api.key(role.as_str(), agents).await;
        let listed = servers(&api, &key).await.remove(0);
        let read = api.get(&format!("{SERVERS}/{id}"), &key).await.ok().body;
        let url = if whole { URL } else { "https://mcp.example.com/…" };
        for shown in [listed, read] {
            assert_eq!(shown["url"], url, "{role}");
            assert_eq!(shown["name"], "files");
        }
    }
}

#[tokio::test]
async fn what_is_sent_to_a_server_is_kept_sealed_and_shown_to_no_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("at.db");
    let database = path.display().to_string();
    let api = open_with(|builder| builder.database(&database)).await;
    let mut body = named("files");
    body["authorization"] = json!("Bearer S3cretS3cretS3cret");
    let made = register(&api, body).await.ok();
    assert_eq!(made.body["has_authorization"], true);
    let mut seen = vec![made.body.to_string(), json!(servers(&api, ADMIN).await).to_string()];
    seen.push(api.get("/api/v1/audit", ADMIN).await.ok().body.to_string());
    assert!(seen.iter().all(|seen| !seen.contains("S3cret")), "{seen:?}");
    let rows = api.audit("mcp_server.registered").await;
    assert_eq!(rows[0]["body"]["authorization"], true);
    api.guardian.close().await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|six| six == b"S3cret"));
    }
    // It is there after a restart, as is the server.
    let api = open_with(|builder| builder.database(&database)).await;
    assert_eq!(servers(&api, ADMIN).await[0]["has_authorization"], true);
}

#[tokio::test]
async fn session_is_begun_with_any_server_id_as_the_guide_has_it() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let id = register(&api, named("files")).await.ok().text("id");
    for server in [id.as_str(), "files", "mcp-server-1", "no such server, but a name"] {
        let body = json!({ "agent_id": agent, "server_id": server });
        let session = api.post("/mcp/sessions/init", &key, body).await.ok();
        assert_eq!(session.body["server_id"], server);
    }
}

#[tokio::test]
async fn server_is_there_on_every_replica_and_gone_from_each_within_a_second() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let replica = |name: &str| {
        let name = name.to_owned();
        open_with(|builder| builder.database(fresh.url()).replica(name))
    };
    let (one, two) = (replica("one").await, replica("two").await);
    // Of one name at both at once there is one.
    let made = futures_util::join!(register(&one, named("files")), register(&two, named("files")));
    let statuses = [made.0.status.as_u16(), made.1.status.as_u16()];
    assert!(statuses == [201, 409] || statuses == [409, 201], "{statuses:?}");
    let within = Duration::from_secs(1);
    for api in [&one, &two] {
        let there = async || servers(api, ADMIN).await.len() == 1;
        eventually_within(within, "a replica does not know the server", there).await;
    }
    let id = servers(&two, ADMIN).await[0]["id"].as_str().unwrap().to_owned();
    remove(&two, ADMIN, &id).await.ok();
    let gone = async || servers(&one, ADMIN).await.is_empty();
    eventually_within(within, "a replica still knows the server", gone).await;
    assert!(gateways(&one).await.is_empty());
}
