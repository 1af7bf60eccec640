//! What a held check gets when the terms change between two checks.

use agenttrust::{Agent, BoundTo};

use super::*;
use crate::store::Database;

const ORG: &str = "org_1";

fn held(id: &str, window: Duration, now: Timestamp) -> HeldCheck {
    let approval = NewApproval {
        id: id.to_owned(),
        org_id: ORG.to_owned(),
        agent_id: "agt_1".to_owned(),
        session_id: String::new(),
        tool: "db_delete".to_owned(),
        effect: "destructive",
        scopes: Vec::new(),
        bound_to: BoundTo::Input,
        bound_value: "a".repeat(64),
        key_id: None,
        summary: None,
        reason: "held".to_owned(),
        on_behalf_of: Vec::new(),
        quorum: 1,
        window,
        single_use: false,
        expires_at: now.saturating_add(Duration::from_secs(300)),
        input: None,
    };
    HeldCheck {
        approval,
        askers: vec!["key_1".to_owned()],
        check_id: "chk_1".to_owned(),
        now,
        charges: Vec::new(),
        charged_at: now,
        task_message: None,
        elevating: None,
    }
}

#[tokio::test]
async fn approval_older_than_a_shortened_window_does_not_stand_in_the_way_of_the_pending_one() {
    let store = Store::open(&Database::Memory).await.unwrap();
    let begun = Timestamp::now();
    let mut agent = Agent::new("agt_1", "worker");
    agent.org_id = ORG.to_owned();
    store.insert_agent(agent, begun).await.unwrap();
    let (hour, minute) = (Duration::from_secs(3_600), Duration::from_secs(60));

    assert!(matches!(store.settle(held("apr_1", hour, begun)).await, Ok(Settled::Opened(..))));
    let vote = Vote {
        approval_id: "apr_1".to_owned(),
        org_id: ORG.to_owned(),
        key_id: "key_2".to_owned(),
        decided_by: None,
        reason: None,
        approve: true,
        allow_self: false,
        now: begun,
    };
    assert!(matches!(store.decide(vote).await, Ok(Decided::Done { .. })));
    let later = begun.saturating_add(Duration::from_secs(120));
    assert!(matches!(store.settle(held("apr_2", hour, later)).await, Ok(Settled::Used(_))));

    // The window is shortened: two minutes are too long ago.
    assert!(matches!(store.settle(held("apr_3", minute, later)).await, Ok(Settled::Opened(..))));
    for id in ["apr_4", "apr_5"] {
        match store.settle(held(id, minute, later)).await {
            Ok(Settled::Waiting(row)) => assert_eq!(row.approval.id, "apr_3"),
            other => panic!("{other:?}"),
        }
    }
    // And where the old window is wanted, the old approval serves.
    assert!(matches!(store.settle(held("apr_6", hour, later)).await, Ok(Settled::Used(_))));
}

async fn only_what_is_over_for_long_is_forgotten(store: Store) {
    let begun = Timestamp::now();
    let mut agent = Agent::new("agt_1", "worker");
    agent.org_id = ORG.to_owned();
    store.insert_agent(agent, begun).await.unwrap();
    let hour = Duration::from_secs(3_600);
    let ask = |id: &'static str, input: char| {
        let mut held = held(id, hour, begun);
        held.approval.bound_value = input.to_string().repeat(64);
        store.settle(held)
    };
    let word = |id: &str, approve: bool| Vote {
        approval_id: id.to_owned(),
        org_id: ORG.to_owned(),
        key_id: "key_2".to_owned(),
        decided_by: None,
        reason: None,
        approve,
        allow_self: false,
        now: begun,
    };
    for (id, input) in [("apr_1", 'a'), ("apr_2", 'b'), ("apr_3", 'c'), ("apr_4", 'd')] {
        assert!(matches!(ask(id, input).await, Ok(Settled::Opened(..))));
    }
    // Denied, consumed, lapsed while it was pending, and still usable.
    store.decide(word("apr_1", false)).await.unwrap();
    store.decide(word("apr_2", true)).await.unwrap();
    let mut once = held("apr_x", hour, begun);
    once.approval.bound_value = "b".repeat(64);
    once.approval.single_use = true;
    assert!(matches!(store.settle(once).await, Ok(Settled::Used(_))));
    store.decide(word("apr_4", true)).await.unwrap();
    let after = begun.saturating_add(Duration::from_secs(600));
    store.expire_approvals(after).await.unwrap();

    assert_eq!(store.prune_approvals(begun).await.unwrap(), 0);
    assert_eq!(store.prune_approvals(after).await.unwrap(), 2, "the consumed one had an hour");
    let later = begun.saturating_add(2 * hour);
    assert_eq!(store.prune_approvals(later).await.unwrap(), 1);
    let filter = ApprovalFilter { limit: 10, ..ApprovalFilter::default() };
    let left = store.approvals(ORG.to_owned(), filter, after).await.unwrap();
    assert_eq!(left.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["apr_4"]);
    assert!(store.is_asker("apr_4".to_owned(), "key_1".to_owned()).await.unwrap());
    assert!(!store.is_asker("apr_1".to_owned(), "key_1".to_owned()).await.unwrap());
    store.close().await;
}

#[tokio::test]
async fn only_what_is_over_for_long_is_forgotten_on_sqlite() {
    only_what_is_over_for_long_is_forgotten(Store::open(&Database::Memory).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_over_for_long_is_forgotten_on_postgres() {
    if let Some(fresh) = agenttrust_testkit::postgres::Fresh::or_skip() {
        let database = Database::parse(&fresh.url()).unwrap();
        only_what_is_over_for_long_is_forgotten(Store::open(&database).await.unwrap()).await;
    }
}
