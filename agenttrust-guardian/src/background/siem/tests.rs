//! What a destination is owed, with logs, rows and clocks that are not as they should be.

mod later;
mod logged;
mod many;
mod refusing;
mod trying;

use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::Timestamp;
use agenttrust_testkit::siem::{HttpReceiver, Mood, Vendor};
use agenttrust_testkit::{ADMIN, eventually_within};
use serde_json::{Value, json};

use super::backlog::{Backlog, Cursors, Subscription};
use crate::Guardian;
use crate::domain::{DEFAULT_ORG, EventFormat};
use crate::engine::Engine;
use crate::harness::{Harness, open_with};
use crate::siem::Filter;
use crate::store::query;

/// The time after which a test fails that would otherwise hang.
const NEVER: Duration = Duration::from_secs(30);
const SECRET: &str = "whsec_MDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2NkZGVlZmY=";
const SECOND: Duration = Duration::from_secs(1);

/// The first of two logs, as replicas have them. A database file has one; their numbers differ here because it asks
/// for that.
const A: &str = "a";
const B: &str = "b";

/// Returns what they had before.
fn heads_before() -> Cursors {
    heads(&[(A, 100), (B, 200)])
}

/// Writes a row that no Guardian wrote.
async fn write(engine: &Engine, (log, seq): (&str, i64), at: &str, (org_id, body): (&str, &str)) {
    const ROW: &str = "INSERT INTO audit (log, seq, at, kind, org_id, body, prev_hash, hash) \
                       VALUES ($1, $2, $3, 'decision', $4, $5, $6, $6)";
    let hash: [u8; 32] = std::array::from_fn(|place| {
        log.bytes().next().unwrap() ^ u8::try_from(seq).unwrap() ^ u8::try_from(place).unwrap()
    });
    let row = query(ROW).bind(log).bind(seq).bind(at).bind(org_id).bind(body).bind(&hash[..]);
    row.execute(&engine.store.db()).await.unwrap();
}

/// Returns the time of a row, so many seconds after another.
fn at(begun: Timestamp, seconds: u64) -> String {
    format!("{:.6}", begun.saturating_add(Duration::from_secs(seconds)))
}

fn everything() -> Subscription {
    let org_id = DEFAULT_ORG.to_owned();
    Subscription { org_id, filter: Filter::default(), format: EventFormat::Raw }
}

fn heads(heads: &[(&str, i64)]) -> Cursors {
    heads.iter().map(|(log, seq)| ((*log).to_owned(), *seq)).collect()
}

fn places(backlog: &Backlog) -> Vec<(String, i64)> {
    backlog.places().iter().map(|place| (place.log.clone(), place.seq)).collect()
}

#[tokio::test]
async fn rows_of_several_logs_are_interleaved_by_time_and_cursors_follow_each_log() {
    let guardian = Guardian::in_memory().await.unwrap();
    let engine = guardian.engine();
    let begun = engine.clock.now();
    for (log, seq, seconds) in
        [(A, 101, 1), (A, 102, 4), (A, 103, 5), (B, 201, 2), (B, 202, 3), (B, 203, 6)]
    {
        write(engine, (log, seq), &at(begun, seconds), (DEFAULT_ORG, "{}")).await;
    }
    let heads = heads(&[(A, 103), (B, 203)]);
    let mut backlog = Backlog::after(heads_before());
    assert_eq!(backlog.unseen(&heads), 6);
    let now = begun.saturating_add(10 * SECOND);
    backlog.look(&engine.reading_store, &heads, &everything(), (4, now)).await.unwrap();
    let of = |log: &str, seq| (log.to_owned(), seq);
    assert_eq!(places(&backlog), [of(A, 101), of(B, 201), of(B, 202), of(A, 102)]);
    assert_eq!(backlog.cursors_after(0), []);
    assert_eq!(backlog.cursors_after(2), [of(A, 101), of(B, 201)]);
    let cursors = backlog.cursors_after(3);
    assert_eq!(cursors, [of(A, 101), of(B, 202)]);
    backlog.sent(3, cursors, now);
    // It goes on where it was, and says of the oldest that is left when it was written.
    assert_eq!(backlog.since(), Some(begun.saturating_add(4 * SECOND)));
    backlog.look(&engine.reading_store, &heads, &everything(), (100, now)).await.unwrap();
    assert_eq!(places(&backlog), [of(A, 102), of(A, 103), of(B, 203)]);
    let cursors = backlog.cursors_after(3);
    backlog.sent(3, cursors, now);
    assert_eq!((backlog.unseen(&heads), backlog.since()), (0, None));
    assert_eq!(*backlog.kept(), heads);
}

#[tokio::test]
async fn rows_of_others_are_passed_over_and_a_row_that_cannot_be_sent_ends_a_batch() {
    let guardian = Guardian::in_memory().await.unwrap();
    let engine = guardian.engine();
    let begun = engine.clock.now();
    write(engine, (A, 101), &at(begun, 1), ("other", "{}")).await;
    write(engine, (A, 102), &at(begun, 2), (DEFAULT_ORG, "{}")).await;
    write(engine, (A, 103), "yesterday", (DEFAULT_ORG, "{}")).await;
    write(engine, (A, 104), &at(begun, 4), (DEFAULT_ORG, "{}")).await;
    write(engine, (B, 201), &at(begun, 5), (DEFAULT_ORG, "no object")).await;
    let heads = heads(&[(A, 104), (B, 201)]);
    let now = begun.saturating_add(10 * SECOND);
    let mut backlog = Backlog::after(heads_before());
    let mut went = Vec::new();
    for _ in 0..3 {
        backlog.look(&engine.reading_store, &heads, &everything(), (100, now)).await.unwrap();
        let bad = backlog.unsendable().map(|row| (row.place.log.clone(), row.place.seq));
        went.push((places(&backlog), bad));
        let (sent, flush) = (backlog.events().len(), Duration::from_secs(3_600));
        assert_eq!(backlog.is_due(100, flush, now), backlog.unsendable().is_some());
        let cursors = backlog.cursors_after(sent);
        backlog.sent(sent, cursors, now);
    }
    let of = |log: &str, seq| (log.to_owned(), seq);
    assert_eq!(went[0], (vec![of(A, 102)], Some(of(B, 201))));
    assert_eq!(went[1], (Vec::new(), Some(of(A, 103))));
    assert_eq!(went[2], (vec![of(A, 104)], None));
    assert_eq!(*backlog.kept(), heads);
}

#[tokio::test]
async fn no_more_is_held_than_a_batch_may_weigh_and_a_row_of_the_future_waits_no_longer_than_others()
 {
    let guardian = Guardian::in_memory().await.unwrap();
    let engine = guardian.engine();
    let now = engine.clock.now();
    let body = json!({ "text": "x".repeat(100_000) }).to_string();
    for seq in 101..=200 {
        // The clock of the replica that wrote it was ahead by years.
        write(engine, (A, seq), &at(now, 99_999_999), (DEFAULT_ORG, &body)).await;
    }
    let heads = heads(&[(A, 200)]);
    let mut backlog = Backlog::after(heads_before());
    backlog.look(&engine.reading_store, &heads, &everything(), (1_000, now)).await.unwrap();
    assert!((40..=43).contains(&backlog.events().len()), "{}", backlog.events().len());
    assert!(backlog.is_full(1_000));
    backlog.unread();
    backlog.look(&engine.reading_store, &heads, &everything(), (1, now)).await.unwrap();
    assert_eq!(backlog.since(), Some(now));
    assert!(!backlog.is_due(2, 30 * SECOND, now.saturating_add(29 * SECOND)));
    assert!(backlog.is_due(2, 30 * SECOND, now.saturating_add(30 * SECOND)));
}

async fn open() -> Harness {
    const SECRET_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let settings = |builder: crate::GuardianBuilder| {
        builder.secret_key(SECRET_KEY).allow_outbound("127.0.0.0/8")
    };
    Harness::new(open_with(settings).await).await
}

/// Makes a destination of this receiver that gets every event by itself, and returns its path.
async fn make(harness: &Harness, receiver: &HttpReceiver) -> String {
    let body = json!({
        "name": receiver.url(), "destination_type": "webhook", "endpoint_url": receiver.url(), "auth_token": SECRET,
        "batch_size": 1, "flush_interval_seconds": 1, "format": "raw",
    });
    let made = harness.post("/api/v1/siem/destinations", ADMIN, body).await.ok();
    format!("/api/v1/siem/destinations/{}", made.text("id"))
}

async fn set(harness: &Harness, path: &str, change: Value) {
    harness.put(path, ADMIN, change).await.ok();
}

/// Returns the number of the newest row of the audit.
async fn newest(harness: &Harness) -> i64 {
    let logs = harness.get("/api/v1/audit/logs", ADMIN).await.ok().body;
    logs["logs"][0]["newest"].as_i64().unwrap()
}

/// Waits until the newest row of the audit has arrived.
async fn newest_arrives(harness: &Harness, receiver: &HttpReceiver) {
    let rows = newest(harness).await;
    let look = async || {
        let last = receiver.taken().last().map(|event| event.json["seq"].clone());
        if last == Some(json!(rows)) { Ok(()) } else { Err((last, rows)) }
    };
    eventually_within(NEVER, "the newest row does not arrive", look).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_sent_is_set_aside_with_the_reason_and_the_rest_goes_on() {
    let harness = open().await;
    let receiver = HttpReceiver::start(Vendor::Webhook, SECRET);
    let path = make(&harness, &receiver).await;
    set(&harness, &path, json!({ "is_active": false })).await;
    let db = harness.guardian.engine().store.db();
    harness.asks("send_mail").await.ok();
    let bad = newest(&harness).await;
    harness.asks("send_mail").await.ok();
    for sql in
        ["DROP TRIGGER audit_rows_never_change", "UPDATE audit SET at = 'never' WHERE seq = $1"]
    {
        let statement = query(sql);
        let statement = if sql.starts_with("UPDATE") { statement.bind(bad) } else { statement };
        statement.execute(&db).await.unwrap();
    }
    set(&harness, &path, json!({ "is_active": true })).await;
    newest_arrives(&harness, &receiver).await;
    assert!(receiver.taken().iter().all(|event| event.json["seq"] != bad));
    let aside = harness.get(&format!("{path}/set-aside"), ADMIN).await.ok().body;
    let aside = aside["set_aside"].as_array().unwrap();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!((&aside[0]["seq"], &aside[0]["at"]), (&json!(bad), &json!("never")));
    assert!(aside[0]["event_id"].is_null() && aside[0]["status_code"].is_null());
    assert!(aside[0]["reason"].as_str().unwrap().contains("never"), "{}", aside[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_goes_back_loses_and_stalls_nothing() {
    let harness = open().await;
    let receiver = HttpReceiver::start(Vendor::Webhook, SECRET);
    let path = make(&harness, &receiver).await;
    let engine = harness.guardian.engine();
    engine.clock.set_ahead(Duration::from_secs(86_400));
    harness.asks("send_mail").await.ok();
    newest_arrives(&harness, &receiver).await;
    engine.clock.set_back(Duration::from_secs(2 * 86_400));
    harness.asks("send_mail").await.ok();
    newest_arrives(&harness, &receiver).await;

    // What a Guardian wrote whose clock was ahead by a year: a time to try again, and a lease of another's.
    const AHEAD: &str = "UPDATE siem_destinations SET next_at = $1, lease_owner = 'another', lease_until = $1, \
                         epoch = epoch + 1";
    let ahead = engine.clock.now().saturating_add(Duration::from_secs(365 * 86_400));
    query(AHEAD).bind(ahead.unix_micros()).execute(&engine.store.db()).await.unwrap();
    let id = path.rsplit('/').next().unwrap();
    engine.siem.changed(id);
    let taken = async || {
        let owner = query("SELECT lease_owner FROM siem_destinations");
        let (owner,): (String,) = owner.fetch_one(&engine.store.db()).await.unwrap();
        owner != "another"
    };
    // What is sent before that is sent by what was known before.
    eventually_within(NEVER, "a lease that cannot be is respected", taken).await;
    harness.asks("send_mail").await.ok();
    let lags = async || {
        let lag = engine.siem.lag(id, engine.clock.now());
        lag.is_some_and(|lag| lag > Duration::ZERO).then_some(()).ok_or(lag)
    };
    eventually_within(NEVER, "what is owed is not told while it is put off", lags).await;
    // No longer than five minutes.
    engine.clock.advance(Duration::from_secs(301));
    engine.siem.changed(id);
    newest_arrives(&harness, &receiver).await;
    // It is crossed out once the receiver has answered.
    let settled = async || engine.siem.lag(id, engine.clock.now()) == Some(Duration::ZERO);
    eventually_within(NEVER, "what was taken is owed still", settled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guardian_that_closes_leaves_what_is_under_way_at_once_and_sends_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    let settings = |builder: crate::GuardianBuilder| {
        builder.database(path.to_str().unwrap()).allow_outbound("127.0.0.0/8")
    };
    let receiver = HttpReceiver::start(Vendor::Webhook, SECRET);
    receiver.mood(Mood::Stall);
    let harness = Harness::new(open_with(settings).await).await;
    make(&harness, &receiver).await;
    let stalls = async || !receiver.requests().is_empty();
    eventually_within(NEVER, "nothing is sent", stalls).await;
    let (engine, begun) = (Arc::downgrade(harness.guardian.engine()), Instant::now());
    harness.guardian.close().await;
    drop(harness);
    let gone = async || engine.strong_count() == 0;
    eventually_within(NEVER, "something holds it", gone).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());

    receiver.mood(Mood::Take);
    let harness = Harness::new(open_with(settings).await).await;
    newest_arrives(&harness, &receiver).await;
    let seqs: Vec<_> = receiver.taken().iter().map(|event| event.json["seq"].as_u64()).collect();
    assert!(seqs.is_sorted(), "{seqs:?}");
    assert_eq!(receiver.taken()[0].id, {
        let first: Value = serde_json::from_str(&receiver.requests()[0].body).unwrap();
        first["events"][0]["id"].as_str().unwrap().to_owned()
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guardian_that_its_program_drops_is_not_kept_by_a_receiver_that_does_not_answer() {
    let receiver = HttpReceiver::start(Vendor::Webhook, SECRET);
    receiver.mood(Mood::Stall);
    let harness = open().await;
    make(&harness, &receiver).await;
    let stalls = async || !receiver.requests().is_empty();
    eventually_within(NEVER, "nothing is sent", stalls).await;
    let (engine, begun) = (Arc::downgrade(harness.guardian.engine()), Instant::now());
    drop(harness);
    let gone = async || engine.strong_count() == 0;
    eventually_within(NEVER, "something holds it", gone).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
