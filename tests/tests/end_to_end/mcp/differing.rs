//! A server that shows each client other tools, by what the client says that it can do, shows and runs them behind the
//! Guardian too: what one session lists takes nothing from another.

use agenttrust_tests::bounded::{in_a_runtime, until};
use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::guardian_with_agent::GuardianWithAgent;
use super::peers::{Peer, node};
use super::session::Caller;

/// A tool that the "everything" server has only for clients with this capability.
const TOOL: &str = "trigger-url-elicitation";

async fn asked(caller: &Caller, method: &str, params: Value) -> Result<String> {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    Ok(caller.sent(message).await?.text().await?)
}

#[test]
fn what_one_session_lists_takes_no_tool_from_another() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let (peer, guardian) = (Peer::everything(&node).await?, GuardianWithAgent::start().await?);
        let id = guardian.register("everything", &peer.url).await?;
        let able = json!({ "elicitation": { "form": {}, "url": {} } });
        let able = Caller::open_as(&guardian, guardian.proxied(&id), able).await?;
        // Whether or not anyone listed it before, its server has it.
        until("the tool is there", async || {
            let answer = asked(&able, "tools/list", json!({})).await?;
            Ok(answer.contains(TOOL).then_some(()))
        })
        .await?;
        let other = Caller::open_as(&guardian, guardian.proxied(&id), json!({})).await?;
        let listed = asked(&other, "tools/list", json!({})).await?;
        ensure!(listed.contains("echo") && !listed.contains(TOOL), "{listed}");
        let given = json!({ "url": "https://example.com/", "errorPath": true });
        let answer =
            asked(&able, "tools/call", json!({ "name": TOOL, "arguments": given })).await?;
        // By this it says that it ran, and that its page was not looked at yet.
        ensure!(answer.contains("-32042"), "the tool did not run: {answer}");
        let gone = guardian.admin_client()?.mcp().tools(&id).await?;
        let gone = gone.iter().find(|tool| tool.name == TOOL).map(|tool| tool.state);
        ensure!(gone == Some(agenttrust::model::McpToolState::Pinned), "{gone:?}");
        Ok(())
    })
}
