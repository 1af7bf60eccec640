//! A program that has told the Guardian what it can do: from then on nobody can say less of its tools.

use agenttrust::{Action, AgentTrustError, Effect, guarded};
use agenttrust_tests::house::{Door, House, Keys};
use agenttrust_tests::runs::Runs;
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

async fn declared_to(door: Door) -> Result<()> {
    let house = House::start(door, Keys::AgentAndOperator)?;
    let tenant = house.tenant(&["frobnicate", "glance"]).await?;
    let guard = tenant.guard();
    // Before: the name says nothing, so whoever calls it a read is believed.
    let understated = || Action::new("frobnicate").effect(Effect::Read);
    guard.authorize(understated()).await?.finish(&());

    let in_force = house.admin_client()?.tools().declare(&agenttrust::manifest()?).await?;
    let names: Vec<_> = in_force.iter().map(|tool| (tool.name.as_str(), tool.effect)).collect();
    let expected = [("frobnicate", Some(Effect::Destructive)), ("glance", Some(Effect::Read))];
    assert_eq!(names, expected);
    let path = in_force[0].arguments.iter().find(|argument| argument.name == "path").unwrap();
    assert_eq!(path.schema.as_ref().unwrap()["type"], "string");
    assert_eq!(house.admin_client()?.tools().list().await?, in_force);

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
    declared_to(Door::Embedded).await
}

#[tokio::test]
async fn a_served_guardian_takes_the_manifest_too() -> Result<()> {
    declared_to(Door::Served(env!("CARGO_BIN_EXE_agenttrust-under-test"))).await
}

#[test]
fn a_program_without_a_runtime_declares_itself_too() -> Result<()> {
    let house = House::start(Door::Embedded, Keys::AgentAndOperator)?;
    let client = agenttrust::blocking::AgentTrustClient::from(house.admin_client()?);
    let in_force = client.tools().declare(&agenttrust::manifest()?)?;
    assert_eq!(in_force.len(), 2);
    assert_eq!(client.tools().list()?, in_force);
    Ok(())
}
