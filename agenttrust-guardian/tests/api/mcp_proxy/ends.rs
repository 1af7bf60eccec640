//! A call ends with what it rests on, also while it waits or runs, and a token speaks for its agent alone.

use std::time::Duration;

use agenttrust_testkit::{ADMIN, eventually};
use axum::http::Method;
use serde_json::{Value, json};

use super::{Fixture, Said, Speaks, call, read};

/// Calls with these headers and nothing else.
async fn called(fixture: &Fixture, headers: &[(&str, &str)], tool: &str) -> Said {
    let body = call(tool, json!({})).to_string();
    read(fixture.begin_as(Method::POST, headers, Some(body)).await).await
}

/// Returns the id of the agent's key.
async fn key_id(fixture: &Fixture) -> String {
    let keys = fixture.api.get("/api/v1/keys", ADMIN).await.ok().body;
    let keys = keys["keys"].as_array().unwrap();
    let of_agent = keys.iter().find(|key| key["agents"][0] == fixture.agent).unwrap();
    of_agent["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn token_that_comes_with_the_name_of_another_agent_is_forbidden() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let (other, _) = fixture.api.worker().await;
    let token = format!("Bearer {}", fixture.token(&["files/echo"], &[]).await);
    let own = [("authorization", &*token), ("x-agent-id", &*fixture.agent)];
    called(&fixture, &own, "echo").await.text_of_tool();
    let foreign = [("authorization", &*token), ("x-agent-id", &*other)];
    called(&fixture, &foreign, "echo").await.refused(403, -32600, &other);
    assert_eq!(fixture.upstream.called().len(), 1);
}

#[tokio::test]
async fn call_whose_caller_may_no_more_when_it_is_approved_does_not_run() {
    for what in ["key", "agent", "server"] {
        let hold = Duration::from_secs(60);
        let fixture =
            Fixture::with(Speaks::Legacy, &["delete_all"], |builder| builder.mcp_hold(hold)).await;
        let path = match what {
            "key" => format!("/api/v1/keys/{}", key_id(&fixture).await),
            "agent" => format!("/api/v1/agents/{}/suspend", fixture.agent),
            _ => format!("/mcp/servers/{}", fixture.server),
        };
        let ends = async {
            let mut approval = String::new();
            eventually("it is held", async || {
                let pending =
                    fixture.api.get("/mcp/approvals?status=pending", ADMIN).await.ok().body;
                let id = pending["approvals"][0]["id"].as_str().map(str::to_owned);
                id.is_some_and(|id| {
                    approval = id;
                    true
                })
            })
            .await;
            match what {
                "agent" => fixture.api.post(&path, ADMIN, json!({})).await.ok(),
                _ => fixture.api.ask(Method::DELETE, &path, ADMIN, None).await.ok(),
            };
            // Whether it can be approved any more or not.
            fixture.api.approve(ADMIN, &approval).await;
        };
        let headers = [("x-api-key", fixture.key.as_str())];
        let (said, ()) = tokio::join!(called(&fixture, &headers, "delete_all"), ends);
        let ran = said.answer().get("error").is_none()
            && said.answer()["result"].get("isError").is_none();
        assert!(!ran, "{what}: {said:?}");
        assert_eq!(fixture.upstream.called(), [""; 0], "{what}");
    }
}

#[tokio::test]
async fn call_ends_with_the_session_that_it_is_in() {
    let fixture = Fixture::of(Speaks::Legacy, &["hang"]).await;
    let session =
        fixture.api.session(ADMIN, &fixture.agent, json!({})).await.ok().text("session_id");
    let headers =
        [("x-api-key", ADMIN), ("x-agent-id", &*fixture.agent), ("x-session-id", &*session)];
    let ends = async {
        eventually("it runs", async || fixture.upstream.running() == 1).await;
        let path = format!("/api/v1/sessions/{session}/revoke");
        fixture.api.post(&path, ADMIN, json!({ "reason": "" })).await.ok();
    };
    let (said, ()) = tokio::join!(called(&fixture, &headers, "hang"), ends);
    said.refused(503, -32603, "session was revoked");
    eventually("it is hung up on", async || fixture.upstream.running() == 0).await;
    let told: Vec<Value> = fixture.outcomes("files/hang").await;
    assert!(told.iter().all(|told| told["success"] == false), "{told:?}");
}

#[tokio::test]
async fn token_of_a_suspended_agent_comes_to_nothing() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let token = format!("Bearer {}", fixture.token(&["files/echo"], &[]).await);
    let headers = [("authorization", token.as_str())];
    called(&fixture, &headers, "echo").await.text_of_tool();
    let path = format!("/api/v1/agents/{}/suspend", fixture.agent);
    fixture.api.post(&path, ADMIN, json!({})).await.ok();
    let said = called(&fixture, &headers, "echo").await;
    assert!(matches!(said.status.as_u16(), 401 | 403), "{said:?}");
    assert_eq!(fixture.upstream.called().len(), 1);
}
