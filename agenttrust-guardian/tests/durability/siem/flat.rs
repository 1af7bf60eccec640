//! What is owed to a destination that is down stays in the database: memory is the same with a million events as with
//! none.

use std::path::Path;

use agenttrust::internal::hex;
use agenttrust_testkit::audit::row_hash;
use agenttrust_testkit::siem::HttpReceiver;
use agenttrust_testkit::{ADMIN, eventually_within, is_long};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};

use super::{Asked, DESTINATIONS, NEVER, OPEN, body, receiver, text};
use crate::served::Served;

/// The numbers of events that are owed in a long trial, and in a short one.
const OWED: (usize, usize) = (1_000_000, 20_000);
/// The memory by which the Guardian's peak may grow while they are owed: a batch, read, written and sent, and what the
/// database keeps of what was read. The events of a short trial would take as much once more.
const MORE_MOST_KIB: u64 = 32 << 10;

/// The rows that one statement writes.
const AT_ONCE: i64 = 10_000;

/// Writes rows as the Guardian would that was killed before it signed them.
async fn owe(database: &Path, rows: usize) {
    const NEWEST: &str = "SELECT seq, at, org_id, hash FROM audit ORDER BY seq DESC LIMIT 1";
    const ROWS: &str = "INSERT INTO audit (log, seq, at, kind, org_id, agent_id, actor, body, prev_hash, hash) \
                        SELECT '', value->>0, $1, 'tool.effect_set', $2, NULL, NULL, $3, \
                        unhex(value->>1), unhex(value->>2) FROM json_each($4)";
    let options = SqliteConnectOptions::new().filename(database);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let body = json!({ "tool": "send_mail", "note": "x".repeat(400) }).to_string();
    let newest = sqlx::query(NEWEST).fetch_one(&mut connection).await.unwrap();
    let (at, org): (String, String) = (newest.get("at"), newest.get("org_id"));
    let (mut seq, mut prev): (i64, Vec<u8>) = (newest.get("seq"), newest.get("hash"));
    let last = seq + i64::try_from(rows).unwrap();
    while seq < last {
        let mut some = Vec::new();
        for _ in 0..AT_ONCE.min(last - seq) {
            seq += 1;
            let texts =
                [Some(&*at), Some("tool.effect_set"), Some(&*org), None, None, Some(&*body)];
            let hash = row_hash(seq, &prev, texts);
            some.push((seq, hex::encode(&prev), hex::encode(&hash)));
            prev = hash;
        }
        let some = serde_json::to_string(&some).unwrap();
        let written = sqlx::query(ROWS).bind(&at).bind(&org).bind(&body).bind(some);
        written.execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// Returns the most that it ever had in memory, in KiB.
fn peak(served: &Served) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

async fn make(served: &Served, receiver: &HttpReceiver) -> String {
    let body = body(receiver, 1000, 1);
    let made = served.caller().sure("POST", DESTINATIONS, ADMIN, &body).await;
    format!("{DESTINATIONS}/{}", text(&made, "id"))
}

/// Returns a destination that is down: tried again and again with as many events as that, if so many are owed.
async fn try_in_vain(served: &Served, path: &str, most: Option<u64>) -> Value {
    let caller = served.caller();
    for size in 0..5 {
        let count = most.map(|most| most + size);
        let tried = async || caller.read(&format!("{path}/logs?limit=1")).await["logs"][0].clone();
        let before = tried().await["id"].clone();
        // What is changed is tried at once.
        let change = json!({ "batch_size": count.unwrap_or(900 + size) });
        caller.sure("PUT", path, ADMIN, &change).await;
        let failed = async || {
            let last = tried().await;
            let is_so = last["id"] != before
                && last["status"] == "failed"
                && count.is_none_or(|count| last["batch_size"] == count);
            if is_so { Ok(()) } else { Err(last) }
        };
        eventually_within(NEVER, "it is not tried", failed).await;
    }
    caller.read(path).await
}

/// Starts the receiver again, and checks that all of it arrives, by the thousand, and still no memory is needed for
/// it.
async fn catch_up(receiver: &mut HttpReceiver, served: &Served, path: &str, rows: usize) {
    receiver.restart();
    served.caller().sure("PUT", path, ADMIN, &json!({ "batch_size": 1000 })).await;
    let caller = served.caller();
    let arrive = async || {
        let view = caller.read(path).await;
        if view["lag_seconds"] == 0 && view["failing_since"].is_null() { Ok(()) } else { Err(view) }
    };
    eventually_within(NEVER, "not all of it arrives", arrive).await;
    assert!(receiver.ids().len() >= rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_events_that_are_owed_take_no_memory() {
    let rows = if is_long() { OWED.0 } else { OWED.1 };
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("guardian.db");
    let mut receiver = receiver();
    receiver.stop();
    let mut served = Served::start(database.to_str().unwrap(), &OPEN);
    let path = make(&served, &receiver).await;
    served.caller().sure("PUT", &path, ADMIN, &json!({ "is_active": false })).await;
    served.kill();
    owe(&database, rows).await;

    served = Served::start(database.to_str().unwrap(), &OPEN);
    // One that is owed next to nothing has everything made ready that sending takes.
    let other = make(&served, &receiver).await;
    try_in_vain(&served, &other, None).await;
    served.caller().read("/api/v1/audit?limit=1000").await;
    let before = peak(&served);
    served.caller().sure("PUT", &path, ADMIN, &json!({ "is_active": true })).await;
    let down = try_in_vain(&served, &path, Some(990)).await;
    assert!(down["failing_since"].is_string() && down["lag_seconds"].is_u64(), "{down}");
    if !is_long() {
        catch_up(&mut receiver, &served, &path, rows).await;
    }
    let more = peak(&served).saturating_sub(before);
    println!("{rows} events owed: {more} KiB more than {before} KiB at the peak");
    assert!(more < MORE_MOST_KIB, "{more} KiB more than {before} KiB");
}
