//! An agent whose checks need a proof comes to an MCP server with one in each request.

use agenttrust_testkit::ADMIN;
use axum::http::Method;
use serde_json::json;

use super::{House, Said, Speaks, call};
use crate::workload::Worker;

#[tokio::test]
async fn call_of_an_agent_that_must_prove_itself_runs_with_a_proof_of_its_own_alone() {
    let house = House::of(Speaks::Legacy, &["echo"]).await;
    let worker = Worker::of(&house.api).await;
    let path = format!("/api/v1/agents/{}", worker.agent);
    let body = Some(json!({ "requires_proof": true }));
    house.api.ask(Method::PATCH, &path, ADMIN, body).await.ok();
    let token = worker.token(&house.api).await;
    let house = House { agent: worker.agent.clone(), key: worker.key.clone(), ..house };
    let url = format!("http://localhost/mcp/{}", house.server);
    let mint = || {
        let key = &worker.pair.private_key_pem;
        agenttrust::mint_dpop_proof(key, "POST", &url, &token).unwrap()
    };
    let bound = format!("DPoP {token}");
    let with = async |proof: &str| -> Said {
        house.post(&[("authorization", &bound), ("dpop", proof)], call("echo", json!({}))).await
    };
    house.plain(call("echo", json!({}))).await.denied("needs a proof");
    // Nor with its opaque token, which is bound to nothing.
    let opaque = house.token(&["*"], &[]).await;
    let request = axum::http::Request::post(format!("/mcp/{}", house.server))
        .header("authorization", format!("Bearer {opaque}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(call("echo", json!({})).to_string().into());
    super::read(house.send(request.unwrap()).await).await.denied("needs a proof");
    assert_eq!(house.upstream.called(), [""; 0]);

    let proof = mint();
    with(&proof).await.text_of_tool();
    let again = with(&proof).await;
    again.refused(401, -32600, "used before");
    assert!(again.headers["www-authenticate"].to_str().unwrap().contains("invalid_dpop_proof"));
    with(&mint()).await.text_of_tool();
    assert_eq!(house.upstream.called(), ["echo", "echo"]);
    let rows = house.api.audit("proof.refused").await;
    assert_eq!(rows[0]["body"]["operation"], "mcp");
}
