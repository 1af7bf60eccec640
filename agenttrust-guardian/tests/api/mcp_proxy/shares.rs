//! What one agent has under way takes nothing from another, by whatever they come.

use axum::http::Method;
use serde_json::json;

use super::{Fixture, Said, Speaks, call, of_session, read, request};
use agenttrust_testkit::ADMIN;

impl Fixture {
    /// Returns a token of another agent, which may call everything, too.
    async fn token_of_another(&self) -> String {
        let (agent, _) = self.api.worker().await;
        let body = json!({ "agent_id": agent, "scopes": ["files/*"], "audience": [] });
        self.api.post("/api/v1/agent-tokens/issue", ADMIN, body).await.ok().text("token")
    }

    async fn post_with(&self, token: &str, body: serde_json::Value) -> Said {
        let headers = [("authorization", token), super::ACCEPTS];
        read(self.begin_as(Method::POST, &headers, Some(body.to_string())).await).await
    }
}

#[tokio::test]
async fn streams_of_an_agent_with_a_token_take_none_from_another() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let mut open = Vec::new();
    let mut counts = Vec::new();
    for token in [fixture.token(&["files/*"], &[]).await, fixture.token_of_another().await] {
        let token = format!("Bearer {token}");
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        });
        let said = fixture.post_with(&token, request(0, "initialize", params)).await;
        let session = said.headers["mcp-session-id"].to_str().unwrap().to_owned();
        let mut headers = of_session(&session).to_vec();
        headers.push(("authorization", &token));
        let before = open.len();
        // The first takes all that it may have.
        let most = if before == 0 { 1_024 } else { 10 };
        for _ in 0..most {
            let answer = fixture.begin_as(Method::GET, &headers, None).await;
            if answer.status() != 200 {
                break;
            }
            open.push(answer.into_body());
        }
        counts.push(open.len() - before);
    }
    assert_eq!(counts, [512, 10]);
}

#[tokio::test]
async fn refusals_of_an_agent_with_a_token_hide_none_of_another() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let tokens = [fixture.token(&["files/*"], &[]).await, fixture.token_of_another().await];
    for (token, times) in tokens.iter().zip([40, 3]) {
        let token = format!("Bearer {token}");
        for _ in 0..times {
            let said = fixture.post_with(&token, call("made_up", json!({}))).await;
            said.refused(200, -32602, "has no tool");
        }
    }
    let rows = fixture.api.audit("mcp.refused").await;
    let of_first = rows.iter().filter(|row| row["body"]["agent_id"] == *fixture.agent).count();
    assert_eq!((of_first, rows.len()), (20, 23));
    // The key of the gateway is who asked.
    assert!(rows.iter().all(|row| row["actor"] == rows[0]["actor"]), "{rows:?}");
}
