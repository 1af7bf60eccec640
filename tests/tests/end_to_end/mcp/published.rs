//! The clients of AgentTrust, ours and the published one of Rust, with every tool that answers by itself.

use agenttrust::blocking;
use agenttrust_tests::bounded::{here, in_a_runtime, on_a_plain_thread};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::guardian_with_agent::GuardianWithAgent;
use super::peers::{Peer, node};

/// Returns what the tools of the "everything" server are called with, and what comes of it.
fn calls() -> [(Value, &'static str); 11] {
    let call = |name: &str, arguments: Value| json!({ "name": name, "arguments": arguments });
    [
        (call("echo", json!({ "message": "größe 😀" })), "Echo: größe 😀"),
        (call("get-annotated-message", json!({ "messageType": "debug" })), "Debug"),
        (call("get-env", json!({})), "AS_IF_SECRET"),
        (call("get-resource-links", json!({ "count": 2 })), "resource_link"),
        (
            call("get-resource-reference", json!({ "resourceType": "Blob", "resourceId": 3 })),
            "blob",
        ),
        (call("get-structured-content", json!({ "location": "Chicago" })), "temperature"),
        (call("get-sum", json!({ "a": 2, "b": 40 })), "42"),
        (call("get-tiny-image", json!({})), "image/png"),
        (
            call(
                "gzip-file-as-resource",
                json!({ "data": "data:text/plain,a", "outputType": "resource" }),
            ),
            "gzip",
        ),
        (call("toggle-simulated-logging", json!({})), "simulated"),
        (call("trigger-long-running-operation", json!({ "duration": 1, "steps": 2 })), "completed"),
    ]
}

fn answered(call: &Value, result: &Value, words: &str) -> Result<()> {
    ensure!(result["isError"] != true && result.to_string().contains(words), "{call}: {result}");
    Ok(())
}

#[test]
fn ours_calls_every_tool_async_and_blocking() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let (peer, guardian) = (Peer::everything(&node).await?, GuardianWithAgent::start().await?);
        let id = guardian.register("everything", &peer.url).await?;
        let client = guardian.client()?;
        for (call, words) in calls() {
            let params = Some(call.clone());
            let result =
                client.mcp().call_tool(&id, &guardian.agent_id, "tools/call", params, None).await?;
            answered(&call, &result, words)?;
        }
        let (agent_id, same) = (guardian.agent_id.clone(), id.clone());
        let calling = tokio::task::spawn_blocking(move || {
            let client = blocking::AgentTrustClient::from(client);
            let session = client.sessions().init_session(&agent_id, &same)?;
            let session = Some(session.session_id.as_str());
            for (call, words) in calls() {
                let params = Some(call.clone());
                let result =
                    client.mcp().call_tool(&same, &agent_id, "tools/call", params, session)?;
                answered(&call, &result, words)?;
            }
            let missing = Some(json!({ "name": "launch" }));
            let missing = client.mcp().call_tool(&same, &agent_id, "tools/call", missing, session);
            ensure!(missing.is_err_and(|error| error.code() == "JSON_RPC_-32602"));
            anyhow::Ok(())
        });
        calling.await??;
        let approvals = guardian.admin_client()?.approvals().list(&Default::default()).await?;
        ensure!(approvals.is_empty(), "a tool that is not there opened an approval: {approvals:?}");
        Ok(())
    })
}

#[test]
fn the_published_rust_client_registers_a_server_and_calls_every_tool() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    // Its client is a blocking one, and takes no runtime around it.
    on_a_plain_thread(move || {
        let runtime = agenttrust_tests::bounded::threads(2);
        let (peer, guardian) = runtime.block_on(async {
            anyhow::Ok((Peer::everything(&node).await?, GuardianWithAgent::start().await?))
        })?;
        let key = guardian.served.admin_key();
        let client = agenttrustid::AgentTrustClient::builder();
        let client = client.base_url(&guardian.served.url()).api_key(key).build()?;
        let registration = agenttrustid::RegisterMCPServerRequest {
            name: "everything".to_string(),
            url: peer.url.clone(),
            capabilities: Some(vec!["echo".to_string()]),
        };
        let server = client.mcp().register_server(&registration)?;
        ensure!(client.mcp().list_servers()?.iter().any(|known| known.id == server.id));
        ensure!(client.mcp().get_server(&server.id)?.name == "everything");
        for (call, words) in calls() {
            let params = Some(call.clone());
            let result =
                client.mcp().call_tool(&server.id, &guardian.agent_id, "tools/call", params, None);
            answered(&call, &result.with_context(|| call.to_string())?, words)?;
        }
        client.mcp().remove_server(&server.id)?;
        ensure!(client.mcp().get_server(&server.id).is_err());
        let audited = here(guardian.served.admin().audited(&guardian.agent_id, "decision"))?;
        ensure!(audited.len() >= calls().len(), "{} rows", audited.len());
        Ok(())
    })
}
