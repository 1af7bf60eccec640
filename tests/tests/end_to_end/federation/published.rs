//! The federation of the published clients, unchanged, with `oidc-provider` and `agenttrust serve`.

use agenttrust_guardian::Role;
use agenttrust_tests::bounded::{here, in_a_runtime, on_a_plain_thread};
use agenttrustid::{
    ActionCheckRequest, AgentTrustClient, AgentTrustError, IssueFederatedIDTokenRequest,
    RegisterFederationProviderRequest, VerifyFederatedTokenRequest,
};
use anyhow::{Context, Result};
use http::Method;
use serde_json::json;
use tokio::process::Command;

use super::issuer::Issuer;
use super::{PROVIDERS, node};
use crate::mcp::guardian_with_agent::GuardianWithAgent;
use crate::programs::{python_script, run};
use crate::python::python_with;

/// The audience of tokens: the published clients register providers without one.
const HERE: &str = "https://guardian.example";

async fn guardian() -> Result<GuardianWithAgent> {
    GuardianWithAgent::start_with(&[("--public-url", HERE)]).await
}

/// Says which agent the tokens of a provider are of, which the published clients cannot.
async fn ruled(guardian: &GuardianWithAgent, provider_id: &str, subject: &str) -> Result<()> {
    let rules = json!({ "rules": [{ "subject": subject, "agent_id": guardian.agent_id }] });
    let path = format!("{PROVIDERS}/{provider_id}");
    guardian.served.admin().ask(Method::PATCH, &path, Some(rules)).await?;
    Ok(())
}

#[test]
fn the_rust_client_does_all_that_it_has_for_federation() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    on_a_plain_thread(move || {
        let (issuer, guardian, token) = here(async {
            let (issuer, guardian) = (Issuer::start(&node).await?, guardian().await?);
            let token = issuer.token_of_agent("RS256", Some(HERE), "files:read").await?;
            anyhow::Ok((issuer, guardian, token))
        })?;
        // It blocks, so it is asked in no runtime.
        all_of_it(&issuer, &guardian, token)
    })
}

fn all_of_it(issuer: &Issuer, guardian: &GuardianWithAgent, token: String) -> Result<()> {
    let (url, key) = (guardian.served.url(), guardian.served.admin_key());
    let client = AgentTrustClient::builder().base_url(&url).api_key(key).build()?;
    let federation = client.federation();
    let provider = federation.register_provider(&RegisterFederationProviderRequest {
        issuer: issuer.url().to_owned(),
        name: "Example IdP".to_owned(),
        trust_level: Some("standard".to_owned()),
    })?;
    assert!(!provider.id.is_empty() && !provider.org_id.is_empty(), "{provider:?}");
    assert_eq!((&*provider.issuer, &*provider.status), (issuer.url(), "active"));
    assert_eq!(provider.jwks_uri, format!("{}/jwks", issuer.url()));
    assert_eq!(provider.trust_level, "medium");
    let listed = federation.list_providers()?;
    assert!(listed.len() == 1 && listed[0].id == provider.id, "{listed:?}");

    let request = VerifyFederatedTokenRequest { token, issuer_hint: None };
    let hinted = VerifyFederatedTokenRequest {
        issuer_hint: Some(issuer.url().to_owned()),
        ..request.clone()
    };
    // It holds, and is nobody's yet.
    let said = federation.introspect_token(&request)?;
    assert!(said.valid && said.agent_id.is_none() && said.error.is_none(), "{said:?}");
    let refused = federation.init_session(&request);
    assert!(matches!(refused, Err(AgentTrustError::Authorization { .. })), "{refused:?}");
    here(ruled(guardian, &provider.id, "agent-RS256"))?;
    for request in [&request, &hinted] {
        let said = federation.introspect_token(request)?;
        assert!(said.valid, "{said:?}");
        assert_eq!(said.agent_id.as_ref(), Some(&guardian.agent_id));
        assert_eq!(said.issuer.as_deref(), Some(issuer.url()));
        assert!(said.expires_at.is_some(), "{said:?}");
    }
    let elsewhere = VerifyFederatedTokenRequest {
        issuer_hint: Some("https://elsewhere.example".to_owned()),
        ..request.clone()
    };
    let said = federation.introspect_token(&elsewhere)?;
    assert!(!said.valid && said.error.is_some(), "{said:?}");

    let session_id = in_a_session((&client, guardian), &request)?;
    issued(&client, guardian)?;
    federation.delete_provider(&provider.id)?;
    assert!(federation.list_providers()?.is_empty());
    let said = federation.introspect_token(&request)?;
    assert!(!said.valid, "{said:?}");
    let allowed = checked((&client, guardian), "files_read", &session_id)?;
    assert!(!allowed, "its session ends with it");
    let gone = federation.delete_provider(&provider.id);
    assert!(matches!(gone, Err(AgentTrustError::NotFound { status: 404, .. })), "{gone:?}");
    Ok(())
}

/// Opens a session, and checks in it; returns its id.
fn in_a_session(
    (client, guardian): (&AgentTrustClient, &GuardianWithAgent),
    request: &VerifyFederatedTokenRequest,
) -> Result<String> {
    let session = client.federation().init_session(request)?;
    assert_eq!((&*session.agent_id, &*session.mode), (&*guardian.agent_id, "supervised"));
    assert_eq!(session.scope_ceiling, ["files:read"]);
    assert!(checked((client, guardian), "files_read", &session.session_id)?);
    assert!(!checked((client, guardian), "db_read", &session.session_id)?);
    Ok(session.session_id)
}

fn checked(
    (client, guardian): (&AgentTrustClient, &GuardianWithAgent),
    tool: &str,
    session_id: &str,
) -> Result<bool> {
    let check = ActionCheckRequest {
        agent_id: guardian.agent_id.clone(),
        tool_name: tool.to_owned(),
        session_id: session_id.to_owned(),
        ..Default::default()
    };
    Ok(client.actions().check(&check)?.allowed)
}

/// Checks the tokens that we issue ourselves.
fn issued(client: &AgentTrustClient, guardian: &GuardianWithAgent) -> Result<()> {
    let federation = client.federation();
    let request = IssueFederatedIDTokenRequest {
        audience: Some("https://partner.example".to_owned()),
        scopes: vec!["files:read".to_owned()],
        ttl: Some(600),
        ..Default::default()
    };
    let issued = federation.issue_token(&guardian.agent_id, &request)?;
    assert!(issued.id_token.starts_with("fed_"), "{issued:?}");
    assert_eq!(issued.expires_in, 600);
    let all =
        federation.issue_token(&guardian.agent_id, &IssueFederatedIDTokenRequest::default())?;
    assert_eq!(all.expires_in, 3600);
    let question =
        |token: &str| VerifyFederatedTokenRequest { token: token.to_owned(), issuer_hint: None };
    let said = federation.introspect_token(&question(&all.id_token))?;
    assert!(said.valid && said.agent_id.as_ref() == Some(&guardian.agent_id), "{said:?}");
    let session = federation.init_session(&question(&all.id_token))?;
    assert_eq!(session.agent_id, guardian.agent_id);
    federation.revoke_token(&all.id_token)?;
    assert!(!federation.introspect_token(&question(&all.id_token))?.valid);
    let refused = federation.init_session(&question(&all.id_token));
    assert!(matches!(refused, Err(AgentTrustError::Authentication { .. })), "{refused:?}");
    Ok(())
}

#[test]
fn the_python_client_does_all_that_it_has_for_federation() -> Result<()> {
    let (Some(node), Some(python)) = (node(), python_with("agenttrustid", "0.4.0")) else {
        return Ok(());
    };
    in_a_runtime(async move || {
        let (issuer, guardian) = (Issuer::start(&node).await?, guardian().await?);
        let agent = issuer.token_of_agent("ES256", Some(HERE), "files:read").await?;
        let elsewhere =
            issuer.token_of_agent("ES256", Some("https://elsewhere.example/"), "").await?;
        let key = guardian.served.admin().create_key(Role::Admin, &[]).await.context("a key")?;
        let mut script = Command::new(python);
        script.arg(python_script("federation_published.py"));
        script.env("AGENTTRUST_URL", guardian.served.url()).env("AGENTTRUST_API_KEY", key);
        script.env("AGENT_ID", &guardian.agent_id).env("ISSUER", issuer.url());
        script.env("TOKEN", agent).env("ELSEWHERE", elsewhere);
        run(&mut script).await
    })
}
