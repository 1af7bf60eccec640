//! The order in which things are taken back and given back, with storing held up.

use agenttrust::model::AgentStatus;
use agenttrust::{CreateAgentRequest, IssueTokenRequest};

use super::*;
use crate::guardian::Guardian;
use crate::secret::Fingerprint;
use crate::state::DEFAULT_ORG;
use crate::store::query;

async fn with_agent() -> (Guardian, String) {
    let guardian = Guardian::in_memory().await.unwrap();
    let body = CreateAgentRequest { name: "worker".to_owned(), ..Default::default() };
    let agent = guardian.client().agents().create(&body).await.unwrap().id;
    (guardian, agent)
}

async fn take(state: &State, agent: &str, status: AgentStatus) -> bool {
    let record = Record::new("a trial", DEFAULT_ORG);
    state.take_agent(DEFAULT_ORG, agent, status, String::new(), record).await
}

fn reactivate(state: &Arc<State>, agent: &str) -> tokio::task::JoinHandle<Result<(), ApiError>> {
    let (state, agent) = (Arc::clone(state), agent.to_owned());
    tokio::spawn(async move {
        let record = Record::new("another trial", DEFAULT_ORG);
        state.reactivate_agent(DEFAULT_ORG, &agent, record).await
    })
}

/// How the agent stands in memory, and in the database.
async fn stands(state: &State, agent: &str) -> (AgentStatus, AgentStatus) {
    let known = state.registry.agents.get(DEFAULT_ORG, agent).unwrap().agent.status;
    let kept = state.store.agent(agent.to_owned()).await.unwrap().unwrap().agent.status;
    (known, kept)
}

async fn settled(state: &State) {
    while state.takings.lock().len() > 0 {
        background::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_is_taken_back_stays_so_whatever_row_of_it_is_read_before_it_is_stored() {
    let (guardian, agent) = with_agent().await;
    let (state, client) = (guardian.state(), guardian.client());
    let wanted = IssueTokenRequest {
        agent_id: agent.clone(),
        scope: Vec::new(),
        audience: Vec::new(),
        ttl: 300,
    };
    let token = client.tokens().issue(&wanted).await.unwrap().token;
    let storing = state.takings.storing.lock().await;
    assert!(!take(state, &agent, AgentStatus::Revoked).await);
    let (active, revoked) = (AgentStatus::Active, AgentStatus::Revoked);
    assert_eq!(stands(state, &agent).await, (revoked, active));
    // A row of it that is followed, ...
    let (org_id, now) = (DEFAULT_ORG.to_owned(), state.clock.now());
    let mode = agenttrust::model::SessionMode::Supervised;
    state.store.set_floor(org_id, agent.clone(), mode, None, true, now).await.unwrap();
    state.catch_up().await.unwrap();
    assert_eq!(stands(state, &agent).await, (revoked, active));
    // ... and everything that is read anew.
    query("DELETE FROM changes").execute(&state.store.db()).await.unwrap();
    query("UPDATE settings SET value = value + 5 WHERE name = 'changes'")
        .execute(&state.store.db())
        .await
        .unwrap();
    state.catch_up().await.unwrap();
    assert_eq!(stands(state, &agent).await, (revoked, active));
    let known = state.registry.tokens.get(DEFAULT_ORG, &Fingerprint::of(&token));
    assert!(known.is_none(), "its token is back");
    drop(storing);
    settled(state).await;
    assert_eq!(stands(state, &agent).await, (revoked, revoked));
}

#[tokio::test]
async fn whichever_of_suspending_and_reactivating_was_asked_last_counts() {
    let (guardian, agent) = with_agent().await;
    let state = guardian.state();
    let (active, suspended) = (AgentStatus::Active, AgentStatus::Suspended);

    let storing = state.takings.storing.lock().await;
    assert!(!take(state, &agent, suspended).await);
    let lifted = reactivate(state, &agent);
    background::sleep(Duration::from_millis(50)).await;
    assert_eq!(stands(state, &agent).await, (suspended, active), "not before it is stored");
    drop(storing);
    lifted.await.unwrap().unwrap();
    settled(state).await;
    assert_eq!(stands(state, &agent).await, (active, active));

    let storing = state.takings.storing.lock().await;
    assert!(!take(state, &agent, suspended).await);
    let lifted = reactivate(state, &agent);
    background::sleep(Duration::from_millis(50)).await;
    assert!(!take(state, &agent, suspended).await);
    drop(storing);
    lifted.await.unwrap().unwrap();
    settled(state).await;
    assert_eq!(stands(state, &agent).await, (suspended, suspended));
}

#[tokio::test]
async fn revoked_agent_is_made_active_by_nothing() {
    let (guardian, agent) = with_agent().await;
    let state = guardian.state();
    let storing = state.takings.storing.lock().await;
    assert!(!take(state, &agent, AgentStatus::Suspended).await);
    let lifted = reactivate(state, &agent);
    background::sleep(Duration::from_millis(50)).await;
    assert!(!take(state, &agent, AgentStatus::Revoked).await);
    drop(storing);
    assert!(lifted.await.unwrap().is_err());
    settled(state).await;
    assert_eq!(stands(state, &agent).await, (AgentStatus::Revoked, AgentStatus::Revoked));
    assert!(reactivate(state, &agent).await.unwrap().is_err());
}

#[tokio::test]
async fn what_was_taken_back_is_stored_when_the_guardian_closes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    let guardian = Guardian::builder().database(path.to_str().unwrap()).build().await.unwrap();
    let body = CreateAgentRequest { name: "worker".to_owned(), ..Default::default() };
    let agent = guardian.client().agents().create(&body).await.unwrap().id;
    {
        let state = guardian.state();
        let _storing = state.takings.storing.lock().await;
        assert!(!take(state, &agent, AgentStatus::Revoked).await);
    }
    guardian.close().await;
    let guardian = Guardian::builder().database(path.to_str().unwrap()).build().await.unwrap();
    assert_eq!(guardian.client().agents().get(&agent).await.unwrap().status, AgentStatus::Revoked);
}
