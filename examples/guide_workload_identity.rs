//! Workload identity: an agent that proves with its own key that it is the one that asks, so that an API key alone is
//! not enough to pass for it.
//!
//! The private key is made here and stays here. `InMemoryKeyStore` keeps it for this process; `FileKeyStore` and the
//! keychain of the operating system keep it for the next one.

use agenttrust::model::UpdateAgentRequest;
use agenttrust::{
    ActionCheckRequest, AgentCredentials, AgentKeyPair, AgentTrustClient, AgentTrustError,
    CreateAgentRequest, InMemoryKeyStore, IssueWimseTokenRequest, KeyStore as _,
    VerifyWimseTokenRequest, blocking, generate_agent_key,
};
use agenttrust_examples::bot;

fn main() -> anyhow::Result<()> {
    agenttrust_examples::run(asynchronous, blocking)
}

async fn asynchronous(client: AgentTrustClient) -> Result<(), AgentTrustError> {
    // The agent makes its key, and registers the public half
    let key = generate_agent_key()?;
    let agent = client.agents().create(&with_key(&key)).await?;
    let mut keys = InMemoryKeyStore::new();
    keys.store(&agent.id, &key.private_key_pem)?;

    // A token that says which workload it is, bound to that key by a proof that it has it
    let token = client.wimse().issue_token_with_proof(&in_production(&agent.id), &keys).await?;
    println!("  {}", token.workload_id);
    let verified = client.wimse().verify_wimse(&of(&token.token)).await?;
    assert!(verified.valid, "{:?}", verified.reason);
    assert_eq!(verified.agent_id.as_deref(), Some(agent.id.as_str()));

    // Credentials take such tokens, renew them, and prove with each check whose it is
    let credentials = AgentCredentials::new(&client, keys, &agent.id, &key.public_key_pem);
    let proving = client.clone().with_agent_credentials(credentials);
    assert!(proving.actions().check(&search(&agent.id)).await?.allowed);

    // Required of this agent, a check without a proof is denied whatever the API key
    let required = UpdateAgentRequest::new().requires_proof(true);
    client.agents().update(&agent.id, &required).await?;
    let without = client.actions().check(&search(&agent.id)).await?;
    println!("  without a proof: {}", without.reason.as_deref().unwrap_or_default());
    assert!(!without.allowed);
    assert!(proving.actions().check(&search(&agent.id)).await?.allowed);

    // Another key proves nothing
    let mut others = InMemoryKeyStore::new();
    others.store(&agent.id, &generate_agent_key()?.private_key_pem)?;
    let refused = client.wimse().issue_token_with_proof(&in_production(&agent.id), &others).await;
    println!("  with another key: {}", refused.unwrap_err());
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient) -> Result<(), AgentTrustError> {
    // The agent makes its key, and registers the public half
    let key = generate_agent_key()?;
    let agent = client.agents().create(&with_key(&key))?;
    let mut keys = InMemoryKeyStore::new();
    keys.store(&agent.id, &key.private_key_pem)?;

    // A token that says which workload it is, bound to that key by a proof that it has it
    let token = client.wimse().issue_token_with_proof(&in_production(&agent.id), &keys)?;
    println!("  {}", token.workload_id);
    let verified = client.wimse().verify_wimse(&of(&token.token))?;
    assert!(verified.valid, "{:?}", verified.reason);
    assert_eq!(verified.agent_id.as_deref(), Some(agent.id.as_str()));

    // Credentials take such tokens, renew them, and prove with each check whose it is
    let credentials =
        blocking::AgentCredentials::new(&client, keys, &agent.id, &key.public_key_pem);
    let proving = client.clone().with_agent_credentials(credentials);
    assert!(proving.actions().check(&search(&agent.id))?.allowed);

    // Required of this agent, a check without a proof is denied whatever the API key
    let required = UpdateAgentRequest::new().requires_proof(true);
    client.agents().update(&agent.id, &required)?;
    let without = client.actions().check(&search(&agent.id))?;
    println!("  without a proof: {}", without.reason.as_deref().unwrap_or_default());
    assert!(!without.allowed);
    assert!(proving.actions().check(&search(&agent.id))?.allowed);

    // Another key proves nothing
    let mut others = InMemoryKeyStore::new();
    others.store(&agent.id, &generate_agent_key()?.private_key_pem)?;
    let refused = client.wimse().issue_token_with_proof(&in_production(&agent.id), &others);
    println!("  with another key: {}", refused.unwrap_err());
    Ok(())
}

fn with_key(key: &AgentKeyPair) -> CreateAgentRequest {
    CreateAgentRequest { public_key: Some(key.public_key_pem.clone()), ..bot(&["web_search"]) }
}

fn in_production(agent_id: &str) -> IssueWimseTokenRequest {
    IssueWimseTokenRequest {
        agent_id: agent_id.to_string(),
        service_name: Some("research".to_string()),
        environment: Some("prod".to_string()),
        ..Default::default()
    }
}

fn of(token: &str) -> VerifyWimseTokenRequest {
    VerifyWimseTokenRequest { token: token.to_string(), trust_domain_filter: None }
}

fn search(agent_id: &str) -> ActionCheckRequest {
    ActionCheckRequest {
        agent_id: agent_id.to_string(),
        action: "tool_call".to_string(),
        tool_name: "web_search".to_string(),
        tool_input_summary: "AI safety papers".to_string(),
        action_effect: Some("read".to_string()),
        ..Default::default()
    }
}
