//! The tables of destinations, on both databases: whose a destination is, how far it is, and what is kept of it.

use std::future::Future;
use std::time::Duration;

use agenttrust_testkit::postgres::Fresh;

use super::*;
use crate::clock::before;
use crate::domain::ids;
use crate::store::Database;

const ORG: &str = "org_1";

impl DestinationRow {
    /// Makes a destination that is sent to, as nothing was sent yet.
    pub(crate) fn sample(id: &str, now: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            org_id: ORG.to_owned(),
            name: id.to_owned(),
            kind: DestinationKind::Splunk,
            format: EventFormat::Raw,
            endpoint: "https://siem.example.com/".to_owned(),
            secret: Some("sealed".to_owned()),
            batch_size: 100,
            flush_seconds: 30,
            event_types: vec!["decision".to_owned()],
            is_active: true,
            epoch: 1,
            created_by: "key_1".to_owned(),
            created_at: now,
            updated_at: now,
            next_at: now,
            attempts: 0,
            failing_since: None,
            last_error: None,
            last_status: None,
            dropped: 0,
        }
    }
}

fn cursors(of: &[(&str, i64)]) -> BTreeMap<String, i64> {
    of.iter().map(|(log, seq)| ((*log).to_owned(), *seq)).collect()
}

fn hold(owner: &str, epoch: i64) -> SiemHold {
    SiemHold { id: "dst_1".to_owned(), owner: owner.to_owned(), epoch }
}

fn record(error: Option<&str>, now: Timestamp) -> SiemDeliveryRow {
    SiemDeliveryRow {
        id: ids::new(ids::DELIVERY_PREFIX),
        destination_id: "dst_1".to_owned(),
        batch_size: 3,
        status: if error.is_none() { "success" } else { "failed" }.to_owned(),
        status_code: Some(if error.is_none() { 200 } else { 503 }),
        error: error.map(str::to_owned),
        delivered_at: now,
    }
}

fn step(of: &[(&str, i64)], record: Option<SiemDeliveryRow>) -> SiemStep {
    let record = record.map(|record| (record, SiemStanding::Took));
    SiemStep { cursors: cursors(of).into_iter().collect(), record, ..SiemStep::default() }
}

fn postponed(now: Timestamp) -> SiemStep {
    let record = Some((record(Some("busy"), now), SiemStanding::PutOff(now)));
    SiemStep { record, ..SiemStep::default() }
}

fn aside(seq: i64, now: Timestamp) -> SetAsideRow {
    SetAsideRow {
        id: ids::new(ids::SET_ASIDE_PREFIX),
        destination_id: "dst_1".to_owned(),
        event_id: None,
        log: String::new(),
        seq,
        at: now.to_string(),
        kind: "decision".to_owned(),
        status_code: Some(400),
        reason: "too long".to_owned(),
        set_aside_at: now,
    }
}

impl Store {
    async fn leases(
        &self,
        owner: &str,
        (now, seconds): (Timestamp, u64),
    ) -> Option<(DestinationRow, BTreeMap<String, i64>)> {
        let until = now.saturating_add(Duration::from_secs(seconds));
        self.lease_destination("dst_1".to_owned(), owner.to_owned(), now, until).await.unwrap()
    }
}

async fn insert(store: &Store, row: DestinationRow, at: BTreeMap<String, i64>) {
    let made = store.insert_destination(row, at).await.unwrap();
    assert_eq!(made, DestinationInsert::Inserted);
}

/// Runs it on both.
async fn on_both<W: Future<Output = ()>>(test: impl Fn(Store) -> W) {
    test(Store::open(&Database::Memory).await.unwrap()).await;
    if let Some(fresh) = Fresh::or_skip() {
        test(Store::open(&Database::parse(&fresh.url()).unwrap()).await.unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn destination_is_one_replicas_until_its_lease_is_over() {
    on_both(async |store| {
        let now = Timestamp::now();
        let later = |seconds| now.saturating_add(Duration::from_secs(seconds));
        insert(&store, DestinationRow::sample("dst_1", now), cursors(&[("a", 7)])).await;
        let (leased, at) = store.leases("one", (now, 60)).await.unwrap();
        assert_eq!((leased.epoch, at), (1, cursors(&[("a", 7)])));
        assert!(store.leases("two", (now, 60)).await.is_none());
        assert!(store.leases("two", (later(59), 60)).await.is_none());
        assert!(store.leases("one", (later(30), 60)).await.is_some(), "it is kept");
        assert!(store.leases("two", (later(89), 60)).await.is_none());
        assert!(store.leases("two", (later(90), 60)).await.is_some());
        // Who had it does nothing any more, and who has it does.
        assert!(!store.advance(hold("one", 1), step(&[("a", 9)], None)).await.unwrap());
        assert!(store.advance(hold("two", 1), step(&[("a", 9), ("b", 2)], None)).await.unwrap());
        assert!(store.leases("two", (later(91), 0)).await.is_some(), "it is given back");
        let (_, at) = store.leases("one", (later(91), 60)).await.unwrap();
        assert_eq!(at, cursors(&[("a", 9), ("b", 2)]));
        // A lease that a clock gave which was a day ahead keeps nobody waiting for a day.
        assert!(store.leases("one", (later(86_400), 60)).await.is_some());
        assert!(store.leases("two", (later(120), 60)).await.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn change_stops_who_sends_by_what_it_was_before() {
    on_both(async |store| {
        let now = Timestamp::now();
        insert(&store, DestinationRow::sample("dst_1", now), cursors(&[])).await;
        let (leased, _) = store.leases("one", (now, 60)).await.unwrap();
        assert!(store.advance(hold("one", 1), postponed(now)).await.unwrap());
        let failing = store.destination("dst_1".to_owned()).await.unwrap().unwrap();
        assert_eq!((failing.attempts, failing.failing_since), (1, Some(now)));
        assert_eq!((failing.last_error.as_deref(), failing.last_status), (Some("busy"), Some(503)));
        let paused = DestinationRow { is_active: false, name: "other".to_owned(), ..leased };
        assert!(store.update_destination(paused.clone()).await.unwrap());
        assert!(!store.update_destination(paused).await.unwrap(), "others changed it");
        assert!(!store.advance(hold("one", 1), step(&[("", 9)], None)).await.unwrap());
        assert!(!store.advance(hold("one", 1), postponed(now)).await.unwrap());
        assert!(store.leases("one", (now, 60)).await.is_none(), "it is paused");
        assert!(store.active_destinations().await.unwrap().is_empty());
        let kept = store.destination("dst_1".to_owned()).await.unwrap().unwrap();
        assert_eq!((kept.epoch, kept.attempts, kept.name.as_str()), (2, 0, "other"));
        let resumed = DestinationRow { is_active: true, ..kept };
        assert!(store.update_destination(resumed).await.unwrap());
        let (_, at) = store.leases("one", (now, 60)).await.unwrap();
        assert_eq!(at, cursors(&[]), "what it was owed it is owed");
        let took = step(&[("", 9)], Some(record(None, now)));
        assert!(store.advance(hold("one", 3), took).await.unwrap());
        let taken = store.destination("dst_1".to_owned()).await.unwrap().unwrap();
        assert_eq!(
            (taken.failing_since, taken.last_error, taken.last_status),
            (None, None, Some(200))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_moves_a_cursor_back_and_never_on() {
    on_both(async |store| {
        let now = Timestamp::now();
        let at = cursors(&[("a", 7), ("b", 7)]);
        insert(&store, DestinationRow::sample("dst_1", now), at).await;
        let of = |org: &str| ("dst_1".to_owned(), org.to_owned());
        let back = cursors(&[("a", 3), ("b", 9), ("c", 5)]);
        assert!(!store.replay_destination(of("org_2"), back.clone(), now).await.unwrap());
        assert!(store.replay_destination(of(ORG), back, now).await.unwrap());
        let (leased, at) = store.leases("one", (now, 60)).await.unwrap();
        // Of a log that it has no cursor for it is owed everything.
        assert_eq!((leased.epoch, at), (2, cursors(&[("a", 3), ("b", 7)])));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn newest_records_are_kept_and_those_that_are_dropped_are_counted() {
    on_both(async |store| {
        let now = before(Timestamp::now(), Duration::from_secs(60));
        insert(&store, DestinationRow::sample("dst_1", now), cursors(&[])).await;
        store.leases("one", (now, 600)).await.unwrap();
        for seq in 0..1_003 {
            let took = step(&[("", seq)], Some(record(None, now)));
            assert!(store.advance(hold("one", 1), took).await.unwrap());
        }
        let id = || "dst_1".to_owned();
        let kept = store.siem_deliveries(id(), None, 5_000).await.unwrap();
        assert_eq!(kept.len(), 1_000);
        let page = store.siem_deliveries(id(), Some(kept[1].id.clone()), 2).await.unwrap();
        assert_eq!(page, kept[2..4]);
        for seqs in [1..2_501, 2_501..5_001, 5_001..7_501, 7_501..10_001, 10_001..10_006] {
            let set_aside = seqs.map(|seq| aside(seq, now)).collect();
            let step = SiemStep { set_aside, ..step(&[], None) };
            assert!(store.advance(hold("one", 1), step).await.unwrap());
        }
        let kept = store.siem_set_aside(id(), None, 20_000).await.unwrap();
        assert_eq!((kept.len(), kept[0].seq, kept[9_999].seq), (10_000, 10_005, 6));
        assert_eq!(store.destination(id()).await.unwrap().unwrap().dropped, 5);
        assert!(store.delete_destination(id(), ORG.to_owned()).await.unwrap());
        assert!(store.siem_set_aside(id(), None, 1).await.unwrap().is_empty());
        assert!(store.siem_deliveries(id(), None, 1).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn organisation_has_no_more_than_it_may_have_however_many_come_at_once() {
    on_both(async |store| {
        let now = Timestamp::now();
        let made = (0..25).map(|n| {
            let (store, row) = (store.clone(), DestinationRow::sample(&format!("dst_{n}"), now));
            async move { store.insert_destination(row, BTreeMap::new()).await.unwrap() }
        });
        let made = futures_util::future::join_all(made).await;
        let of = |kind| made.iter().filter(|made| **made == kind).count();
        assert_eq!((of(DestinationInsert::Inserted), of(DestinationInsert::TooMany)), (20, 5));
        let listed = store.destinations(ORG.to_owned()).await.unwrap();
        assert_eq!(listed.len(), 20);
        assert!(store.destinations("org_2".to_owned()).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn name_that_is_taken_is_said_with_its_owner_also_where_there_is_no_room() {
    on_both(async |store| {
        let now = Timestamp::now();
        for number in 0..DESTINATIONS_MOST {
            insert(&store, DestinationRow::sample(&format!("dst_{number}"), now), cursors(&[]))
                .await;
        }
        let tried = async |row| store.insert_destination(row, cursors(&[])).await.unwrap();
        let row = DestinationRow::sample("dst_new", now);
        assert_eq!(tried(row.clone()).await, DestinationInsert::TooMany);
        let named = DestinationRow { name: DestinationRow::sample("dst_7", now).name, ..row };
        assert_eq!(tried(named.clone()).await, DestinationInsert::NameTaken("dst_7".to_owned()));
        assert!(store.delete_destination("dst_7".to_owned(), ORG.to_owned()).await.unwrap());
        assert_eq!(tried(named).await, DestinationInsert::Inserted);
    })
    .await;
}
