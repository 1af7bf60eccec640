//! Several organisations in one Guardian: none reaches what is another's, nor learns that it is there.

use agenttrust_guardian::Role;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Issuer};
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::authzen;
use crate::roles::quiet_destination;
use crate::support::{Api, open, open_with};

const THEIRS: &str = "org_theirs";

/// A record of each kind, of the organisation whose admin this is.
struct Things {
    agent: String,
    token: String,
    token_id: String,
    session: String,
    approval: String,
    key_id: String,
    webhook: String,
    destination: String,
    check_id: String,
    /// A delegation to this agent, from another.
    delegation: String,
    mcp_server: String,
    /// A federation provider, its issuer, and a federated token of the agent.
    provider: String,
    issuer: Issuer,
    federated: String,
    /// A request for access.
    access_task: String,
}

const AUDIENCE: &str = "https://guardian.example";

/// Returns a provider of an issuer of others, all of whose tokens are this agent, and an opaque token of the agent.
async fn federation(api: &Api, admin: &str, agent: &str) -> (String, Issuer, String) {
    let issuer = Issuer::start().await;
    let body = json!({
        "issuer": issuer.url(), "name": "partner", "audiences": [AUDIENCE], "rules": [{ "agent_id": agent }],
    });
    api.post("/api/v1/federation/providers", admin, body).await.ok();
    let listed = api.get("/api/v1/federation/providers", admin).await.ok().body;
    let provider = listed["providers"][0]["id"].as_str().unwrap().to_owned();
    let body = json!({ "agent_id": agent, "scopes": [] });
    let issued = api.post("/api/v1/federation/tokens/issue", admin, body).await.ok();
    (provider, issuer, issued.text("token"))
}

async fn things(api: &Api, admin: &str) -> Things {
    let body = json!({ "name": "worker", "capabilities": ["*"] });
    let agent = api.post("/api/v1/agents", admin, body).await.ok().text("id");
    let body = json!({ "agent_id": agent, "scopes": ["*"] });
    let issued = api.post("/api/v1/agent-tokens/issue", admin, body).await.ok();
    let (token, token_id) = (issued.text("token"), issued.text("token_id"));
    let session = api.session(admin, &agent, json!({})).await.ok().text("session_id");
    let approval = api.check_in(admin, &agent, "db_delete", &session).await.held();
    let check_id = api.check_in(admin, &agent, "search", &session).await.ok().text("check_id");
    let made = api.post("/api/v1/keys", admin, json!({ "role": "auditor" })).await.ok();
    let tools = json!({ "tools": [{ "name": "frob", "effect": "read" }] });
    api.put("/api/v1/tools", admin, tools).await.ok();
    let hook = json!({ "url": "https://hooks.example.com/", "events": ["approval.approved"] });
    let webhook = api.post("/api/v1/webhooks", admin, hook).await.ok().text("id");
    let made_one = api.post("/api/v1/siem/destinations", admin, quiet_destination()).await.ok();
    let destination = made_one.text("id");
    let body = json!({ "name": "giver", "capabilities": ["*"] });
    let giver = api.post("/api/v1/agents", admin, body).await.ok().text("id");
    let body = json!({ "from_agent_id": giver, "to_agent_id": agent, "scope": ["search"] });
    let given = api.post("/api/v1/delegations", admin, body).await.ok();
    let delegation = given.body["delegation"]["id"].as_str().unwrap().to_owned();
    let key_id = made.text("id");
    let body = json!({ "name": "files", "url": "https://mcp.example.com/" });
    let mcp_server = api.post("/mcp/servers", admin, body).await.ok().text("id");
    api.post(&format!("/api/v1/agents/{agent}/card"), admin, json!({})).await.ok();
    let (provider, issuer, federated) = federation(api, admin, &agent).await;
    let access_task = authzen::task(api, admin, &agent).await;
    Things {
        access_task,
        agent,
        token,
        token_id,
        session,
        approval,
        key_id,
        webhook,
        destination,
        check_id,
        delegation,
        mcp_server,
        provider,
        issuer,
        federated,
    }
}

/// Requests that name what is of one organisation, and the status with which each is answered to another.
fn requests(of: &Things) -> Vec<(Method, String, Option<Value>, u16)> {
    [
        requests_of_things(of),
        requests_of_a_lease(&of.agent),
        requests_of_federation(of),
        requests_of_access(of),
        requests_of_a_destination(&of.destination),
    ]
    .concat()
}

/// Returns those that name a provider, or a token that speaks for the agent.
fn requests_of_federation(of: &Things) -> Vec<(Method, String, Option<Value>, u16)> {
    let Things { agent, provider, issuer, federated, .. } = of;
    let provider = format!("/api/v1/federation/providers/{provider}");
    let theirs = issuer.token("ada", json!({ "aud": AUDIENCE }));
    let post = |what: &str, body: Value, expected: u16| {
        (Method::POST, format!("/api/v1/federation/{what}"), Some(body), expected)
    };
    vec![
        (Method::GET, provider.clone(), None, 404),
        (Method::PATCH, provider.clone(), Some(json!({ "name": "x" })), 404),
        (Method::DELETE, provider, None, 404),
        post("tokens/issue", json!({ "agent_id": agent, "scopes": [] }), 404),
        post("tokens/revoke", json!({ "token": federated }), 404),
        post("sessions/init", json!({ "token": federated }), 401),
        post("sessions/init", json!({ "token": theirs }), 401),
    ]
}

fn requests_of_things(of: &Things) -> Vec<(Method, String, Option<Value>, u16)> {
    let Things { agent, token, token_id, session, approval, key_id, webhook, delegation, .. } = of;
    let server = &of.mcp_server;
    let get = |path: String| (Method::GET, path, None, 404);
    let put = |path: String, body: Value| (Method::PUT, path, Some(body), 404);
    let post = |path: &str, body: Value| (Method::POST, path.to_owned(), Some(body), 404);
    let act = |path: String| (Method::POST, path, Some(json!({})), 404);
    let tokens = "/api/v1/agent-tokens";
    let init = "/api/v1/agenttrust/api-sessions/init".to_owned();
    vec![
        get(format!("/api/v1/agents/{agent}")),
        (Method::PATCH, format!("/api/v1/agents/{agent}"), Some(json!({ "name": "x" })), 404),
        act(format!("/api/v1/agents/{agent}/revoke")),
        act(format!("/api/v1/agents/{agent}/suspend")),
        act(format!("/api/v1/agents/{agent}/reactivate")),
        put(format!("/api/v1/agents/{agent}/floor"), json!({ "mode": "open" })),
        act(format!("/api/v1/agents/{agent}/inbox/next")),
        act(format!("/api/v1/agents/{agent}/card")),
        get(format!("/api/v1/agents/{agent}/card")),
        (Method::GET, format!("/api/v1/agents/{agent}/card/options"), None, 404),
        (Method::PUT, format!("/api/v1/agents/{agent}/card/publish"), None, 404),
        (Method::DELETE, format!("/api/v1/agents/{agent}/card/publish"), None, 404),
        act(format!("/a2a/agents/{agent}")),
        // Before it is published, to everybody.
        get(format!("/a2a/agents/{agent}/agent.json")),
        get(format!("/a2a/agents/{agent}/.well-known/agent-card.json")),
        get(format!("/.well-known/oauth-protected-resource/a2a/agents/{agent}")),
        post(&format!("{tokens}/issue"), json!({ "agent_id": agent, "scopes": [] })),
        act(format!("/api/v1/agents/{agent}/challenge")),
        post("/api/v1/wimse/token", json!({ "agent_id": agent })),
        post(&format!("{tokens}/revoke"), json!({ "token": token, "reason": "" })),
        (Method::POST, init, Some(json!({ "token": token })), 401),
        post("/mcp/sessions/init", json!({ "agent_id": agent, "server_id": "files" })),
        act(format!("/api/v1/agent-tokens/{token_id}/revoke")),
        get(format!("/mcp/sessions/{session}")),
        act(format!("/api/v1/sessions/{session}/revoke")),
        post("/api/v1/agenttrust/check", json!({ "agent_id": agent, "action_name": "search" })),
        post(
            "/api/v1/telemetry/report",
            json!({ "agent_id": agent, "session_id": session, "events": [] }),
        ),
        get(format!("/api/v1/delegations/{delegation}")),
        act(format!("/api/v1/delegations/{delegation}/session")),
        (Method::DELETE, format!("/api/v1/delegations/{delegation}"), None, 404),
        post(
            "/api/v1/delegations",
            json!({ "from_agent_id": agent, "to_agent_id": agent, "scope": ["search"] }),
        ),
        get(format!("/mcp/approvals/{approval}")),
        act(format!("/mcp/approvals/{approval}/approve")),
        act(format!("/mcp/approvals/{approval}/deny")),
        put(format!("/mcp/approvals/{approval}/input"), json!({ "input": 1, "r": "00" })),
        act(format!("/api/v1/keys/{key_id}/rotate")),
        (Method::DELETE, format!("/api/v1/keys/{key_id}"), None, 404),
        get(format!("/api/v1/webhooks/{webhook}/deliveries")),
        (Method::DELETE, format!("/api/v1/webhooks/{webhook}"), None, 404),
        get(format!("/mcp/servers/{server}")),
        get(format!("/mcp/servers/{server}/tools")),
        post(&format!("/mcp/servers/{server}/tools/search/accept"), json!({ "digest": "d" })),
        (Method::DELETE, format!("/mcp/servers/{server}"), None, 404),
    ]
}

/// Returns those of where events are sent.
fn requests_of_a_destination(id: &str) -> Vec<(Method, String, Option<Value>, u16)> {
    let path = |rest: &str| format!("/api/v1/siem/destinations/{id}{rest}");
    let since = json!({ "since": "2026-01-02T03:04:05Z" });
    vec![
        (Method::GET, path(""), None, 404),
        (Method::PUT, path(""), Some(json!({ "name": "x" })), 404),
        (Method::DELETE, path(""), None, 404),
        (Method::GET, path("/logs"), None, 404),
        (Method::GET, path("/set-aside"), None, 404),
        (Method::POST, path("/test"), None, 404),
        (Method::POST, path("/replay"), Some(since), 404),
    ]
}

/// Returns those of AuthZEN.
fn requests_of_access(of: &Things) -> Vec<(Method, String, Option<Value>, u16)> {
    let Things { agent, access_task, .. } = of;
    let task = format!("/access/v1/requests/{access_task}");
    let body = authzen::deletes(agent, "users");
    vec![
        (Method::POST, authzen::EVALUATION.to_owned(), Some(body), 404),
        (Method::GET, task.clone(), None, 404),
        (Method::POST, format!("{task}/cancel"), Some(json!({})), 404),
    ]
}

/// Returns those of a task that an agent has fetched.
fn requests_of_a_lease(agent: &str) -> Vec<(Method, String, Option<Value>, u16)> {
    let lease = |what: &str, body: Value| {
        let path = format!("/api/v1/agents/{agent}/inbox/task_1/{what}");
        (Method::POST, path, Some(body), 404)
    };
    vec![
        lease("complete", json!({ "lease_id": "lease_1" })),
        lease("fail", json!({ "lease_id": "lease_1", "reason": "" })),
        lease("extend", json!({ "lease_id": "lease_1" })),
    ]
}

#[tokio::test]
async fn every_endpoint_that_names_a_thing_is_tried_by_another_organisation() {
    let api = open_with(|builder| builder.allow_private_targets(true)).await;
    let document = api.get("/openapi.json", "").await.ok().body;
    let tried = requests(&things(&api, ADMIN).await);
    let is_tried = |method: &str, route: &str| {
        let names = |(part, of): (&str, &str)| part == of || of.starts_with('{');
        tried.iter().any(|(by, path, ..)| {
            by.as_str().eq_ignore_ascii_case(method)
                && path.split('/').count() == route.split('/').count()
                && path.split('/').zip(route.split('/')).all(names)
        })
    };
    let mut named = 0;
    for (route, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|_| route.contains("{id}")) {
            named += 1;
            assert!(is_tried(method, route), "{method} {route} is not tried: add it to `requests`");
        }
    }
    assert!(named > 15, "{named}");
}

/// Checks that `key`, of another organisation than `of`'s, reaches nothing of `of`.
async fn reaches_nothing(api: &Api, key: &str, of: &Things) {
    for (method, path, body, expected) in requests(of) {
        let answer = api.ask(method.clone(), &path, key, body).await;
        assert_eq!(answer.status.as_u16(), expected, "{method} {path}: {answer:?}");
    }
    let body = json!({ "token": of.token });
    let looked = api.post("/api/v1/agent-tokens/introspect", key, body).await.ok();
    assert_eq!(looked.body["active"], false, "{looked:?}");
    let theirs = of.issuer.token("ada", json!({ "aud": AUDIENCE }));
    for token in [&theirs, &of.federated] {
        let body = json!({ "token": token });
        let looked = api.post("/api/v1/federation/tokens/verify", key, body.clone()).await.ok();
        assert_eq!(looked.body["valid"], false, "{looked:?}");
        let tested = api.post("/api/v1/federation/test", key, body).await.ok();
        assert_eq!(tested.body["ok"], false, "{tested:?}");
        assert!(!tested.body.to_string().contains(&of.agent), "{tested:?}");
    }
}

/// Returns what the lists of this admin show, as one text.
async fn seen(api: &Api, admin: &str) -> String {
    let mut seen = String::new();
    for path in [
        "/api/v1/agents",
        "/api/v1/agent-tokens",
        "/api/v1/sessions",
        "/api/v1/delegations",
        "/mcp/approvals",
        "/api/v1/keys",
        "/api/v1/webhooks",
        "/api/v1/siem/destinations",
        "/api/v1/policies",
        "/api/v1/tools",
        "/mcp/servers",
        "/api/v1/federation/providers",
        "/api/v1/audit?limit=1000",
        "/api/v1/audit/export",
    ] {
        seen.push_str(&without_own_words(api.get(path, admin).await.ok().body));
    }
    seen
}

/// Returns what an answer says, but for the rows of the audit that repeat to who asked in vain what it named itself.
fn without_own_words(mut body: Value) -> String {
    const REFUSED: [&str; 6] = [
        "delegation.refused",
        "federation.provider_refused",
        "federation.tested",
        "federation.token_refused",
        "mcp_server.refused",
        "siem.destination_refused",
    ];
    if let Some(entries) = body.get_mut("entries").and_then(Value::as_array_mut) {
        entries.retain(|entry| !REFUSED.iter().any(|kind| entry["kind"] == *kind));
    }
    match body.as_str() {
        // An export, a row a line.
        Some(text) => {
            let is_told = |line: &&str| !REFUSED.iter().any(|kind| line.contains(kind));
            text.lines().filter(is_told).collect()
        }
        None => body.to_string(),
    }
}

async fn organisations_are_kept_apart(api: Api) {
    let admin = api.guardian.create_key_in(THEIRS, Role::Admin, &[]).await.unwrap();
    let (ours, theirs) = (things(&api, ADMIN).await, things(&api, &admin).await);
    reaches_nothing(&api, &admin, &ours).await;
    reaches_nothing(&api, ADMIN, &theirs).await;

    let (we_see, they_see) = (seen(&api, ADMIN).await, seen(&api, &admin).await);
    for (mine, others, sees) in [(&ours, &theirs, we_see), (&theirs, &ours, they_see)] {
        for id in [
            &mine.agent,
            &mine.token_id,
            &mine.session,
            &mine.approval,
            &mine.key_id,
            &mine.webhook,
            &mine.destination,
            &mine.delegation,
            &mine.mcp_server,
            &mine.access_task,
            &mine.provider,
        ] {
            assert!(sees.contains(id.as_str()), "{id} is not seen by those whose it is");
        }
        for id in [
            &others.agent,
            &others.token_id,
            &others.session,
            &others.approval,
            &others.key_id,
            &others.webhook,
            &others.destination,
            &others.delegation,
            &others.mcp_server,
            &others.access_task,
            &others.check_id,
            &others.provider,
        ] {
            assert!(!sees.contains(id.as_str()), "{id} is seen by others");
        }
    }

    // What one organisation says of a tool says nothing in another.
    api.put("/api/v1/tools/frob/effect", &admin, json!({ "effect": "admin" })).await.ok();
    api.check(ADMIN, &ours.agent, "frob").await.allowed();
    api.check(&admin, &theirs.agent, "frob").await.held();

    // A key of one is bound to agents of it alone.
    let body = json!({ "role": "agent", "agents": [ours.agent] });
    api.post("/api/v1/keys", &admin, body).await.refused(400, "VALIDATION_ERROR");
    // A gateway of one opens no session from a token of another.
    let gateway = api.guardian.create_key_in(THEIRS, Role::Gateway, &[]).await.unwrap();
    let body = json!({ "token": ours.token });
    api.post("/api/v1/agenttrust/api-sessions/init", &gateway, body)
        .await
        .refused(401, "AUTH_FAILED");
}

#[tokio::test]
async fn organisations_are_kept_apart_on_sqlite() {
    organisations_are_kept_apart(open_with(|builder| builder.allow_private_targets(true)).await)
        .await;
}

#[tokio::test]
async fn organisations_are_kept_apart_on_postgres() {
    let Some(fresh) = Fresh::or_skip() else { return };
    organisations_are_kept_apart(
        open_with(|builder| {
            let builder = builder.database(fresh.url()).secret_key("0f1e".repeat(16));
            builder.allow_private_targets(true)
        })
        .await,
    )
    .await;
}

#[tokio::test]
async fn admins_of_the_guardians_own_organisation_look_after_the_keys_of_all() {
    let api = open().await;
    let first = json!({ "role": "admin", "org_id": THEIRS });
    let made = api.post("/api/v1/keys", ADMIN, first).await.ok();
    assert_eq!(made.body["org_id"], THEIRS);
    let (admin, id) = (made.text("key"), made.text("id"));
    assert_eq!(api.get("/api/v1/agents", &admin).await.ok().body["agents"], json!([]));
    let listed = api.get(&format!("/api/v1/keys?org_id={THEIRS}"), ADMIN).await.ok();
    let ids: Vec<&Value> =
        listed.body["keys"].as_array().unwrap().iter().map(|key| &key["id"]).collect();
    assert_eq!(ids, [&json!(id)]);
    // Others look after their own alone.
    for org_id in ["org_default", "org_third"] {
        let body = json!({ "role": "admin", "org_id": org_id });
        api.post("/api/v1/keys", &admin, body).await.refused(403, "AUTH_DENIED");
        let path = format!("/api/v1/keys?org_id={org_id}");
        api.get(&path, &admin).await.refused(403, "AUTH_DENIED");
    }
    let rotated = json!({ "overlap": 0, "org_id": THEIRS });
    let path = format!("/api/v1/keys/{id}/rotate");
    let fresh = api.post(&path, ADMIN, rotated).await.ok().text("key");
    api.get("/api/v1/agents", &admin).await.refused(401, "AUTH_FAILED");
    api.get("/api/v1/agents", &fresh).await.ok();
    let path = format!("/api/v1/keys/{id}?org_id={THEIRS}");
    api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
    api.get("/api/v1/agents", &fresh).await.refused(401, "AUTH_FAILED");
}

const READERS: [Role; 3] = [Role::Auditor, Role::Operator, Role::Admin];

async fn what_is_of_all_is_told_to_the_guardians_own(api: Api) {
    for role in READERS {
        let theirs = api.guardian.create_key_in(THEIRS, role, &[]).await.unwrap();
        let ours = api.key(role, &[]).await;
        for path in ["/api/v1/audit/verify", "/api/v1/audit/checkpoints", "/metrics"] {
            let answer = api.get(path, &theirs).await;
            answer.refused(403, "AUTH_DENIED");
            assert!(answer.text("message").contains("org_default"), "{answer:?}");
            api.get(path, &ours).await.ok();
        }
        // Which logs there are, they must know to read their own rows; not how far each has come.
        let logs = api.get("/api/v1/audit/logs", &theirs).await.ok().body["logs"].clone();
        assert_eq!(logs[0]["newest"], json!(null), "{logs}");
        assert_eq!(logs[0]["newest_at"], json!(null), "{logs}");
        let path = format!("/api/v1/audit?log={}", logs[0]["log"].as_str().unwrap());
        let rows = api.get(&path, &theirs).await.ok().body["entries"].clone();
        let mut rows = rows.as_array().unwrap().iter();
        assert!(rows.all(|row| row["org_id"] == THEIRS), "{rows:?}");
        let logs = api.get("/api/v1/audit/logs", &ours).await.ok().body["logs"].clone();
        assert!(logs[0]["newest"].is_u64(), "{logs}");
    }
}

#[tokio::test]
async fn what_is_of_all_organisations_is_told_to_the_guardians_own_on_sqlite() {
    what_is_of_all_is_told_to_the_guardians_own(open().await).await;
}

#[tokio::test]
async fn what_is_of_all_organisations_is_told_to_the_guardians_own_on_postgres() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let api = open_with(|builder| builder.database(fresh.url())).await;
    what_is_of_all_is_told_to_the_guardians_own(api).await;
}

/// Returns the ids of the policies that a key is shown.
async fn policy_ids(api: &Api, key: &str) -> Vec<String> {
    let listed = api.get("/api/v1/policies", key).await.ok();
    let policies = listed.body["policies"].as_array().unwrap();
    policies.iter().map(|policy| policy["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn organisation_sees_the_policies_that_may_be_about_its_agents_and_not_where_they_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("secret-name.cedar", "@id(\"all\") permit (principal, action, resource);");
    let api = open_with(|builder| builder.policies(folder.path())).await;
    let admin = api.guardian.create_key_in(THEIRS, Role::Admin, &[]).await.unwrap();
    let ours = api.agent(&["*"]).await;
    let body = json!({ "name": "x", "capabilities": ["*"], "metadata": { "groups": ["theirs"] } });
    let theirs = api.post("/api/v1/agents", &admin, body).await.ok().text("id");
    write(
        "secret-more.cedar",
        &format!(
            r#"
            @id("of-ours") @shadow forbid (principal == Agent::"{ours}", action, resource);
            @id("of-theirs") @shadow forbid (principal == Agent::"{theirs}", action, resource);
            @id("of-our-org") forbid (principal in Org::"org_default", action == Action::"admin", resource);
            @id("of-their-org") forbid (principal in Org::"{THEIRS}", action == Action::"admin", resource);
            @id("of-a-group") forbid (principal in Group::"ours", action, resource);
            @id("of-their-group") forbid (principal in Group::"theirs", action == Action::"admin", resource);
            "#
        ),
    );
    api.ask(Method::POST, "/api/v1/policies/reload", ADMIN, None).await.ok();
    assert_eq!(policy_ids(&api, ADMIN).await.len(), 8);
    for role in READERS {
        let key = api.guardian.create_key_in(THEIRS, role, &[]).await.unwrap();
        let seen = policy_ids(&api, &key).await;
        let expected = ["supervised-hold", "of-theirs", "of-their-org", "of-their-group", "all"];
        assert_eq!(seen, expected);
    }

    // What is wrong in the folder is not theirs to know either.
    write("secret-more.cedar", "permit (principal, action, resorce);");
    api.ask(Method::POST, "/api/v1/policies/reload", ADMIN, None).await.refused(409, "CONFLICT");
    let told = api.get("/api/v1/policies", ADMIN).await.ok().body;
    assert!(told["error"]["message"].is_string(), "{told}");
    assert_eq!(told["folder"], folder.path().to_str().unwrap());
    assert!(told["policies"][1]["place"].is_string(), "{told}");
    assert!(told.to_string().contains("would_have_changed\":0"), "{told}");
    let told = api.get("/api/v1/policies", &admin).await.ok().body;
    assert_eq!((&told["error"], &told["folder"]), (&json!(null), &json!(null)), "{told}");
    for kept in [folder.path().to_str().unwrap(), "secret", "place", "would_have_changed\":0"] {
        assert!(!told.to_string().contains(kept), "{kept} is told: {told}");
    }
    let client = api.guardian.client_with_key(&admin).unwrap();
    assert_eq!(client.policies().get().await.unwrap().policies.len(), 5);
}

#[tokio::test]
async fn one_organisation_leaves_streams_and_exports_to_another() {
    let api = open().await;
    let open = async |path: &str, key: &str| {
        let request = Request::get(path).header("X-API-Key", key).body(Body::empty()).unwrap();
        api.guardian.router().oneshot(request).await.unwrap()
    };
    let stream = "/api/v1/revocations/stream";
    // As many keys as it takes, each with as much as it gets.
    let (mut held, mut unread) = (Vec::new(), Vec::new());
    'all: loop {
        let key = api.guardian.create_key_in(THEIRS, Role::Admin, &[]).await.unwrap();
        let before = held.len();
        // Exports that are not read take no place from anyone.
        unread.push(open("/api/v1/audit/export", &key).await);
        loop {
            let answer = open(stream, &key).await;
            match answer.status().as_u16() {
                200 => held.push(answer),
                429 if held.len() == before => break 'all,
                429 => break,
                other => panic!("{other}"),
            }
        }
    }
    assert_eq!(held.len(), 64);
    assert!(unread.len() > 6 && unread.iter().all(|answer| answer.status() == 200));
    for role in READERS {
        let key = api.key(role, &[]).await;
        for path in [stream, "/api/v1/audit/export"] {
            assert_eq!(open(path, &key).await.status(), 200, "{path}: nothing is left to {role}");
        }
        api.get("/api/v1/audit/export", &key).await.ok();
    }
    assert_eq!(open("/api/v1/audit/verify", ADMIN).await.status(), 200);
}
