//! SDK guide, section 11: a session from a delegation, and one from a token; each ends with what it came from.

use agenttrust::model::{CreateDelegationRequest, SessionSource};
use agenttrust::{AgentTrustClient, AgentTrustError, IssueTokenRequest, blocking};
use agenttrust_examples::bot;

fn main() -> anyhow::Result<()> {
    agenttrust_examples::run(asynchronous, blocking)
}

async fn asynchronous(client: AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent_a = client.agents().create(&bot(&["web_search"])).await?;
    let agent_b = client.agents().create(&bot(&[])).await?;

    // Delegated session bridge
    let delegation = client.delegations().create(&delegate(&agent_a.id, &agent_b.id)).await?;
    let session = client.delegations().init_session(&delegation.id).await?;
    println!("  {} {:?} {:?}", session.session_id, session.delegation_id, session.scope_ceiling);
    assert_eq!(session.source, SessionSource::Delegation);
    client.delegations().revoke(&delegation.id).await?;
    assert!(client.sessions().get_session(&session.session_id).await.is_err());

    // API session bridge
    let token = client.tokens().issue(&web_search(&agent_a.id)).await?;
    let session = client.sessions().init_api_session(&token.token).await?;
    println!("  {} {}", session.session_id, session.source);
    assert_eq!(session.source, SessionSource::Api);
    client.tokens().revoke(&token.token, "done").await?;
    assert!(client.sessions().get_session(&session.session_id).await.is_err());
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent_a = client.agents().create(&bot(&["web_search"]))?;
    let agent_b = client.agents().create(&bot(&[]))?;

    // Delegated session bridge
    let delegation = client.delegations().create(&delegate(&agent_a.id, &agent_b.id))?;
    let session = client.delegations().init_session(&delegation.id)?;
    println!("  {} {:?} {:?}", session.session_id, session.delegation_id, session.scope_ceiling);
    assert_eq!(session.source, SessionSource::Delegation);
    client.delegations().revoke(&delegation.id)?;
    assert!(client.sessions().get_session(&session.session_id).is_err());

    // API session bridge
    let token = client.tokens().issue(&web_search(&agent_a.id))?;
    let session = client.sessions().init_api_session(&token.token)?;
    println!("  {} {}", session.session_id, session.source);
    assert_eq!(session.source, SessionSource::Api);
    client.tokens().revoke(&token.token, "done")?;
    assert!(client.sessions().get_session(&session.session_id).is_err());
    Ok(())
}

fn delegate(from: &str, to: &str) -> CreateDelegationRequest {
    CreateDelegationRequest {
        from_agent_id: from.to_string(),
        to_agent_id: to.to_string(),
        scope: vec!["web_search".to_string()],
        ..Default::default()
    }
}

fn web_search(agent_id: &str) -> IssueTokenRequest {
    IssueTokenRequest {
        agent_id: agent_id.to_string(),
        scope: vec!["web_search".to_string()],
        audience: Vec::new(),
        ttl: 300,
    }
}
