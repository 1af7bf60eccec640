//! What the manifest of an agent's key does: it raises the effect of tools that the agent may use, for that agent
//! alone, and nothing else.

use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, Answer};
use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Api, open};

const TOOLS: &str = "/api/v1/tools";

async fn declare(api: &Api, key: &str, tools: Value) -> Answer {
    api.put(TOOLS, key, json!({ "tools": tools })).await
}

/// Returns what the key is answered.
async fn declared(api: &Api, key: &str, tools: Value) -> Value {
    declare(api, key, tools).await.ok().body["tools"].clone()
}

/// Returns everything that is declared.
async fn list(api: &Api) -> Value {
    api.get(TOOLS, ADMIN).await.ok().body["tools"].clone()
}

/// Returns what a check of `tool` counts as, and how sure that is.
async fn counts_as(api: &Api, agent: &str, tool: &str, hint: Option<&str>) -> (String, f64) {
    let body = json!({ "agent_id": agent, "action_name": tool, "action_effect": hint });
    let answer = api.check_as(ADMIN, body).await;
    (answer.text("action_effect"), answer.body["confidence"].as_f64().unwrap())
}

#[tokio::test]
async fn key_of_a_gateway_declares_nothing() {
    let api = open().await;
    let gateway = api.key(Role::Gateway, &[]).await;
    let answer = declare(&api, &gateway, json!([{ "name": "frob", "effect": "admin" }])).await;
    answer.refused(403, "AUTH_DENIED");
    assert!(answer.text("message").ends_with("use one of role agent, operator, admin"));
    assert_eq!(list(&api).await, json!([]));
}

#[tokio::test]
async fn an_agents_manifest_raises_an_effect_and_is_worth_a_hint() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let answer = declared(&api, &key, json!([{ "name": "frob", "effect": "admin" }])).await;
    assert_eq!(answer, json!([{ "name": "frob", "effect": "admin" }]));
    for hint in [None, Some("read"), Some("admin")] {
        assert_eq!(counts_as(&api, &agent, "frob", hint).await, ("admin".into(), 0.9), "{hint:?}");
    }
    // As much as a tool counts as of which nothing is known: a hint cannot say less any more.
    declared(&api, &key, json!([{ "name": "tickle", "effect": "mutating" }])).await;
    let found = counts_as(&api, &agent, "tickle", Some("read")).await;
    assert_eq!(found, ("mutating".into(), 0.9));
}

#[tokio::test]
async fn only_an_effect_that_an_operator_declared_is_certain() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    declared(&api, &key, json!([{ "name": "frob", "effect": "destructive" }])).await;
    declared(&api, ADMIN, json!([{ "name": "frob" }])).await;
    let found = counts_as(&api, &agent, "frob", None).await;
    assert_eq!(found, ("destructive".into(), 0.9), "only its name was declared");
    declared(&api, ADMIN, json!([{ "name": "frob", "effect": "read" }])).await;
    let found = counts_as(&api, &agent, "frob", None).await;
    assert_eq!(found, ("destructive".into(), 0.9), "the agent's word decides");
    declared(&api, ADMIN, json!([{ "name": "frob", "effect": "destructive" }])).await;
    let found = counts_as(&api, &agent, "frob", None).await;
    assert_eq!(found, ("destructive".into(), 1.0));
    // What the name says anyway is no surer for being said.
    declared(&api, &key, json!([{ "name": "get_it", "effect": "read" }])).await;
    assert_eq!(counts_as(&api, &agent, "get_it", None).await, ("read".into(), 0.6));
}

#[tokio::test]
async fn an_agents_manifest_never_lowers() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let before = json!([{ "name": "frob", "effect": "destructive", "scopes": ["b"] }]);
    declared(&api, ADMIN, before).await;
    declared(&api, &key, json!([{ "name": "nic", "effect": "admin" }])).await;
    let listed = list(&api).await;
    for said in [json!("read"), json!("mutating"), Value::Null] {
        let tools = json!([{ "name": "frob", "effect": said }, { "name": "nic", "effect": said }]);
        let answer = declared(&api, &key, tools).await;
        assert_eq!(answer[0]["effect"], "destructive", "{said}");
        assert_eq!(answer[1]["effect"], "admin", "{said}");
    }
    assert_eq!(list(&api).await, listed);
    let found = counts_as(&api, &agent, "frob", Some("read")).await;
    assert_eq!(found, ("destructive".into(), 1.0));
}

#[tokio::test]
async fn an_agents_read_for_a_name_that_says_nothing_stays_a_hint() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let answer = declared(&api, &key, json!([{ "name": "frob", "effect": "read" }])).await;
    assert_eq!(answer, json!([{ "name": "frob" }]), "its word did not win");
    // Without a hint, which is how everybody else asks, it is not lowered, nor made surer.
    assert_eq!(counts_as(&api, &agent, "frob", None).await, ("mutating".into(), 0.3));
    assert_eq!(counts_as(&api, &agent, "frob", Some("read")).await, ("read".into(), 0.9));
    assert_eq!(list(&api).await, json!([]));
}

#[tokio::test]
async fn scopes_and_descriptions_of_an_agents_manifest_are_neither_kept_nor_answered() {
    let api = open().await;
    let agent = api.agent(&["frob", "nic"]).await;
    let key = api.key(Role::Agent, &[&agent]).await;
    let described = |name: &str, argument: &str| {
        json!([{
            "name": name, "effect": "mutating", "scopes": [argument],
            "arguments": [{ "name": argument, "schema": { "type": "string" } }],
            "places": [{ "module": "m", "file": "m.rs", "line": 1 }],
        }])
    };
    declared(&api, ADMIN, described("frob", "nic")).await;
    let by_operator = list(&api).await;
    let answer = declared(&api, &key, described("frob", "other")).await;
    assert_eq!(answer, json!([{ "name": "frob", "effect": "mutating" }]), "as GET says no more");
    assert_eq!(list(&api).await, by_operator, "nobody's description is overwritten");
    let answer = declared(&api, &key, described("nic", "other")).await;
    assert_eq!(answer, json!([{ "name": "nic", "effect": "mutating" }]));
    let nic = json!({
        "name": "nic", "scopes": [], "arguments": [], "places": [],
        "raised": [{ "agent_id": agent, "effect": "mutating" }],
    });
    assert_eq!(list(&api).await[1], nic);
    for tool in ["frob", "nic"] {
        api.check(&key, &agent, tool).await.allowed();
    }
    assert!(!json!(api.audit("tools.declared").await).to_string().contains("other"));
}

#[tokio::test]
async fn tools_that_no_active_agent_of_the_key_may_use_are_left_out() {
    let api = open().await;
    let (one, two) = (api.agent(&["frob"]).await, api.agent(&["db:*"]).await);
    let key = api.key(Role::Agent, &[&one, &two]).await;
    let named = |names: &[&str]| -> Value {
        names.iter().map(|name| json!({ "name": name, "effect": "admin" })).collect()
    };
    let all = named(&["db_delete", "frob", "search"]);
    assert_eq!(declared(&api, &key, all.clone()).await, named(&["db_delete", "frob"]));
    let listed = list(&api).await;
    let listed: Vec<_> = listed.as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(listed, ["db_delete", "frob"]);
    // Whoever names an agent speaks for that one alone.
    let body = json!({ "tools": all });
    let headers = [("x-agent-id", one.as_str())];
    let answer = api.with(&headers).put(TOOLS, &key, body).await.ok();
    assert_eq!(answer.body["tools"], named(&["frob"]));
    api.post(&format!("/api/v1/agents/{two}/suspend"), ADMIN, json!({})).await.ok();
    assert_eq!(declared(&api, &key, all.clone()).await, named(&["frob"]));
    api.post(&format!("/api/v1/agents/{one}/revoke"), ADMIN, json!({})).await.ok();
    let answer = declare(&api, &key, all.clone()).await;
    answer.refused(403, "AUTH_DENIED");
    assert!(answer.text("message").contains("no agent of this key is active"), "{answer:?}");
    api.post(&format!("/api/v1/agents/{two}/reactivate"), ADMIN, json!({})).await.ok();
    assert_eq!(declared(&api, &key, all).await, named(&["db_delete"]));
}

#[tokio::test]
async fn operators_declare_beside_what_agents_raised_and_may_take_it_back() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    declared(&api, &key, json!([{ "name": "frob", "effect": "admin" }])).await;
    let answer = declared(&api, ADMIN, json!([{ "name": "frob", "effect": "read" }])).await;
    assert_eq!(answer[0]["effect"], "read", "for agents that raised nothing");
    let raised = json!([{ "agent_id": agent, "effect": "admin" }]);
    assert_eq!(answer[0]["raised"], raised, "the answer says for whom more is in force");
    assert_eq!(counts_as(&api, &agent, "frob", None).await.0, "admin");
    let path = "/api/v1/tools/frob/effect";
    api.put(path, ADMIN, json!({ "effect": "read" })).await.ok();
    assert_eq!(counts_as(&api, &agent, "frob", None).await, ("read".into(), 1.0));
    api.ask(Method::DELETE, path, ADMIN, None).await.ok();
    assert_eq!(counts_as(&api, &agent, "frob", None).await, ("admin".into(), 0.9));
    api.ask(Method::DELETE, "/api/v1/tools/frob", ADMIN, None).await.ok();
    assert_eq!(counts_as(&api, &agent, "frob", None).await, ("mutating".into(), 0.3));
    assert_eq!(list(&api).await, json!([]));
}

#[tokio::test]
async fn agent_raises_at_most_1000_tools_and_holds_up_no_other_and_no_operator() {
    let api = open().await;
    let ((_, key), (_, other)) = (api.worker().await, api.worker().await);
    let tools = |kind: &str, count: usize| -> Value {
        let named = |n| json!({ "name": format!("{kind}_{n}"), "effect": "admin" });
        (0..count).map(named).collect()
    };
    declared(&api, &key, tools("x", 1_000)).await;
    let (listed, rows) = (list(&api).await, api.audit_rows().await);
    let answer = declare(&api, &key, tools("y", 1)).await;
    answer.refused(409, "CONFLICT");
    assert!(answer.text("message").contains("DELETE /api/v1/tools/{name}"), "{answer:?}");
    assert_eq!((list(&api).await, api.audit_rows().await), (listed, rows));
    declared(&api, &key, tools("x", 1_000)).await;
    declared(&api, &other, tools("y", 1_000)).await;
    declared(&api, ADMIN, tools("y", 1_000)).await;
    api.ask(Method::DELETE, "/api/v1/tools/x_7", ADMIN, None).await.ok();
    declared(&api, &key, tools("z", 1)).await;
}

#[tokio::test]
async fn an_agent_that_repeats_itself_writes_nothing_to_the_audit() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let long: Vec<String> = (0..75).map(|n| format!("{n:0>200}")).collect();
    let tools = json!([
        { "name": "frob", "effect": "admin", "scopes": long }, { "name": "b", "scopes": long },
    ]);
    declared(&api, &key, tools.clone()).await;
    let rows = api.audit("tools.declared").await;
    let raised = json!({ "agent_id": agent, "before": null, "after": "admin" });
    let body = json!({
        "tools": 2, "role": "agent", "changed": [{ "tool": "frob", "raised": [raised] }], "described": 0,
    });
    assert_eq!(rows.iter().map(|row| &row["body"]).collect::<Vec<_>>(), [&body]);
    let rows = api.audit_rows().await;
    for _ in 0..5 {
        declared(&api, &key, tools.clone()).await;
        declared(&api, &key, json!([{ "name": "frob", "effect": "read" }])).await;
    }
    assert_eq!(api.audit_rows().await, rows);
}

#[tokio::test]
async fn what_an_agent_declares_counts_for_that_agent_alone() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let (other, others_key) = api.worker().await;
    declared(&api, &key, json!([{ "name": "search", "effect": "admin" }])).await;
    assert_eq!(counts_as(&api, &agent, "search", None).await, ("admin".into(), 0.9));
    assert_eq!(counts_as(&api, &other, "search", None).await, ("read".into(), 0.6));
    api.check(&others_key, &other, "search").await.allowed();
    // The same for the other one, which says less.
    declared(&api, &others_key, json!([{ "name": "search", "effect": "mutating" }])).await;
    assert_eq!(counts_as(&api, &agent, "search", None).await.0, "admin");
    assert_eq!(counts_as(&api, &other, "search", None).await, ("mutating".into(), 0.9));
    // What an operator says is for all.
    declared(&api, ADMIN, json!([{ "name": "search", "effect": "destructive" }])).await;
    assert_eq!(counts_as(&api, &agent, "search", None).await.0, "admin");
    assert_eq!(counts_as(&api, &other, "search", None).await, ("destructive".into(), 1.0));
}

#[tokio::test]
async fn list_says_to_operators_which_agent_declared_and_to_an_agent_what_is_its_own() {
    let api = open().await;
    let (one, two) = (api.agent(&["frob", "nic", "db:*"]).await, api.agent(&["*"]).await);
    let key = api.key(Role::Agent, &[&one]).await;
    let others_key = api.key(Role::Agent, &[&two]).await;
    declared(&api, ADMIN, json!([{ "name": "db_x", "scopes": ["s"] }, { "name": "mail_x" }])).await;
    declared(&api, &key, json!([{ "name": "frob", "effect": "admin" }])).await;
    let both =
        json!([{ "name": "nic", "effect": "admin" }, { "name": "frob", "effect": "destructive" }]);
    declared(&api, &others_key, both).await;
    let listed = list(&api).await;
    let raised: Vec<_> = listed.as_array().unwrap().iter().map(|tool| &tool["raised"]).collect();
    let mut by_both = [(&one, "admin"), (&two, "destructive")];
    by_both.sort_unstable();
    let by_both: Value = by_both
        .iter()
        .map(|(agent, effect)| json!({ "agent_id": agent, "effect": effect }))
        .collect();
    let by_two = json!([{ "agent_id": two, "effect": "admin" }]);
    assert_eq!(raised, [&Value::Null, &by_both, &Value::Null, &by_two]);
    // Whoever speaks for one agent sees of it alone.
    let headers = [("x-agent-id", one.as_str())];
    let of_one = api.with(&headers).get(TOOLS, ADMIN).await.ok().body;
    let names: Vec<_> = of_one["tools"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["db_x", "frob", "mail_x"]);
    assert!(!of_one.to_string().contains(&two), "{of_one}");
    // Its own, and what the organisation declared of what it may use: no other, and no scopes.
    let own = api.get(TOOLS, &key).await.ok().body;
    assert_eq!(own["tools"], json!([{ "name": "db_x" }, { "name": "frob", "effect": "admin" }]));
    let own = api.get(TOOLS, &others_key).await.ok().body;
    let all = json!([
        { "name": "db_x" }, { "name": "frob", "effect": "destructive" }, { "name": "mail_x" },
        { "name": "nic", "effect": "admin" },
    ]);
    assert_eq!(own["tools"], all);
    api.post(&format!("/api/v1/agents/{one}/suspend"), ADMIN, json!({})).await.ok();
    assert_eq!(api.get(TOOLS, &key).await.ok().body["tools"], json!([]));
}

#[tokio::test]
async fn key_of_several_agents_raises_for_those_of_them_that_may_use_the_tool() {
    let api = open().await;
    let (one, two) = (api.agent(&["frob"]).await, api.agent(&["frob", "nic"]).await);
    let other = api.agent(&["*"]).await;
    let key = api.key(Role::Agent, &[&one, &two]).await;
    let tools =
        json!([{ "name": "frob", "effect": "admin" }, { "name": "nic", "effect": "admin" }]);
    assert_eq!(declared(&api, &key, tools.clone()).await, tools);
    for (agent, frob, nic) in
        [(&one, "admin", "mutating"), (&two, "admin", "admin"), (&other, "mutating", "mutating")]
    {
        assert_eq!(counts_as(&api, agent, "frob", None).await.0, frob);
        assert_eq!(counts_as(&api, agent, "nic", None).await.0, nic);
    }
}

#[tokio::test]
async fn declarations_of_a_revoked_agent_are_forgotten_with_it() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let (other, others_key) = api.worker().await;
    for key in [&key, &others_key] {
        declared(&api, key, json!([{ "name": "frob", "effect": "admin" }])).await;
    }
    declared(&api, &key, json!([{ "name": "nic", "effect": "admin" }])).await;
    api.post(&format!("/api/v1/agents/{agent}/revoke"), ADMIN, json!({})).await.ok();
    let left = json!([{
        "name": "frob", "scopes": [], "arguments": [], "places": [],
        "raised": [{ "agent_id": other, "effect": "admin" }],
    }]);
    assert_eq!(list(&api).await, left);
    assert_eq!(counts_as(&api, &other, "frob", None).await.0, "admin");
}
