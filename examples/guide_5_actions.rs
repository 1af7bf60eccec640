//! SDK guide, section 5: asking before a call.

use agenttrust::{AgentTrustClient, AgentTrustError, blocking};
use agenttrust_examples::bot;

fn main() -> anyhow::Result<()> {
    agenttrust_examples::run(asynchronous, blocking)
}

async fn asynchronous(client: AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["web:search", "db:delete"])).await?;

    let result = client.actions().check(&search(&agent.id)).await?;
    println!("  Allowed: {}, Confidence: {:?}", result.allowed, result.confidence);
    if result.elevation_required == Some(true) {
        println!("  Approval needed: {:?}", result.approval_id);
    }
    assert!(result.allowed, "{:?}", result.reason);
    assert_eq!(result.approval_id, None);

    // The other branch: a destructive action needs an approval.
    let result = client.actions().check(&drop_table(&agent.id)).await?;
    if result.elevation_required == Some(true) {
        println!("  Approval needed: {:?}", result.approval_id);
    }
    assert!(!result.allowed);
    assert!(result.elevation_required == Some(true) && result.approval_id.is_some());
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["web:search", "db:delete"]))?;

    let result = client.actions().check(&search(&agent.id))?;
    println!("  Allowed: {}, Confidence: {:?}", result.allowed, result.confidence);
    if result.elevation_required == Some(true) {
        println!("  Approval needed: {:?}", result.approval_id);
    }
    assert!(result.allowed, "{:?}", result.reason);
    assert_eq!(result.approval_id, None);

    let result = client.actions().check(&drop_table(&agent.id))?;
    if result.elevation_required == Some(true) {
        println!("  Approval needed: {:?}", result.approval_id);
    }
    assert!(!result.allowed);
    assert!(result.elevation_required == Some(true) && result.approval_id.is_some());
    Ok(())
}

fn search(agent_id: &str) -> agenttrust::ActionCheckRequest {
    agenttrust::ActionCheckRequest {
        agent_id: agent_id.to_string(),
        action: "tool_call".to_string(),
        tool_name: "web_search".to_string(),
        tool_input_summary: "AI safety papers".to_string(),
        session_id: "sess-abc".to_string(),
        action_effect: Some("read".to_string()),
    }
}

/// Returns a call without an effect: "the backend auto-classifies based on the tool name".
fn drop_table(agent_id: &str) -> agenttrust::ActionCheckRequest {
    agenttrust::ActionCheckRequest {
        agent_id: agent_id.to_string(),
        action: "tool_call".to_string(),
        tool_name: "db_delete".to_string(),
        tool_input_summary: "drop table users".to_string(),
        session_id: "sess-abc".to_string(),
        action_effect: None,
    }
}
