//! SDK guide, section 11: agents of another organisation, who come with the tokens of its identity provider.
//!
//! The provider is one of this process, on this machine (`examples/src/issuer.rs`): a Guardian elsewhere reaches it no
//! more than it would any other private address, unless it was told to (`--allow-outbound 127.0.0.0/8`).

use agenttrust::client::RegisterFederationProviderOptions;
use agenttrust::model::FederationRule;
use agenttrust::{
    ActionCheckRequest, AgentTrustClient, AgentTrustError, IssueFederatedTokenRequest,
    RegisterFederationProviderRequest, Session, VerifyFederatedTokenRequest, blocking,
};
use agenttrust_examples::{Issuer, bot};
use serde_json::json;

/// The audience of tokens, so that a token for another server is worth nothing here.
const AUDIENCE: &str = "https://guardian.example.com";

fn main() -> anyhow::Result<()> {
    // It has threads of its own, and answers while `blocking` holds this one.
    let runtime = tokio::runtime::Runtime::new()?;
    let issuer = runtime.block_on(Issuer::start())?;
    agenttrust_examples::run(
        async |client| asynchronous(client, &issuer).await,
        |client| blocking(client, &issuer),
    )
}

async fn asynchronous(client: AgentTrustClient, issuer: &Issuer) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["files:*"])).await?;

    // Register an OIDC provider, and say which of its tokens are which agent
    let federation = client.federation();
    let provider = federation.register_provider_with(&workforce(issuer), &rules(&agent.id)).await?;
    println!("  Provider ID: {}", provider.id);

    // Verify a token of somebody who is in the group, and of somebody who is not
    let ada = token(issuer, "ada", &["agents", "staff"])?;
    let result = federation.verify_token(&ada).await?;
    println!("  Valid: {}, agent: {:?}", result.valid, result.agent_id);
    assert!(result.valid && result.agent_id.as_deref() == Some(agent.id.as_str()));
    let bob = token(issuer, "bob", &["staff"])?;
    let result = federation.verify_token(&bob).await?;
    assert!(result.valid && result.agent_id.is_none(), "no rule maps it to an agent");

    // Bridge it into a session, which ends with the token and has the ceiling of the rule
    let session = federation.init_session(&ada).await?;
    println!("  Session {} of {:?}", session.session_id, session.issuer);
    assert!(client.actions().check(&asks(&session, "files_read")).await?.allowed);
    assert!(!client.actions().check(&asks(&session, "files_list")).await?.allowed);
    println!("  bob: {}", federation.init_session(&bob).await.unwrap_err());

    // A token that has expired says so; everything else that is wrong with one is told to operators alone
    let late = expired(issuer)?;
    println!("  {}", federation.init_session(&late).await.unwrap_err());

    // Issue an opaque token for an agent of ours, to be asked about and taken back
    let issued = federation.issue_token(&agent.id, &for_ten_minutes()).await?;
    assert!(federation.introspect_token(&opaque(&issued.id_token)).await?.active);
    federation.revoke_token(&issued.id_token).await?;
    assert!(!federation.introspect_token(&opaque(&issued.id_token)).await?.active);

    // Remove the provider: what came of it ends
    assert!(federation.list_providers().await?.iter().any(|known| known.id == provider.id));
    federation.delete_provider(&provider.id).await?;
    assert!(!client.actions().check(&asks(&session, "files_read")).await?.allowed);
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient, issuer: &Issuer) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["files:*"]))?;

    // Register an OIDC provider, and say which of its tokens are which agent
    let federation = client.federation();
    let provider = federation.register_provider_with(&workforce(issuer), &rules(&agent.id))?;
    println!("  Provider ID: {}", provider.id);

    // Verify a token of somebody who is in the group, and of somebody who is not
    let ada = token(issuer, "ada", &["agents", "staff"])?;
    let result = federation.verify_token(&ada)?;
    println!("  Valid: {}, agent: {:?}", result.valid, result.agent_id);
    assert!(result.valid && result.agent_id.as_deref() == Some(agent.id.as_str()));
    let bob = token(issuer, "bob", &["staff"])?;
    let result = federation.verify_token(&bob)?;
    assert!(result.valid && result.agent_id.is_none(), "no rule maps it to an agent");

    // Bridge it into a session, which ends with the token and has the ceiling of the rule
    let session = federation.init_session(&ada)?;
    println!("  Session {} of {:?}", session.session_id, session.issuer);
    assert!(client.actions().check(&asks(&session, "files_read"))?.allowed);
    assert!(!client.actions().check(&asks(&session, "files_list"))?.allowed);
    println!("  bob: {}", federation.init_session(&bob).unwrap_err());

    // A token that has expired says so; everything else that is wrong with one is told to operators alone
    let late = expired(issuer)?;
    println!("  {}", federation.init_session(&late).unwrap_err());

    // Issue an opaque token for an agent of ours, to be asked about and taken back
    let issued = federation.issue_token(&agent.id, &for_ten_minutes())?;
    assert!(federation.introspect_token(&opaque(&issued.id_token))?.active);
    federation.revoke_token(&issued.id_token)?;
    assert!(!federation.introspect_token(&opaque(&issued.id_token))?.active);

    // Remove the provider: what came of it ends
    assert!(federation.list_providers()?.iter().any(|known| known.id == provider.id));
    federation.delete_provider(&provider.id)?;
    assert!(!client.actions().check(&asks(&session, "files_read"))?.allowed);
    Ok(())
}

fn workforce(issuer: &Issuer) -> RegisterFederationProviderRequest {
    RegisterFederationProviderRequest {
        issuer: issuer.url().to_string(),
        name: "Example Workforce".to_string(),
        trust_level: Some("high".to_string()),
    }
}

/// Returns the rules: an agent of the group `agents` is this agent, and may read.
fn rules(agent_id: &str) -> RegisterFederationProviderOptions {
    let rule = FederationRule::new(agent_id).claim("groups", "agents").scope("files:read");
    RegisterFederationProviderOptions::default().audience(AUDIENCE).rule(rule)
}

fn token(
    issuer: &Issuer,
    subject: &str,
    groups: &[&str],
) -> Result<VerifyFederatedTokenRequest, AgentTrustError> {
    let token = issuer.token(subject, json!({ "aud": AUDIENCE, "groups": groups }))?;
    Ok(opaque(&token))
}

fn expired(issuer: &Issuer) -> Result<VerifyFederatedTokenRequest, AgentTrustError> {
    let claims = json!({ "aud": AUDIENCE, "groups": ["agents"], "iat": 0, "exp": 300 });
    Ok(opaque(&issuer.token("ada", claims)?))
}

fn opaque(token: &str) -> VerifyFederatedTokenRequest {
    VerifyFederatedTokenRequest { token: token.to_string(), issuer_hint: None }
}

fn for_ten_minutes() -> IssueFederatedTokenRequest {
    IssueFederatedTokenRequest {
        audience: Some("https://partner.example.com".to_string()),
        scopes: vec!["files:read".to_string()],
        ttl: Some(600),
    }
}

fn asks(session: &Session, tool: &str) -> ActionCheckRequest {
    ActionCheckRequest {
        agent_id: session.agent_id.clone(),
        action: "tool_call".to_string(),
        tool_name: tool.to_string(),
        session_id: session.session_id.clone(),
        action_effect: Some("read".to_string()),
        ..Default::default()
    }
}
