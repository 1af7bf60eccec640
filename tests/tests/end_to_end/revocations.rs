//! A gateway that listens to revocations hears of each, embedded or served, and from whatever
//! runtime it listens.

use agenttrust::{AgentTrustClient, AgentTrustError, IssueTokenRequest, Revocation, Revocations};
use agenttrust_guardian::Role;
use agenttrust_tests::bounded::{here, on_a_plain_thread, one_thread};
use agenttrust_tests::test_guardian::{Deployment, Keys, TestGuardian, bot};
use anyhow::{Context, Result};

use crate::AGENTTRUST;

/// Runs `test` with an embedded Guardian and with a served one.
fn on_each_deployment(test: fn(&TestGuardian) -> Result<()>) -> Result<()> {
    for deployment in [Deployment::Embedded, Deployment::Served(AGENTTRUST)] {
        on_a_plain_thread(move || {
            let guardian = TestGuardian::start(deployment, Keys::AgentAndOperator)?;
            test(&guardian).with_context(|| format!("{deployment:?}"))
        })?;
    }
    Ok(())
}

fn gateway(guardian: &TestGuardian) -> Result<AgentTrustClient> {
    let key = here(guardian.admin().create_key(Role::Gateway, &[]))?;
    guardian.client_with_key(&key)
}

async fn next(revocations: &mut Revocations) -> Result<Revocation> {
    Ok(revocations.next().await.context("the stream is over")??)
}

#[test]
fn a_gateway_hears_of_revoked_tokens_and_agents() -> Result<()> {
    on_each_deployment(|guardian| {
        let gateway = gateway(guardian)?;
        let admin = guardian.admin_client()?;
        one_thread().block_on(async {
            let agent = admin.agents().create(&bot(&["*"])).await?;
            let request = IssueTokenRequest {
                agent_id: agent.id.clone(),
                scope: vec!["web:search".to_string()],
                audience: vec![],
                ttl: 300,
            };
            let token = admin.tokens().issue(&request).await?;
            let mut revocations = gateway.tokens().revocations().await?;
            admin.tokens().revoke(&token.token, "leaked").await?;
            let revocation = next(&mut revocations).await?;
            let digest = Revocation::token_sha256(&token.token);
            assert_eq!(revocation, Revocation::of_token(digest, token.token_id, &agent.id));
            assert!(revocation.concerns(&token.token, &agent.id));
            admin.agents().revoke(&agent.id, "retired").await?;
            assert_eq!(next(&mut revocations).await?, Revocation::of_agent(&agent.id));
            Ok(())
        })
    })
}

#[test]
fn a_stream_is_read_from_other_runtimes_than_the_one_that_opened_it() -> Result<()> {
    on_each_deployment(|guardian| {
        let gateway = gateway(guardian)?;
        let admin = guardian.admin_client()?;
        let mut revocations = here(gateway.tokens().revocations())?;
        let mut told = Vec::new();
        for _ in 0..3 {
            let agent = here(admin.agents().create(&bot(&["*"])))?;
            here(admin.agents().revoke(&agent.id, "retired"))?;
            told.push((here(next(&mut revocations))?, Revocation::of_agent(&agent.id)));
        }
        assert!(told.iter().all(|(said, expected)| said == expected), "{told:?}");
        Ok(())
    })
}

#[test]
fn an_agents_key_hears_nothing_and_is_told_who_may() -> Result<()> {
    on_each_deployment(|guardian| {
        one_thread().block_on(async {
            let test_agent = guardian.test_agent(&["web:search"]).await?;
            let refused = test_agent.client.tokens().revocations().await.unwrap_err();
            assert!(matches!(refused, AgentTrustError::Authorization { .. }), "{refused:?}");
            assert!(refused.to_string().contains("gateway, auditor, operator, admin"), "{refused}");
            let unknown = guardian.client_with_key("sk_live_of_nobody")?;
            let refused = unknown.tokens().revocations().await.unwrap_err();
            assert!(matches!(refused, AgentTrustError::Authentication { .. }), "{refused:?}");
            Ok(())
        })
    })
}

#[test]
fn a_stream_ends_with_its_guardian() -> Result<()> {
    for deployment in [Deployment::Embedded, Deployment::Served(AGENTTRUST)] {
        on_a_plain_thread(move || {
            let guardian = TestGuardian::start(deployment, Keys::AgentAndOperator)?;
            let mut revocations = here(gateway(&guardian)?.tokens().revocations())?;
            drop(guardian);
            // Ended, or broken off: either way the reader knows.
            let last = here(revocations.next());
            assert!(!matches!(last, Some(Ok(_))), "{deployment:?}: {last:?}");
            assert!(here(revocations.next()).is_none());
            Ok::<_, anyhow::Error>(())
        })?;
    }
    Ok(())
}
