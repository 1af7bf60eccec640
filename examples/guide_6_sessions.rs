//! SDK guide, section 6: opening a session, and reading its counters later.

use agenttrust::{AgentTrustClient, AgentTrustError, blocking};
use agenttrust_examples::bot;

fn main() -> anyhow::Result<()> {
    agenttrust_examples::run(asynchronous, blocking)
}

async fn asynchronous(client: AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["code:read"])).await?;

    // Initialize a session
    let session = client.sessions().init_session(&agent.id, "mcp-code-tools").await?;
    println!("  Session ID: {}", session.session_id);
    println!("  Mode: {}", session.mode);
    println!("  Scope ceiling: {:?}", session.scope_ceiling);
    assert_eq!(session.mode, "open");

    // "... then reference the session ID in all subsequent action checks."
    let within = client.actions().check(&call(&agent.id, &session.session_id, "code_read")).await?;
    let beyond = client.actions().check(&call(&agent.id, &session.session_id, "code_push")).await?;
    assert!(within.allowed && !beyond.allowed);

    // Retrieve session state later
    let current = client.sessions().get_session(&session.session_id).await?;
    println!("  Total calls: {}, Denied: {}", current.total_calls, current.denied_calls);
    assert_eq!((current.total_calls, current.denied_calls), (2, 1));
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["code:read"]))?;

    // Initialize a session
    let session = client.sessions().init_session(&agent.id, "mcp-code-tools")?;
    println!("  Session ID: {}", session.session_id);
    println!("  Mode: {}", session.mode);
    println!("  Scope ceiling: {:?}", session.scope_ceiling);
    assert_eq!(session.mode, "open");

    let within = client.actions().check(&call(&agent.id, &session.session_id, "code_read"))?;
    let beyond = client.actions().check(&call(&agent.id, &session.session_id, "code_push"))?;
    assert!(within.allowed && !beyond.allowed);

    // Retrieve session state later
    let current = client.sessions().get_session(&session.session_id)?;
    println!("  Total calls: {}, Denied: {}", current.total_calls, current.denied_calls);
    assert_eq!((current.total_calls, current.denied_calls), (2, 1));
    Ok(())
}

fn call(agent_id: &str, session_id: &str, tool: &str) -> agenttrust::ActionCheckRequest {
    agenttrust::ActionCheckRequest {
        agent_id: agent_id.to_string(),
        action: "tool_call".to_string(),
        tool_name: tool.to_string(),
        tool_input_summary: String::new(),
        session_id: session_id.to_string(),
        action_effect: None,
    }
}
