//! Who may ask an agent, and what others see of it.

use agenttrust_guardian::Role;
use agenttrust_testkit::ADMIN;
use serde_json::json;

use super::target::Speaks;
use super::{Reached, V1, refused, request, v1_message};

impl Reached {
    async fn sends_by(&self, key: &str, headers: &[(&str, &str)]) -> agenttrust_testkit::Answer {
        let mut all = vec![V1];
        all.extend(headers);
        let asked = request(1, "SendMessage", json!({ "message": v1_message("x") }));
        self.fixture.api.with(&all).post(&self.path(), key, asked).await
    }
}

#[tokio::test]
async fn key_speaks_for_its_agent_for_the_one_that_is_named_or_for_itself() {
    let reached = Reached::by(Speaks::V1).await;
    let api = &reached.fixture.api;
    let (other, _) = api.worker().await;
    let both = api.key("agent", &[&reached.fixture.source, &other]).await;
    reached.sends_by(&both, &[]).await.ok();
    let said = reached.sends_by(&both, &[]).await.body;
    refused(&said, -32602, "X-Agent-ID is missing");
    let named = reached.sends_by(&both, &[("x-agent-id", &other)]).await.ok().body;
    assert_eq!(named["result"]["task"]["status"]["state"], "TASK_STATE_COMPLETED", "{named}");
    let foreign = [("x-agent-id", &*reached.fixture.target)];
    reached.sends_by(&reached.fixture.key, &foreign).await.refused(403, "AUTH_DENIED");
    let itself = reached.sends_by(&reached.fixture.operator, &[]).await.ok().body;
    assert_eq!(itself["result"]["task"]["status"]["state"], "TASK_STATE_COMPLETED", "{itself}");
    let source = [("x-agent-id", &*reached.fixture.source)];
    reached.sends_by(&reached.fixture.operator, &source).await.refused(403, "AUTH_DENIED");
    let auditor = api.key("auditor", &[]).await;
    reached.sends_by(&auditor, &[]).await.refused(403, "AUTH_DENIED");
    reached.sends_by("sk_live_made_up", &[]).await.refused(401, "AUTH_FAILED");
}

#[tokio::test]
async fn gateway_speaks_for_an_agent_in_a_session_of_its_token_only() {
    let reached = Reached::by(Speaks::V1).await;
    let api = &reached.fixture.api;
    let gateway = api.key(Role::Gateway, &[]).await;
    let named = ("x-agent-id", reached.fixture.source.clone());
    let headers = [(named.0, named.1.as_str())];
    reached.sends_by(&gateway, &[]).await.ok();
    refused(&reached.sends_by(&gateway, &[]).await.body, -32602, "X-Agent-ID");
    reached.sends_by(&gateway, &headers).await.refused(403, "AUTH_DENIED");
    let token = api.token(&reached.fixture.source, &["*"]).await;
    let path = "/api/v1/agenttrust/api-sessions/init";
    let session = api.post(path, &gateway, json!({ "token": token })).await.ok().text("session_id");
    let headers = [(named.0, named.1.as_str()), ("x-session-id", session.as_str())];
    let said = reached.sends_by(&gateway, &headers).await.ok().body;
    let id = said["result"]["task"]["id"].clone();
    assert_eq!(said["result"]["task"]["status"]["state"], "TASK_STATE_COMPLETED", "{said}");
    let asked = || request(1, "GetTask", json!({ "id": id }));
    let mut all = vec![V1];
    all.extend(headers);
    let got = api.with(&all).post(&reached.path(), &gateway, asked()).await.ok().body;
    assert_eq!(got["result"]["id"], id, "{got}");
    let outside = [V1, (named.0, named.1.as_str())];
    let got = api.with(&outside).post(&reached.path(), &gateway, asked()).await;
    got.refused(403, "AUTH_DENIED");
    // Another agent's session opens nothing here.
    let other = [V1, ("x-agent-id", &*reached.fixture.target), ("x-session-id", session.as_str())];
    api.with(&other).post(&reached.path(), &gateway, asked()).await.refused(403, "AUTH_DENIED");
}

#[tokio::test]
async fn others_learn_of_no_task_and_no_agent() {
    let reached = Reached::by(Speaks::V1).await;
    let api = &reached.fixture.api;
    let task = reached.sends("x").await;
    let (_, stranger) = api.worker().await;
    let theirs = api.guardian.create_key_in("org_theirs", Role::Admin, &[]).await.unwrap();
    let asked = |method: &str| request(1, method, json!({ "id": task["id"] }));
    let v1 = api.with(&[V1]);
    for method in ["GetTask", "CancelTask", "SubscribeToTask"] {
        let said = v1.post(&reached.path(), &stranger, asked(method)).await.ok().body;
        refused(&said, -32001, "there is no task");
        v1.post(&reached.path(), &theirs, asked(method)).await.refused(404, "NOT_FOUND");
    }
    let list = request(1, "ListTasks", json!({}));
    let none = v1.post(&reached.path(), &stranger, list.clone()).await.ok().body;
    assert_eq!(none["result"]["totalSize"], 0, "{none}");
    for key in [reached.fixture.key.as_str(), &reached.fixture.target_key, ADMIN] {
        let some = v1.post(&reached.path(), key, list.clone()).await.ok().body;
        assert_eq!(some["result"]["totalSize"], 1, "{some}");
    }
    // At another agent's address it is no task either.
    let (other, _) = api.worker().await;
    let path = format!("/a2a/agents/{other}");
    refused(
        &v1.post(&path, &reached.fixture.key, asked("GetTask")).await.ok().body,
        -32001,
        "no task",
    );
    v1.post("/a2a/agents/agt_none", &reached.fixture.key, asked("GetTask"))
        .await
        .refused(404, "NOT_FOUND");
}
