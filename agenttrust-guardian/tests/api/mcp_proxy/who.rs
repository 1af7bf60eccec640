//! Who may come: an agent with its token, or a key that names it.

use agenttrust_guardian::Role;
use agenttrust_testkit::ADMIN;
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use super::{Fixture, Said, Speaks, call, read};

impl Fixture {
    /// Calls `echo` with these headers and nothing else.
    async fn comes(&self, headers: &[(&str, &str)]) -> Said {
        let body = call("echo", json!({})).to_string();
        read(self.begin_as(Method::POST, headers, Some(body)).await).await
    }

    async fn comes_with(&self, token: &str) -> Said {
        self.comes(&[("authorization", &format!("Bearer {token}"))]).await
    }
}

fn challenge(said: &Said) -> &str {
    said.headers["www-authenticate"].to_str().unwrap()
}

#[tokio::test]
async fn agent_comes_with_its_token_and_is_checked_in_a_session_of_it() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo", "write"]).await;
    let address = format!("http://localhost/mcp/{}", fixture.server);
    for audience in [&[][..], &["files"], &[&*fixture.server], &[&*address]] {
        let token = fixture.token(&["files/echo"], audience).await;
        for _ in 0..2 {
            fixture.comes_with(&token).await.text_of_tool();
        }
    }
    // One session a token, and the server's gateway asks.
    assert_eq!(fixture.api.audit("session.opened").await.len(), 4);
    let decision = &fixture.api.audit("decision").await[0];
    assert_eq!(decision["agent_id"], fixture.agent);
    assert!(decision["body"]["session_id"].as_str().unwrap().starts_with("ats_"));
    let heard = format!("{:?}", fixture.upstream.heard());
    assert!(!heard.contains("at_") && !heard.contains("ats_"), "{heard}");
}

#[tokio::test]
async fn token_has_a_session_of_its_own_and_none_beside_it() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let token = fixture.token(&["files/echo"], &[]).await;
    let bearer = format!("Bearer {token}");
    for session in ["ats_unknown", "mine", &"x".repeat(5_000)] {
        let said = fixture.comes(&[("authorization", &bearer), ("x-session-id", session)]).await;
        said.refused(400, -32600, "X-Session-ID");
    }
    assert_eq!(fixture.upstream.called(), [""; 0]);
    fixture.comes(&[("authorization", &bearer), ("x-session-id", "")]).await.text_of_tool();
}

#[tokio::test]
async fn token_for_others_expired_revoked_or_made_up_is_401_and_says_where_to_go() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let other = fixture.token(&["*"], &["elsewhere"]).await;
    let revoked = fixture.token(&["*"], &[]).await;
    fixture.comes_with(&revoked).await.text_of_tool();
    fixture
        .api
        .post("/api/v1/agent-tokens/revoke", ADMIN, json!({ "token": revoked, "reason": "" }))
        .await
        .ok();
    for token in [&other, &revoked, "at_made_up"] {
        let said = fixture.comes_with(token).await;
        said.refused(401, -32600, "token");
        let expected = format!(
            "Bearer error=\"invalid_token\", resource_metadata=\
             \"http://localhost/.well-known/oauth-protected-resource/mcp/{}\", scope=\"files/*\"",
            fixture.server
        );
        assert_eq!(challenge(&said), expected);
    }
    let said = fixture.comes(&[]).await;
    said.refused(401, -32600, "no API key");
    assert!(!challenge(&said).contains("error="), "{said:?}");
    let said = fixture.comes(&[("x-api-key", "sk_live_made_up")]).await;
    said.refused(401, -32600, "not known here");
    let both = fixture
        .comes(&[("x-api-key", &fixture.key), ("authorization", &format!("Bearer {other}"))])
        .await;
    both.refused(400, -32600, "send one of them");
}

#[tokio::test]
async fn token_that_does_not_reach_as_far_is_told_every_scope_at_once() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let tools = json!({ "tools": [{ "name": "files/echo", "scopes": ["db:read"] }] });
    fixture.api.put("/api/v1/tools", ADMIN, tools).await.ok();
    let narrow = fixture.token(&["other"], &["files"]).await;
    let said = fixture.comes_with(&narrow).await;
    assert_eq!(said.status, 403, "{said:?}");
    let expected = format!(
        "Bearer error=\"insufficient_scope\", scope=\"files/echo db:read\", resource_metadata=\
         \"http://localhost/.well-known/oauth-protected-resource/mcp/{}\"",
        fixture.server
    );
    assert_eq!(challenge(&said), expected);
    assert_eq!(fixture.api.audit("decision").await[0]["body"]["decision"], "deny");
    assert_eq!(fixture.upstream.called(), [""; 0]);
    let wide = fixture.token(&["files/echo", "db:read"], &["files"]).await;
    fixture.comes_with(&wide).await.text_of_tool();
    // Another token would not help an agent that may not have it.
    let agent = fixture.api.agent(&["other"]).await;
    let fixture = Fixture { agent, ..fixture };
    let narrow = fixture.token(&["other"], &["files"]).await;
    fixture.comes_with(&narrow).await.denied("no capability");
}

#[tokio::test]
async fn server_is_described_for_clients_of_oauth() {
    let fixture = Fixture::with(Speaks::Legacy, &["echo"], |builder| {
        builder.public_url("https://guardian.example/")
    })
    .await;
    let path = format!("/.well-known/oauth-protected-resource/mcp/{}", fixture.server);
    let described =
        read(fixture.send(Request::get(&path).body(Body::empty()).unwrap()).await).await;
    assert_eq!(described.status, 200);
    let expected = json!({
        "resource": format!("https://guardian.example/mcp/{}", fixture.server),
        "resource_name": "files",
        "scopes_supported": ["files/*"],
        "bearer_methods_supported": ["header"],
    });
    assert_eq!(*described.answer(), expected);
    let unknown = "/.well-known/oauth-protected-resource/mcp/mcp_unknown";
    let said = read(fixture.send(Request::get(unknown).body(Body::empty()).unwrap()).await).await;
    assert_eq!(said.status, 404);
    assert!(challenge(&fixture.comes(&[]).await).contains("https://guardian.example/.well-known/"));
    let address = format!("https://guardian.example/mcp/{}", fixture.server);
    let token = fixture.token(&["files/echo"], &[&address]).await;
    fixture.comes_with(&token).await.text_of_tool();
}

#[tokio::test]
async fn key_names_its_agent_or_has_only_one() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    fixture.comes(&[("x-api-key", &fixture.key)]).await.text_of_tool();
    fixture.comes(&[("authorization", &format!("Bearer {}", fixture.key))]).await.text_of_tool();
    let (other, _) = fixture.api.worker().await;
    let both = fixture.api.key("agent", &[&fixture.agent, &other]).await;
    fixture.comes(&[("x-api-key", &both)]).await.refused(400, -32600, "X-Agent-ID is missing");
    fixture.comes(&[("x-api-key", &both), ("x-agent-id", &other)]).await.text_of_tool();
    let foreign = [("x-api-key", &*fixture.key), ("x-agent-id", &other)];
    fixture.comes(&foreign).await.refused(403, -32600, "not bound");
    fixture.comes(&[("x-api-key", ADMIN)]).await.refused(400, -32600, "X-Agent-ID is missing");
    let unknown = [("x-api-key", ADMIN), ("x-agent-id", "agt_unknown")];
    fixture.comes(&unknown).await.refused(404, -32600, "no agent");
    let empty = [("x-api-key", &*fixture.key), ("x-session-id", "")];
    fixture.comes(&empty).await.text_of_tool();
    let lost = [("x-api-key", &*fixture.key), ("x-session-id", "ats_unknown")];
    fixture.comes(&lost).await.denied("is not open");
}

#[tokio::test]
async fn roles_that_do_not_call_are_forbidden_and_a_gateway_needs_a_session() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    for role in [Role::Auditor, Role::Operator] {
        let key = fixture.api.key(role, &[]).await;
        let sent = [("x-api-key", &*key), ("x-agent-id", &*fixture.agent)];
        fixture.comes(&sent).await.refused(403, -32600, "may not check actions");
    }
    let gateway = fixture.api.key(Role::Gateway, &[]).await;
    let sent = [("x-api-key", &*gateway), ("x-agent-id", &*fixture.agent)];
    fixture.comes(&sent).await.refused(403, -32600, "inside a live session");
    let token = fixture.token(&["files/echo"], &[]).await;
    let init = json!({ "token": token });
    let session = fixture
        .api
        .post("/api/v1/agenttrust/api-sessions/init", &gateway, init)
        .await
        .ok()
        .text("session_id");
    let sent =
        [("x-api-key", &*gateway), ("x-agent-id", &*fixture.agent), ("x-session-id", &*session)];
    fixture.comes(&sent).await.text_of_tool();
}

#[tokio::test]
async fn another_organisation_learns_of_no_server() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let theirs = fixture.api.guardian.create_key_in("org_theirs", Role::Admin, &[]).await.unwrap();
    let body = json!({ "name": "worker", "capabilities": ["*"] });
    let agent = fixture.api.post("/api/v1/agents", &theirs, body).await.ok().text("id");
    let sent = [("x-api-key", &*theirs), ("x-agent-id", &*agent)];
    fixture.comes(&sent).await.refused(404, -32600, "no MCP server");
    let body = json!({ "agent_id": agent, "scopes": ["*"] });
    let token =
        fixture.api.post("/api/v1/agent-tokens/issue", &theirs, body).await.ok().text("token");
    fixture.comes_with(&token).await.refused(401, -32600, "token");
    let unknown = Fixture { server: "mcp_unknown".to_owned(), ..fixture };
    unknown.comes(&[("x-api-key", &unknown.key)]).await.refused(404, -32600, "no MCP server");
}

#[tokio::test]
async fn revoked_and_suspended_agents_and_revoked_gateways_come_to_nothing() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let token = fixture.token(&["files/echo"], &[]).await;
    fixture.comes_with(&token).await.text_of_tool();
    let path = format!("/api/v1/agents/{}", fixture.agent);
    fixture.api.post(&format!("{path}/suspend"), ADMIN, json!({})).await.ok();
    fixture.comes(&[("x-api-key", &fixture.key)]).await.refused(403, -32600, "suspended");
    fixture.api.post(&format!("{path}/reactivate"), ADMIN, json!({})).await.ok();
    let token = fixture.token(&["files/echo"], &[]).await;
    fixture.comes_with(&token).await.text_of_tool();

    let keys = fixture.api.get("/api/v1/keys", ADMIN).await.ok().body;
    let of_server = |key: &&Value| key["gateway"] == "files";
    let key =
        keys["keys"].as_array().unwrap().iter().find(of_server).unwrap_or_else(|| panic!("{keys}"));
    let path = format!("/api/v1/keys/{}", key["id"].as_str().unwrap());
    fixture.api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
    fixture.comes_with(&token).await.refused(503, -32603, "register it again");
    // A key speaks for its agent all the same.
    fixture.comes(&[("x-api-key", &fixture.key)]).await.text_of_tool();
}
