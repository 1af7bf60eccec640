//! A program that has told the Guardian what it can do: from then on no caller can say less of its tools.

use agenttrust::{Action, AgentTrustError, Effect, guarded};
use agenttrust_tests::runs::Runs;
use agenttrust_tests::test_guardian::{Deployment, Keys, TestGuardian};
use anyhow::Result;

#[guarded(effect = "destructive", skip(runs))]
async fn frobnicate(path: &str, runs: &Runs) -> Result<(), AgentTrustError> {
    runs.ran(path);
    Ok(())
}

#[guarded(effect = "read", scopes("files:read"))]
async fn glance(path: &str) -> Result<String, AgentTrustError> {
    Ok(path.to_owned())
}

async fn declared_to(deployment: Deployment) -> Result<()> {
    let guardian = TestGuardian::start(deployment, Keys::AgentAndOperator)?;
    let test_agent = guardian.test_agent(&["frobnicate", "glance"]).await?;
    let guard = test_agent.guard();
    // Before: the name says nothing, so whoever calls it a read is believed.
    let understated = || Action::new("frobnicate").effect(Effect::Read);
    guard.authorize(understated()).await?.finish(&());

    let in_force = guardian.admin_client()?.tools().declare(&agenttrust::manifest()?).await?;
    let names: Vec<_> = in_force.iter().map(|tool| (tool.name.as_str(), tool.effect)).collect();
    let expected = [("frobnicate", Some(Effect::Destructive)), ("glance", Some(Effect::Read))];
    assert_eq!(names, expected);
    let path = in_force[0].arguments.iter().find(|argument| argument.name == "path").unwrap();
    assert_eq!(path.schema.as_ref().unwrap()["type"], "string");
    assert_eq!(guardian.admin_client()?.tools().list().await?, in_force);

    // After: the same words are held for approval, as the function itself is.
    let error = guard.authorize(understated()).await.unwrap_err();
    assert!(matches!(error, AgentTrustError::ElevationRequired { .. }), "{error:?}");
    let runs = Runs::default();
    let error = guard.scope(frobnicate("a.txt", &runs)).await.unwrap_err();
    assert!(matches!(error, AgentTrustError::ElevationRequired { .. }), "{error:?}");
    assert_eq!(runs.so_far(), Vec::<String>::new());

    // And who forgets the scopes needs them all the same.
    let forgotten = guard.authorize(Action::new("glance")).await.map(|_| String::new());
    for refused in [forgotten, guard.scope(glance("a.txt")).await] {
        let error = refused.unwrap_err();
        assert!(matches!(error, AgentTrustError::ActionDenied { .. }), "{error:?}");
        assert!(error.to_string().contains("files:read"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_declared_tool_is_what_its_program_says_whatever_a_caller_hints() -> Result<()> {
    declared_to(Deployment::Embedded).await
}

#[tokio::test]
async fn a_served_guardian_takes_the_manifest_too() -> Result<()> {
    declared_to(Deployment::Served(env!("CARGO_BIN_EXE_agenttrust-under-test"))).await
}

#[test]
fn a_program_without_a_runtime_declares_itself_too() -> Result<()> {
    let guardian = TestGuardian::start(Deployment::Embedded, Keys::AgentAndOperator)?;
    let client = agenttrust::blocking::AgentTrustClient::from(guardian.admin_client()?);
    let in_force = client.tools().declare(&agenttrust::manifest()?)?;
    assert_eq!(in_force.len(), 2);
    assert_eq!(client.tools().list()?, in_force);
    Ok(())
}
