//! Being told to stop, and callers that are slow.

use std::process::Stdio;
use std::time::{Duration, Instant};

use agenttrust_testkit::eventually_within;
use agenttrust_testkit::postgres::Fresh;
use serde_json::{Value, json};
use sqlx::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::program::{LONG, Program, command, run, text};

fn database() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    (folder, database)
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(LONG, read).await.expect("it is not closed").unwrap();
    text(&answer)
}

#[tokio::test]
async fn requests_under_way_finish_and_what_they_did_is_in_the_audit() {
    let (_folder, database) = database();
    let mut program = Program::serve(&["--database", &database], &[]).await;
    let key = program.first_key();
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", &key, &create).await;
    let check = |tool: &str| json!({ "agent_id": agent["id"], "action_name": tool });
    let (_, held) = program.post("/api/v1/agenttrust/check", &key, &check("db_delete")).await;

    let body = check("read_late").to_string();
    let (begin, end) = body.split_at(20);
    let mut slow = TcpStream::connect(program.address).await.unwrap();
    let head = format!(
        "POST /api/v1/agenttrust/check HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\
         Content-Length: {}\r\n\r\n{begin}",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut waiting = TcpStream::connect(program.address).await.unwrap();
    let head = format!(
        "GET /mcp/approvals/{}?wait=60 HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n",
        held["approval_id"].as_str().unwrap()
    );
    waiting.write_all(head.as_bytes()).await.unwrap();
    // Both are read by now, as this one behind them is.
    assert_eq!(program.get("/health", "").await.status(), 200);
    tokio::time::sleep(Duration::from_millis(300)).await;

    program.signal("TERM");
    let waited = rest(&mut waiting).await;
    assert!(waited.starts_with("HTTP/1.1 200") && waited.contains("pending"), "{waited}");
    let closed = async || TcpStream::connect(program.address).await.is_err();
    eventually_within(LONG, "it still takes connections", closed).await;
    slow.write_all(end.as_bytes()).await.unwrap();
    let answer = rest(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"allowed\":true"), "{answer}");
    assert_eq!(program.ends().await.code(), Some(0));

    let exported = run(&["audit", "export", "--database", &database], &[]).await;
    let late = text(&exported.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .any(|row| row["kind"] == "decision" && row["body"]["tool"] == "read_late");
    assert!(late, "{}", text(&exported.stdout));
    assert!(run(&["audit", "verify", "--database", &database], &[]).await.status.success());
}

#[tokio::test]
async fn request_that_does_not_end_is_cut_off_and_the_program_ends_all_the_same() {
    let mut program = Program::serve(&["--dev"], &[]).await;
    let mut stuck = TcpStream::connect(program.address).await.unwrap();
    let head = "POST /api/v1/agents HTTP/1.1\r\nHost: localhost\r\nX-API-Key: sk_test_dev\r\n\
                Content-Length: 1000000\r\n\r\n";
    // So much of its body came that the rest has longer than the program does.
    let begun = [head.as_bytes(), &[b' '; 500_000]].concat();
    stuck.write_all(&begun).await.unwrap();
    assert_eq!(program.get("/health", "").await.status(), 200);
    tokio::time::sleep(Duration::from_millis(300)).await;
    program.signal("INT");
    assert_eq!(program.ends().await.code(), Some(0));
    program.logs("requests were still under way and are cut off").await;
    assert_eq!(rest(&mut stuck).await, "");
}

#[tokio::test]
async fn connection_that_never_says_what_it_wants_is_closed() {
    let program = Program::serve(&["--dev"], &[]).await;
    let mut silent = TcpStream::connect(program.address).await.unwrap();
    let mut slow = TcpStream::connect(program.address).await.unwrap();
    slow.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-").await.unwrap();
    let drip = async {
        // A byte now and then gains no time.
        while slow.write_all(b"y").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(LONG, drip).await.expect("a slow head is read for ever");
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(program.get("/health", "").await.status(), 200);
}

#[tokio::test]
async fn clean_stop_with_postgres_warns_of_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let audit_key = folder.path().join("audit.key");
    let arguments = ["--replica", "one", "--audit-key", audit_key.to_str().unwrap(), "--database"];
    for _ in 0..3 {
        let Some(database) = Fresh::or_skip() else { return };
        let secret_key = ("AGENTTRUST_SECRET_KEY", &*"0f1e".repeat(16));
        let url = database.url();
        let mut program = Program::serve(&[&arguments[..], &[&url]].concat(), &[secret_key]).await;
        let key = program.first_key();
        let create = json!({ "name": "w", "capabilities": ["*"] });
        let (_, agent) = program.post("/api/v1/agents", &key, &create).await;
        let check = json!({ "agent_id": agent["id"], "action_name": "send_mail" });
        for _ in 0..5 {
            let (_, answer) = program.post("/api/v1/agenttrust/check", &key, &check).await;
            assert_eq!(answer["allowed"], true, "{answer}");
        }
        program.signal("TERM");
        assert_eq!(program.ends().await.code(), Some(0));
        let log = program.log();
        let troubled = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
        let troubles: Vec<&str> = log.lines().filter(troubled).collect();
        assert!(troubles.is_empty(), "{troubles:#?}");
    }
}

#[tokio::test]
async fn first_key_is_shown_though_the_program_is_told_to_stop_once_it_is_kept() {
    let (_folder, database) = database();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--database", &database];
    let mut command = command(&arguments, &[]);
    let program = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let is_kept = async || {
        let url = format!("sqlite://{database}?mode=ro");
        let Ok(mut reading) = sqlx::SqliteConnection::connect(&url).await else { return false };
        let kept = sqlx::query("SELECT 1 FROM keys").fetch_optional(&mut reading).await;
        kept.is_ok_and(|row| row.is_some())
    };
    let begun = Instant::now();
    while !is_kept().await {
        assert!(begun.elapsed() < LONG, "no key is kept");
    }
    let id = program.id().unwrap().to_string();
    std::process::Command::new("kill").args(["-s", "TERM", &id]).status().unwrap();
    let ended = tokio::time::timeout(LONG, program.wait_with_output()).await.unwrap().unwrap();
    assert!(text(&ended.stdout).contains("sk_live_"), "{ended:?}");
    assert_eq!(ended.status.code(), Some(0));
}
