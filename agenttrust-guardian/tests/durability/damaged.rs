//! A database that is damaged, of another program or too new, and a disk that is full: refused with what
//! to do, and denied rather than decided without a record.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use agenttrust_guardian::{Guardian, GuardianError};
use agenttrust_testkit::{ADMIN, eventually_within};
use serde_json::json;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::support::{Api, open_with};

/// The limit for a test that would hang.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(60);

async fn at(path: &Path) -> Api {
    open_with(|builder| builder.database(path.to_str().unwrap())).await
}

async fn open(path: &Path) -> Result<Guardian, GuardianError> {
    let builder = Guardian::builder().database(path.to_str().unwrap()).admin_key(ADMIN);
    builder.build().await
}

/// Returns why a Guardian does not take this file.
async fn refusal(path: &Path) -> String {
    let said = open(path).await.expect_err("it took the file").to_string();
    assert!(said.contains(path.to_str().unwrap()), "it does not say which file: {said}");
    said
}

async fn connection(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Returns the file of a Guardian that was used and closed.
async fn used(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("guardian.db");
    let api = at(&path).await;
    let (agent, key) = api.worker().await;
    for tool in ["send_mail", "db_delete", "db_drop"].repeat(10) {
        api.check(&key, &agent, tool).await.ok();
    }
    api.guardian.close().await;
    path
}

#[tokio::test]
async fn file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "this is no database, whatever its name says ".repeat(100);
    std::fs::write(&path, &text).unwrap();
    let said = refusal(&path).await;
    assert!(said.contains("is no SQLite database"), "{said}");
    assert!(said.contains("name another file"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn truncated_database_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = used(&folder).await;
    let whole = std::fs::read(&path).unwrap();
    for kept in [whole.len() / 2, whole.len() - 4_096, 4_096, 100] {
        std::fs::write(&path, &whole[..kept]).unwrap();
        let said = refusal(&path).await;
        assert!(said.contains("restore a backup"), "{kept} of {}: {said}", whole.len());
    }
    std::fs::write(&path, &whole).unwrap();
    open(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn database_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = used(&folder).await;
    let mut newer = connection(&path).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of tomorrow', TRUE, x'00', 0)",
    )
    .execute(&mut newer)
    .await
    .unwrap();
    newer.close().await.unwrap();
    let before = std::fs::read(&path).unwrap();
    let said = refusal(&path).await;
    assert!(said.contains("newer agenttrust"), "{said}");
    assert!(said.contains("upgrade this program or use another database"), "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn database_of_another_program_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for (name, tables) in [
        ("same", "CREATE TABLE agents (id TEXT)"),
        ("other", "CREATE TABLE recipes (id TEXT)"),
        (
            "migrated",
            "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, \
          description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \
          success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL); \
          INSERT INTO _sqlx_migrations VALUES (1, 'init', CURRENT_TIMESTAMP, TRUE, x'00', 0)",
        ),
    ] {
        let path = folder.path().join(name);
        let mut other = connection(&path).await;
        sqlx::raw_sql(tables).execute(&mut other).await.unwrap();
        let names = "SELECT group_concat(name) FROM sqlite_master";
        let before: String = sqlx::query_scalar(names).fetch_one(&mut other).await.unwrap();
        let said = refusal(&path).await;
        assert!(said.contains("another program"), "{name}: {said}");
        assert!(said.contains("use another database"), "{name}: {said}");
        let after: String = sqlx::query_scalar(names).fetch_one(&mut other).await.unwrap();
        assert_eq!(after, before, "{name}");
    }
}

#[tokio::test]
async fn damage_inside_is_refused_or_answered_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = used(&folder).await;
    let whole = std::fs::read(&path).unwrap();
    // Left as a Guardian goes on with it, it would refuse what is put back.
    let notes = folder.path().join("guardian.db.checkpoints");
    let noted = std::fs::read(&notes).unwrap();
    // The same damage every time.
    let mut random = 7_u64;
    let mut next = |bound: usize| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % bound
    };
    let (mut refused, mut served) = (0, 0);
    for round in 0..60 {
        let mut damaged = whole.clone();
        if round % 2 == 0 {
            let page = next(whole.len() / 4_096) * 4_096;
            damaged[page..page + 4_096].fill(0xa5);
        } else {
            for _ in 0..20 {
                damaged[next(whole.len())] ^= 1 << next(8);
            }
        }
        for side in ["db-wal", "db-shm"] {
            let _ = std::fs::remove_file(path.with_extension(side));
        }
        std::fs::write(&path, &damaged).unwrap();
        std::fs::write(&notes, &noted).unwrap();
        match open(&path).await {
            Err(error) => {
                let said = error.to_string();
                assert!(!said.contains("panicked"), "{round}: {said}");
                refused += 1;
            }
            Ok(guardian) => {
                let api = Api::new(guardian, Guardian::router);
                let agents = api.get("/api/v1/agents", ADMIN).await;
                let agent =
                    agents.body["agents"][0]["id"].as_str().unwrap_or("agt_none").to_owned();
                for tool in ["search", "send_mail", "db_delete"] {
                    let answer = api.check(ADMIN, &agent, tool).await;
                    assert!(matches!(answer.status.as_u16(), 200 | 404), "{round}: {answer:?}");
                }
                let verified = api.get("/api/v1/audit/verify", ADMIN).await;
                assert!(matches!(verified.status.as_u16(), 200 | 503), "{round}: {verified:?}");
                api.guardian.close().await;
                served += 1;
            }
        }
    }
    println!("refused {refused}, served {served}");
    assert!(refused >= 5 && served >= 5, "refused {refused}, served {served}");
}

/// A disk of its own; `None`, and says so, where none can be had.
pub(crate) struct Disk(TempDir);

impl Disk {
    pub(crate) fn or_skip(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "agenttrust-test"])
            .arg(folder.path())
            .output();
        match done {
            Ok(done) if done.status.success() => Some(Self(folder)),
            _ => {
                println!("skipped: no disk can be mounted here");
                None
            }
        }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn fill(&self) {
        let rest = self.0.path().join("rest");
        let full = std::fs::write(&rest, vec![0; 64 << 20]).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }

    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.0.path().join("rest")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a database that is still open goes with its last file.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn full_disk_at_the_start_is_refused_with_what_to_do() {
    let Some(disk) = Disk::or_skip("1m") else { return };
    disk.fill();
    let said = refusal(&disk.0.path().join("guardian.db")).await;
    assert!(said.contains("full"), "{said}");
}

/// Reads the database for as long as the connection lives. SQLite begins its log from the start only while no
/// connection reads from it, and a log that begins from the start has room on a disk that has none.
async fn reader(path: &Path) -> SqliteConnection {
    let mut reader = connection(path).await;
    for sql in ["BEGIN", "SELECT COUNT(*) FROM agents"] {
        sqlx::query(sql).execute(&mut reader).await.unwrap();
    }
    reader
}

/// Checks until a disk that is full is noticed: what was reserved in files that are there already may still
/// take a few rows.
async fn takes_nothing_more(api: &Api, agent: &str, key: &str) {
    let denied = async || api.check(key, agent, "send_mail").await.body["allowed"] != true;
    eventually_within(RECOVERY_TIMEOUT, "the disk takes everything", denied).await;
}

#[tokio::test]
async fn full_disk_denies_everything_says_so_and_heals() {
    let Some(disk) = Disk::or_skip("16m") else { return };
    let api = at(&disk.0.path().join("guardian.db")).await;
    let (agent, key) = api.worker().await;
    api.check(&key, &agent, "send_mail").await.allowed();
    let approved = api.check(&key, &agent, "db_delete").await.held();
    api.approve(ADMIN, &approved).await.ok();
    assert_eq!(api.get("/health", "").await.ok().text("status"), "healthy");

    let reader = reader(&disk.0.path().join("guardian.db")).await;
    disk.fill();
    takes_nothing_more(&api, &agent, &key).await;
    for tool in ["send_mail", "db_drop", "search"] {
        let denied = api.check(&key, &agent, tool).await;
        assert_eq!(denied.body["allowed"], false, "{denied:?}");
        assert_eq!(denied.body["elevation_required"], false, "{denied:?}");
        assert!(denied.text("reason").contains("try again when"), "{denied:?}");
    }
    // Approved, and not used by a denial that could not be recorded.
    assert_eq!(api.check(&key, &agent, "db_delete").await.body["allowed"], false);
    let health = api.get("/health", "").await;
    assert_ne!(health.text("status"), "healthy", "{health:?}");
    let rows = json!({ "name": "late", "capabilities": ["*"] });
    api.post("/api/v1/agents", ADMIN, rows).await.refused(503, "UNAVAILABLE");

    drop(reader);
    disk.make_room();
    let healed = async || api.check(&key, &agent, "send_mail").await.body["allowed"] == true;
    eventually_within(RECOVERY_TIMEOUT, "it does not heal", healed).await;
    api.check(&key, &agent, "search").await.allowed();
    assert_eq!(api.get("/health", "").await.ok().text("status"), "healthy");
    assert_eq!(api.audit("audit.resumed").await.len(), 1);
    api.audit_rows().await;
    api.guardian.close().await;
}

#[tokio::test]
async fn what_is_taken_back_on_a_full_disk_is_in_force_at_once_and_stored_when_there_is_room() {
    let Some(disk) = Disk::or_skip("16m") else { return };
    let path = disk.0.path().join("guardian.db");
    let api = at(&path).await;
    let (agent, key) = api.worker().await;
    let token = api.token(&agent, &["search"]).await;
    let keys = api.get("/api/v1/keys", ADMIN).await.ok();
    let mut keys = keys.body["keys"].as_array().unwrap().iter();
    let key_id =
        keys.find(|key| key["role"] == "agent").unwrap()["id"].as_str().unwrap().to_owned();
    let reader = reader(&path).await;
    disk.fill();
    takes_nothing_more(&api, &agent, &key).await;
    // Ten times what is promised.
    let (begun, promised) = (Instant::now(), Duration::from_secs(10));
    let revoke = format!("/api/v1/agents/{agent}/revoke");
    let revoked = api.post(&revoke, ADMIN, json!({ "reason": "a trial" })).await.ok();
    assert!(begun.elapsed() < promised, "{:?}", begun.elapsed());
    assert_eq!(revoked.body["durable"], false, "{revoked:?}");
    assert_eq!(api.get(&format!("/api/v1/agents/{agent}"), ADMIN).await.text("status"), "revoked");
    let introspected = json!({ "token": token });
    let introspected = api.post("/api/v1/agent-tokens/introspect", ADMIN, introspected).await.ok();
    assert_eq!(introspected.body["active"], false, "{introspected:?}");
    let path_of_key = format!("/api/v1/keys/{key_id}");
    let revoked = api.ask(axum::http::Method::DELETE, &path_of_key, ADMIN, None).await.ok();
    assert_eq!(revoked.body["durable"], false, "{revoked:?}");
    api.check(&key, &agent, "search").await.refused(401, "AUTH_FAILED");
    assert_eq!(api.get("/health", "").await.body["checks"]["revocations"], "degraded");

    drop(reader);
    disk.make_room();
    let stored = async || {
        api.post(&revoke, ADMIN, json!({})).await.ok().body["durable"] == true
            && api.get("/health", "").await.body["status"] == "healthy"
    };
    eventually_within(RECOVERY_TIMEOUT, "it is never stored", stored).await;
    for kind in ["agent.revoked", "key.revoked"] {
        let recorded = async || !api.audit(kind).await.is_empty();
        eventually_within(RECOVERY_TIMEOUT, format!("{kind} is never recorded"), recorded).await;
    }
    api.guardian.close().await;
    let api = at(&path).await;
    assert_eq!(api.get(&format!("/api/v1/agents/{agent}"), ADMIN).await.text("status"), "revoked");
    api.check(&key, &agent, "search").await.refused(401, "AUTH_FAILED");
    api.guardian.close().await;
}
