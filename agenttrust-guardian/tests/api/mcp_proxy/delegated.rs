//! An agent that acts under a delegation, with a token of that session.

use agenttrust_testkit::ADMIN;
use axum::http::Method;
use serde_json::json;

use super::{Fixture, Said, Speaks, call, read, request};
use crate::delegations::{begun, give, revoke, under};

/// Calls a tool with a token and nothing else.
async fn called(fixture: &Fixture, token: &str, message: serde_json::Value) -> Said {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    read(fixture.begin_as(Method::POST, &headers, Some(message.to_string())).await).await
}

/// Returns a token of the session of a delegation.
async fn token_of(fixture: &Fixture, agent: &str, delegation: &str, scopes: &[&str]) -> String {
    let session = begun(&fixture.api, delegation).await;
    let body = json!({ "agent_id": agent, "scopes": scopes, "session_id": session });
    fixture.api.post("/api/v1/agent-tokens/issue", ADMIN, body).await.ok().text("token")
}

#[tokio::test]
async fn token_of_a_delegated_session_calls_what_the_chain_gives_until_a_link_ends() {
    for ends in 0..2 {
        let fixture = Fixture::of(Speaks::Legacy, &["echo", "write", "own"]).await;
        let api = &fixture.api;
        let agents = [
            api.agent(&["files/*"]).await,
            api.agent(&[]).await,
            api.agent(&["files/own", "files/write"]).await,
        ];
        let between = (&*agents[0], &*agents[1]);
        let first = give(api, between, &["files/echo", "files/write"], json!({})).await;
        let between = (&*agents[1], &*agents[2]);
        let second = give(api, between, &["files/echo"], under(&first)).await;
        let token = token_of(&fixture, &agents[2], &second, &["files/echo"]).await;
        called(&fixture, &token, call("echo", json!({}))).await.text_of_tool();
        let row = &api.audit("decision").await[0];
        assert_eq!(row["agent_id"], agents[2]);
        assert_eq!(row["body"]["delegations"], json!([first, second]), "{row}");
        // Neither what an earlier link gave, nor what the agent has of its own.
        for tool in ["write", "own"] {
            let said = called(&fixture, &token, call(tool, json!({}))).await;
            assert_ne!(said.answer()["result"]["isError"], json!(null), "{tool}: {said:?}");
            assert_eq!(said.status, 200, "another token of this session would not help: {said:?}");
        }
        let listed = called(&fixture, &token, request(2, "tools/list", json!({}))).await;
        let names = &listed.answer()["result"]["tools"];
        assert_eq!(names.as_array().unwrap().len(), 1, "{listed:?}");
        assert_eq!(names[0]["name"], "echo");
        assert_eq!(fixture.upstream.called(), ["echo"]);

        revoke(api, ADMIN, [&first, &second][ends]).await.ok();
        called(&fixture, &token, call("echo", json!({}))).await.refused(401, -32600, "token");
        assert_eq!(fixture.upstream.called(), ["echo"]);
    }
}

#[tokio::test]
async fn narrow_token_of_a_delegated_session_is_told_what_a_wider_one_could_have() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo", "write", "own"]).await;
    let api = &fixture.api;
    let (giver, bot) = (api.agent(&["files/*"]).await, api.agent(&["files/own"]).await);
    let given = give(api, (&giver, &bot), &["files/echo", "files/write"], json!({})).await;
    let token = token_of(&fixture, &bot, &given, &["files/echo"]).await;
    let said = called(&fixture, &token, call("write", json!({}))).await;
    assert_eq!(said.status, 403, "{said:?}");
    let challenge = said.headers["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains("\"files/write\""),
        "{challenge}"
    );
    // What the delegation does not give no token of it could have.
    let said = called(&fixture, &token, call("own", json!({}))).await;
    assert_eq!(
        (said.status.as_u16(), &said.answer()["result"]["isError"]),
        (200, &json!(true)),
        "{said:?}"
    );
    let wider = token_of(&fixture, &bot, &given, &["files/write"]).await;
    called(&fixture, &wider, call("write", json!({}))).await.text_of_tool();
}

#[tokio::test]
async fn revoked_link_ends_a_call_that_runs() {
    let fixture = Fixture::of(Speaks::Legacy, &["hang"]).await;
    let api = &fixture.api;
    let (giver, bot) = (api.agent(&["files/*"]).await, api.agent(&[]).await);
    let given = give(api, (&giver, &bot), &["files/hang"], json!({})).await;
    let token = token_of(&fixture, &bot, &given, &["files/hang"]).await;
    let ends = async {
        agenttrust_testkit::eventually("it runs", async || fixture.upstream.running() == 1).await;
        revoke(api, ADMIN, &given).await.ok();
    };
    let (said, ()) = tokio::join!(called(&fixture, &token, call("hang", json!({}))), ends);
    said.refused(503, -32603, "");
    agenttrust_testkit::eventually("it is hung up on", async || fixture.upstream.running() == 0)
        .await;
}
