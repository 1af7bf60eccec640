//! The order in which things are taken back and given back, with storing held up.

use agenttrust::model::{AgentStatus, TokenKind, TrustLevel};
use agenttrust::{CreateAgentRequest, IssueTokenRequest};
use agenttrust_testkit::eventually;

use super::*;
use crate::domain::{DEFAULT_ORG, ErrorKind, Fingerprint, Key, Role, Secret};
use crate::guardian::Guardian;
use crate::services::keys::{self, Maker, NewKey};
use crate::services::sessions::{self, NewSession};
use crate::services::tokens::{self, NewToken};
use crate::store::{Federated, Floor, ProviderKept, ProviderRow, SessionRow, Vouching, query};

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

/// Returns how the agent stands in memory, and in the database.
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
    let seen = (agenttrust::model::SessionMode::Open, None);
    let floor = Floor { mode, ceiling: None, instead: true, seen };
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
    let known =
        engine.registry.tokens.get(DEFAULT_ORG, TokenKind::Agent, &Fingerprint::from_text(&token));
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

/// Returns a key of the agent, as the database has it.
async fn key(engine: &Engine, agent: &str) -> Arc<Key> {
    let hash = Fingerprint::from_text(&crate::domain::ids::new("sk_"));
    let agents = vec![agent.to_owned()];
    let new = NewKey { agents, ..NewKey::new(DEFAULT_ORG, Role::Agent, hash) };
    keys::create(engine, new, Maker::Program("test")).await.unwrap();
    engine.key(hash).await.unwrap().unwrap()
}

/// Returns a token that is issued with this key: its id, and itself.
async fn issue(engine: &Engine, key: &Key, agent: &str) -> Result<(String, Secret), Error> {
    let (agent_id, scopes, audience) = (agent.to_owned(), Vec::new(), Vec::new());
    let new =
        NewToken { agent_id, scopes, audience, ttl: 300, session_id: None, kind: TokenKind::Agent };
    let issued = tokens::issue(engine, key, new).await?;
    Ok((issued.row.id, issued.secret))
}

async fn begin(engine: &Engine, key: &Key, agent: &str) -> Result<String, Error> {
    let (agent_id, server_id) = (agent.to_owned(), "files".to_owned());
    let new = NewSession { agent_id, server_id, mode: None, ceiling: None };
    Ok(sessions::begin(engine, key, new).await?.session_id)
}

async fn take_key(engine: &Engine, key: &Key, take_issued: bool) -> (bool, Gone) {
    let taking = KeyTaking { reason: String::new(), take_issued };
    engine.take_key(&key.id, taking, |_| Record::new("a trial", DEFAULT_ORG)).await
}

/// Returns whether memory knows the token and the session.
fn knows(engine: &Engine, token: &str, session: &str) -> [bool; 2] {
    let session = engine.registry.sessions.get(DEFAULT_ORG, session);
    [engine.registry.tokens.by_id(token).is_some(), session.is_some()]
}

/// Reads everything again, as it is where changes cannot be followed.
async fn start_over(engine: &Engine) {
    let db = engine.store.db();
    query("DELETE FROM changes").execute(&db).await.unwrap();
    const FORWARD: &str = "UPDATE settings SET value = value + 5 WHERE name = 'changes'";
    query(FORWARD).execute(&db).await.unwrap();
    engine.sync().await.unwrap();
}

#[tokio::test]
async fn what_went_with_a_key_stays_gone_whatever_row_of_it_is_read_before_it_is_stored() {
    let (guardian, agent) = with_agent().await;
    let engine = guardian.engine();
    let key = key(engine, &agent).await;
    let token = issue(engine, &key, &agent).await.unwrap().0;
    let session = begin(engine, &key, &agent).await.unwrap();
    assert_eq!(knows(engine, &token, &session), [true, true]);

    let storing = engine.takings.storing.lock().await;
    let (durable, gone) = take_key(engine, &key, true).await;
    assert_eq!((durable, gone), (false, Gone { tokens: 1, sessions: 1, delegations: 0 }));
    assert_eq!(knows(engine, &token, &session), [false, false], "at once");
    start_over(engine).await;
    assert_eq!(knows(engine, &token, &session), [false, false], "also when it is read anew");
    drop(storing);
    settled(engine).await;
    start_over(engine).await;
    assert_eq!(knows(engine, &token, &session), [false, false], "and once it is stored");
    assert!(engine.store.token(token).await.unwrap().unwrap().revoked);
    assert!(engine.store.session(session).await.unwrap().unwrap().ended);
}

#[tokio::test]
async fn session_stays_gone_whatever_row_of_it_is_read_before_it_is_stored() {
    let (guardian, agent) = with_agent().await;
    let engine = guardian.engine();
    let key = key(engine, &agent).await;
    let session = begin(engine, &key, &agent).await.unwrap();
    let entry = engine.registry.sessions.get(DEFAULT_ORG, &session).unwrap();
    let storing = engine.takings.storing.lock().await;
    let record = Record::new("a trial", DEFAULT_ORG);
    assert!(!engine.take_session(entry, record).await);
    start_over(engine).await;
    assert_eq!(knows(engine, "", &session), [false, false]);
    drop(storing);
    settled(engine).await;
    assert!(engine.store.session(session).await.unwrap().unwrap().ended);
}

#[tokio::test]
async fn what_a_key_issued_goes_though_it_was_to_be_kept_when_the_key_was_revoked_a_moment_ago() {
    let (guardian, agent) = with_agent().await;
    let engine = guardian.engine();
    for stored in [false, true] {
        let key = key(engine, &agent).await;
        let token = issue(engine, &key, &agent).await.unwrap().0;
        // Stored or not, the audit is not told of it yet.
        let recording = engine.takings.recording.lock().await;
        let storing = engine.takings.storing.lock().await;
        take_key(engine, &key, false).await;
        assert_eq!(knows(engine, &token, ""), [true, false]);
        if stored {
            drop(storing);
            let subject = Subject::Key(key.id.clone());
            let is_settled = async || {
                let pending = engine.takings.lock();
                pending.get(&subject).is_some_and(|it| it.progress == Progress::Settled)
            };
            eventually("it is not stored", is_settled).await;
            take_key(engine, &key, true).await;
        } else {
            take_key(engine, &key, true).await;
            drop(storing);
        }
        drop(recording);
        settled(engine).await;
        start_over(engine).await;
        assert_eq!(knows(engine, &token, ""), [false, false], "stored before: {stored}");
        assert!(engine.store.token(token).await.unwrap().unwrap().revoked);
    }
}

#[tokio::test]
async fn key_that_was_revoked_elsewhere_a_moment_ago_issues_and_opens_nothing() {
    let (guardian, agent) = with_agent().await;
    let engine = guardian.engine();
    let key = key(engine, &agent).await;
    let (id, org_id, now) = (key.id.clone(), DEFAULT_ORG.to_owned(), engine.clock.now());
    // The database is changed, and nobody tells this process.
    let end = KeyEnd { id, org_id, reason: String::new(), take_issued: false, now };
    assert!(engine.store.revoke_key(end).await.unwrap().is_some());
    assert!(engine.registry.keys.has(&key.id), "it is known here already, so nothing is tried");
    let refused = issue(engine, &key, &agent).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unauthenticated, "{refused:?}");
    let refused = begin(engine, &key, &agent).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unauthenticated, "{refused:?}");
}

/// Returns a federation provider, and a session that it vouched for.
async fn vouched(engine: &Engine, agent: &str) -> (ProviderRow, String) {
    let (org_id, now) = (DEFAULT_ORG.to_owned(), engine.clock.now());
    let hash = Secret::random("sk_live_").unwrap().fingerprint();
    let gateway = NewKey::new(&org_id, Role::Gateway, hash).into_row(now);
    let vouching = Vouching {
        name: "partner".to_owned(),
        trust_level: TrustLevel::High,
        audiences: Vec::new(),
        rules: Vec::new(),
    };
    let provider = ProviderRow {
        id: "fedp_1".to_owned(),
        org_id: org_id.clone(),
        issuer: "https://issuer.example".to_owned(),
        jwks_uri: "https://issuer.example/keys".to_owned(),
        authorization_endpoint: None,
        token_endpoint: None,
        vouching,
        version: 1,
        key_id: gateway.id.clone(),
        created_by: "key_1".to_owned(),
        created_at: now,
        updated_at: now,
    };
    engine.store.insert_provider(provider.clone(), gateway).await.unwrap();
    engine.sync().await.unwrap();
    let caller = key(engine, agent).await;
    let session = begin(engine, &caller, agent).await.unwrap();
    let mut row = engine.store.session(session).await.unwrap().unwrap();
    row.id = "ats_vouched".to_owned();
    row.federated = Some(Federated {
        provider_id: provider.id.clone(),
        provider_version: 1,
        issuer: provider.issuer.clone(),
        trust_level: TrustLevel::High,
        token_hash: "00".to_owned(),
    });
    assert!(engine.store.insert_session(row.clone()).await.unwrap());
    engine.sync().await.unwrap();
    (provider, row.id)
}

#[tokio::test]
async fn removed_provider_is_gone_at_once_with_its_key_and_sessions_and_comes_back_with_no_row() {
    let (guardian, agent) = with_agent().await;
    let engine = guardian.engine();
    let (provider, session) = vouched(engine, &agent).await;
    let stands = || {
        let known = engine.registry.providers.get(&provider.id).is_some();
        [known, engine.registry.keys.has(&provider.key_id), knows(engine, "", &session)[1]]
    };
    assert_eq!(stands(), [true; 3]);
    let storing = engine.takings.storing.lock().await;
    let entry = engine.registry.providers.get(&provider.id).unwrap();
    let record = || Record::new("a trial", DEFAULT_ORG);
    assert!(!engine.take_provider(entry, |_| [record(), record()]).await);
    assert_eq!(stands(), [false; 3], "at once");
    start_over(engine).await;
    assert_eq!(stands(), [false; 3], "also when it is read anew");
    assert!(engine.taking_provider(&provider.id).is_some());
    drop(storing);
    settled(engine).await;
    start_over(engine).await;
    assert_eq!(stands(), [false; 3], "and once it is stored");
    assert!(engine.store.provider(provider.id).await.unwrap().is_none());
    assert!(engine.store.session(session).await.unwrap().unwrap().ended);
    assert!(engine.store.key(provider.key_id).await.unwrap().unwrap().revoked_at.is_some());
}

#[tokio::test]
async fn no_session_begins_by_what_a_provider_took_before_it_was_changed() {
    let (guardian, agent) = with_agent().await;
    let engine = guardian.engine();
    let (before, session) = vouched(engine, &agent).await;
    let row = engine.store.session(session.clone()).await.unwrap().unwrap();
    let mut after = before.clone();
    after.vouching.trust_level = TrustLevel::Medium;
    after.version += 1;
    let name = "federation:partner".to_owned();
    let changed = engine.store.change_provider(after.clone(), before.clone(), name.clone()).await;
    assert_eq!(changed.unwrap(), ProviderKept::Kept);
    assert!(engine.store.session(session.clone()).await.unwrap().unwrap().ended);
    let late = SessionRow { id: "ats_late".to_owned(), ended: false, ..row };
    assert!(!engine.store.insert_session(late).await.unwrap());
    engine.sync().await.unwrap();
    assert_eq!(knows(engine, "", &session), [false, false]);
    // Nor is it changed once more by who has not heard of it.
    let again = engine.store.change_provider(after, before, name).await;
    assert_eq!(again.unwrap(), ProviderKept::Changed);
}
