//! Policies that were sent, and how memory follows them.

use super::*;
use crate::guardian::Guardian;

fn files(text: &str) -> Vec<(String, String)> {
    vec![("a.cedar".to_owned(), text.to_owned())]
}

/// Keeps these files as another replica would that takes them.
async fn send(engine: &Engine, text: &str) {
    let (org_id, by) = (DEFAULT_ORG.to_owned(), "key_1".to_owned());
    engine.store.put_policy_files(org_id, files(text), by, engine.clock.now()).await.unwrap();
    engine.sync().await.unwrap();
}

#[tokio::test]
async fn change_of_another_replicas_folder_is_no_trouble_where_no_policies_were_ever_sent() {
    let guardian = Guardian::in_memory().await.unwrap();
    let engine = guardian.engine();
    let (org_id, by) = (DEFAULT_ORG.to_owned(), "key_1".to_owned());
    engine.store.policies_reread(org_id, by, engine.clock.now()).await.unwrap();
    engine.sync().await.unwrap();
    assert!(engine.policies.trouble().is_none(), "{:?}", engine.policies.trouble());
}

#[tokio::test]
async fn trouble_ends_when_the_set_in_force_is_sent_again() {
    const ALL: &str = "permit (principal, action, resource);";
    let guardian = Guardian::in_memory().await.unwrap();
    let engine = guardian.engine();
    engine.put_policies(files(ALL), "key_1").await.unwrap();
    let in_force = engine.policies.report().set.sha256().to_owned();
    send(engine, "nonsense").await;
    assert!(engine.policies.trouble().is_some());
    send(engine, ALL).await;
    assert!(engine.policies.trouble().is_none());
    assert_eq!(engine.policies.report().set.sha256(), in_force);
}

#[tokio::test]
async fn set_that_was_sent_is_the_one_that_was_validated() {
    let guardian = Guardian::in_memory().await.unwrap();
    let engine = guardian.engine();
    engine
        .put_policies(files("@id(\"one\") permit (principal, action, resource);"), "key_1")
        .await
        .unwrap();
    assert!(engine.policies.sent().is_none(), "memory has followed");
    // One that was sent meanwhile, and never stored, takes the place of no other.
    let other = PolicySet::parse("a.cedar", "@id(\"other\") permit (principal, action, resource);")
        .unwrap();
    *engine.policies.sent() = Some(other);
    send(engine, "@id(\"two\") permit (principal, action, resource);").await;
    let ids: Vec<_> = engine.policies.report().set.ids().map(str::to_owned).collect();
    assert_eq!(ids, ["supervised-hold", "two"]);
}
