//! What is no manifest: refused with the field at fault and what to do, and nothing of it is kept.

use agenttrust_testkit::{ADMIN, Answer};
use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Api, open};

const TOOLS: &str = "/api/v1/tools";

async fn declare(api: &Api, key: &str, tools: Value) -> Answer {
    api.put(TOOLS, key, json!({ "tools": tools })).await
}

async fn list(api: &Api) -> Vec<Value> {
    let listed = api.get(TOOLS, ADMIN).await.ok().body;
    listed["tools"].as_array().unwrap().clone()
}

/// Checks that a manifest that cannot be is refused, that the field is named, and that nothing of
/// it is kept.
async fn refused(tools: Value, field: &str, because: &str) {
    let api = open().await;
    let rows = api.audit_rows().await;
    let mut all = vec![json!({ "name": "good", "effect": "admin" })];
    all.extend(tools.as_array().unwrap().iter().cloned());
    let answer = declare(&api, ADMIN, json!(all)).await;
    answer.refused(400, "VALIDATION_ERROR");
    assert_eq!(answer.body["details"]["field"], field, "{answer:?}");
    let message = answer.text("message");
    assert!(message.starts_with(field) && message.contains(because), "{answer:?}");
    assert!(list(&api).await.is_empty());
    assert_eq!(api.audit_rows().await, rows);
}

#[tokio::test]
async fn tool_that_is_there_twice_and_says_the_same_is_one_tool_with_both_places() {
    let api = open().await;
    let at = |line: u32| json!({ "module": "m", "file": "src/m.rs", "line": line });
    let tool = |argument: &str, scopes: Value, places: Value| {
        json!({
            "name": "frob", "effect": "read", "scopes": scopes,
            "arguments": [{ "name": argument }], "places": places,
        })
    };
    let tools = json!([
        tool("a", json!(["s", "t"]), json!([at(3)])),
        tool("b", json!(["t", "s", "s"]), json!([at(9), at(3)])),
    ]);
    let answer = declare(&api, ADMIN, tools).await.ok();
    let mut one = tool("a", json!(["s", "t"]), json!([at(3), at(9)]));
    one["arguments"] = json!([{ "name": "a" }, { "name": "b" }]);
    assert_eq!(answer.body["tools"], json!([one]));
}

#[tokio::test]
async fn tool_that_is_there_twice_with_two_effects_is_a_400_naming_both_places() {
    let at = |file: &str, line: u32| json!([{ "module": "m", "file": file, "line": line }]);
    refused(
        json!([
            { "name": "frob", "effect": "read", "places": at("src/a.rs", 3) },
            { "name": "frob", "effect": "admin", "places": at("src/b.rs", 9) },
        ]),
        "tools[2].effect",
        "is admin at src/b.rs:9, and that of the same tool \"frob\" is read at src/a.rs:3",
    )
    .await;
    refused(
        json!([{ "name": "frob", "effect": "read" }, { "name": "frob" }]),
        "tools[2].effect",
        "is not given at tools[2], and that of the same tool \"frob\" is read at tools[1]",
    )
    .await;
}

#[tokio::test]
async fn tool_that_is_there_twice_with_other_scopes_is_a_400_naming_both_places() {
    let at = |file: &str, line: u32| json!([{ "module": "m", "file": file, "line": line }]);
    refused(
        json!([
            { "name": "frob", "scopes": ["a"], "places": at("src/a.rs", 3) },
            { "name": "frob", "scopes": ["a", "b"], "places": at("src/b.rs", 9) },
        ]),
        "tools[2].scopes",
        "at src/b.rs:9 are not those of the same tool \"frob\" at src/a.rs:3",
    )
    .await;
}

#[tokio::test]
async fn unknown_effect_is_a_400() {
    for word in ["", "harmless", "READ", "🙂"] {
        let tools = json!([{ "name": "frob", "effect": word }]);
        refused(tools, "tools[1].effect", "unknown effect").await;
    }
    let api = open().await;
    let answer = declare(&api, ADMIN, json!([{ "name": "frob", "effect": "write" }])).await.ok();
    assert_eq!(answer.body["tools"][0]["effect"], "mutating");
}

#[tokio::test]
async fn name_that_no_check_could_carry_is_a_400() {
    for bad in ["", "a\nb", "a\u{0}b", "\u{7f}", &"x".repeat(201)] {
        refused(json!([{ "name": bad }]), "tools[1].name", "").await;
    }
}

#[tokio::test]
async fn scope_that_no_check_could_carry_is_a_400() {
    for bad in ["", "a\nb", "a,b", " a", "a ", &"x".repeat(201)] {
        let tools = json!([{ "name": "frob", "scopes": ["ok", bad] }]);
        refused(tools, "tools[1].scopes[1]", "").await;
    }
    for many in [vec!["x".to_owned(); 257], vec!["x".repeat(200); 81]] {
        refused(json!([{ "name": "frob", "scopes": many }]), "tools[1].scopes", "is the most")
            .await;
    }
}

#[tokio::test]
async fn argument_that_is_too_long_or_one_too_many_is_a_400() {
    let named = |name: &str| json!({ "name": name });
    for bad in ["", "a\nb", &"x".repeat(201)] {
        let tools = json!([{ "name": "frob", "arguments": [named("ok"), named(bad)] }]);
        refused(tools, "tools[1].arguments[1]", "").await;
    }
    let tools = json!([{ "name": "frob", "arguments": vec![named("x"); 257] }]);
    refused(tools, "tools[1].arguments", "256 is the most").await;
}

#[tokio::test]
async fn schemas_of_more_than_16_kib_a_tool_are_a_400() {
    let schema = |bytes: usize| json!({ "description": "x".repeat(bytes) });
    let half = json!({ "name": "x", "schema": schema(8 << 10) });
    let tools = json!([{ "name": "frob", "arguments": [half, half] }]);
    refused(tools, "tools[1].arguments", "16384 is the most").await;
    // Also when they only come together: two entries of one name.
    let other = json!({ "name": "y", "schema": schema(8 << 10) });
    let tools = json!([
        { "name": "frob", "arguments": [half] }, { "name": "frob", "arguments": [other] },
    ]);
    refused(tools, "tools[1].arguments", "16384 is the most").await;
    let api = open().await;
    let most = json!({ "name": "x", "schema": schema(16_000) });
    declare(&api, ADMIN, json!([{ "name": "frob", "arguments": [most] }])).await.ok();
}

#[tokio::test]
async fn place_that_is_too_long_or_one_too_many_is_a_400() {
    let at = |module: &str, file: &str| json!({ "module": module, "file": file, "line": 1 });
    let long = "x".repeat(1_001);
    for (place, field) in [
        (at(&long, "f"), "module"),
        (at("a\nb", "f"), "module"),
        (at("m", &long), "file"),
        (at("m", "a\u{0}b"), "file"),
    ] {
        let tools = json!([{ "name": "frob", "places": [at("m", "f"), place] }]);
        refused(tools, &format!("tools[1].places[1].{field}"), "").await;
    }
    let tools = json!([{ "name": "frob", "places": vec![at("m", "f"); 65] }]);
    refused(tools, "tools[1].places", "64 is the most").await;
    let tools = json!([{ "name": "frob", "places": [{ "module": "m", "file": "f", "line": -1 }] }]);
    refused(tools, "tools[1].places[0].line", "").await;
}

#[tokio::test]
async fn manifest_of_more_than_1000_tools_is_a_400() {
    let tools: Vec<Value> = (0..1_000).map(|n| json!({ "name": format!("t{n}") })).collect();
    refused(json!(tools), "tools", "1000 is the most").await;
}

#[tokio::test]
async fn body_without_a_list_of_tools_is_a_400() {
    let api = open().await;
    for body in [json!({}), json!({ "tool": [] }), json!([]), json!({ "tools": {} })] {
        let answer = api.put(TOOLS, ADMIN, body.clone()).await;
        answer.refused(400, "VALIDATION_ERROR");
    }
    let answer = api.put(TOOLS, ADMIN, json!({ "tools": [{ "effect": "read" }] })).await;
    answer.refused(400, "VALIDATION_ERROR");
    assert_eq!(answer.body["details"]["field"], "tools[0].name");
}

#[tokio::test]
async fn member_that_is_misspelt_is_a_400_naming_it() {
    for (tool, field, word) in [
        (
            json!({ "name": "frob", "efect": "admin", "scope": ["a"] }),
            "tools[1].efect",
            "\"effect\"?",
        ),
        (
            json!({ "name": "frob", "arguments": [{ "name": "x", "shema": {} }] }),
            "tools[1].arguments[0].shema",
            "did you mean \"schema\"?",
        ),
        (
            json!({ "name": "frob", "places": [{ "modul": "m", "file": "f", "line": 1 }] }),
            "tools[1].places[0].modul",
            "did you mean \"module\"?",
        ),
    ] {
        refused(json!([tool]), field, word).await;
    }
}

#[tokio::test]
async fn schema_that_a_client_could_not_read_again_is_a_400() {
    let nested = |depth: usize| {
        let text = "[".repeat(depth) + &"]".repeat(depth);
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let tools = json!([{ "name": "frob", "arguments": [{ "name": "x", "schema": nested(65) }] }]);
    refused(tools, "tools[1].arguments[0].schema", "deeper than 64").await;
    let api = open().await;
    let body = |schema: &str| {
        let arguments = format!(r#"[{{ "name": "x", "schema": {schema} }}]"#);
        format!(r#"{{ "tools": [{{ "name": "frob", "arguments": {arguments} }}] }}"#)
    };
    let put = |schema: &str| {
        axum::http::Request::put(TOOLS)
            .header("X-API-Key", ADMIN)
            .body(axum::body::Body::from(body(schema)))
            .unwrap()
    };
    for bad in [&*("[".repeat(5_000) + &"]".repeat(5_000)), "1e999"] {
        let answer = api.send(put(bad)).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.body["details"]["field"], "tools[0].arguments[0].schema");
    }
    api.send(put(&nested(64).to_string())).await.ok();
    assert_eq!(list(&api).await[0]["arguments"][0]["schema"], nested(64));
}

#[tokio::test]
async fn an_organisation_has_at_most_10000_tools_and_the_refusal_says_what_to_do() {
    let api = open().await;
    for thousand in 0..10 {
        let tools: Vec<Value> =
            (0..1_000).map(|n| json!({ "name": format!("t{thousand}_{n}") })).collect();
        declare(&api, ADMIN, json!(tools)).await.ok();
    }
    let rows = api.audit_rows().await;
    let answer = declare(&api, ADMIN, json!([{ "name": "t0_0" }, { "name": "more" }])).await;
    answer.refused(409, "CONFLICT");
    assert!(answer.text("message").contains("DELETE /api/v1/tools/{name}"), "{answer:?}");
    assert_eq!(api.audit_rows().await, rows);
    assert_eq!(list(&api).await.len(), 10_000);
    declare(&api, ADMIN, json!([{ "name": "t0_0", "effect": "admin" }])).await.ok();
    api.ask(Method::DELETE, "/api/v1/tools/t9_9", ADMIN, None).await.ok();
    declare(&api, ADMIN, json!([{ "name": "more" }])).await.ok();
}
