//! Bad input: a clear error of the right status and code that names the field, never a panic, never a
//! 500, nothing half-written.

use agenttrust_testkit::{ADMIN, Answer};
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::support::{Api, open};

const CHECK: &str = "/api/v1/agenttrust/check";

/// Asserts a 400 whose message and details name `field`, and that nothing was written.
#[track_caller]
fn names(answer: &Answer, field: &str) {
    answer.refused(400, "VALIDATION_ERROR");
    assert!(answer.text("message").contains(field), "{field} is not named: {answer:?}");
    assert_eq!(answer.body["details"]["field"], field, "{answer:?}");
}

async fn raw(api: &Api, method: Method, path: &str, body: impl Into<Body>) -> Answer {
    let request =
        Request::builder().method(method).uri(path).header("X-API-Key", ADMIN).body(body.into());
    api.send(request.unwrap()).await
}

#[tokio::test]
async fn malformed_json_is_a_400_everywhere() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let rows = api.audit_rows().await;
    for path in [
        "/api/v1/agents",
        "/api/v1/agent-tokens/issue",
        "/api/v1/agent-tokens/introspect",
        "/api/v1/agent-tokens/revoke",
        CHECK,
        "/api/v1/agenttrust/api-sessions/init",
        "/api/v1/telemetry/report",
        "/mcp/sessions/init",
        "/api/v1/keys",
        &format!("/api/v1/agents/{agent}/revoke"),
    ] {
        for body in ["{", "{,}", "\u{0}", "nonsense", "{} {}", "{\"\u{1}\": 1}"] {
            let answer = raw(&api, Method::POST, path, body).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert!(
                answer.text("message").contains("body") || body == "{} {}",
                "{path} {body} {answer:?}"
            );
        }
        let answer = raw(&api, Method::POST, path, b"{\"agent_id\": \"\xff\"}".to_vec()).await;
        answer.refused(400, "VALIDATION_ERROR");
    }
    assert_eq!(api.audit_rows().await, rows);
    assert_eq!(api.get(&format!("/api/v1/agents/{agent}"), ADMIN).await.body["status"], "active");
}

#[tokio::test]
async fn wrong_type_names_the_field() {
    let api = open().await;
    let rows = api.audit_rows().await;
    for (path, body, field) in [
        ("/api/v1/agents", json!({ "name": 7 }), "name"),
        ("/api/v1/agents", json!({ "name": "x", "capabilities": "all" }), "capabilities"),
        ("/api/v1/agents", json!({ "name": "x", "capabilities": ["a", 1] }), "capabilities[1]"),
        ("/api/v1/agents", json!({ "name": "x", "metadata": [] }), "metadata"),
        ("/api/v1/agents", json!({}), "name"),
        ("/api/v1/agents", json!([]), "body"),
        ("/api/v1/agent-tokens/issue", json!({ "agent_id": "a", "ttl": -1 }), "ttl"),
        ("/api/v1/agent-tokens/issue", json!({ "agent_id": "a", "ttl": "long" }), "ttl"),
        (CHECK, json!({ "agent_id": [], "action_name": "x" }), "agent_id"),
        (CHECK, json!({ "agent_id": "a" }), "action_name"),
        (
            CHECK,
            json!({ "agent_id": "a", "action_name": "x", "action_input_summary": {} }),
            "action_input_summary",
        ),
        (
            "/api/v1/telemetry/report",
            json!({ "agent_id": "a", "events": [{ "event_type": "tool_end", "tool_name": "x", "success": "yes" }] }),
            "events[0].success",
        ),
        (
            "/api/v1/telemetry/report",
            json!({ "agent_id": "a", "events": [{ "tool_name": "x" }] }),
            "events[0].event_type",
        ),
        ("/mcp/sessions/init", json!({ "agent_id": "a", "server_id": 1 }), "server_id"),
        ("/api/v1/keys", json!({ "role": 1 }), "role"),
        ("/api/v1/keys", json!({ "role": "king" }), "role"),
    ] {
        let answer = api.post(path, ADMIN, body.clone()).await;
        println!("{path} {body} -> {}", answer.body);
        names(&answer, field);
    }
    assert_eq!(api.audit_rows().await, rows);
}

#[tokio::test]
async fn over_long_body_is_a_413_announced_or_not() {
    let api = open().await;
    let long = format!("{{\"name\": \"{}\"}}", "x".repeat(1 << 20));
    raw(&api, Method::POST, "/api/v1/agents", long.clone()).await.refused(413, "PAYLOAD_TOO_LARGE");
    let request = Request::post("/api/v1/agents")
        .header("X-API-Key", ADMIN)
        .header("Content-Length", long.len())
        .body(Body::from(long));
    api.send(request.unwrap()).await.refused(413, "PAYLOAD_TOO_LARGE");
    let stream =
        futures_util::stream::iter((0..64).map(|_| Ok::<_, std::io::Error>(vec![b' '; 32 << 10])));
    raw(&api, Method::POST, "/api/v1/agents", Body::from_stream(stream))
        .await
        .refused(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(api.get("/api/v1/agents", ADMIN).await.body, json!({ "agents": [] }));
}

#[tokio::test]
async fn unknown_route_is_a_404_and_a_wrong_method_a_405_in_json() {
    let api = open().await;
    for path in ["/", "/nope", "/api/v1/agents/", "/api/v2/agents", "/mcp/approvals/a/b/c"] {
        raw(&api, Method::GET, path, Body::empty()).await.refused(404, "NOT_FOUND");
    }
    let answer = raw(&api, Method::DELETE, "/api/v1/agents", Body::empty()).await;
    answer.refused(405, "METHOD_NOT_ALLOWED");
    let allow = answer.headers["allow"].to_str().unwrap();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    let answer = raw(&api, Method::GET, CHECK, Body::empty()).await;
    answer.refused(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.headers["allow"], "POST");
}

#[tokio::test]
async fn unknown_effect_is_a_400() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    for word in ["", "harmless", "READ", "read ", "🙂"] {
        let body = json!({ "agent_id": agent, "action_name": "x", "action_effect": word });
        names(&api.check_as(ADMIN, body).await, "action_effect");
        let answer = api.put("/api/v1/tools/x/effect", ADMIN, json!({ "effect": word })).await;
        names(&answer, "effect");
    }
}

#[tokio::test]
async fn empty_long_or_control_character_names_are_400s_naming_the_field() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let rows = api.audit_rows().await;
    let long = "x".repeat(201);
    for bad in ["", "a\nb", "a\u{0}b", "\u{7f}", long.as_str()] {
        let body = json!({ "agent_id": bad, "action_name": "x" });
        names(&api.check_as(ADMIN, body).await, "agent_id");
        let body = json!({ "agent_id": agent, "action_name": bad });
        names(&api.check_as(ADMIN, body).await, "action_name");
        if !bad.is_empty() {
            let body = json!({ "agent_id": agent, "action_name": "x", "session_id": bad });
            names(&api.check_as(ADMIN, body).await, "session_id");
        }
        let body = json!({ "agent_id": agent, "server_id": bad });
        names(&api.post("/mcp/sessions/init", ADMIN, body).await, "server_id");
        let body = json!({ "name": bad });
        names(&api.post("/api/v1/agents", ADMIN, body).await, "name");
        let event = json!({ "event_type": "tool_end", "tool_name": bad });
        let body = json!({ "agent_id": agent, "session_id": "s", "events": [event] });
        names(&api.post("/api/v1/telemetry/report", ADMIN, body).await, "events[0].tool_name");
        names(
            &api.post("/api/v1/agent-tokens/introspect", ADMIN, json!({ "token": bad })).await,
            "token",
        );
    }
    names(&api.get("/api/v1/agents/a%0Ab", ADMIN).await, "id");
    names(&api.get(&format!("/mcp/approvals/{long}"), ADMIN).await, "id");
    names(&api.get("/mcp/sessions/%ff", ADMIN).await, "id");
    assert_eq!(api.audit_rows().await, rows);
}

#[tokio::test]
async fn id_with_a_slash_dots_or_multi_byte_characters_is_opaque_and_stays_in_its_place() {
    let api = open().await;
    for id in
        ["..%2Fagents", "%2E%2E", "a%2Fb", "%F0%9F%99%82", "k%C3%A4se", "%25", "a%20b", "..;x"]
    {
        for path in [
            format!("/api/v1/agents/{id}"),
            format!("/mcp/sessions/{id}"),
            format!("/mcp/approvals/{id}"),
        ] {
            let answer = api.get(&path, ADMIN).await;
            answer.refused(404, "NOT_FOUND");
            let message = answer.text("message");
            assert!(message.starts_with("there is no "), "{path}: {message}");
            assert!(!message.contains("endpoint"), "{path} left its path: {message}");
        }
        let body = json!({ "agent_id": id, "action_name": "x" });
        api.check_as(ADMIN, body).await.refused(404, "NOT_FOUND");
    }
    // A name may hold all of that, and is the same name afterwards.
    let agent = api.agent(&["*"]).await;
    for (encoded, name) in
        [("..%2F%F0%9F%99%82%20x", "../🙂 x"), ("http%2FGET%2F%7Bid%7D", "http/GET/{id}")]
    {
        let answer = api
            .put(&format!("/api/v1/tools/{encoded}/effect"), ADMIN, json!({ "effect": "read" }))
            .await;
        assert_eq!(answer.ok().body["tool"], name);
        let answer = api.check(ADMIN, &agent, name).await;
        assert_eq!(
            (answer.body["action_effect"].clone(), answer.body["confidence"].clone()),
            (json!("read"), json!(1.0))
        );
    }
}

#[tokio::test]
async fn summary_of_200_emoji_is_kept_whole_and_a_longer_one_is_a_400() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let body = |emoji: usize| {
        json!({
            "agent_id": agent,
            "action_name": "db_delete",
            "action_input_summary": "🙂".repeat(emoji),
        })
    };
    let approval = api.check_as(&key, body(200)).await.held();
    assert_eq!(api.approval(&approval).await["action_input_summary"], "🙂".repeat(200));
    for emoji in [201, 10_000] {
        names(&api.check_as(&key, body(emoji)).await, "action_input_summary");
    }
    let listed = api.get("/mcp/approvals", ADMIN).await.ok();
    assert_eq!(listed.body["approvals"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn list_that_no_row_of_the_audit_could_hold_changes_nothing() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let rows = api.audit_rows().await;
    // 500 of them made a row of more than 64 KiB, and 81 are more than 16 KiB.
    for count in [500, 81] {
        let long: Vec<String> = (0..count).map(|n| format!("{n:0>200}")).collect();
        let body = json!({ "name": "x", "capabilities": long });
        names(&api.post("/api/v1/agents", ADMIN, body).await, "capabilities");
        let body = json!({ "mode": "restricted", "scope_ceiling": long });
        let path = format!("/api/v1/agents/{agent}/floor");
        names(&api.put(&path, ADMIN, body).await, "scope_ceiling");
        let body = json!({ "agent_id": agent, "scopes": long });
        names(&api.post("/api/v1/agent-tokens/issue", ADMIN, body).await, "scopes");
        let body = json!({ "agent_id": agent, "server_id": "x", "scope_ceiling": long });
        names(&api.post("/mcp/sessions/init", ADMIN, body).await, "scope_ceiling");
    }
    let body = json!({ "reason": "x".repeat(2_001) });
    for what in ["suspend", "reactivate", "revoke"] {
        let path = format!("/api/v1/agents/{agent}/{what}");
        names(&api.post(&path, ADMIN, body.clone()).await, "reason");
    }
    assert_eq!(api.audit_rows().await, rows);
    let agents = api.get("/api/v1/agents", ADMIN).await.ok();
    assert_eq!(agents.body["agents"].as_array().unwrap().len(), 1);
    api.check(&key, &agent, "web_search").await.allowed();
    // What just fits is kept and recorded.
    let most: Vec<String> = (0..80).map(|n| format!("{n:0>200}")).collect();
    let body = json!({ "name": "x", "capabilities": most });
    api.post("/api/v1/agents", ADMIN, body).await.ok();
    assert_eq!(api.audit("agent.created").await.len(), 2);
}

#[tokio::test]
async fn check_with_too_many_scopes_is_a_400_and_uses_no_approval() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let body = json!({ "agent_id": agent, "action_name": "db_delete" });
    let approval = api.check_as(&key, body.clone()).await.held();
    api.approve(ADMIN, &approval).await.ok();
    let scopes = (0..320).map(|n| format!("{n:0>199}")).collect::<Vec<_>>().join(",");
    let headers = [("agenttrust-scopes", scopes.as_str())];
    let answer = api.check_with(&key, &headers, body.clone()).await;
    answer.refused(400, "VALIDATION_ERROR");
    assert!(answer.text("message").to_lowercase().contains("agenttrust-scopes"), "{answer:?}");
    assert_eq!(api.approval(&approval).await["status"], "approved");
    api.check_as(&key, body).await.allowed();
}

#[tokio::test]
async fn floor_opens_only_when_that_is_what_was_said() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let path = format!("/api/v1/agents/{agent}/floor");
    let floor = json!({ "mode": "supervised", "scope_ceiling": ["files:*"] });
    let kept = api.put(&path, ADMIN, floor.clone()).await.ok();
    assert_eq!(kept.body, floor);
    for (body, field) in [
        (json!({}), "mode"),
        (json!({ "scope_ceiling": null }), "mode"),
        (json!({ "mod": "supervised", "scope_ceiling": ["files:*"] }), "mod"),
        (json!({ "mode": "supervised", "scope_ceilings": ["files:read"] }), "scope_ceilings"),
        (json!({ "scope_ceiling": [] }), "scope_ceiling"),
        (json!({ "mode": "supervised", "scope_ceiling": [] }), "scope_ceiling"),
        (json!({ "mode": "open", "scope_ceiling": [] }), "scope_ceiling"),
        // The ceiling that it has would be gone, and nobody said so.
        (json!({ "mode": "supervised" }), "scope_ceiling"),
        (json!({ "mode": "restricted" }), "scope_ceiling"),
        (json!({ "mode": "lax" }), "mode"),
    ] {
        let answer = api.put(&path, ADMIN, body.clone()).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert!(answer.text("message").contains(field), "{body}: {answer:?}");
        api.check(&key, &agent, "web_search").await.denied("ceiling");
    }
    let dropped = json!({ "mode": "supervised", "scope_ceiling": null });
    assert_eq!(api.put(&path, ADMIN, dropped.clone()).await.ok().body, dropped);
    api.check(&key, &agent, "web_search").await.allowed();
    let restricted = api.put(&path, ADMIN, json!({ "scope_ceiling": ["files:*"] })).await.ok();
    assert_eq!(restricted.body["mode"], "restricted");
    api.put(&path, ADMIN, json!({ "mode": "open" })).await.ok();
    api.check(&key, &agent, "web_search").await.allowed();
}

#[tokio::test]
async fn audit_is_verified_by_one_caller_at_a_time() {
    let api = open().await;
    let walk = || api.get("/api/v1/audit/verify", ADMIN);
    let answers = futures_util::future::join_all((0..8).map(|_| walk())).await;
    let (walked, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status.is_success());
    // As a rule one of them; a walk that was over before another asked was no obstacle to that one.
    assert!(!walked.is_empty(), "{answers:?}");
    refused.iter().for_each(|answer| {
        answer.refused(429, "TOO_MANY");
    });
    walk().await.ok();
}

#[tokio::test]
async fn export_that_is_not_read_keeps_no_other_of_its_key_and_no_verification_waiting() {
    let api = open().await;
    let export = |key: &str| {
        let request = Request::get("/api/v1/audit/export").header("X-API-Key", key);
        tower::ServiceExt::oneshot(api.guardian.router(), request.body(Body::empty()).unwrap())
    };
    let unread = futures_util::future::join_all((0..20).map(|_| export(ADMIN))).await;
    assert!(unread.iter().all(|answer| answer.as_ref().unwrap().status() == 200));
    api.get("/api/v1/audit/verify", ADMIN).await.ok();
    let auditor = api.key("auditor", &[]).await;
    for key in [ADMIN, &auditor] {
        let exported = api.get("/api/v1/audit/export", key).await.ok().body;
        assert!(exported.as_str().unwrap().contains("guardian.started"), "{exported}");
    }
    drop(unread);
}

#[tokio::test]
async fn missing_wrong_or_revoked_key_is_a_401() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let paths = ["/api/v1/agents", "/mcp/approvals", "/api/v1/audit", "/api/v1/keys"];
    for path in paths {
        let none = Request::get(path).body(Body::empty()).unwrap();
        api.send(none).await.refused(401, "AUTH_FAILED");
        for key in ["", "sk_live_wrong", "🙂", "sk_test_admin2"] {
            let request =
                Request::get(path).header("X-API-Key", key.as_bytes()).body(Body::empty());
            api.send(request.unwrap()).await.refused(401, "AUTH_FAILED");
        }
        for value in ["Bearer", "Bearer ", "Basic sk_test_admin", "sk_test_admin"] {
            let request = Request::get(path).header("Authorization", value).body(Body::empty());
            api.send(request.unwrap()).await.refused(401, "AUTH_FAILED");
        }
        let request = Request::get(path)
            .header("Authorization", format!("Bearer {ADMIN}"))
            .body(Body::empty());
        assert_eq!(api.send(request.unwrap()).await.status, 200);
    }
    let body = json!({ "role": "agent", "agents": [agent] });
    let made = api.post("/api/v1/keys", ADMIN, body).await.ok();
    let (id, key) = (made.text("id"), made.text("key"));
    api.check(&key, &agent, "search").await.allowed();
    api.ask(Method::DELETE, &format!("/api/v1/keys/{id}"), ADMIN, None).await.ok();
    api.check(&key, &agent, "search").await.refused(401, "AUTH_FAILED");
    api.ask(Method::DELETE, &format!("/api/v1/keys/{id}"), ADMIN, None)
        .await
        .refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn key_is_shown_once_and_never_listed() {
    let api = open().await;
    let made = api.post("/api/v1/keys", ADMIN, json!({ "role": "operator" })).await.ok();
    let key = made.text("key");
    let listed = api.get("/api/v1/keys", ADMIN).await.ok().body.to_string();
    assert!(listed.contains(&made.text("id")) && !listed.contains(&key));
    let audit = api.get("/api/v1/audit", ADMIN).await.ok().body.to_string();
    assert!(!audit.contains(&key) && !audit.contains(ADMIN));
    assert!(!format!("{:?}", api.guardian).contains(ADMIN));
}

#[tokio::test]
async fn malformed_capabilities_and_keys_register_nothing() {
    let api = open().await;
    for (body, status, field) in [
        (json!({ "name": "x", "capabilities": ["a*"] }), 400, "capabilities"),
        (json!({ "name": "x", "capabilities": [""] }), 400, "capabilities"),
        (json!({ "name": "x", "capabilities": ["a:b", "a_b"] }), 409, "capabilities"),
        (json!({ "name": "x", "public_key": "not pem" }), 400, "public_key"),
    ] {
        let answer = api.post("/api/v1/agents", ADMIN, body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.body["details"]["field"], field, "{answer:?}");
    }
    api.post("/api/v1/agents", ADMIN, json!({ "name": "x", "org_id": "org_other" }))
        .await
        .refused(403, "AUTH_DENIED");
    assert_eq!(api.get("/api/v1/agents", ADMIN).await.body, json!({ "agents": [] }));
    for body in [
        json!({ "role": "agent" }),
        json!({ "role": "agent", "agents": ["agt_nobody"] }),
        json!({ "role": "admin", "agents": ["agt_nobody"] }),
    ] {
        let answer = api.post("/api/v1/keys", ADMIN, body).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert!(answer.text("message").contains("agents"), "{answer:?}");
    }
    assert_eq!(api.get("/api/v1/keys", ADMIN).await.body["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn token_life_is_bounded() {
    let api = open().await;
    let agent = api.agent(&["files:read"]).await;
    for ttl in [0, 86_401, u64::MAX] {
        let body = json!({ "agent_id": agent, "scopes": ["files:read"], "ttl": ttl });
        names(&api.post("/api/v1/agent-tokens/issue", ADMIN, body).await, "ttl");
    }
    let body = json!({ "agent_id": agent, "scopes": ["files:read"], "ttl": 86_400 });
    api.post("/api/v1/agent-tokens/issue", ADMIN, body).await.ok();
}

#[tokio::test]
async fn bad_headers_and_parameters_are_named() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let body = json!({ "agent_id": agent, "action_name": "search" });
    for (name, value) in [
        ("agenttrust-input-digest", "abc"),
        ("agenttrust-input-digest", &"g".repeat(64)),
        ("agenttrust-scopes", "db:write,,x"),
        ("idempotency-key", &"x".repeat(201)),
    ] {
        let answer = api.check_with(ADMIN, &[(name, value)], body.clone()).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert!(answer.text("message").to_lowercase().contains(name), "{name}: {answer:?}");
    }
    let twice = [("agenttrust-input-digest", "0"), ("agenttrust-input-digest", "1")];
    api.check_with(ADMIN, &twice, body).await.refused(400, "VALIDATION_ERROR");
    let approval = api.check(ADMIN, &agent, "db_delete").await.held();
    for wait in ["61", "-1", "soon"] {
        names(&api.get(&format!("/mcp/approvals/{approval}?wait={wait}"), ADMIN).await, "wait");
    }
    names(&api.get("/mcp/approvals?status=maybe", ADMIN).await, "status");
    names(&api.get("/api/v1/audit?limit=0", ADMIN).await, "limit");
    names(&api.get("/api/v1/audit?after=x", ADMIN).await, "after");
    let report = json!({ "agent_id": agent, "session_id": "", "events": [] });
    let two = [("agenttrust-check-ids", "a,b")];
    let answer = api.with(&two).post("/api/v1/telemetry/report", ADMIN, report).await;
    names(&answer, "agenttrust-check-ids");
}

#[tokio::test]
async fn hostile_strings_are_only_strings() {
    let api = open().await;
    let hostile = "'; DROP TABLE agents; --";
    let body =
        json!({ "name": hostile, "capabilities": [hostile], "metadata": { hostile: hostile } });
    let made = api.post("/api/v1/agents", ADMIN, body).await.ok();
    assert_eq!(made.body["name"], hostile);
    let agent = made.text("id");
    let body = json!({ "agent_id": agent, "action_name": hostile, "session_id": hostile, "action_input_summary": hostile });
    let approval = api.check_as(ADMIN, body).await.held();
    assert_eq!(api.approval(&approval).await["action_name"], hostile);
    let agents: Value = api.get("/api/v1/agents", ADMIN).await.ok().body;
    assert_eq!(agents["agents"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn parameter_or_header_that_is_there_twice_is_refused() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    for path in ["/api/v1/audit?limit=1&limit=2", "/mcp/approvals?agent_id=a&agent_id=b"] {
        let field = if path.contains("limit") { "limit" } else { "agent_id" };
        names(&api.get(path, ADMIN).await, field);
    }
    let report = json!({ "agent_id": agent, "events": [{ "event_type": "note" }] });
    let path = "/api/v1/telemetry/report";
    let twice = [("agenttrust-check-ids", "-"), ("agenttrust-check-ids", "chk_1")];
    let answer = api.with(&twice).post(path, ADMIN, report.clone()).await;
    names(&answer, "agenttrust-check-ids");
    // Empty is as good as absent, as in every other header.
    let empty = [("agenttrust-check-ids", "")];
    let none = json!({ "agent_id": agent, "events": [] });
    for body in [none, report] {
        api.with(&empty).post(path, ADMIN, body).await.ok();
    }
}

#[tokio::test]
async fn whole_number_may_be_written_as_json_schema_lets_it_and_no_larger_than_can_be_kept() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let token = json!({ "agent_id": agent, "scopes": [], "ttl": 60.0 });
    api.post("/api/v1/agent-tokens/issue", ADMIN, token).await.ok();
    let report = |duration: &str| {
        format!(
            r#"{{"agent_id": "{agent}", "events": [{{"event_type": "note", "duration_ms": {duration}}}]}}"#
        )
    };
    let path = "/api/v1/telemetry/report";
    for good in ["12", "12.0", "9223372036854775807"] {
        raw(&api, Method::POST, path, report(good)).await.ok();
    }
    for bad in ["12.5", "-1", "9223372036854775808", "null", "\"12\""] {
        names(&raw(&api, Method::POST, path, report(bad)).await, "events[0].duration_ms");
    }
    for bad in ["-1", "9223372036854775808", "1.0", "x"] {
        names(&api.get(&format!("/api/v1/audit?after={bad}"), ADMIN).await, "after");
    }
}
