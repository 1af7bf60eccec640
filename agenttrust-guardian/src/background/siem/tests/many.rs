//! Many destinations at once.

use std::collections::BTreeMap;

use agenttrust::Timestamp;
use agenttrust_testkit::eventually_within;
use agenttrust_testkit::siem::{HttpReceiver, Vendor};

use super::{NEVER, SECRET, make, newest_arrives, open};
use crate::domain::DestinationKind;
use crate::engine::Engine;
use crate::store::{DestinationRow, query};

const DESTINATIONS: usize = 200;

/// Returns a destination of an organisation in which nothing happens.
fn quiet(number: usize, now: Timestamp) -> DestinationRow {
    DestinationRow {
        org_id: format!("org_{number}"),
        name: "quiet".to_owned(),
        kind: DestinationKind::Webhook,
        endpoint: "http://127.0.0.1:9/".to_owned(),
        secret: None,
        event_types: Vec::new(),
        ..DestinationRow::sample(&format!("dst_{number:04}"), now)
    }
}

/// Returns until when each is leased: that moves whenever its job looks at the database.
async fn leases(engine: &Engine) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> =
        query("SELECT id, lease_until FROM siem_destinations WHERE lease_owner IS NOT NULL")
            .fetch_all(&engine.store.db())
            .await
            .unwrap();
    rows.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_one_destination_has_no_other_look_at_the_database() {
    let harness = open().await;
    let engine = harness.guardian.engine();
    let heads = crate::audit::heads(&engine.store.db()).await.unwrap();
    for number in 0..DESTINATIONS {
        let row = quiet(number, engine.clock.now());
        assert!(engine.store.insert_destination(row, heads.clone()).await.unwrap());
    }
    engine.siem.changed("dst_0000");
    let all = async || leases(engine).await.len() == DESTINATIONS;
    eventually_within(NEVER, "not all of them have a job", all).await;
    for number in [0, 7, DESTINATIONS - 1] {
        let (id, before) = (format!("dst_{number:04}"), leases(engine).await);
        engine.siem.changed(&id);
        let looks = async || leases(engine).await[&id] > before[&id];
        eventually_within(NEVER, "the one that was changed is not looked at", looks).await;
        let mut after = leases(engine).await;
        after.insert(id.clone(), before[&id]);
        assert_eq!(after, before, "others are looked at for {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_cannot_be_read_is_in_no_others_way() {
    let harness = open().await;
    let (unread, good) = (
        HttpReceiver::start(Vendor::Webhook, SECRET),
        HttpReceiver::start(Vendor::Webhook, SECRET),
    );
    make(&harness, &unread).await;
    // As a later version may have left it.
    let of_tomorrow = query("UPDATE siem_destinations SET kind = 'of_tomorrow'");
    of_tomorrow.execute(&harness.guardian.engine().store.db()).await.unwrap();
    make(&harness, &good).await;
    harness.asks("send_mail").await.ok();
    newest_arrives(&harness, &good).await;
}
