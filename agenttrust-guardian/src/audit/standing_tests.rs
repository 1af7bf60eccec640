//! A log and a file of an earlier version, which knew no identity, and what becomes of them.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::checkpoint::CheckpointKind;
use super::super::checkpoint_file::CheckpointFile;
use super::super::key::AuditKey;
use super::super::record::Record;
use super::super::trust::Trust;
use super::super::verify::verify_all;
use super::*;
use crate::audit::AuditLog;
use crate::store::{Database, Db, Store, query};

/// The rows that an earlier version left, and its checkpoint of the last one, in the database and the file.
struct Earlier {
    _folder: tempfile::TempDir,
    _store: Store,
    db: Db,
    file: PathBuf,
    key: AuditKey,
}

impl Earlier {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("at.checkpoints");
        let key = AuditKey::at(&folder.path().join("at.audit-key")).unwrap();
        let store = Store::open(&Database::Memory).await.unwrap();
        let db = store.db();
        let log = AuditLog::start(db.clone(), String::new(), Arc::default(), None).await.unwrap();
        for _ in 0..3 {
            log.append(Record::new("decision", "org_1")).await.unwrap();
        }
        log.close().await;
        let mut transaction = db.begin().await.unwrap();
        let head = Head::load(&mut transaction, "").await.unwrap();
        let at = "2026-01-02T03:04:05.000006Z".to_owned();
        let signed =
            Checkpoint::sign(&key, CheckpointKind::Reached, ("", None), (head.seq, head.hash), at);
        signed.keep(&mut transaction).await.unwrap();
        transaction.commit().await.unwrap();
        CheckpointFile::open(&file).unwrap().add(&signed).unwrap();
        Self { _folder: folder, _store: store, db, file, key }
    }

    async fn start(&self) -> Result<AuditLog, AuditError> {
        let file = CheckpointFile::open(&self.file).unwrap();
        let signing = Signing::new(self.key.clone(), Some(file));
        AuditLog::start(self.db.clone(), String::new(), Arc::default(), Some(signing)).await
    }

    /// Returns the identities that the lines of the file name.
    fn named(&self) -> Vec<Option<String>> {
        let text = std::fs::read_to_string(&self.file).unwrap();
        let line = |line: &str| serde_json::from_str::<Checkpoint>(line).unwrap().log_id;
        text.lines().map(line).collect()
    }
}

#[tokio::test]
async fn log_of_an_earlier_version_is_taken_over_once_and_named_from_then_on() {
    let earlier = Earlier::new().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let log = earlier.start().await.unwrap();
        log.append(Record::new("decision", "org_1")).await.unwrap();
        let trust = Trust { own: Some(log.own("")), ..Trust::default() };
        let found = verify_all(&earlier.db, &trust).await.unwrap();
        assert_eq!(found[0].fault, None);
        log.close().await;
        ids.push(earlier.named().pop().unwrap().expect("it names its log"));
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(earlier.named()[0], None);
    let noted = CheckpointFile::open(&earlier.file).unwrap().read(&[]).unwrap().logs;
    let trust = Trust { keys: vec![earlier.key.public()], noted, ..Trust::default() };
    let found = verify_all(&earlier.db, &trust).await.unwrap();
    assert_eq!((found[0].rows, found[0].fault.as_ref()), (5, None));
}

#[tokio::test]
async fn rows_that_a_command_of_an_earlier_version_added_stay_valid() {
    let earlier = Earlier::new().await;
    let command = AuditLog::start(earlier.db.clone(), String::new(), Arc::default(), None).await;
    let command = command.unwrap();
    command.append(Record::new("key.created", "org_1")).await.unwrap();
    command.append(Record::new("key.revoked", "org_1")).await.unwrap();
    command.close().await;
    for _ in 0..2 {
        let log = earlier.start().await.unwrap();
        log.append(Record::new("decision", "org_1")).await.unwrap();
        log.close().await;
    }
    // From there on each row has to be somebody's.
    let command = AuditLog::start(earlier.db.clone(), String::new(), Arc::default(), None).await;
    let command = command.unwrap();
    command.append(Record::new("key.created", "org_1")).await.unwrap();
    command.close().await;
    let refused = earlier.start().await.unwrap_err();
    assert!(matches!(refused, AuditError::Added { first: 8, last: 8, .. }), "{refused}");
}

#[tokio::test]
async fn log_of_an_earlier_version_that_lacks_what_was_noted_is_not_taken_over() {
    let earlier = Earlier::new().await;
    query("DROP TRIGGER audit_rows_never_go").execute(&earlier.db).await.unwrap();
    query("DELETE FROM audit WHERE seq = 3").execute(&earlier.db).await.unwrap();
    query("DROP TRIGGER audit_checkpoints_never_go").execute(&earlier.db).await.unwrap();
    query("DELETE FROM audit_checkpoints").execute(&earlier.db).await.unwrap();
    let refused = earlier.start().await.unwrap_err();
    assert!(matches!(refused, AuditError::Truncated { seq: 3, .. }), "{refused}");
}

#[tokio::test]
async fn database_that_no_guardian_of_this_version_opened_is_verified() {
    let earlier = Earlier::new().await;
    for table in ["audit_checkpoints", "audit_cuts"] {
        let drop = format!("ALTER TABLE {table} DROP COLUMN log_id");
        query(drop.leak()).execute(&earlier.db).await.unwrap();
    }
    let noted = CheckpointFile::open(&earlier.file).unwrap().read(&[]).unwrap().logs;
    let trust = Trust { keys: vec![earlier.key.public()], noted, ..Trust::default() };
    let found = verify_all(&earlier.db, &trust).await.unwrap();
    assert_eq!((found[0].signed, found[0].fault.as_ref()), (Some(3), None));
}

#[tokio::test]
async fn log_is_known_by_its_file_when_its_own_checkpoints_are_gone() {
    let earlier = Earlier::new().await;
    let log = earlier.start().await.unwrap();
    log.append(Record::new("decision", "org_1")).await.unwrap();
    log.close().await;
    let named = earlier.named().pop().unwrap();
    query("DROP TRIGGER audit_checkpoints_never_go").execute(&earlier.db).await.unwrap();
    query("DELETE FROM audit_checkpoints").execute(&earlier.db).await.unwrap();
    let log = earlier.start().await.unwrap();
    log.append(Record::new("decision", "org_1")).await.unwrap();
    log.close().await;
    assert_eq!(earlier.named().pop().unwrap(), named);
}
