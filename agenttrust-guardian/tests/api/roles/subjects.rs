//! What the requests of the table act upon.

use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, Issuer};
use serde_json::{Value, json};

use crate::authzen;
use crate::mcp_servers::pinned_tool;
use crate::support::{Api, Harness, open_with};

/// The records that requests act upon.
pub(crate) struct Subjects {
    pub(crate) harness: Harness,
    pub(super) token: String,
    pub(super) token_id: String,
    pub(super) session: String,
    /// A delegation from another agent, and that agent.
    pub(super) delegation: String,
    pub(super) other: String,
    /// A session that a gateway opened, and the key of that gateway.
    pub(super) at_gateway: (String, String),
    pub(super) approval: String,
    pub(super) spare_key: String,
    pub(super) webhook: String,
    pub(super) destination: String,
    /// An MCP server, and the digest of its tool `search`, where one is needed.
    pub(super) mcp_server: (String, String),
    /// An issuer of others, its provider and a federated token of ours, where they are needed.
    pub(super) federation: Option<Federation>,
    pub(super) digest: String,
    /// The subjects of requests for access, where they are needed.
    pub(super) access: Option<AccessSubjects>,
    /// A task in the inbox of the agent, and the lease by which it was fetched, where one is needed.
    pub(super) task: (String, String),
    /// The folder that the policies are read from, for the one endpoint that reads them again.
    _folder: Option<tempfile::TempDir>,
}

/// The subjects of requests for access.
pub(super) struct AccessSubjects {
    /// The body that is submitted after a denial, and after one to the gateway.
    pub(super) submission: Value,
    pub(super) at_gateway: Value,
    /// A request for access that was submitted.
    pub(super) task: String,
}

impl AccessSubjects {
    async fn of(
        harness: &Harness,
        (session, gateway): (&str, &str),
        about: impl Fn(&str) -> bool,
    ) -> Option<Self> {
        if !about(authzen::REQUESTS) {
            return None;
        }
        let task = authzen::task(harness, &harness.key, &harness.agent).await;
        let orders = authzen::deletes(&harness.agent, "orders");
        let mut in_session = orders.clone();
        in_session["context"] = json!({ "session_id": session });
        Some(Self {
            submission: authzen::submission(harness, &harness.key, &orders).await,
            at_gateway: authzen::submission(harness, gateway, &in_session).await,
            task,
        })
    }
}

/// The subjects of requests about federation.
pub(super) struct Federation {
    pub(super) issuer: Issuer,
    /// Its provider, where a route is about one.
    pub(super) provider: String,
    /// An opaque one of ours.
    pub(super) token: String,
}

impl Federation {
    async fn of(harness: &Harness, about: impl Fn(&str) -> bool) -> Option<Self> {
        if !about("/api/v1/federation/") {
            return None;
        }
        let issuer = Issuer::start().await;
        let provider = match about("/api/v1/federation/providers/{id}") {
            true => {
                let new = json!({
                    "issuer": issuer.url(), "name": "partner", "audiences": ["https://guardian.example"],
                });
                harness.post("/api/v1/federation/providers", ADMIN, new).await.ok();
                let listed = harness.get("/api/v1/federation/providers", ADMIN).await.ok().body;
                listed["providers"][0]["id"].as_str().unwrap().to_owned()
            }
            false => String::new(),
        };
        let new = json!({ "agent_id": harness.agent, "scopes": [] });
        let issued = harness.post("/api/v1/federation/tokens/issue", ADMIN, new).await.ok();
        Some(Self { issuer, provider, token: issued.text("token") })
    }
}

const DIGEST_KEY: [u8; 32] = [7; 32];

/// Returns a Guardian with its own policies, or with those of a folder.
async fn guardian(folder: Option<&tempfile::TempDir>) -> Api {
    let Some(folder) = folder else {
        return open_with(|builder| builder.allow_private_targets(true)).await;
    };
    let default = include_str!("../../../policies/default.cedar");
    std::fs::write(folder.path().join("default.cedar"), default).unwrap();
    open_with(|builder| builder.policies(folder.path()).allow_private_targets(true)).await
}

impl Subjects {
    /// Makes a Guardian, and there what requests to these routes are about.
    pub(crate) async fn of(routes: &[&str]) -> Self {
        let about = |part: &str| routes.iter().any(|route| route.starts_with(part));
        let folder = about("/api/v1/policies/reload").then(|| tempfile::tempdir().unwrap());
        let harness = Harness::new(guardian(folder.as_ref()).await).await;
        let issued = json!({ "agent_id": harness.agent, "scopes": ["*"] });
        let issued = harness.post("/api/v1/agent-tokens/issue", ADMIN, issued).await.ok();
        let (token, token_id) = (issued.text("token"), issued.text("token_id"));
        let init = json!({ "token": token });
        let path = "/api/v1/agenttrust/api-sessions/init";
        let session = harness.post(path, ADMIN, init.clone()).await.ok().text("session_id");
        let other = harness.agent(&["*"]).await;
        let delegation = delegated(&harness, &other).await;
        let gateway = harness.key(Role::Gateway, &[]).await;
        let at_gateway = harness.post(path, &gateway, init).await.ok().text("session_id");
        let input = json!({ "table": "users" });
        let digest = agenttrust::guard::digest::commit(&DIGEST_KEY, &input).unwrap();
        // Asked for by a key of its own, so that everybody else may decide it.
        let headers = [("agenttrust-input-digest", digest.digest.as_str())];
        let approval = harness.asks_with(&headers, "db_delete").await.held();
        harness.put("/api/v1/tools", ADMIN, json!({ "tools": [{ "name": "search" }] })).await.ok();
        harness.put("/api/v1/tools/search/effect", ADMIN, json!({ "effect": "read" })).await.ok();
        let spare_key =
            harness.post("/api/v1/keys", ADMIN, json!({ "role": "auditor" })).await.ok().text("id");
        if about("/api/v1/agents/{id}/card") {
            let path = format!("/api/v1/agents/{}/card", harness.agent);
            harness.post(&path, ADMIN, json!({})).await.ok();
        }
        let webhook = webhook(&harness, about).await;
        let destination = destination(&harness, about).await;
        let mcp_server = registered(&harness, about).await;
        let federation = Federation::of(&harness, about).await;
        let access = AccessSubjects::of(&harness, (&at_gateway, &gateway), about).await;
        let task = match about("/api/v1/agents/{id}/inbox/{task_id}/") {
            true => fetched_task(&harness, &harness.agent).await,
            false => (String::new(), String::new()),
        };
        Self {
            harness,
            token,
            token_id,
            session,
            delegation,
            other,
            at_gateway: (at_gateway, gateway),
            approval,
            spare_key,
            webhook,
            destination,
            mcp_server,
            federation,
            digest: digest.opening,
            access,
            task,
            _folder: folder,
        }
    }
}

/// Returns a webhook where a route is about one.
async fn webhook(harness: &Harness, about: impl Fn(&str) -> bool) -> String {
    if !about("/api/v1/webhooks/{id}") {
        return String::new();
    }
    let hook = json!({ "url": "https://hooks.example.com/", "events": ["approval.approved"] });
    harness.post("/api/v1/webhooks", ADMIN, hook).await.ok().text("id")
}

/// Returns a destination of events where a route is about one.
async fn destination(harness: &Harness, about: impl Fn(&str) -> bool) -> String {
    if !about("/api/v1/siem/destinations/{id}") {
        return String::new();
    }
    harness.post("/api/v1/siem/destinations", ADMIN, quiet_destination()).await.ok().text("id")
}

/// Returns what makes a destination that nothing is ever sent to.
pub(crate) fn quiet_destination() -> Value {
    json!({
        "name": "prod", "destination_type": "webhook", "endpoint_url": "http://127.0.0.1:9/",
        "filter_event_types": ["siem.events_cut"],
    })
}

/// Returns an MCP server where a route is about one, and the digest of its tool where one is about that.
async fn registered(harness: &Harness, about: impl Fn(&str) -> bool) -> (String, String) {
    if about("/mcp/servers/{id}/tools/{tool}/accept") {
        return pinned_tool(harness, "search").await;
    }
    if !about("/mcp/servers/") {
        return (String::new(), String::new());
    }
    let server = json!({ "name": "files", "url": "https://mcp.example.com/" });
    let server = harness.post("/mcp/servers", ADMIN, server).await.ok().text("id");
    (server, String::new())
}

/// Returns a delegation of another agent to the one that asks.
async fn delegated(harness: &Harness, other: &str) -> String {
    let wanted =
        json!({ "from_agent_id": other, "to_agent_id": harness.agent, "scope": ["search"] });
    let made = harness.post("/api/v1/delegations", ADMIN, wanted).await.ok();
    made.body["delegation"]["id"].as_str().unwrap().to_owned()
}

/// Returns a task that was sent to an agent, and the lease by which it was fetched.
pub(crate) async fn fetched_task(api: &Api, agent: &str) -> (String, String) {
    let message =
        json!({ "messageId": agent, "role": "ROLE_USER", "parts": [{ "text": "do it" }] });
    let sent = json!({
        "jsonrpc": "2.0", "id": 1, "method": "SendMessage",
        "params": { "message": message, "configuration": { "returnImmediately": true } },
    });
    let in_v1 = api.with(&[("a2a-version", "1.0")]);
    in_v1.post(&format!("/a2a/agents/{agent}"), ADMIN, sent).await.ok();
    let path = format!("/api/v1/agents/{agent}/inbox/next?wait=10");
    let fetched = api.post(&path, ADMIN, json!({})).await.ok().body;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&fetched["task"]["id"]), text(&fetched["lease_id"]))
}
