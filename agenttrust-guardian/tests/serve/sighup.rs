//! SIGHUP: it ends nothing that is served, and reads again what can change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use agenttrust_testkit::eventually_within;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::program::{DEV_KEY, LONG, Program, text};

/// A file of settings.
struct Settings {
    _folder: TempDir,
    path: PathBuf,
}

impl Settings {
    fn new(toml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Self { path: folder.path().join("guardian.toml"), _folder: folder };
        settings.put(toml);
        settings
    }

    fn put(&self, toml: &str) {
        std::fs::write(&self.path, toml).unwrap();
    }

    async fn serve(&self) -> Program {
        Program::serve(&["--dev", "--config", self.path.to_str().unwrap()], &[]).await
    }
}

/// Sends a SIGHUP, and waits until all was read again.
async fn send_sighup(program: &Program) {
    let read = "SIGHUP was seen to";
    let before = program.log().matches(read).count();
    program.signal("HUP");
    let done = async || program.log().matches(read).count() > before;
    eventually_within(LONG, "SIGHUP is not followed", done).await;
}

#[tokio::test]
async fn sighup_without_tls_ends_neither_the_program_nor_what_is_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db");
    let mut program = Program::serve(&["--database", database.to_str().unwrap()], &[]).await;
    let key = program.first_key();
    let body = json!({ "name": "w", "capabilities": ["*"] }).to_string();
    let (begin, end) = body.split_at(10);
    let head = format!(
        "POST /api/v1/agents HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{begin}",
        body.len()
    );
    let mut slow = TcpStream::connect(program.address).await.unwrap();
    slow.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(program.get("/health", "").await.status(), 200);
    for _ in 0..3 {
        send_sighup(&program).await;
    }
    slow.write_all(end.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = slow.read_to_end(&mut answer);
    tokio::time::timeout(LONG, read).await.unwrap().unwrap();
    assert!(text(&answer).starts_with("HTTP/1.1 201"), "{}", text(&answer));
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}

#[tokio::test]
async fn sighup_takes_over_the_settings_that_can_change_and_names_those_that_cannot() {
    let settings = Settings::new("log = \"warn\"\nmax-connections = 16\napproval-ttl = \"5m\"\n");
    let program = settings.serve().await;
    settings.put(
        "log = \"info,agenttrust_guardian=debug\"\nmax-connections = 40\napproval-ttl = \"6m\"\n",
    );
    program.signal("HUP");
    program.logs("approval-ttl").await;
    let log = program.log();
    let told = log.lines().find(|line| line.contains("approval-ttl")).unwrap();
    assert!(told.contains("WARN") && told.contains("next start"), "{told}");
    assert!(!told.contains("max-connections") && !told.contains("log,"), "{told}");
    // More connections are open than there were places.
    let mut open = Vec::new();
    for _ in 0..30 {
        open.push(TcpStream::connect(program.address).await.unwrap());
    }
    let taken = async || {
        let numbers = program.get("/metrics", DEV_KEY).await.text().await.unwrap();
        numbers.lines().any(|line| {
            let open = line.strip_prefix("agenttrust_connections ");
            open.is_some_and(|open| open.parse::<f64>().unwrap() > 30.0)
        })
    };
    eventually_within(LONG, "there is no room", taken).await;
    // And what is logged now was not before.
    let begun = async || program.log().contains("INFO");
    eventually_within(LONG, "the log stays as it was", begun).await;
}

#[tokio::test]
async fn sighup_with_settings_that_cannot_be_read_says_so_and_keeps_what_was() {
    let settings = Settings::new("log = \"info\"\n");
    let program = settings.serve().await;
    for (wrong, says) in [
        ("log = [", "guardian.toml"),
        ("lgo = \"debug\"\n", "lgo"),
        ("log = \"a=b=c\"\n", "no filter"),
        ("max-connections = 3\n", "max-connections is 3"),
    ] {
        settings.put(wrong);
        let before = program.log().len();
        send_sighup(&program).await;
        let log = program.log().split_off(before);
        let told = log.lines().find(|line| line.contains("the settings stay as they are"));
        let told = told.unwrap_or_else(|| panic!("{wrong}: {log}"));
        assert!(told.contains("WARN") && told.contains(says), "{told}");
        assert_eq!(program.get("/health", "").await.status(), 200);
    }
    std::fs::remove_file(&settings.path).unwrap();
    send_sighup(&program).await;
    assert_eq!(program.log().matches("the settings stay as they are").count(), 5);
}

fn permit(folder: &Path, tool: &str) {
    let policy = format!(r#"@id("one") permit (principal, action, resource == Tool::"{tool}");"#);
    std::fs::write(folder.join("one.cedar"), policy).unwrap();
}

#[tokio::test]
async fn sighup_reads_the_policies_and_keeps_them_where_they_are_not_valid() {
    let folder = tempfile::tempdir().unwrap();
    permit(folder.path(), "first");
    let arguments = ["--dev", "--policies", folder.path().to_str().unwrap()];
    let program = Program::serve(&arguments, &[]).await;
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", DEV_KEY, &create).await;
    let allowed = async |tool: &str| {
        let check = json!({ "agent_id": agent["id"], "action_name": tool });
        program.post("/api/v1/agenttrust/check", DEV_KEY, &check).await.1["allowed"] == true
    };
    assert!(allowed("first").await && !allowed("second").await);
    permit(folder.path(), "second");
    // A folder that is still being written to is refused; then it is read a moment later.
    tokio::time::sleep(Duration::from_millis(50)).await;
    send_sighup(&program).await;
    let over = async || allowed("second").await && !allowed("first").await;
    eventually_within(LONG, "the policies are those of before", over).await;
    std::fs::write(folder.path().join("one.cedar"), "permit (").unwrap();
    send_sighup(&program).await;
    program.logs("the policies stay as they are").await;
    assert!(allowed("second").await);
}
