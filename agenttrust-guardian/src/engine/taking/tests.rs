//! The order in which things are taken back and given back, with storing held up.

use agenttrust::model::AgentStatus;
use agenttrust::{CreateAgentRequest, IssueTokenRequest};
use agenttrust_testkit::eventually;

use super::*;
use crate::domain::{DEFAULT_ORG, Fingerprint};
use crate::guardian::Guardian;
use crate::store::{Floor, query};

async fn with_agent() -> (Guardian, String) {
    let guardian = Guardian::in_memory().await.unwrap();
    let body = CreateAgentRequest { name: "worker".to_owned(), ..Default::default() };
    let agent = guardian.client().agents().create(&body).await.unwrap().id;
    (guardian, agent)
}

async fn take(engine: &Engine, agent: &str, status: AgentStatus) -> bool {
    let record = Record::new("a trial", DEFAULT_ORG);
    engine.take_agent(agent, status, String::new(), record).await
}

fn reactivate(engine: &Arc<Engine>, agent: &str) -> tokio::task::JoinHandle<Result<(), Error>> {
    let (engine, agent) = (Arc::clone(engine), agent.to_owned());
    tokio::spawn(async move {
        let record = Record::new("another trial", DEFAULT_ORG);
        engine.reactivate_agent(DEFAULT_ORG, &agent, record).await
    })
}

/// How the agent stands in memory, and in the database.
async fn stands(engine: &Engine, agent: &str) -> (AgentStatus, AgentStatus) {
    let known = engine.registry.agents.get(DEFAULT_ORG, agent).unwrap().agent.status;
    let kept = engine.store.agent(agent.to_owned()).await.unwrap().unwrap().agent.status;
    (known, kept)
}

async fn settled(engine: &Engine) {
    eventually("something is left to be stored", async || engine.takings.lock().len() == 0).await;
}

#[tokio::test]
async fn what_is_taken_back_stays_so_whatever_row_of_it_is_read_before_it_is_stored() {
    let (guardian, agent) = with_agent().await;
    let (engine, client) = (guardian.engine(), guardian.client());
    let wanted = IssueTokenRequest {
        agent_id: agent.clone(),
        scope: Vec::new(),
        audience: Vec::new(),
        ttl: 300,
    };
    let token = client.tokens().issue(&wanted).await.unwrap().token;
    let storing = engine.takings.storing.lock().await;
    assert!(!take(engine, &agent, AgentStatus::Revoked).await);
    let (active, revoked) = (AgentStatus::Active, AgentStatus::Revoked);
    assert_eq!(stands(engine, &agent).await, (revoked, active));
    // A row of it that is followed, ...
    let (org_id, now) = (DEFAULT_ORG.to_owned(), engine.clock.now());
    let mode = agenttrust::model::SessionMode::Supervised;
    let floor = Floor { mode, ceiling: None, instead: true };
    engine.store.set_floor(org_id, agent.clone(), floor, now).await.unwrap();
    engine.sync().await.unwrap();
    assert_eq!(stands(engine, &agent).await, (revoked, active));
    // ... and everything that is read anew.
    query("DELETE FROM changes").execute(&engine.store.db()).await.unwrap();
    query("UPDATE settings SET value = value + 5 WHERE name = 'changes'")
        .execute(&engine.store.db())
        .await
        .unwrap();
    engine.sync().await.unwrap();
    assert_eq!(stands(engine, &agent).await, (revoked, active));
    let known = engine.registry.tokens.get(DEFAULT_ORG, &Fingerprint::from_text(&token));
    assert!(known.is_none(), "its token is back");
    drop(storing);
    settled(engine).await;
    assert_eq!(stands(engine, &agent).await, (revoked, revoked));
}

#[tokio::test]
async fn whichever_of_suspending_and_reactivating_was_asked_last_counts() {
    let (guardian, agent) = with_agent().await;
    let engine = guardian.engine();
    let (active, suspended) = (AgentStatus::Active, AgentStatus::Suspended);

    let storing = engine.takings.storing.lock().await;
    assert!(!take(engine, &agent, suspended).await);
    let lifted = reactivate(engine, &agent);
    background::sleep(Duration::from_millis(50)).await;
    assert_eq!(stands(engine, &agent).await, (suspended, active), "not before it is stored");
    drop(storing);
    lifted.await.unwrap().unwrap();
    settled(engine).await;
    assert_eq!(stands(engine, &agent).await, (active, active));

    let storing = engine.takings.storing.lock().await;
    assert!(!take(engine, &agent, suspended).await);
    let lifted = reactivate(engine, &agent);
    background::sleep(Duration::from_millis(50)).await;
    assert!(!take(engine, &agent, suspended).await);
    drop(storing);
    lifted.await.unwrap().unwrap();
    settled(engine).await;
    assert_eq!(stands(engine, &agent).await, (suspended, suspended));
}

#[tokio::test]
async fn revoked_agent_is_made_active_by_nothing() {
    let (guardian, agent) = with_agent().await;
    let engine = guardian.engine();
    let storing = engine.takings.storing.lock().await;
    assert!(!take(engine, &agent, AgentStatus::Suspended).await);
    let lifted = reactivate(engine, &agent);
    background::sleep(Duration::from_millis(50)).await;
    assert!(!take(engine, &agent, AgentStatus::Revoked).await);
    drop(storing);
    assert!(lifted.await.unwrap().is_err());
    settled(engine).await;
    assert_eq!(stands(engine, &agent).await, (AgentStatus::Revoked, AgentStatus::Revoked));
    assert!(reactivate(engine, &agent).await.unwrap().is_err());
}

#[tokio::test]
async fn what_was_taken_back_is_stored_when_the_guardian_closes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    let guardian = Guardian::builder().database(path.to_str().unwrap()).build().await.unwrap();
    let body = CreateAgentRequest { name: "worker".to_owned(), ..Default::default() };
    let agent = guardian.client().agents().create(&body).await.unwrap().id;
    {
        let engine = guardian.engine();
        let _storing = engine.takings.storing.lock().await;
        assert!(!take(engine, &agent, AgentStatus::Revoked).await);
    }
    guardian.close().await;
    let guardian = Guardian::builder().database(path.to_str().unwrap()).build().await.unwrap();
    assert_eq!(guardian.client().agents().get(&agent).await.unwrap().status, AgentStatus::Revoked);
}
