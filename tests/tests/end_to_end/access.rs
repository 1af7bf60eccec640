//! AuthZEN by our own client, at `agenttrust serve`: for agents that have to prove their key, and for people whom
//! agents act for.

use agenttrust::client::AccessOptions;
use agenttrust::model::{
    AccessAction, AccessEvaluation, AccessEvaluations, AccessRequest, AccessResource,
    AccessSubject, AccessTaskStatus, CancelAccessRequest, UpdateAgentRequest,
};
use agenttrust::{
    AgentCredentials, AgentTrustClient, AgentTrustError, CreateAgentRequest, InMemoryKeyStore,
    KeyStore as _, generate_agent_key,
};
use agenttrust_guardian::Role;
use agenttrust_tests::bounded::in_a_runtime;
use agenttrust_tests::served::{Serve, Served};
use agenttrust_tests::test_guardian::bot;
use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::AGENTTRUST;

/// Agents may read and, approved, delete; for people, the owner of the file may read.
const POLICY: &str = r#"
    @id("agents-read") permit (principal, action == Action::"read", resource);
    @id("agents-delete") @elevate @reason("a person decides")
    permit (principal, action == Action::"destructive", resource);
    @id("people-read") permit (principal, action == Action::"read", resource)
    when {
        context has access && context.access.resource.hasTag("owner") &&
        context.access.resource.getTag("owner") has string &&
        context.access.resource.getTag("owner").string == context.access.subject.id
    };
"#;

fn client(served: &Served, key: &str) -> Result<AgentTrustClient> {
    Ok(AgentTrustClient::builder().base_url(served.url()).api_key(key).build()?)
}

fn served(policies: &TempDir) -> Result<Served> {
    std::fs::write(policies.path().join("files.cedar"), POLICY)?;
    Serve::new(AGENTTRUST).flag("--policies", policies.path().display().to_string()).start()
}

fn may(agent_id: &str, tool: &str) -> AccessEvaluation {
    let (action, file) = (AccessAction::new(tool), AccessResource::new("file", "plan.md"));
    AccessEvaluation::new(AccessSubject::agent(agent_id), action, file)
}

#[test]
fn agent_that_has_to_prove_its_key_does_so_with_every_question() -> Result<()> {
    in_a_runtime(async || {
        let policies = TempDir::with_prefix("policies-")?;
        let served = served(&policies)?;
        let admin = client(&served, served.admin_key())?;
        let key = generate_agent_key()?;
        let public_key = Some(key.public_key_pem.clone());
        let agent = CreateAgentRequest { public_key, ..bot(&["files:*"]) };
        let agent = admin.agents().create(&agent).await?;
        admin.agents().update(&agent.id, &UpdateAgentRequest::new().requires_proof(true)).await?;
        let plain = client(&served, &served.admin().create_key(Role::Agent, &[&agent.id]).await?)?;
        let reads = may(&agent.id, "files_read");
        assert!(
            !plain.access().evaluate(&reads).await?.decision,
            "an API key alone proves nothing"
        );

        let mut keys = InMemoryKeyStore::new();
        keys.store(&agent.id, &key.private_key_pem)?;
        let credentials = AgentCredentials::new(&plain, keys, &agent.id, &key.public_key_pem);
        let proving = plain.with_agent_credentials(credentials);
        let access = proving.access();
        assert!(access.evaluate(&reads).await?.decision);
        let several = AccessEvaluations::new([reads, may(&agent.id, "files_list")]);
        let decided = access.evaluations(&several).await?.evaluations;
        assert!(decided.len() == 2 && decided.iter().all(|one| one.decision), "{decided:?}");

        // Approved by somebody else, and by nobody.
        let deletes = may(&agent.id, "files_delete");
        let denied = access.evaluate(&deletes).await?;
        let request = AccessRequest::of(&deletes, &denied).context("it can be requested")?;
        let options = AccessOptions::default().idempotency_key("the plan");
        let task = access.request_with(&request, &options).await?.task;
        assert_eq!(access.request_with(&request, &options).await?.task.id, task.id);
        admin.approvals().approve(&task.id, "alice").await?;
        let told = access.task(&task.id).await?;
        let approval = told.approval().context("it is approved")?;
        let approved = access.evaluate(&deletes.clone().with_approval(approval)).await?;
        assert!(approved.decision, "{approved:?}");
        let done = access.cancel(&task.id, &CancelAccessRequest::default()).await.unwrap_err();
        assert!(matches!(&done, AgentTrustError::Api { status: 409, .. }), "{done}");
        assert!(done.code().ends_with(":invalid_task_state"), "{done:?}");
        Ok(())
    })
}

#[test]
fn agent_acts_for_the_people_that_policies_speak_of() -> Result<()> {
    in_a_runtime(async || {
        let policies = TempDir::with_prefix("policies-")?;
        let served = served(&policies)?;
        let admin = client(&served, served.admin_key())?;
        let agent = admin.agents().create(&bot(&["files:*"])).await?;
        let owned_by = |owner: &str| {
            let file = AccessResource::new("file", "plan.md").with("owner", owner);
            let alice = AccessSubject::new("user", "alice");
            AccessEvaluation::new(alice, AccessAction::new("files_read"), file)
        };
        // An admin's key is of no agent, so it has to say which one.
        let error = admin.access().evaluate(&owned_by("alice")).await.unwrap_err();
        assert!(error.message().contains("X-Agent-ID"), "{error}");
        let as_agent = AccessOptions::default().agent_id(&agent.id);
        for (owner, decision) in [("alice", true), ("bob", false)] {
            let decided = admin.access().evaluate_with(&owned_by(owner), &as_agent).await?;
            assert_eq!(decided.decision, decision, "{owner}: {decided:?}");
        }
        let both = AccessEvaluations::new([owned_by("alice"), owned_by("bob")]);
        let decided = admin.access().evaluations_with(&both, &as_agent).await?.evaluations;
        assert_eq!(decided.iter().map(|one| one.decision).collect::<Vec<_>>(), [true, false]);

        // Nobody decides it, and it is taken back.
        let deletes = may(&agent.id, "files_delete");
        let denied = admin.access().evaluate(&deletes).await?;
        let request = AccessRequest::of(&deletes, &denied).context("it can be requested")?;
        let task = admin.access().request(&request).await?.task;
        let cancelled = admin.access().cancel(&task.id, &CancelAccessRequest::default()).await?;
        assert_eq!(cancelled.task.status, AccessTaskStatus::Cancelled);
        let pdp = admin.access().configuration().await?;
        assert_eq!(
            pdp.access_evaluation_endpoint,
            format!("{}/access/v1/evaluation", served.url())
        );
        Ok(())
    })
}
