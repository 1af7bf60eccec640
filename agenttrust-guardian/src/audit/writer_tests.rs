//! What becomes of a commit that was asked for and not answered.

use serde_json::{Value, json};

use super::*;
use crate::audit::verify::verify;
use crate::audit::{Record, Trust, list};
use crate::store::{Database, Store, query};

/// Returns a writer to which no program sends, and its database.
async fn writer() -> (Writer, Store) {
    let store = Store::open(&Database::Memory).await.unwrap();
    let (_, messages) = mpsc::channel(1);
    let last = watch::Sender::new(Head { seq: 0, hash: super::super::chain::genesis("one") });
    let end = WriterEnd { messages, shared: Arc::default(), last };
    let writer = Writer::new(store.db(), "one".to_owned(), Arc::default(), end, None);
    (writer, store)
}

fn row(n: u64) -> Row {
    Record::new("decision", "org_1").body(json!({ "n": n })).try_into().unwrap()
}

/// Lets the writer go on as if the database had not answered the commit of these rows, of which two are in the
/// backlog.
fn forget(writer: &mut Writer, before: Head, head: Head) {
    writer.last.send_replace(before);
    writer.uncertain_commit = Some(UncertainCommit { before, head, backlog: Some(2) });
    writer.backlog = [1, 2].map(|n| Waiting { row: row(n), answer: None, _room: None }).into();
    writer.failed(&AuditError::Silent, &[]);
}

async fn bodies(writer: &Writer) -> Vec<Value> {
    let found = verify(&writer.db, "one", &Trust::default(), None).await.unwrap();
    assert_eq!(found.fault, None);
    let rows = list(&writer.db, "one", 0, 100, None).await.unwrap();
    rows.into_iter().map(|row| row.body).collect()
}

#[tokio::test]
async fn rows_of_a_commit_that_was_done_and_not_answered_are_written_once() {
    let (mut writer, _store) = writer().await;
    let before = *writer.last.borrow();
    let rows = [row(1), row(2), row(3)];
    writer.commit(rows.iter(), false).await.unwrap();
    let head = *writer.last.borrow();
    forget(&mut writer, before, head);
    let late = Waiting { row: row(4), answer: None, _room: None };
    writer.handle(&mut vec![Message::Write(late)], &mut Vec::new(), false).await;
    let bodies = bodies(&writer).await;
    assert_eq!(bodies[..4], [json!({"n": 1}), json!({"n": 2}), json!({"n": 3}), json!({"n": 4})]);
    assert_eq!(bodies[4]["written_unanswered"], json!({ "first": 1, "last": 3 }));
    assert_eq!(bodies.len(), 5);
}

#[tokio::test]
async fn backlog_rows_of_a_commit_that_was_not_done_are_written_once() {
    let (mut writer, _store) = writer().await;
    let before = *writer.last.borrow();
    forget(&mut writer, before, Head { seq: 3, hash: [7; 32] });
    writer.handle(&mut Vec::new(), &mut Vec::new(), false).await;
    let bodies = bodies(&writer).await;
    assert_eq!(bodies[..2], [json!({"n": 1}), json!({"n": 2})]);
    assert_eq!(bodies[2]["written_unanswered"], Value::Null);
    assert_eq!(bodies.len(), 3);
}

#[tokio::test]
async fn more_than_one_transaction_takes_is_written_in_several() {
    let (mut writer, _store) = writer().await;
    writer.failed(&AuditError::Silent, &[]);
    writer.most = 8;
    writer.backlog = (1..=50).map(|n| Waiting { row: row(n), answer: None, _room: None }).collect();
    writer.handle(&mut Vec::new(), &mut Vec::new(), false).await;
    assert!(writer.backlog.is_empty() && writer.shared.healthy.load(Ordering::Relaxed));
    assert_eq!(writer.most, 64, "8, 16 and 26 rows, and the notice with the last");
    let bodies = bodies(&writer).await;
    assert_eq!(bodies[..50], (1..=50).map(|n| json!({ "n": n })).collect::<Vec<_>>());
    assert_eq!(bodies.len(), 51);
}

#[tokio::test]
async fn slow_database_is_given_less_at_once() {
    let (mut writer, store) = writer().await;
    store.close().await;
    writer.backlog =
        (1..=300).map(|n| Waiting { row: row(n), answer: None, _room: None }).collect();
    for most in [256, 128, 64, 32, 16, 8, 8] {
        writer.handle(&mut Vec::new(), &mut Vec::new(), false).await;
        assert_eq!((writer.most, writer.backlog.len()), (most, 300));
    }
}

#[tokio::test]
async fn last_row_whose_body_was_changed_is_seen_at_the_next_checkpoint() {
    let (mut writer, store) = writer().await;
    let rows = [row(1), row(2)];
    writer.commit(rows.iter(), false).await.unwrap();
    let db = store.db();
    query("DROP TRIGGER audit_rows_never_change").execute(&db).await.unwrap();
    // Its hash is as it was.
    query("UPDATE audit SET body = '{}' WHERE seq = 2").execute(&db).await.unwrap();
    let refused = writer.commit([row(3)].iter(), true).await.unwrap_err();
    assert!(matches!(refused, AuditError::Tampered { seq: 2, .. }), "{refused}");
}

#[tokio::test]
async fn rows_that_a_trigger_drops_are_not_taken_for_written() {
    const DROPS: &str =
        "CREATE TRIGGER drops BEFORE INSERT ON audit BEGIN SELECT RAISE(IGNORE); END";
    for sign in [false, true] {
        let (mut writer, _store) = writer().await;
        writer.commit([row(1)].iter(), sign).await.unwrap();
        let mut transaction = writer.db.begin().await.unwrap();
        query(DROPS).execute(&mut transaction).await.unwrap();
        transaction.commit().await.unwrap();
        let refused = writer.commit([row(2)].iter(), sign).await.unwrap_err();
        assert!(refused.to_string().contains("look for a trigger"), "{refused}");
    }
}

#[tokio::test]
async fn row_of_another_log_in_a_database_file_is_not_taken_for_the_last_one() {
    let store = Store::open(&Database::Memory).await.unwrap();
    let (_, messages) = mpsc::channel(1);
    let last = watch::Sender::new(Head { seq: 0, hash: super::super::chain::genesis("") });
    let end = WriterEnd { messages, shared: Arc::default(), last };
    let mut writer = Writer::new(store.db(), String::new(), Arc::default(), end, None);
    writer.commit([row(1)].iter(), false).await.unwrap();
    let mut transaction = writer.db.begin().await.unwrap();
    let foreign = "INSERT INTO audit (log, seq, at, kind, org_id, body, prev_hash, hash) \
                   SELECT 'x', 1000000, at, kind, org_id, body, prev_hash, hash FROM audit";
    query(foreign).execute(&mut transaction).await.unwrap();
    query("DROP TRIGGER audit_rows_never_go").execute(&mut transaction).await.unwrap();
    query("DELETE FROM audit WHERE seq = 1").execute(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
    let refused = writer.commit([row(2)].iter(), false).await.unwrap_err();
    assert!(matches!(refused, AuditError::Tampered { .. }), "{refused}");
}
