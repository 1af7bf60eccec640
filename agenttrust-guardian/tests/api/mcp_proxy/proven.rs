//! An agent whose checks need a proof comes to an MCP server with one in each request.

use agenttrust_testkit::ADMIN;
use axum::http::Method;
use serde_json::json;

use super::{Fixture, Said, Speaks, call};
use crate::workload::Worker;

#[tokio::test]
async fn call_of_an_agent_that_must_prove_itself_runs_with_a_proof_of_its_own_alone() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let worker = Worker::of(&fixture.api).await;
    let path = format!("/api/v1/agents/{}", worker.agent);
    let body = Some(json!({ "requires_proof": true }));
    fixture.api.ask(Method::PATCH, &path, ADMIN, body).await.ok();
    let token = worker.token(&fixture.api).await;
    let fixture = Fixture { agent: worker.agent.clone(), key: worker.key.clone(), ..fixture };
    let url = format!("http://localhost/mcp/{}", fixture.server);
    let mint = || {
        let key = &worker.pair.private_key_pem;
        agenttrust::mint_dpop_proof(key, "POST", &url, &token).unwrap()
    };
    let bound = format!("DPoP {token}");
    let with = async |proof: &str| -> Said {
        fixture.post(&[("authorization", &bound), ("dpop", proof)], call("echo", json!({}))).await
    };
    fixture.plain(call("echo", json!({}))).await.denied("needs a proof");
    // Nor with its opaque token, which is bound to nothing.
    let opaque = fixture.token(&["*"], &[]).await;
    let request = axum::http::Request::post(format!("/mcp/{}", fixture.server))
        .header("authorization", format!("Bearer {opaque}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(call("echo", json!({})).to_string().into());
    super::read(fixture.send(request.unwrap()).await).await.denied("needs a proof");
    assert_eq!(fixture.upstream.called(), [""; 0]);

    let proof = mint();
    with(&proof).await.text_of_tool();
    let again = with(&proof).await;
    again.refused(401, -32600, "used before");
    assert!(again.headers["www-authenticate"].to_str().unwrap().contains("invalid_dpop_proof"));
    with(&mint()).await.text_of_tool();
    assert_eq!(fixture.upstream.called(), ["echo", "echo"]);
    let rows = fixture.api.audit("proof.refused").await;
    assert_eq!(rows[0]["body"]["operation"], "mcp");
}
