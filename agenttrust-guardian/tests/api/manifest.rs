//! What operators and admins declare of tools, and what it does to a check. What agents' keys may say is
//! in `manifest_agents.rs`, what is no manifest in `manifest_bad_input.rs`.

use std::time::Duration;

use agenttrust::model::{ToolArgument, ToolPlace};
use agenttrust::{Effect, ToolDeclaration, ToolManifest};
use agenttrust_guardian::Role;
use agenttrust_guardian::policy::PolicySet;
use agenttrust_testkit::{ADMIN, Answer, eventually};
use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Api, open, open_with};

const TOOLS: &str = "/api/v1/tools";

async fn declare(api: &Api, key: &str, tools: Value) -> Answer {
    api.put(TOOLS, key, json!({ "tools": tools })).await
}

async fn declared(api: &Api, key: &str, tools: Value) {
    declare(api, key, tools).await.ok();
}

/// Returns everything that is declared.
async fn list(api: &Api) -> Vec<Value> {
    let listed = api.get(TOOLS, ADMIN).await.ok().body;
    listed["tools"].as_array().unwrap().clone()
}

fn names(tools: &[Value]) -> Vec<&str> {
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

/// Returns what a check of `tool` counts as, and how sure that is.
async fn counts_as(api: &Api, agent: &str, tool: &str, hint: Option<&str>) -> (String, f64) {
    let body = json!({ "agent_id": agent, "action_name": tool, "action_effect": hint });
    let answer = api.check_as(ADMIN, body).await;
    (answer.text("action_effect"), answer.body["confidence"].as_f64().unwrap())
}

// What a check counts as.

#[tokio::test]
async fn declared_effect_overrules_an_understated_hint_and_is_certain() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    assert_eq!(counts_as(&api, &agent, "frobnicate", Some("read")).await, ("read".into(), 0.9));
    declared(&api, ADMIN, json!([{ "name": "frobnicate", "effect": "destructive" }])).await;
    for hint in [None, Some("read"), Some("mutating"), Some("destructive")] {
        let found = counts_as(&api, &agent, "frobnicate", hint).await;
        assert_eq!(found, ("destructive".into(), 1.0), "{hint:?}");
    }
    // And is held, where it was allowed before.
    let body = json!({ "agent_id": agent, "action_name": "frobnicate", "action_effect": "read" });
    api.check_as(&key, body).await.held();
    let found = counts_as(&api, &agent, "frobnicate", Some("admin")).await;
    assert_eq!(found.0, "admin", "a hint may raise what is declared");
}

#[tokio::test]
async fn declared_effect_does_not_lower_what_the_name_says() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let answer =
        declare(&api, ADMIN, json!([{ "name": "db_delete", "effect": "read" }])).await.ok();
    assert_eq!(answer.body["tools"][0]["effect"], "destructive");
    assert_eq!(counts_as(&api, &agent, "db_delete", None).await, ("destructive".into(), 1.0));
}

#[tokio::test]
async fn effect_that_an_operator_set_is_final_over_every_manifest_until_it_is_taken_back() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let path = "/api/v1/tools/frobnicate/effect";
    api.ask(Method::DELETE, path, ADMIN, None).await.refused(404, "NOT_FOUND");
    api.put(path, ADMIN, json!({ "effect": "read" })).await.ok();
    for key in [ADMIN, &key] {
        let answer =
            declare(&api, key, json!([{ "name": "frobnicate", "effect": "admin" }])).await.ok();
        assert_eq!(answer.body["tools"][0]["effect"], "read", "the answer says who won");
        assert_eq!(counts_as(&api, &agent, "frobnicate", None).await, ("read".into(), 1.0));
    }
    let operator = api.key(Role::Operator, &[]).await;
    api.ask(Method::DELETE, path, &operator, None).await.ok();
    assert_eq!(counts_as(&api, &agent, "frobnicate", None).await, ("admin".into(), 1.0));
    let body = json!({ "tool": "frobnicate", "effect": "read" });
    assert_eq!(api.audit("tool.effect_unset").await[0]["body"], body);
    api.ask(Method::DELETE, path, ADMIN, None).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn tool_declared_without_an_effect_is_classified_as_before() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let answer =
        declare(&api, ADMIN, json!([{ "name": "frobnicate" }, { "name": "get_it" }])).await;
    assert_eq!(answer.ok().body["tools"][0].get("effect"), None);
    assert_eq!(counts_as(&api, &agent, "frobnicate", None).await, ("mutating".into(), 0.3));
    assert_eq!(counts_as(&api, &agent, "frobnicate", Some("read")).await, ("read".into(), 0.9));
    assert_eq!(counts_as(&api, &agent, "get_it", None).await, ("read".into(), 0.6));
}

// Scopes.

#[tokio::test]
async fn declared_scopes_are_needed_also_when_the_check_leaves_them_out() {
    let api = open().await;
    let narrow = api.agent(&["fetch", "web:read"]).await;
    let wide = api.agent(&["fetch", "web:read", "db:read"]).await;
    api.check(ADMIN, &narrow, "fetch").await.allowed();
    declared(&api, ADMIN, json!([{ "name": "fetch", "scopes": ["db:read"] }])).await;
    api.check(ADMIN, &narrow, "fetch").await.denied("\"db:read\"");
    api.check(ADMIN, &wide, "fetch").await.allowed();
    // Those of the check itself are needed beside them.
    let both = [("agenttrust-scopes", "web:read, mail:send")];
    let body = json!({ "agent_id": wide, "action_name": "fetch" });
    api.check_with(ADMIN, &both, body).await.denied("\"mail:send\"");
}

#[tokio::test]
async fn declared_scopes_are_held_against_the_ceiling_of_the_session() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let ceiling = json!({ "mode": "restricted", "scope_ceiling": ["fetch"] });
    let session = api.session(&key, &agent, ceiling).await.ok().text("session_id");
    api.check_in(&key, &agent, "fetch", &session).await.allowed();
    declared(&api, ADMIN, json!([{ "name": "fetch", "scopes": ["db:read"] }])).await;
    api.check_in(&key, &agent, "fetch", &session).await.denied("\"db:read\" is outside");
}

#[tokio::test]
async fn policies_and_the_audit_see_the_scopes_of_check_and_manifest() {
    let text = r#"
        @id("all") permit (principal, action, resource);
        @id("no_db") forbid (principal, action, resource) when { context.scopes.contains("db:read") };
    "#;
    let set = PolicySet::parse("test.cedar", text).unwrap();
    let api = open_with(|builder| builder.policy_set(set)).await;
    let (agent, key) = api.worker().await;
    api.check(&key, &agent, "fetch").await.allowed();
    declared(&api, ADMIN, json!([{ "name": "fetch", "scopes": ["db:read", "web:read"] }])).await;
    let body = json!({ "agent_id": agent, "action_name": "fetch" });
    let headers = [("agenttrust-scopes", "web:read,mail:read")];
    let answer = api.check_with(&key, &headers, body).await;
    assert_eq!(answer.body["allowed"], false, "{answer:?}");
    let rows = api.audit("decision").await;
    let last = rows.last().unwrap();
    assert_eq!(last["body"]["scopes"], json!(["web:read", "mail:read", "db:read"]));
}

#[tokio::test]
async fn audit_holds_the_scopes_of_check_and_manifest_at_their_largest() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let scopes = |kind: &str| (0..80).map(|n| format!("{kind}{n:0>199}")).collect::<Vec<_>>();
    declared(&api, ADMIN, json!([{ "name": "send_mail", "scopes": scopes("a") }])).await;
    let header = scopes("b").join(",");
    let body = json!({ "agent_id": agent, "action_name": "send_mail" });
    api.check_with(&key, &[("agenttrust-scopes", &header)], body).await.allowed();
    let rows = api.audit("decision").await;
    assert_eq!(rows[0]["body"]["scopes"].as_array().unwrap().len(), 160);
}

#[tokio::test]
async fn enforced_lists_only_what_the_check_itself_sent() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    declared(&api, ADMIN, json!([{ "name": "fetch", "scopes": ["db:read"] }])).await;
    let body = json!({ "agent_id": agent, "action_name": "fetch" });
    let answer = api.check_with(&key, &[], body.clone()).await;
    assert!(answer.headers.get("agenttrust-enforced").is_none(), "{answer:?}");
    let answer = api.check_with(&key, &[("agenttrust-scopes", "web:read")], body).await;
    assert_eq!(answer.headers["agenttrust-enforced"], "scopes");
}

// What is kept.

#[tokio::test]
async fn tools_that_a_manifest_does_not_name_stay_as_they_are() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    declared(&api, ADMIN, json!([{ "name": "frob", "effect": "admin" }, { "name": "b" }])).await;
    declared(&api, &key, json!([{ "name": "a", "effect": "admin" }, { "name": "d" }])).await;
    declared(&api, ADMIN, json!([{ "name": "c" }])).await;
    declared(&api, ADMIN, json!([])).await;
    assert_eq!(names(&list(&api).await), ["a", "b", "c", "frob"], "ordered by name");
    assert_eq!(counts_as(&api, &agent, "frob", Some("read")).await, ("admin".into(), 1.0));
}

#[tokio::test]
async fn operators_manifest_replaces_what_manifests_said_of_a_tool() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let operator = api.key(Role::Operator, &[]).await;
    for key in [ADMIN, &operator] {
        let much = json!([{
            "name": "frob", "effect": "admin", "scopes": ["a", "b"], "arguments": [{ "name": "x" }],
            "places": [{ "module": "m", "file": "m.rs", "line": 1 }],
        }]);
        let answer = declare(&api, key, much.clone()).await.ok();
        assert_eq!(answer.body["tools"], much);
        let little = json!([{ "name": "frob", "effect": "read", "scopes": ["c"] }]);
        let answer = declare(&api, key, little).await.ok();
        let now = json!([{
            "name": "frob", "effect": "read", "scopes": ["c"], "arguments": [], "places": [],
        }]);
        assert_eq!(answer.body["tools"], now);
        assert_eq!(list(&api).await, *now.as_array().unwrap());
        assert_eq!(counts_as(&api, &agent, "frob", None).await, ("read".into(), 1.0));
    }
}

#[tokio::test]
async fn of_declarations_at_once_none_is_lost() {
    let api = open().await;
    let all = (0..20).map(|n| declare(&api, ADMIN, json!([{ "name": format!("own_{n:02}") }])));
    for answer in futures_util::future::join_all(all).await {
        answer.ok();
    }
    assert_eq!(list(&api).await.len(), 20);
}

#[tokio::test]
async fn change_that_nobody_waits_for_any_more_keeps_no_other_waiting() {
    let api = open().await;
    let mut forgotten = std::pin::pin!(declare(&api, ADMIN, json!([{ "name": "a" }])));
    // Begun, and from here on neither asked for its outcome nor dropped.
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = forgotten.as_mut().poll(&mut cx);
    let second = declared(&api, ADMIN, json!([{ "name": "b" }]));
    tokio::time::timeout(Duration::from_secs(30), second).await.expect("the second is let in");
    // Which of the two is let in first is nobody's promise, only that both are.
    let both = async || names(&list(&api).await) == ["a", "b"];
    eventually("the first is not let in", both).await;
}

#[tokio::test]
async fn removed_tool_is_as_if_nobody_had_declared_it() {
    let api = open().await;
    let agent = api.agent(&["frob", "nic"]).await;
    let path = "/api/v1/tools/frob";
    api.ask(Method::DELETE, path, ADMIN, None).await.refused(404, "NOT_FOUND");
    let tools = json!([{ "name": "frob", "effect": "read", "scopes": ["x"] }, { "name": "nic" }]);
    declared(&api, ADMIN, tools).await;
    api.check(ADMIN, &agent, "frob").await.denied("\"x\"");
    api.ask(Method::DELETE, path, ADMIN, None).await.ok();
    assert_eq!(names(&list(&api).await), ["nic"]);
    assert_eq!(counts_as(&api, &agent, "frob", None).await, ("mutating".into(), 0.3));
    api.check(ADMIN, &agent, "frob").await.allowed();
    assert_eq!(api.audit("tool.removed").await[0]["body"]["tool"], "frob");
    api.ask(Method::DELETE, path, ADMIN, None).await.refused(404, "NOT_FOUND");
}

// The audit.

#[tokio::test]
async fn audit_says_who_declared_how_many_and_what_changed() {
    let api = open().await;
    let operator = api.post("/api/v1/keys", ADMIN, json!({ "role": "operator" })).await.ok();
    let key = operator.text("key");
    let first = json!([{
        "name": "a", "effect": "read", "scopes": ["s"], "arguments": [{ "name": "x" }],
    }, { "name": "b" }]);
    declared(&api, &key, first.clone()).await;
    let described = json!([{ "name": "b", "arguments": [{ "name": "x" }] }]);
    for tools in [
        first,
        json!([{ "name": "a", "scopes": ["s"] }, { "name": "b" }]),
        json!([{ "name": "a", "scopes": ["t"] }]),
        described,
    ] {
        declared(&api, &key, tools).await;
    }
    let rows = api.audit("tools.declared").await;
    assert!(rows.iter().all(|row| row["actor"] == operator.text("id").as_str()));
    let bodies: Vec<&Value> = rows.iter().map(|row| &row["body"]).collect();
    let body = |tools: usize, described: usize, changed: Value| json!({ "tools": tools, "role": "operator", "changed": changed, "described": described });
    let effect = |before: Value, after: Value| json!({ "before": before, "after": after });
    let (none, read) = (Value::Null, json!("read"));
    let a = json!({ "tool": "a", "effect": effect(none.clone(), read.clone()), "scopes": ["s"] });
    assert_eq!(
        bodies,
        [
            &body(2, 1, json!([a, { "tool": "b" }])),
            // The second time nothing changed, and nothing is told.
            &body(2, 1, json!([{ "tool": "a", "effect": effect(read, none) }])),
            &body(1, 0, json!([{ "tool": "a", "scopes": ["t"] }])),
            &body(1, 1, json!([])),
        ]
    );
}

#[tokio::test]
async fn audit_lists_every_change_however_large_the_manifest() {
    let api = open().await;
    let tools: Vec<Value> = (0..1_000)
        .map(|n| json!({ "name": format!("{n:\"<150}"), "scopes": [format!("{n:\"<150}")] }))
        .collect();
    declared(&api, ADMIN, json!(tools)).await;
    let rows = api.audit("tools.declared").await;
    assert!(rows.len() > 5, "{}", rows.len());
    let listed: usize =
        rows.iter().map(|row| row["body"]["changed"].as_array().unwrap().len()).sum();
    assert_eq!(listed, 1_000);
    assert!(rows.iter().all(|row| row["body"]["tools"] == 1_000));
}

#[tokio::test]
async fn declaration_is_on_disk_before_the_answer() {
    use sqlx::Connection;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    let api = open_with(|builder| builder.database(path.to_str().unwrap())).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).read_only(true);
    let mut other = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    for round in 0..10 {
        declared(&api, ADMIN, json!([{ "name": format!("tool_{round}") }])).await;
        for count in [
            "SELECT COUNT(*) FROM tool_manifest",
            "SELECT COUNT(*) FROM audit WHERE kind = 'tools.declared'",
        ] {
            let seen: i64 = sqlx::query_scalar(count).fetch_one(&mut other).await.unwrap();
            assert_eq!(seen, round + 1, "{count}");
        }
    }
}

#[tokio::test]
async fn nothing_is_declared_while_the_database_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    let api = open_with(|builder| builder.database(&database)).await;
    api.guardian.close().await;
    declare(&api, ADMIN, json!([{ "name": "x" }])).await.refused(503, "UNAVAILABLE");
    drop(api);
    let api = open_with(|builder| builder.database(&database)).await;
    assert!(list(&api).await.is_empty());
}

// The client.

#[tokio::test]
async fn client_declares_and_lists() {
    let api = open().await;
    let client = api.guardian.client();
    let mut tool = ToolDeclaration::new("db_delete").effect(Effect::Destructive).scope("db:write");
    tool.arguments.push(ToolArgument::new("table").schema(json!({ "type": "string" })));
    tool.places.push(ToolPlace::new("db", "src/db.rs", 7));
    let manifest = ToolManifest::new([tool.clone(), ToolDeclaration::new("frob")]);
    let declared = client.tools().declare(&manifest).await.unwrap();
    assert_eq!(declared, manifest.tools);
    assert_eq!(client.tools().list().await.unwrap(), manifest.tools);
    let (_, key) = api.worker().await;
    let agents = api.guardian.client_with_key(&key).unwrap();
    let lower = ToolManifest::new([ToolDeclaration::new("db_delete").effect(Effect::Read)]);
    let in_force = ToolDeclaration::new("db_delete").effect(Effect::Destructive);
    assert_eq!(agents.tools().declare(&lower).await.unwrap(), std::slice::from_ref(&in_force));
    // Names and effects alone, to the key of an agent.
    let listed = agents.tools().list().await.unwrap();
    assert_eq!(listed, [in_force, ToolDeclaration::new("frob")]);
    let raise = ToolManifest::new([ToolDeclaration::new("frob").effect(Effect::Admin)]);
    agents.tools().declare(&raise).await.unwrap();
    let [_, frob] = &client.tools().list().await.unwrap()[..] else { panic!("two are declared") };
    let [raised] = &frob.raised[..] else { panic!("{frob:?}") };
    assert_eq!((frob.effect, raised.effect), (None, Effect::Admin));
    let gateway = api.key(Role::Gateway, &[]).await;
    let gateway = api.guardian.client_with_key(&gateway).unwrap();
    let error = gateway.tools().list().await.unwrap_err();
    assert_eq!(error.status(), Some(403), "{error}");
}

#[test]
fn blocking_client_declares_and_lists() {
    let guardian = agenttrust_guardian::Guardian::builder().build_blocking().unwrap();
    let client = agenttrust::blocking::AgentTrustClient::from(guardian.client());
    let manifest = ToolManifest::new([ToolDeclaration::new("frob").effect(Effect::Admin)]);
    assert_eq!(client.tools().declare(&manifest).unwrap(), manifest.tools);
    assert_eq!(client.tools().list().unwrap(), manifest.tools);
}
