//! SDK guide, section 4: issuing a token, and asking what it is worth.

use agenttrust::{AgentTrustClient, AgentTrustError, blocking};
use agenttrust_examples::bot;

fn main() -> anyhow::Result<()> {
    agenttrust_examples::run(asynchronous, blocking)
}

async fn asynchronous(client: AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["files:read"])).await?;

    // Issue a token
    let request = agenttrust::IssueTokenRequest {
        agent_id: agent.id.clone(),
        scope: vec!["files:read".to_string()],
        audience: vec![],
        ttl: 300,
    };
    let token = client.tokens().issue(&request).await?;
    println!("  Token: {}...", &token.token[..5]);
    // Opaque, and no JWT.
    assert!(token.token.starts_with("at_") && !token.token.contains('.'));
    // "Tokens are cached by default".
    assert_eq!(client.tokens().issue(&request).await?.token, token.token);

    // Introspect a token
    let result = client
        .tokens()
        .introspect(&agenttrust::IntrospectTokenRequest {
            token: token.token.clone(),
            target: Some("mcp://filesystem".to_string()),
            required_scopes: vec![],
        })
        .await?;
    println!("  Active: {}", result.active);
    assert!(result.active, "{:?}", result.reasoning);
    assert_eq!(result.scopes, ["files:read"]);
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["files:read"]))?;

    // Issue a token
    let request = agenttrust::IssueTokenRequest {
        agent_id: agent.id.clone(),
        scope: vec!["files:read".to_string()],
        audience: vec![],
        ttl: 300,
    };
    let token = client.tokens().issue(&request)?;
    println!("  Token: {}...", &token.token[..5]);
    assert!(token.token.starts_with("at_") && !token.token.contains('.'));
    assert_eq!(client.tokens().issue(&request)?.token, token.token);

    // Introspect a token
    let result = client.tokens().introspect(&agenttrust::IntrospectTokenRequest {
        token: token.token.clone(),
        target: Some("mcp://filesystem".to_string()),
        required_scopes: vec![],
    })?;
    println!("  Active: {}", result.active);
    assert!(result.active, "{:?}", result.reasoning);
    assert_eq!(result.scopes, ["files:read"]);
    Ok(())
}
