//! SDK guide, section 11: letting one agent do part of what another one may do, handing that on, and taking it back.

use agenttrust::model::{CreateDelegationRequest, DelegationRestrictions, DelegationState};
use agenttrust::{ActionCheckRequest, AgentTrustClient, AgentTrustError, blocking};
use agenttrust_examples::bot;

fn main() -> anyhow::Result<()> {
    agenttrust_examples::run(asynchronous, blocking)
}

async fn asynchronous(client: AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent_a = client.agents().create(&bot(&["web_search", "code_push"])).await?;
    let agent_b = client.agents().create(&bot(&[])).await?;
    let agent_c = client.agents().create(&bot(&[])).await?;

    // Delegate web_search capability for 1 hour
    let delegation = client.delegations().create(&to(&agent_a.id, &agent_b.id)).await?;
    println!("  Delegation {} expires at {:?}", delegation.id, delegation.expires_at);

    // B hands it on: for two calls, and as long as A's delegation lives
    let handed_on = CreateDelegationRequest {
        parent_delegation_id: Some(delegation.id.clone()),
        restrictions: Some(DelegationRestrictions::default().max_calls(2)),
        ..to(&agent_b.id, &agent_c.id)
    };
    let handed_on = client.delegations().create(&handed_on).await?;
    assert_eq!(handed_on.delegation_chain, [delegation.id.as_str()]);

    // C uses it by opening its session, and has nothing without that
    let session = client.delegations().init_session(&handed_on.id).await?;
    println!("  {} {:?} {:?}", session.session_id, session.delegation_id, session.scope_ceiling);
    let actions = client.actions();
    assert!(!actions.check(&call(&agent_c.id, "", "web_search")).await?.allowed);
    assert!(!actions.check(&call(&agent_c.id, &session.session_id, "code_push")).await?.allowed);
    for within in [true, true, false] {
        let answer = actions.check(&call(&agent_c.id, &session.session_id, "web_search")).await?;
        assert_eq!(answer.allowed, within, "{:?}", answer.reason);
    }

    // List delegations
    let delegations = client.delegations().list().await?;
    assert!(delegations.iter().any(|known| known.id == delegation.id));

    // Revoke a delegation, and with it what was made from it
    client.delegations().revoke(&delegation.id).await?;
    let after = client.delegations().get(&handed_on.id).await?;
    assert_eq!(after.state, DelegationState::Revoked);
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent_a = client.agents().create(&bot(&["web_search", "code_push"]))?;
    let agent_b = client.agents().create(&bot(&[]))?;
    let agent_c = client.agents().create(&bot(&[]))?;

    // Delegate web_search capability for 1 hour
    let delegation = client.delegations().create(&to(&agent_a.id, &agent_b.id))?;
    println!("  Delegation {} expires at {:?}", delegation.id, delegation.expires_at);

    // B hands it on: for two calls, and as long as A's delegation lives
    let handed_on = CreateDelegationRequest {
        parent_delegation_id: Some(delegation.id.clone()),
        restrictions: Some(DelegationRestrictions::default().max_calls(2)),
        ..to(&agent_b.id, &agent_c.id)
    };
    let handed_on = client.delegations().create(&handed_on)?;
    assert_eq!(handed_on.delegation_chain, [delegation.id.as_str()]);

    // C uses it by opening its session, and has nothing without that
    let session = client.delegations().init_session(&handed_on.id)?;
    println!("  {} {:?} {:?}", session.session_id, session.delegation_id, session.scope_ceiling);
    let actions = client.actions();
    assert!(!actions.check(&call(&agent_c.id, "", "web_search"))?.allowed);
    assert!(!actions.check(&call(&agent_c.id, &session.session_id, "code_push"))?.allowed);
    for within in [true, true, false] {
        let answer = actions.check(&call(&agent_c.id, &session.session_id, "web_search"))?;
        assert_eq!(answer.allowed, within, "{:?}", answer.reason);
    }

    // List delegations
    let delegations = client.delegations().list()?;
    assert!(delegations.iter().any(|known| known.id == delegation.id));

    // Revoke a delegation, and with it what was made from it
    client.delegations().revoke(&delegation.id)?;
    let after = client.delegations().get(&handed_on.id)?;
    assert_eq!(after.state, DelegationState::Revoked);
    Ok(())
}

fn to(from: &str, to: &str) -> CreateDelegationRequest {
    CreateDelegationRequest {
        from_agent_id: from.to_string(),
        to_agent_id: to.to_string(),
        scope: vec!["web_search".to_string()],
        ttl_seconds: Some(3600),
        ..Default::default()
    }
}

fn call(agent_id: &str, session_id: &str, tool: &str) -> ActionCheckRequest {
    ActionCheckRequest {
        agent_id: agent_id.to_string(),
        action: "tool_call".to_string(),
        tool_name: tool.to_string(),
        tool_input_summary: String::new(),
        session_id: session_id.to_string(),
        action_effect: None,
    }
}
