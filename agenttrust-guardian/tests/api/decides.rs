//! What our Guardian decides: every rule of the protocol has a test named after it. The rules about
//! approvals are in `approvals.rs`.

use std::time::Duration;

use agenttrust_guardian::Role;
use agenttrust_guardian::policy::PolicySet;
use agenttrust_testkit::ADMIN;
use serde_json::{Value, json};

use crate::support::{Api, open, open_with};

const DIGEST: &str = "agenttrust-input-digest";

async fn with_policies(text: &str) -> Api {
    let set = PolicySet::parse("test.cedar", text).unwrap();
    open_with(|builder| builder.policy_set(set)).await
}

// Who may ask for whom.

#[tokio::test]
async fn agent_key_may_ask_only_for_the_agents_it_is_bound_to() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let other = api.agent(&["*"]).await;
    api.check(&key, &agent, "search").await.allowed();
    api.check(&key, &other, "search").await.refused(403, "AUTH_DENIED");
    // Not even whether it exists is told.
    api.check(&key, "agt_nobody", "search").await.refused(403, "AUTH_DENIED");
    let report = json!({ "agent_id": other, "session_id": "", "events": [] });
    api.post("/api/v1/telemetry/report", &key, report).await.refused(403, "AUTH_DENIED");
}

#[tokio::test]
async fn unknown_agent_is_404_and_a_suspended_or_revoked_one_is_denied() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    api.check(ADMIN, "agt_nobody", "search").await.refused(404, "NOT_FOUND");
    let path = |verb: &str| format!("/api/v1/agents/{agent}/{verb}");
    api.post(&path("suspend"), ADMIN, json!({ "reason": "odd" })).await.ok();
    api.check(&key, &agent, "search").await.denied("suspended");
    api.post(&path("reactivate"), ADMIN, json!({})).await.ok();
    api.check(&key, &agent, "search").await.allowed();
    api.post(&path("revoke"), ADMIN, json!({ "reason": "compromised" })).await.ok();
    api.check(&key, &agent, "search").await.denied("revoked");
    api.post(&path("reactivate"), ADMIN, json!({})).await.refused(409, "CONFLICT");
}

#[tokio::test]
async fn agent_that_must_prove_itself_is_denied_without_a_proof_unless_it_may_do_nothing_anyway() {
    let api = open().await;
    let pair = agenttrust::generate_agent_key().unwrap();
    let body =
        json!({ "name": "worker", "capabilities": ["search"], "public_key": pair.public_key_pem });
    let agent = api.post("/api/v1/agents", ADMIN, body).await.ok().text("id");
    let path = format!("/api/v1/agents/{agent}");
    let body = Some(json!({ "requires_proof": true }));
    api.ask(axum::http::Method::PATCH, &path, ADMIN, body).await.ok();
    api.check(ADMIN, &agent, "search").await.denied("needs a proof that it has its private key");
    api.check(ADMIN, &agent, "db_delete").await.denied("needs a proof");
    api.check_in(ADMIN, &agent, "search", "ats_never").await.denied("is not open");
    api.post(&format!("{path}/suspend"), ADMIN, json!({})).await.ok();
    api.check(ADMIN, &agent, "search").await.denied("suspended");
}

#[tokio::test]
async fn revoking_an_agent_revokes_its_tokens_and_sessions() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let token = api.token(&agent, &["search"]).await;
    let session = api.session(&key, &agent, json!({})).await.ok().text("session_id");
    let approval = api.check(&key, &agent, "db_delete").await.held();
    api.post(&format!("/api/v1/agents/{agent}/revoke"), ADMIN, json!({ "reason": "x" })).await.ok();
    let body = json!({ "token": token });
    let answer = api.post("/api/v1/agent-tokens/introspect", ADMIN, body.clone()).await.ok();
    assert_eq!(answer.body["active"], false);
    api.post("/api/v1/agenttrust/api-sessions/init", ADMIN, body).await.refused(401, "AUTH_FAILED");
    api.get(&format!("/mcp/sessions/{session}"), ADMIN).await.refused(404, "NOT_FOUND");
    assert_eq!(api.approval(&approval).await["status"], "expired");
    let body = json!({ "agent_id": agent, "scopes": [] });
    api.post("/api/v1/agent-tokens/issue", ADMIN, body).await.refused(403, "AGENT_REVOKED");
}

#[tokio::test]
async fn gateway_checks_only_inside_a_live_session_made_from_the_agents_token() {
    let api = open().await;
    let (agent, agent_key) = api.worker().await;
    let gateway = api.key(Role::Gateway, &[]).await;
    api.check(&gateway, &agent, "search").await.refused(403, "AUTH_DENIED");
    api.check_in(&gateway, &agent, "search", "sess-abc").await.refused(403, "AUTH_DENIED");
    let own = api.session(&agent_key, &agent, json!({})).await.ok().text("session_id");
    api.check_in(&gateway, &agent, "search", &own).await.refused(403, "AUTH_DENIED");

    let token = api.token(&agent, &["search"]).await;
    let init = json!({ "token": token });
    let session = api
        .post("/api/v1/agenttrust/api-sessions/init", &gateway, init)
        .await
        .ok()
        .text("session_id");
    api.check_in(&gateway, &agent, "search", &session).await.allowed();
    let other = api.agent(&["*"]).await;
    api.check_in(&gateway, &other, "search", &session).await.denied("another agent");
    api.post("/api/v1/agent-tokens/revoke", ADMIN, json!({ "token": token, "reason": "x" }))
        .await
        .ok();
    api.check_in(&gateway, &agent, "search", &session).await.denied("not open");
}

// Names and capabilities.

#[tokio::test]
async fn names_are_compared_byte_for_byte() {
    let api = open().await;
    let agent = api.agent(&["foo_bar"]).await;
    api.check(ADMIN, &agent, "foo_bar").await.allowed();
    for other in ["foo-bar", "Foo_bar", "foo_bar ", "foo_bär"] {
        api.check(ADMIN, &agent, other).await.denied("no capability that covers");
    }
    api.put("/api/v1/tools/foo-bar/effect", ADMIN, json!({ "effect": "admin" })).await.ok();
    api.check(ADMIN, &agent, "foo_bar").await.allowed();
}

#[tokio::test]
async fn tool_must_be_covered_by_a_capability_whatever_the_mode() {
    let api = open().await;
    let agent = api.agent(&["web:search", "files:*", "github/*"]).await;
    for mode in ["open", "supervised"] {
        let session =
            api.session(ADMIN, &agent, json!({ "mode": mode })).await.ok().text("session_id");
        for tool in ["web_search", "web:search", "files_list", "github/list_issues"] {
            api.check_in(ADMIN, &agent, tool, &session).await.allowed();
        }
        api.check_in(ADMIN, &agent, "get_secret", &session)
            .await
            .denied("no capability that covers");
    }
}

#[tokio::test]
async fn every_scope_that_the_tool_declares_must_be_covered_too() {
    let api = open().await;
    let agent = api.agent(&["report", "db:read"]).await;
    let body = json!({ "agent_id": agent, "action_name": "report", "action_effect": "read" });
    let with = async |scopes: &str| {
        api.check_with(ADMIN, &[("agenttrust-scopes", scopes)], body.clone()).await
    };
    let answer = with("db:read").await;
    answer.allowed();
    assert_eq!(answer.headers["agenttrust-enforced"], "scopes");
    let answer = with("db:read, db:write").await;
    answer.denied("\"db:write\"");
    assert_eq!(answer.headers["agenttrust-enforced"], "scopes");
}

#[tokio::test]
async fn no_capabilities_means_no_tools_and_the_reason_says_how_to_mend_it() {
    let api = open().await;
    let agent = api.agent(&[]).await;
    let answer = api.check(ADMIN, &agent, "search").await;
    answer.denied("has no capabilities");
    assert!(answer.text("reason").contains("register it with one that covers \"search\""));
}

#[tokio::test]
async fn token_scopes_and_session_ceilings_only_narrow() {
    let api = open().await;
    let agent = api.agent(&["files:*"]).await;
    for scopes in [json!(["*"]), json!(["files:read", "db:read"])] {
        let body = json!({ "agent_id": agent, "scopes": scopes });
        api.post("/api/v1/agent-tokens/issue", ADMIN, body).await.refused(403, "AUTH_DENIED");
        let more = json!({ "scope_ceiling": scopes });
        api.session(ADMIN, &agent, more).await.refused(403, "AUTH_DENIED");
    }
    let token = api.token(&agent, &["files:read"]).await;
    let init = json!({ "token": token });
    let session = api.post("/api/v1/agenttrust/api-sessions/init", ADMIN, init).await.ok();
    assert_eq!(session.body["source"], "api");
    assert_eq!(session.body["scope_ceiling"], json!(["files:read"]));
    let session = session.text("session_id");
    api.check_in(ADMIN, &agent, "files_read", &session).await.allowed();
    api.check_in(ADMIN, &agent, "files_list", &session).await.denied("outside the scope ceiling");
    let body = json!({ "agent_id": agent, "scopes": ["files:list"], "session_id": session });
    api.post("/api/v1/agent-tokens/issue", ADMIN, body).await.refused(403, "AUTH_DENIED");
}

#[tokio::test]
async fn token_is_active_only_for_its_scopes_and_audience() {
    let api = open().await;
    let agent = api.agent(&["files:*"]).await;
    let body = json!({ "agent_id": agent, "scopes": ["files:read"], "audience": ["mcp://files"] });
    let token = api.post("/api/v1/agent-tokens/issue", ADMIN, body).await.ok();
    assert!(token.text("token").starts_with("at_"));
    let ask = async |target: Value, scopes: Value| {
        let body =
            json!({ "token": token.text("token"), "target": target, "required_scopes": scopes });
        api.post("/api/v1/agent-tokens/introspect", ADMIN, body).await.ok().body
    };
    assert_eq!(ask(json!("mcp://files"), json!(["files:read"])).await["agent_id"], agent);
    assert_eq!(ask(Value::Null, json!([])).await["active"], true);
    assert_eq!(ask(json!("mcp://mail"), json!([])).await["active"], false);
    assert_eq!(ask(Value::Null, json!(["files:write"])).await["active"], false);
    let anywhere = api.token(&agent, &["files:read"]).await;
    let body = json!({ "token": anywhere, "target": "mcp://whatever" });
    assert_eq!(
        api.post("/api/v1/agent-tokens/introspect", ADMIN, body).await.ok().body["active"],
        true
    );
}

// Sessions.

#[tokio::test]
async fn session_id_that_was_not_issued_is_an_ad_hoc_session_of_that_agent() {
    let api = open().await;
    let (one, two) = (api.agent(&["*"]).await, api.agent(&["*"]).await);
    api.check_in(ADMIN, &one, "search", "sess-abc").await.allowed();
    api.check_in(ADMIN, &one, "list", "sess-abc").await.allowed();
    api.check_in(ADMIN, &two, "search", "sess-abc").await.allowed();
    let of = async |agent: &str| {
        api.get(&format!("/mcp/sessions/sess-abc?agent_id={agent}"), ADMIN).await.ok().body
    };
    assert_eq!(of(&one).await["total_calls"], 2);
    assert_eq!(of(&two).await["total_calls"], 1);
    api.get("/mcp/sessions/sess-abc", ADMIN).await.refused(409, "CONFLICT");
    api.get("/mcp/sessions/sess-other", ADMIN).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn empty_session_id_means_absent() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    api.check_in(&key, &agent, "search", "").await.allowed();
    // The same session as none at all: one approval for both.
    let with = api.check_in(&key, &agent, "db_delete", "").await.held();
    assert_eq!(api.check(&key, &agent, "db_delete").await.held(), with);
    assert_eq!(api.approval(&with).await["session_id"], "");
}

#[tokio::test]
async fn issued_session_that_is_unknown_expired_or_another_agents_is_denied() {
    let api = open_with(|builder| builder.session_ttl(Duration::from_millis(300))).await;
    let (agent, other) = (api.agent(&["*"]).await, api.agent(&["*"]).await);
    api.check_in(ADMIN, &agent, "search", "ats_never_issued").await.denied("not open");
    let session = api.session(ADMIN, &agent, json!({})).await.ok().text("session_id");
    assert!(session.starts_with("ats_"));
    api.check_in(ADMIN, &agent, "search", &session).await.allowed();
    api.check_in(ADMIN, &other, "search", &session).await.denied("another agent");
    tokio::time::sleep(Duration::from_millis(350)).await;
    api.check_in(ADMIN, &agent, "search", &session).await.denied("expired");
}

#[tokio::test]
async fn floor_applies_to_ad_hoc_absent_and_issued_sessions_alike() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let before = api.session(&key, &agent, json!({})).await.ok().text("session_id");
    let operator = api.key(Role::Operator, &[]).await;
    let floor = json!({ "mode": "restricted", "scope_ceiling": ["files:*"] });
    api.put(&format!("/api/v1/agents/{agent}/floor"), &operator, floor).await.ok();
    let after = api.session(&key, &agent, json!({})).await.ok();
    assert_eq!(after.body["mode"], "restricted");
    assert_eq!(after.body["scope_ceiling"], json!(["files:*"]));
    for session in ["", "sess-abc", &before, &after.text("session_id")] {
        api.check_in(&key, &agent, "files_read", session).await.allowed();
        api.check_in(&key, &agent, "web_search", session).await.denied("outside the scope ceiling");
    }
}

#[tokio::test]
async fn init_may_only_tighten_the_floor() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let path = format!("/api/v1/agents/{agent}/floor");
    let floor = json!({ "mode": "supervised", "scope_ceiling": ["files:*"] });
    api.put(&path, ADMIN, floor).await.ok();
    api.session(ADMIN, &agent, json!({ "mode": "open" })).await.refused(403, "AUTH_DENIED");
    api.session(ADMIN, &agent, json!({ "scope_ceiling": ["db:read"] }))
        .await
        .refused(403, "AUTH_DENIED");
    let tighter = json!({ "mode": "restricted", "scope_ceiling": ["files:read"] });
    let session = api.session(ADMIN, &agent, tighter).await.ok();
    assert_eq!(session.body["mode"], "supervised");
    let session = session.text("session_id");
    api.check_in(ADMIN, &agent, "files_read", &session).await.allowed();
    api.check_in(ADMIN, &agent, "files_list", &session).await.denied("outside the scope ceiling");
    for (mode, field) in [("chained", "mode"), ("open", "mode"), ("restricted", "scope_ceiling")] {
        let ceiling = if mode == "open" { json!(["x"]) } else { json!([]) };
        let body = json!({ "mode": mode, "scope_ceiling": ceiling });
        let answer = api.put(&path, ADMIN, body).await;
        assert_eq!(answer.refused(400, "VALIDATION_ERROR").body["details"]["field"], field);
    }
}

#[tokio::test]
async fn restricted_session_denies_what_is_outside_its_ceiling() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let more = json!({ "mode": "restricted", "scope_ceiling": ["web:search"] });
    let session = api.session(ADMIN, &agent, more).await.ok().text("session_id");
    api.check_in(ADMIN, &agent, "web_search", &session).await.allowed();
    // Denied, not held: nobody is asked to approve it.
    api.check_in(ADMIN, &agent, "db_delete", &session).await.denied("outside the scope ceiling");
    let body = json!({ "agent_id": agent, "action_name": "web_search", "session_id": session });
    api.check_with(ADMIN, &[("agenttrust-scopes", "db:write")], body).await.denied("db:write");
}

#[tokio::test]
async fn supervised_session_holds_destructive_and_admin_whatever_the_policies_allow() {
    let api = with_policies("permit (principal, action, resource);").await;
    let (agent, key) = api.worker().await;
    api.check(&key, &agent, "db_delete").await.allowed();
    let session =
        api.session(&key, &agent, json!({ "mode": "supervised" })).await.ok().text("session_id");
    api.check_in(&key, &agent, "search", &session).await.allowed();
    api.check_in(&key, &agent, "send_mail", &session).await.allowed();
    let approval = api.check_in(&key, &agent, "db_delete", &session).await.held();
    api.check_in(&key, &agent, "grant_role", &session).await.held();
    api.approve(ADMIN, &approval).await.ok();
    api.check_in(&key, &agent, "db_delete", &session).await.allowed();
}

// Effects.

#[tokio::test]
async fn effect_set_by_an_operator_is_final_else_the_strongest_evidence_counts() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let hinted = async |tool: &str, effect: &str| {
        let body = json!({ "agent_id": agent, "action_name": tool, "action_effect": effect });
        api.check_as(&key, body).await
    };
    hinted("db_delete", "read").await.held();
    hinted("web_search", "destructive").await.held();
    assert_eq!(hinted("frobnicate", "read").await.allowed().body["confidence"], 0.9);
    let operator = api.key(Role::Operator, &[]).await;
    api.put("/api/v1/tools/db_delete/effect", &operator, json!({ "effect": "read" })).await.ok();
    let answer = hinted("db_delete", "destructive").await;
    assert_eq!(answer.allowed().body["action_effect"], "read");
    assert_eq!(answer.body["confidence"], 1.0);
}

#[tokio::test]
async fn effect_comes_from_the_first_known_verb_else_it_is_mutating() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    for (tool, effect, confidence) in [
        ("list_deleted", "read", 0.6),
        ("send_mail", "mutating", 0.6),
        ("frobnicate", "mutating", 0.3),
    ] {
        let answer = api.check(&key, &agent, tool).await;
        answer.allowed();
        assert_eq!(answer.body["action_effect"], effect, "{tool}");
        assert_eq!(answer.body["confidence"], confidence, "{tool}");
    }
    let body = json!({ "agent_id": agent, "action_name": "list", "action_effect": "write" });
    assert_eq!(api.check_as(&key, body).await.allowed().body["action_effect"], "mutating");
}

// Policies.

#[tokio::test]
async fn default_policy_allows_read_and_mutating_and_holds_destructive_and_admin() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    for tool in ["search", "send_mail", "frobnicate"] {
        let answer = api.check(&key, &agent, tool).await;
        assert_eq!(answer.allowed().body["guard_tier"], "fast");
        assert!(answer.text("check_id").starts_with("chk_"));
        assert!(answer.body["latency_ms"].is_u64());
    }
    for tool in ["db_delete", "grant_role"] {
        let approval = api.check(&key, &agent, tool).await.held();
        let approval = api.approval(&approval).await;
        assert_eq!(approval["status"], "pending");
        assert_eq!(approval["action_name"], tool);
        assert!(!approval["reason"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn deny_beats_elevate_beats_allow() {
    let api = with_policies(
        r#"
        @id("all") permit (principal, action, resource);
        @id("hold") @elevate forbid (principal, action, resource)
            when { resource.name like "*delete*" && !context.approved };
        @id("never") @reason("production stays") forbid (principal, action, resource)
            when { resource.name like "prod_*" };
        "#,
    )
    .await;
    let (agent, key) = api.worker().await;
    api.check(&key, &agent, "search").await.allowed();
    api.check(&key, &agent, "db_delete").await.held();
    let answer = api.check(&key, &agent, "prod_delete").await;
    assert!(answer.denied("production stays").body["approval_id"].is_null());
}

#[tokio::test]
async fn nobody_is_asked_to_approve_what_an_approval_would_not_allow() {
    let api = with_policies(
        r#"
        @id("reads") permit (principal, action == Action::"read", resource);
        @id("hold") @elevate forbid (principal, action, resource) when { !context.approved };
        "#,
    )
    .await;
    let (agent, key) = api.worker().await;
    api.check(&key, &agent, "search").await.held();
    // Held by a policy, but no other would allow it once approved.
    let answer = api.check(&key, &agent, "db_delete").await;
    assert_eq!(answer.body["allowed"], false);
    assert_eq!(answer.body["elevation_required"], false, "{answer:?}");
    assert!(answer.body["approval_id"].is_null());
}

#[tokio::test]
async fn several_holds_merge_to_the_strictest_terms() {
    let api = with_policies(
        r#"
        @id("all") permit (principal, action, resource);
        @id("one") @elevate @window("1h") forbid (principal, action, resource) when { !context.approved };
        @id("two") @elevate @quorum("2") forbid (principal, action, resource) when { !context.approved };
        "#,
    )
    .await;
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, "search").await.held();
    assert_eq!(api.approval(&approval).await["quorum"], 2);
}

// Down.

#[tokio::test]
async fn check_is_answered_with_a_decision_when_the_store_is_down() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let session = api.session(&key, &agent, json!({})).await.ok().text("session_id");
    api.guardian.close().await;
    for (tool, session) in [("search", ""), ("send_mail", "s"), ("db_delete", &session)] {
        let answer = api.check_in(&key, &agent, tool, session).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["allowed"], false);
        assert!(!answer.text("reason").is_empty());
    }
    api.get("/mcp/approvals", ADMIN).await.refused(503, "UNAVAILABLE");
    api.post("/api/v1/agents", ADMIN, json!({ "name": "x" })).await.refused(503, "UNAVAILABLE");
}

// Telemetry and counters.

#[tokio::test]
async fn report_counts_only_with_a_check_id_of_the_same_key_agent_session_and_tool_once() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let other_key = api.key(Role::Agent, &[&agent]).await;
    let check = api.check_in(&key, &agent, "search", "s1").await.text("check_id");
    let report = async |key: &str, session: &str, tool: &str, id: &str| {
        let event = json!({
            "event_type": "tool_error", "tool_name": tool, "duration_ms": 7, "success": false,
            "error_type": "Timeout", "timestamp": "2026-01-01T00:00:00.123456789+00:00",
        });
        let body = json!({ "agent_id": agent, "session_id": session, "events": [event] });
        let headers = [("agenttrust-check-ids", id)];
        let path = "/api/v1/telemetry/report";
        let answer = api.with(&headers).post(path, key, body).await.ok();
        assert_eq!(answer.body, json!({ "accepted": true, "events_processed": 1 }));
        api.audit("outcome").await.len()
    };
    assert_eq!(report(&key, "s1", "search", "-").await, 0);
    assert_eq!(report(&key, "s1", "search", "chk_made_up").await, 0);
    assert_eq!(report(&other_key, "s1", "search", &check).await, 0);
    assert_eq!(report(&key, "s2", "search", &check).await, 0);
    assert_eq!(report(&key, "s1", "find", &check).await, 0);
    assert_eq!(report(&key, "s1", "search", &check).await, 1);
    assert_eq!(report(&key, "s1", "search", &check).await, 1, "once");
    let outcome = &api.audit("outcome").await[0]["body"];
    assert_eq!((&outcome["error_type"], &outcome["check_id"]), (&json!("Timeout"), &json!(check)));
}

#[tokio::test]
async fn counters_count_checks_and_survive_in_what_get_shows() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let ceiling = json!({ "scope_ceiling": ["search", "send_mail", "db_delete"] });
    let session = api.session(&key, &agent, ceiling).await.ok().text("session_id");
    for tool in ["search", "search", "send_mail", "db_delete", "get_secret"] {
        api.check_in(&key, &agent, tool, &session).await;
    }
    let shown = api.get(&format!("/mcp/sessions/{session}"), &key).await.ok().body;
    for (counter, count) in
        [("total_calls", 5), ("read_calls", 3), ("write_calls", 2), ("denied_calls", 1)]
    {
        assert_eq!(shown[counter], count, "{counter} in {shown}");
    }
    assert!(shown["last_activity_at"].as_str() >= shown["created_at"].as_str());
}

// The audit.

#[tokio::test]
async fn every_decision_is_in_the_audit_and_the_chain_is_whole() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    api.check(&key, &agent, "search").await.allowed();
    let approval = api.check(&key, &agent, "db_delete").await.held();
    api.approve(ADMIN, &approval).await.ok();
    let allowed = api.check(&key, &agent, "db_delete").await;
    api.check_in(&key, &agent, "search", "ats_nope").await.denied("not open");
    let decisions = api.audit("decision").await;
    let said: Vec<_> = decisions
        .iter()
        .map(|entry| {
            (entry["body"]["tool"].as_str().unwrap(), entry["body"]["decision"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        said,
        [("search", "allow"), ("db_delete", "hold"), ("db_delete", "allow"), ("search", "deny")]
    );
    assert_eq!(decisions[2]["body"]["check_id"], allowed.text("check_id"));
    assert_eq!(decisions[2]["body"]["approval_id"], approval);
    assert_eq!(decisions[0]["agent_id"], agent);
    assert!(api.audit_rows().await >= 8);
    let export = api.get("/api/v1/audit/export", ADMIN).await.ok();
    assert_eq!(export.body.as_str().unwrap().lines().count() as u64, api.audit_rows().await);
}

#[tokio::test]
async fn input_is_stored_nowhere_unless_an_approval_needs_it() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let body = json!({
        "agent_id": agent, "action_name": "send_mail", "action_input_summary": "top secret words",
    });
    api.check_as(&key, body).await.allowed();
    let audit = api.get("/api/v1/audit/export", ADMIN).await.ok().body;
    assert!(!audit.as_str().unwrap().contains("top secret"));
    assert_eq!(api.audit("decision").await[0]["body"]["input_chars"], 16);
}

// Extensions.

#[tokio::test]
async fn answer_lists_what_it_took_into_account() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let body = json!({ "agent_id": agent, "action_name": "search" });
    let digest = "0".repeat(64);
    let (digest, scopes) = ((DIGEST, digest.as_str()), ("agenttrust-scopes", "db:read"));
    let enforced = async |headers: &[(&str, &str)]| {
        let answer = api.check_with(ADMIN, headers, body.clone()).await.ok();
        answer.headers.get("agenttrust-enforced").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(enforced(&[]).await, None);
    assert_eq!(enforced(&[digest]).await.as_deref(), Some("digest"));
    assert_eq!(enforced(&[digest, scopes]).await.as_deref(), Some("digest, scopes"));
}

#[tokio::test]
async fn repeated_check_with_its_idempotency_key_gets_the_first_answer() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let other_key = api.key(Role::Agent, &[&agent]).await;
    let body = json!({ "agent_id": agent, "action_name": "db_delete" });
    let headers = [("idempotency-key", "once")];
    let first = api.check_with(&key, &headers, body.clone()).await;
    let approval = first.held();
    assert_eq!(api.check_with(&key, &headers, body.clone()).await.body, first.body);
    api.approve(ADMIN, &approval).await.ok();
    // Still the first answer; the approval is not used up by it.
    assert_eq!(api.check_with(&key, &headers, body.clone()).await.body, first.body);
    let twice = [("idempotency-key", "twice")];
    let used = api.check_with(&key, &twice, body.clone()).await;
    used.allowed();
    assert_eq!(api.check_with(&key, &twice, body.clone()).await.body, used.body);
    assert_ne!(api.check_with(&other_key, &headers, body).await.body, first.body);
    let other = json!({ "agent_id": agent, "action_name": "db_drop" });
    api.check_with(&key, &headers, other).await.refused(400, "VALIDATION_ERROR");
}
