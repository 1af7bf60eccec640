//! The log against a real database: order, durability, and every way of tampering.

use std::sync::Arc;

use agenttrust::internal::hex;
use agenttrust_testkit::eventually;
use futures_util::FutureExt;
use serde_json::json;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use tokio::task::unconstrained;

use super::{
    AuditError, AuditLog, Entry, FactsDigest, MAX_BODY_BYTES, Record, Row, Trust, Verification,
};
use crate::store::Db;

const SCHEMA: &str = concat!(
    include_str!("../../migrations/sqlite/0002_audit.sql"),
    "ALTER TABLE audit ADD COLUMN log TEXT NOT NULL DEFAULT '';",
    include_str!("../../migrations/sqlite/0006_audit_checkpoints.sql"),
    include_str!("../../migrations/sqlite/0027_audit_log_ids.sql"),
    include_str!("../../migrations/sqlite/0028_audit_added.sql")
);

async fn start(pool: &SqlitePool) -> Result<AuditLog, AuditError> {
    AuditLog::start(Db::Sqlite(pool.clone()), String::new(), Arc::default(), None).await
}

async fn list(
    pool: &SqlitePool,
    after: u64,
    limit: u32,
    agent_id: Option<&str>,
) -> Result<Vec<Entry>, AuditError> {
    super::list(&Db::Sqlite(pool.clone()), "", after, limit, agent_id).await
}

async fn verify(pool: &SqlitePool) -> Result<Verification, AuditError> {
    super::verify::verify(&Db::Sqlite(pool.clone()), "", &Trust::default(), None).await
}

async fn export(pool: &SqlitePool, out: impl std::io::Write) -> Result<(), AuditError> {
    super::export(&Db::Sqlite(pool.clone()), "", None, out).await
}

async fn memory() -> SqlitePool {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect("sqlite::memory:")
        .await
        .unwrap();
    sqlx::raw_sql(SCHEMA).execute(&pool).await.unwrap();
    pool
}

async fn file(folder: &tempfile::TempDir) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("audit.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    SqlitePoolOptions::new().max_connections(4).connect_with(options).await.unwrap()
}

fn record(n: usize) -> Record {
    Record::new("decision", "org_1")
        .agent(format!("agt_{}", n % 2))
        .actor("key_1")
        .body(json!({ "n": n }))
}

async fn run(pool: &SqlitePool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

/// Returns a log of ten rows whose triggers are gone, as a person with the file in hand could have
/// it.
async fn tampered(sql: &'static str) -> Verification {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    for n in 1..=10 {
        log.append(record(n)).await.unwrap();
    }
    log.close().await;
    assert_eq!(verify(&pool).await.unwrap().fault, None);
    run(&pool, "DROP TRIGGER audit_rows_never_change; DROP TRIGGER audit_rows_never_go;").await;
    run(&pool, sql).await;
    verify(&pool).await.unwrap()
}

#[tokio::test]
async fn an_appended_row_is_in_the_database_when_append_returns() {
    let folder = tempfile::tempdir().unwrap();
    let pool = file(&folder).await;
    run(&pool, SCHEMA).await;
    let log = start(&pool).await.unwrap();
    assert_eq!(log.append(record(1)).await.unwrap(), 1);
    // Another connection sees it: it is committed.
    let entries = list(&pool, 0, 10, None).await.unwrap();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((entry.seq, entry.kind.as_str(), entry.org_id.as_str()), (1, "decision", "org_1"));
    assert_eq!((entry.agent_id.as_deref(), entry.actor.as_deref()), (Some("agt_1"), Some("key_1")));
    assert_eq!(entry.body, json!({ "n": 1 }));
    assert_eq!(entry.prev_hash, "0".repeat(64));
    assert!(
        entry.at.parse::<agenttrust::Timestamp>().is_ok() && entry.at.len() == 27,
        "{}",
        entry.at
    );
}

#[tokio::test]
async fn the_chain_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    run(&file(&folder).await, SCHEMA).await;
    for n in 1..=3 {
        let pool = file(&folder).await;
        let log = start(&pool).await.unwrap();
        assert_eq!(log.append(record(n)).await.unwrap(), n as u64);
        log.close().await;
        assert_eq!(verify(&pool).await.unwrap().rows, n as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn group_commit_keeps_one_gapless_order_under_64_concurrent_appends() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    let writers: Vec<_> = (0..64)
        .map(|writer| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                for n in 0..10 {
                    log.enqueue(
                        Record::new("outcome", "org_1").body(json!({ "w": writer, "n": n })),
                    )
                    .await
                    .unwrap();
                    numbers.push((n, log.append(record(writer * 10 + n)).await.unwrap()));
                }
                numbers
            })
        })
        .collect();
    let mut seen = std::collections::HashSet::new();
    for (writer, task) in writers.into_iter().enumerate() {
        let numbers = task.await.unwrap();
        assert!(numbers.is_sorted_by_key(|(_, seq)| *seq), "one caller's rows keep their order");
        for (n, seq) in numbers {
            assert!(seen.insert(seq));
            let row = list(&pool, seq - 1, 1, None).await.unwrap().remove(0);
            // The number that append answered is that of this very record.
            assert_eq!(row.body, json!({ "n": writer * 10 + n }));
        }
    }
    log.flush().await;
    let Verification { rows, fault, .. } = verify(&pool).await.unwrap();
    assert_eq!((rows, fault), (64 * 20, None));
}

#[tokio::test]
async fn enqueued_rows_are_written_before_close_returns() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    for n in 0..1_000 {
        log.enqueue(record(n)).await.unwrap();
    }
    log.close().await;
    assert_eq!(verify(&pool).await.unwrap().rows, 1_000);
    assert!(matches!(log.append(record(0)).await, Err(AuditError::Closed)));
    assert!(matches!(log.enqueue(record(0)).await, Err(AuditError::Closed)));
    assert!(!log.is_healthy());
    log.flush().await;
    log.close().await;
}

#[tokio::test]
async fn the_last_clone_dropped_writes_what_waits() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    log.enqueue(record(1)).await.unwrap();
    drop(log);
    let written = async || verify(&pool).await.unwrap().rows == 1;
    eventually("the row was not written", written).await;
}

#[tokio::test]
async fn a_full_queue_is_waited_for_and_refuses_nothing() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    // The pool's only connection is taken, so the writer cannot get on.
    let held = pool.acquire().await.unwrap();
    let mut taken = 0;
    let waiting = loop {
        let mut handing_over = Box::pin(unconstrained(log.enqueue(record(taken))));
        match handing_over.as_mut().now_or_never() {
            Some(done) => done.unwrap(),
            None => break handing_over,
        }
        taken += 1;
        assert!(taken < 10_000, "the queue has an end");
    };
    assert!(taken >= 4_096, "{taken} rows may wait");
    drop(held);
    waiting.await.unwrap();
    log.flush().await;
    assert_eq!(verify(&pool).await.unwrap().rows, taken as u64 + 1);
}

#[tokio::test]
async fn few_rows_that_are_long_are_waited_for_as_many_short_ones_are() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    let held = pool.acquire().await.unwrap();
    let long = || Record::new("decision", "org_1").body(json!({ "text": "x".repeat(60_000) }));
    let mut taken = 0;
    loop {
        let mut handing_over = Box::pin(unconstrained(log.enqueue(long())));
        if handing_over.as_mut().now_or_never().is_none() {
            break;
        }
        taken += 1;
        assert!(taken < 2_000, "more than 100 MB wait");
    }
    assert!(taken > 400, "{taken} long rows may wait");
    drop(held);
    log.flush().await;
    assert_eq!(verify(&pool).await.unwrap().rows, taken);
}

#[tokio::test]
async fn facts_are_written_once_and_before_the_first_row_that_refers_to_them() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    let facts = json!({ "capabilities": ["a", "b"] });
    let digest = FactsDigest::compute("org_1", &facts).unwrap();
    assert!(!log.has_told(digest));
    let referring = async |n: usize| {
        let told = vec![(digest, digest.record("org_1", facts.clone()))];
        let row = Row::try_from(record(n)).unwrap().referring_to(told).unwrap();
        log.hand_over(row, true).await.unwrap().on_disk().await.unwrap();
    };
    tokio::join!(referring(1), referring(2));
    assert!(log.has_told(digest));
    referring(3).await;
    let rows = list(&pool, 0, 10, None).await.unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, ["facts", "decision", "decision", "decision"]);
    assert_eq!(rows[0].body["digest"], digest.to_hex());
    assert_eq!(rows[0].body["capabilities"], facts["capabilities"]);
    assert_eq!(verify(&pool).await.unwrap().rows, 4);
}

#[tokio::test]
async fn facts_of_a_row_that_was_not_written_are_written_with_the_next_one() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    run(&pool, &*DISK_FULL.replace("> 2", "> 0").leak()).await;
    let digest = FactsDigest::compute("org_1", &json!({})).unwrap();
    let referring = async || {
        let told = vec![(digest, digest.record("org_1", json!({})))];
        let row = Row::try_from(record(1)).unwrap().referring_to(told).unwrap();
        log.hand_over(row, true).await.unwrap().on_disk().await
    };
    referring().await.unwrap_err();
    assert!(!log.has_told(digest));
    run(&pool, "DROP TRIGGER disk_full;").await;
    referring().await.unwrap();
    let rows = list(&pool, 0, 10, None).await.unwrap();
    assert_eq!(rows[0].kind, "facts");
}

const DISK_FULL: &str = "CREATE TRIGGER disk_full BEFORE INSERT ON audit WHEN NEW.seq > 2 \
                         BEGIN SELECT RAISE(ABORT, 'disk full'); END;";

#[tokio::test]
async fn a_failed_write_answers_every_waiter_with_an_error_and_the_chain_goes_on() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    log.append(record(1)).await.unwrap();
    log.append(record(2)).await.unwrap();
    run(&pool, DISK_FULL).await;
    let waiting: Vec<_> = (0..8)
        .map(|n| {
            tokio::spawn({
                let log = log.clone();
                async move { log.append(record(n)).await }
            })
        })
        .collect();
    for waiter in waiting {
        let error = waiter.await.unwrap().unwrap_err();
        assert!(error.to_string().contains("disk full"), "{error}");
    }
    assert!(!log.is_healthy());
    assert!(matches!(log.enqueue(record(3)).await, Err(AuditError::Unhealthy)));
    assert_eq!(verify(&pool).await.unwrap().rows, 2);

    run(&pool, "DROP TRIGGER disk_full;").await;
    let seq = log.append(record(4)).await.unwrap();
    assert!(log.is_healthy());
    log.flush().await;
    let entries = list(&pool, 2, 10, None).await.unwrap();
    assert!(
        entries.iter().any(|entry| entry.seq == seq && entry.body == json!({ "n": 4 })),
        "{entries:?}"
    );
    let resumed: Vec<_> = entries.iter().filter(|entry| entry.kind == "audit.resumed").collect();
    assert_eq!(resumed.len(), 1);
    assert_eq!(resumed[0].body["refused"], 8);
    let found = verify(&pool).await.unwrap();
    assert_eq!((found.rows, found.head, found.fault), (4, entries[1].hash.clone(), None));
}

#[tokio::test]
async fn rows_taken_before_an_outage_are_written_after_it_without_being_asked() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    run(&pool, &*DISK_FULL.replace("> 2", "> 0").leak()).await;
    log.enqueue(record(7)).await.unwrap();
    log.flush().await;
    assert!(!log.is_healthy());
    run(&pool, "DROP TRIGGER disk_full;").await;
    eventually("it does not resume", async || log.is_healthy()).await;
    let kinds: Vec<_> =
        list(&pool, 0, 10, None).await.unwrap().into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, ["decision", "audit.resumed"]);
}

#[tokio::test]
async fn a_second_writer_on_the_same_database_continues_the_same_chain() {
    let folder = tempfile::tempdir().unwrap();
    run(&file(&folder).await, SCHEMA).await;
    let server = start(&file(&folder).await).await.unwrap();
    let command_line = start(&file(&folder).await).await.unwrap();
    for n in 0..20 {
        let (a, b) = tokio::join!(server.append(record(n)), command_line.append(record(n)));
        assert_ne!(a.unwrap(), b.unwrap());
    }
    let Verification { rows, fault, .. } = verify(&file(&folder).await).await.unwrap();
    assert_eq!((rows, fault), (40, None));
}

#[tokio::test]
async fn a_running_log_notices_that_its_tail_was_removed_and_stops() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    for n in 1..=3 {
        log.append(record(n)).await.unwrap();
    }
    run(&pool, "DROP TRIGGER audit_rows_never_go; DELETE FROM audit WHERE seq = 3;").await;
    let error = log.append(record(4)).await.unwrap_err();
    assert!(matches!(error, AuditError::Tampered { seq: 3, .. }), "{error}");
    assert!(!log.is_healthy());
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_remove_a_row() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    log.append(record(1)).await.unwrap();
    for sql in ["UPDATE audit SET body = '{}'", "DELETE FROM audit"] {
        let error = sqlx::raw_sql(sql).execute(&pool).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

#[tokio::test]
async fn a_changed_row_is_named() {
    for sql in [
        "UPDATE audit SET body = '{\"n\":99}' WHERE seq = 5",
        "UPDATE audit SET at = '2020-01-01T00:00:00.000000Z' WHERE seq = 5",
        "UPDATE audit SET kind = 'outcome' WHERE seq = 5",
        "UPDATE audit SET org_id = 'org_2' WHERE seq = 5",
        "UPDATE audit SET agent_id = NULL WHERE seq = 5",
        "UPDATE audit SET actor = 'key_2' WHERE seq = 5",
        "UPDATE audit SET hash = zeroblob(32) WHERE seq = 5",
        "UPDATE audit SET hash = x'' WHERE seq = 5",
        "UPDATE audit SET prev_hash = zeroblob(32) WHERE seq = 5",
        "UPDATE audit SET kind = CAST(x'ff' AS TEXT) WHERE seq = 5",
    ] {
        let Verification { rows, fault, .. } = tampered(sql).await;
        let fault = fault.unwrap_or_else(|| panic!("not found: {sql}"));
        assert_eq!((rows, fault.seq), (4, 5), "{sql}: {}", fault.what);
        assert!(fault.what.contains("row 5 was changed"), "{}", fault.what);
    }
}

#[tokio::test]
async fn a_removed_row_is_named() {
    for (sql, seq, what) in [
        ("DELETE FROM audit WHERE seq = 1", 1, "row 1 was removed"),
        ("DELETE FROM audit WHERE seq = 5", 5, "row 5 was removed"),
        ("DELETE FROM audit WHERE seq BETWEEN 5 AND 7", 5, "rows 5 to 7 were removed"),
    ] {
        let fault = tampered(sql).await.fault.unwrap();
        assert_eq!((fault.seq, fault.what.as_str()), (seq, what));
    }
    // A gap that was closed by renumbering.
    let fault = tampered("DELETE FROM audit WHERE seq = 5; UPDATE audit SET seq = -seq WHERE seq > 5; UPDATE audit SET seq = -seq - 1 WHERE seq < 0")
        .await
        .fault
        .unwrap();
    assert_eq!(fault.seq, 5);
}

#[tokio::test]
async fn reordered_rows_are_named() {
    let Verification { rows, fault, .. } = tampered(
        "UPDATE audit SET seq = 100 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = 6; UPDATE audit SET seq = 6 WHERE seq = 100",
    )
    .await;
    let fault = fault.unwrap();
    assert_eq!((rows, fault.seq), (4, 5));
    assert!(fault.what.contains("moved here"), "{}", fault.what);
}

#[tokio::test]
async fn an_added_row_is_named() {
    for (sql, seq) in [
        (
            "INSERT INTO audit (seq, at, kind, org_id, agent_id, actor, body, prev_hash, hash) SELECT 11, at, kind, org_id, agent_id, actor, body, prev_hash, hash FROM audit WHERE seq = 10",
            11,
        ),
        (
            "INSERT INTO audit (seq, at, kind, org_id, agent_id, actor, body, prev_hash, hash) SELECT 0, at, kind, org_id, agent_id, actor, body, prev_hash, hash FROM audit WHERE seq = 1",
            0,
        ),
        (
            "INSERT INTO audit (seq, at, kind, org_id, agent_id, actor, body, prev_hash, hash) SELECT -9, at, kind, org_id, agent_id, actor, body, prev_hash, hash FROM audit WHERE seq = 1",
            0,
        ),
    ] {
        assert_eq!(tampered(sql).await.fault.unwrap().seq, seq, "{sql}");
    }
}

#[tokio::test]
async fn a_row_rewritten_with_a_fresh_hash_breaks_the_chain_at_the_next() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    for n in 1..=3 {
        log.append(record(n)).await.unwrap();
    }
    log.close().await;
    let rows = sqlx::query("SELECT * FROM audit WHERE seq = 2").fetch_all(&pool).await.unwrap();
    let mut row = <super::record::Stored as sqlx::FromRow<'_, _>>::from_row(&rows[0]).unwrap();
    row.body = r#"{"n":99}"#.to_owned();
    let hash = super::chain::Link::from(&row).hash();
    run(&pool, "DROP TRIGGER audit_rows_never_change;").await;
    sqlx::query("UPDATE audit SET body = ?1, hash = ?2 WHERE seq = 2")
        .bind(&row.body)
        .bind(&hash[..])
        .execute(&pool)
        .await
        .unwrap();
    let fault = verify(&pool).await.unwrap().fault.unwrap();
    assert_eq!(fault.seq, 3);
    assert!(fault.what.contains("one of the two was replaced"), "{}", fault.what);
}

#[tokio::test]
async fn an_empty_log_is_whole() {
    let empty = verify(&memory().await).await.unwrap();
    assert_eq!((empty.rows, empty.head, empty.fault), (0, "0".repeat(64), None));
}

#[tokio::test]
async fn pages_follow_one_another_and_an_agents_rows_can_be_picked() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    for n in 0..1_200 {
        log.enqueue(record(n)).await.unwrap();
    }
    log.flush().await;
    let numbers =
        |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.seq).collect::<Vec<_>>();
    assert_eq!(numbers(list(&pool, 0, 3, None).await.unwrap()), [1, 2, 3]);
    assert_eq!(numbers(list(&pool, 3, 2, None).await.unwrap()), [4, 5]);
    assert_eq!(numbers(list(&pool, 0, 3, Some("agt_1")).await.unwrap()), [2, 4, 6]);
    assert_eq!(list(&pool, 0, 0, None).await.unwrap().len(), 1);
    assert_eq!(list(&pool, 0, u32::MAX, None).await.unwrap().len(), 1_000);
    assert!(list(&pool, u64::MAX, 10, None).await.unwrap().is_empty());
    assert_eq!(verify(&pool).await.unwrap().rows, 1_200);
}

#[tokio::test]
async fn the_export_is_one_json_object_a_row_from_which_the_hash_can_be_made_again() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    for n in 0..1_100 {
        log.enqueue(record(n).body(json!({ "text": "é \" \\ \n", "b": [1.5, null], "a": n })))
            .await
            .unwrap();
    }
    log.flush().await;
    let mut out = Vec::new();
    export(&pool, &mut out).await.unwrap();
    let lines: Vec<serde_json::Value> = out
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 1_100);
    let mut prev_hash = super::chain::genesis("");
    for (seq, line) in (1_i64..).zip(&lines) {
        let body = serde_json_canonicalizer::to_string(&line["body"]).unwrap();
        let link = super::chain::Link {
            seq,
            prev_hash: &prev_hash,
            at: line["at"].as_str().unwrap(),
            kind: line["kind"].as_str().unwrap(),
            org_id: line["org_id"].as_str().unwrap(),
            agent_id: line["agent_id"].as_str(),
            actor: line["actor"].as_str(),
            body: &body,
        };
        prev_hash = link.hash();
        assert_eq!(line["hash"], hex::encode(&prev_hash));
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_and_leaves_the_log_healthy() {
    let pool = memory().await;
    let log = start(&pool).await.unwrap();
    let long = record(1).body(json!("x".repeat(MAX_BODY_BYTES)));
    assert!(matches!(log.append(long.clone()).await, Err(AuditError::TooLong { .. })));
    assert!(matches!(log.enqueue(long).await, Err(AuditError::TooLong { .. })));
    assert!(log.is_healthy());
}

#[tokio::test]
async fn a_database_without_the_table_is_refused_at_the_start() {
    let pool =
        SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    let error = start(&pool).await.unwrap_err();
    assert!(matches!(error, AuditError::Unreadable(_)), "{error}");
}
