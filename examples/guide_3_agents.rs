//! SDK guide, section 3: registering an agent.

use agenttrust::{AgentTrustClient, AgentTrustError, blocking};

fn main() -> anyhow::Result<()> {
    agenttrust_examples::run(asynchronous, blocking)
}

async fn asynchronous(client: AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client
        .agents()
        .create(&agenttrust::CreateAgentRequest {
            name: "research-bot".to_string(),
            framework: "langchain".to_string(),
            capabilities: vec!["web:search".to_string(), "files:read".to_string()],
            ..Default::default()
        })
        .await?;
    println!("  Agent ID: {}", agent.id);

    assert_eq!(agent.name, "research-bot");
    assert_eq!(agent.framework, "langchain");
    assert_eq!(agent.status, "active");
    // It is on record.
    assert_eq!(client.agents().get(&agent.id).await?.capabilities, ["web:search", "files:read"]);
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&agenttrust::CreateAgentRequest {
        name: "research-bot".to_string(),
        framework: "langchain".to_string(),
        capabilities: vec!["web:search".to_string(), "files:read".to_string()],
        ..Default::default()
    })?;
    println!("  Agent ID: {}", agent.id);

    assert_eq!(agent.name, "research-bot");
    assert_eq!(agent.framework, "langchain");
    assert_eq!(agent.status, "active");
    assert_eq!(client.agents().get(&agent.id)?.capabilities, ["web:search", "files:read"]);
    Ok(())
}
