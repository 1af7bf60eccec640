//! What memory holds of what is alive.

use std::sync::Arc;

use agenttrust::model::{SessionMode, SessionSource, TokenKind};
use agenttrust::{CreateAgentRequest, IssueTokenRequest, Timestamp};

use super::{SessionEntry, Sessions, TokenEntry, Tokens};
use crate::domain::{DEFAULT_ORG, Fingerprint, lists};
use crate::guardian::Guardian;
use crate::store::{SessionRow, TokenRow};

#[tokio::test]
async fn equal_lists_are_kept_once_however_many_have_them() {
    let guardian = Guardian::in_memory().await.unwrap();
    let (engine, client) = (guardian.engine(), guardian.client());
    let names: Vec<String> = (0..200).map(|n| format!("kept_once:{n}")).collect();
    let request = CreateAgentRequest {
        name: "worker".to_owned(),
        capabilities: names.clone(),
        ..Default::default()
    };
    let agent = client.agents().create(&request).await.unwrap();
    assert_eq!(client.agents().get(&agent.id).await.unwrap().capabilities, names);
    let issue = IssueTokenRequest {
        agent_id: agent.id.clone(),
        scope: names.clone(),
        audience: names.clone(),
        ttl: 300,
    };
    let mut opened = Vec::new();
    for _ in 0..2 {
        let token = client.tokens().issue(&issue).await.unwrap();
        assert_eq!((&token.scopes, &token.audience), (&names, &names));
        let session = client.sessions().init_api_session(&token.token).await.unwrap();
        assert_eq!(session.scope_ceiling, names);
        opened.push((Fingerprint::from_text(&token.token), session.session_id));
    }
    let now = engine.clock.now();
    for reloaded in [false, true] {
        if reloaded {
            engine.registry.reload(&engine.store, now).await.unwrap();
        }
        let agent = engine.registry.agents.get(DEFAULT_ORG, &agent.id).unwrap();
        assert!(agent.agent.capabilities.is_empty());
        let one = agent.capabilities.as_slice().as_ptr();
        for (hash, session) in &opened {
            let token = engine.registry.tokens.get(DEFAULT_ORG, TokenKind::Agent, hash).unwrap();
            let session = engine.registry.sessions.get(DEFAULT_ORG, session).unwrap();
            for list in [
                &*token.row.scopes,
                &*token.row.audience,
                token.scopes.as_slice(),
                session.row.ceiling.as_deref().unwrap(),
                session.limits.ceiling(),
            ] {
                assert_eq!(list.as_ptr(), one, "reloaded: {reloaded}");
            }
        }
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_micros(second * 1_000_000).unwrap()
}

fn token(n: usize, agent: usize, names: Vec<String>) -> TokenEntry {
    TokenEntry::new(TokenRow {
        id: format!("tok_{n}"),
        hash: Fingerprint::from_text(&n.to_string()),
        org_id: DEFAULT_ORG.to_owned(),
        agent_id: format!("agt_{agent}"),
        scopes: lists::shared(names),
        audience: lists::shared(Vec::new()),
        session_id: None,
        expires_at: at(1_000 + i64::try_from(n).unwrap()),
        revoked: false,
        issued_by: None,
        agent_version: 1,
        kind: TokenKind::Agent,
    })
    .unwrap()
}

fn session(n: usize, agent: usize, names: Vec<String>) -> Arc<SessionEntry> {
    let row = SessionRow {
        id: format!("ats_{n}"),
        org_id: DEFAULT_ORG.to_owned(),
        agent_id: format!("agt_{agent}"),
        source: SessionSource::Api,
        server_id: String::new(),
        mode: SessionMode::Restricted,
        ceiling: Some(lists::shared(names)),
        token_id: Some(format!("tok_{}", n / 2)),
        created_at: at(0),
        expires_at: at(1_000 + i64::try_from(n).unwrap()),
        ended: false,
        opened_by: Some(format!("key_{}", n % 2)),
        gateway: None,
        delegation_id: None,
        agent_version: 1,
        federated: None,
        workload: None,
    };
    Arc::new(SessionEntry::new(row).unwrap())
}

#[test]
fn what_an_agent_has_is_found_and_taken_back_by_the_agent_alone() {
    let (tokens, sessions) = (Tokens::default(), Sessions::default());
    for n in 0..40 {
        // What the change feed tells twice is there once.
        for _ in 0..2 {
            tokens.insert(token(n, n % 2, Vec::new()));
            sessions.insert(session(n, n % 2, Vec::new()));
        }
    }
    let of = |agent: &str| tokens.of_agent(agent, |_| true).len();
    let open =
        || (0..40).filter(|n| sessions.get(DEFAULT_ORG, &format!("ats_{n}")).is_some()).count();
    assert_eq!((of("agt_0"), of("agt_1"), open()), (20, 20, 40));
    assert_eq!(sessions.opened_from("tok_3", "key_1").len(), 1);
    tokens.remove(&Fingerprint::from_text("0"));
    sessions.remove_of_token("tok_3");
    assert_eq!((of("agt_0"), of("agt_1"), open()), (19, 20, 38));
    assert!(tokens.by_id("tok_0").is_none());
    tokens.remove_of_agent("agt_1");
    sessions.remove_of_agent("agt_1");
    assert_eq!((of("agt_0"), of("agt_1"), open()), (19, 0, 19));
    assert!(tokens.get(DEFAULT_ORG, TokenKind::Agent, &Fingerprint::from_text("1")).is_none());
    // The first twenty of each expire before this.
    tokens.prune(at(1_020));
    sessions.prune(at(1_020));
    assert_eq!((of("agt_0"), open()), (10, 10));
    sessions.remove("ats_20");
    assert_eq!((sessions.opened_from("tok_10", "key_0").len(), open()), (0, 9));
}

/// Prints what 10,000 tokens and 10,000 sessions take, each with a list of 1,000 names: all the same list,
/// and all different ones. Run by hand: `cargo test -p agenttrust-guardian --lib -- --ignored --nocapture
/// memory_of_ten_thousand`.
#[test]
#[ignore = "a measurement, to be run by hand"]
fn memory_of_ten_thousand_tokens_and_sessions() {
    const MANY: usize = 10_000;
    for (what, differ) in [("the same list", false), ("different lists", true)] {
        let before = resident_kib();
        let (tokens, sessions) = (Tokens::default(), Sessions::default());
        for n in 0..MANY {
            let list = if differ { n } else { 0 };
            // As the store reads it: each list on its own, from JSON.
            let read = |kind: &str| {
                let names: Vec<_> = (0..1_000).map(|m| format!("{kind}{list}:act_{m}")).collect();
                let json = serde_json::to_string(&names).unwrap();
                serde_json::from_str(&json).unwrap()
            };
            tokens.insert(token(n, 0, read("tool")));
            sessions.insert(session(n, 0, read("tool")));
        }
        let kib = resident_kib() - before;
        println!("{MANY} tokens and sessions with {what}: {} MiB", kib / 1_024);
        drop((tokens, sessions));
        lists::sweep();
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}
