//! Many destinations at once.

use std::collections::BTreeMap;
use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust_testkit::eventually_within;
use agenttrust_testkit::siem::{HttpReceiver, Vendor};

use super::{NEVER, SECRET, make, newest_arrives, open};
use crate::background::siem::leased::LeasedDestination;
use crate::domain::{DEFAULT_ORG, DestinationKind};
use crate::engine::Engine;
use crate::store::{DestinationInsert, DestinationRow, query};

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
        let made = engine.store.insert_destination(row, heads.clone()).await.unwrap();
        assert_eq!(made, DestinationInsert::Inserted);
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

#[tokio::test]
async fn idle_destinations_read_the_log_once_a_flush_interval() {
    const IDLE: usize = 50;
    let harness = open().await;
    let engine = harness.guardian.engine();
    let heads = async || crate::audit::heads(&engine.store.db()).await.unwrap();
    let (begun, mut known) = (engine.clock.now(), heads().await);
    let idle = |number| LeasedDestination::new(quiet(number, begun), known.clone(), begun);
    let mut idle: Vec<_> = (0..IDLE).map(idle).collect();
    let (flush, batch) = (idle[0].flush().as_secs(), idle[0].batch_size());
    let mut reads = 0;
    // What was there before it is seen for the first time may have waited already, and is read at once.
    for second in 0..=2 * flush {
        harness.asks("send_mail").await.ok();
        known = heads().await;
        let now = begun.saturating_add(Duration::from_secs(second));
        for leased in &mut idle {
            reads += usize::from(leased.look(engine, &known, batch, now).await.unwrap() == 0);
        }
    }
    assert_eq!(reads, 2 * IDLE, "of {}", IDLE as u64 * (2 * flush + 1));
    // Or once they may be a batch.
    for leased in &mut idle {
        let unseen = leased.backlog.unseen(&known);
        let now = begun.saturating_add(Duration::from_secs(2 * flush));
        assert_eq!(leased.look(engine, &known, unseen + 1, now).await.unwrap(), unseen);
        assert_eq!(leased.look(engine, &known, unseen, now).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_row_that_is_read_late_is_due_no_later() {
    let harness = open().await;
    let engine = harness.guardian.engine();
    let heads = async || crate::audit::heads(&engine.store.db()).await.unwrap();
    let (begun, known) = (engine.clock.now(), heads().await);
    let mut row = quiet(0, begun);
    row.org_id = DEFAULT_ORG.to_owned();
    let mut leased = LeasedDestination::new(row, known.clone(), begun);
    let (flush, batch) = (leased.flush(), leased.batch_size());
    assert_eq!(leased.look(engine, &known, batch, begun).await.unwrap(), 0);
    harness.asks("send_mail").await.ok();
    let (seen, known) = (engine.clock.now(), heads().await);
    assert!(leased.look(engine, &known, batch, seen).await.unwrap() > 0);
    // Meanwhile it lags, as far as is known.
    leased.stands(engine);
    let lag = engine.siem.lag("dst_0000", seen.saturating_add(Duration::from_secs(7)));
    assert_eq!(lag, Some(Duration::from_secs(7)));
    let due = seen.saturating_add(flush);
    assert_eq!(leased.reads_at(engine), Some(due));
    assert_eq!(leased.look(engine, &known, batch, due).await.unwrap(), 0);
    assert!(!leased.backlog.events().is_empty() && leased.backlog.is_due(batch, flush, due));
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
