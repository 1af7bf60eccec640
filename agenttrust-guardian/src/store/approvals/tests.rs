//! What a held check gets when the terms change between two checks.

use agenttrust::Agent;

use super::*;
use crate::store::{Database, Decided, Vote};

const ORG: &str = "org_1";

fn held(id: &str, window: Duration, now: Timestamp) -> Held {
    let approval = NewApproval {
        id: id.to_owned(),
        org_id: ORG.to_owned(),
        agent_id: "agt_1".to_owned(),
        session_id: String::new(),
        tool: "db_delete".to_owned(),
        effect: "destructive",
        bound_to: BoundTo::Input,
        bound_value: "a".repeat(64),
        summary: None,
        reason: "held".to_owned(),
        quorum: 1,
        window,
        single_use: false,
        expires_at: now.saturating_add(Duration::from_secs(300)),
    };
    Held {
        approval,
        asker: "key_1".to_owned(),
        check_id: "chk_1".to_owned(),
        now,
        charges: Vec::new(),
        charged_at: now,
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

    assert!(matches!(store.settle(held("apr_1", hour, begun)).await, Ok(Settled::Opened(_))));
    let vote = Vote {
        approval_id: "apr_1".to_owned(),
        org_id: ORG.to_owned(),
        key_id: "key_2".to_owned(),
        decided_by: None,
        approve: true,
        allow_self: false,
        now: begun,
    };
    assert!(matches!(store.decide(vote).await, Ok(Decided::Done { .. })));
    let later = begun.saturating_add(Duration::from_secs(120));
    assert!(matches!(store.settle(held("apr_2", hour, later)).await, Ok(Settled::Used(_))));

    // The window is shortened: two minutes are too long ago.
    assert!(matches!(store.settle(held("apr_3", minute, later)).await, Ok(Settled::Opened(_))));
    for id in ["apr_4", "apr_5"] {
        match store.settle(held(id, minute, later)).await {
            Ok(Settled::Waiting(row)) => assert_eq!(row.approval.id, "apr_3"),
            other => panic!("{other:?}"),
        }
    }
    // And where the old window is wanted, the old approval serves.
    assert!(matches!(store.settle(held("apr_6", hour, later)).await, Ok(Settled::Used(_))));
}
