//! Agents that come with tokens which are bound to their keys.

use agenttrust::model::UpdateAgentRequest;
use agenttrust::{
    CreateAgentRequest, InMemoryKeyStore, IssueWimseTokenRequest, KeyStore as _,
    generate_agent_key, mint_dpop_proof,
};
use agenttrust_tests::bounded::in_a_runtime;
use anyhow::Result;
use http::{HeaderMap, StatusCode};

use super::counting_guardian::CountingGuardian;
use super::site::Site;

#[test]
fn an_agent_whose_checks_need_a_proof_is_let_in_and_served_by_one_for_each_call() -> Result<()> {
    in_a_runtime(async || {
        let guardian = CountingGuardian::open()?;
        let admin = guardian.client()?;
        let key = generate_agent_key()?;
        let request = CreateAgentRequest {
            name: "worker".to_owned(),
            capabilities: vec!["http/*".to_owned()],
            public_key: Some(key.public_key_pem.clone()),
            ..Default::default()
        };
        let agent = admin.agents().create(&request).await?;
        admin.agents().update(&agent.id, &UpdateAgentRequest::new().requires_proof(true)).await?;
        let mut keys = InMemoryKeyStore::new();
        keys.store(&agent.id, &key.private_key_pem)?;
        let request = IssueWimseTokenRequest { agent_id: agent.id.clone(), ..Default::default() };
        let token = admin.wimse().issue_token_with_proof(&request, &keys).await?.token;

        let gateway = guardian.gateway().await?;
        // Behind a proxy: what callers call it by is not what it listens at.
        let site = Site::serve(&gateway, |layer| layer.public_url("https://notes.example"))?;
        let url = "https://notes.example/notes/a";
        let proof = || mint_dpop_proof(&key.private_key_pem, "GET", url, &token);
        let visit = async |proof: &str| -> Result<StatusCode> {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", format!("DPoP {token}").parse()?);
            headers.insert("dpop", proof.parse()?);
            Ok(site.get_with("/notes/a", headers).await?.status)
        };
        let first = proof()?;
        assert_eq!(visit(&first).await?, StatusCode::OK);
        assert_eq!(visit(&proof()?).await?, StatusCode::OK);
        assert_eq!(visit(&first).await?, StatusCode::UNAUTHORIZED, "it was used before");
        let other = mint_dpop_proof(&generate_agent_key()?.private_key_pem, "GET", url, &token)?;
        assert_eq!(visit(&other).await?, StatusCode::UNAUTHORIZED);
        assert_eq!(site.get_as("/notes/a", &token).await?.status, StatusCode::UNAUTHORIZED);
        let visits = site.visits.all();
        assert_eq!(visits.len(), 2);
        assert!(visits.iter().all(|(who, shown)| who.agent_id() == agent.id && !shown));

        // A plain token of the agent is still taken, and its checks have no proof.
        let plain = guardian.token(&agent, &["http/*"], &[], 300).await?;
        assert_eq!(site.get_as("/notes/a", &plain.token).await?.status, StatusCode::FORBIDDEN);
        // Revoked, it is over at once for guarded calls.
        admin.agents().revoke(&agent.id, "its host was broken into").await?;
        assert!(!visit(&proof()?).await?.is_success());
        Ok(())
    })
}
