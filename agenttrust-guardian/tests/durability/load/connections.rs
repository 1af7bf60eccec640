//! Floods of connections that come to nothing.

use std::time::Duration;

use agenttrust_testkit::eventually_within;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::load::organisation::{Organisation, connected, number};
use crate::program::{LONG, Program};

/// Ten times what a caller is promised who has nothing to do with a flood.
const ANSWERED: Duration = Duration::from_secs(20);

/// Floods with connections that send this and nothing more, while a caller of another organisation is
/// answered by new connections, one after the other.
async fn others_are_answered(program: &Program, count: usize, sent: &[u8]) -> Vec<TcpStream> {
    let organisation = Organisation::new(program, "org_other").await;
    let flood = async {
        let mut open = Vec::new();
        for _ in 0..count {
            // One that was sent too much before it was closed is part of the flood, too.
            open.extend(connected(program, sent).await.ok());
        }
        open
    };
    let asks = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..40 {
            slowest = slowest.max(organisation.is_answered(program).await);
        }
        slowest
    };
    let (open, during) = tokio::join!(flood, asks);
    let after = organisation.is_answered(program).await;
    println!("{count} connections: the slowest answer took {during:?}, and {after:?} afterwards");
    assert!(during < ANSWERED && after < ANSWERED, "{during:?} {after:?}");
    open
}

async fn is_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut rest)).await;
    // Closed, or closed while bytes were still on the way.
    let _ = read.expect("it is not closed");
}

#[tokio::test]
async fn idle_connections_make_room_where_few_files_may_be_open() {
    let program = Program::serve_with_files(256, &["--dev", "--listen", "127.0.0.1:0"]).await;
    let mut open = others_are_answered(&program, 400, b"").await;
    is_closed(&mut open[0]).await;
    assert!(number(&program, "agenttrust_connections_closed_for_room_total").await > 200.0);
    assert!(number(&program, "agenttrust_connections").await <= 160.0);
    assert!(!program.log().contains("no more files"), "{}", program.log());
}

#[tokio::test]
async fn ten_thousand_connections_that_send_one_byte_delay_nobody() {
    let program = Program::serve(&["--dev"], &[]).await;
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = usize::try_from(files.saturating_sub(800)).unwrap().min(10_000);
    drop(others_are_answered(&program, count, b"G").await);
}

#[tokio::test]
async fn heads_that_never_end_take_a_bounded_room() {
    let program = Program::serve(&["--dev"], &[]).await;
    let before = program.status("VmHWM:");
    let head =
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: {}", "y".repeat(60 << 10));
    let open = others_are_answered(&program, 2_000, head.as_bytes()).await;
    let more = (program.status("VmHWM:") - before) / 1_024;
    println!("{} heads of 60 KiB: {more} MiB more", open.len());
    // 120 MiB were sent.
    assert!(more < 100, "{more} MiB");
}

#[tokio::test]
async fn where_every_connection_is_busy_a_new_one_is_told_so() {
    let program = Program::serve(&["--dev", "--max-connections", "16"], &[]).await;
    let organisation = Organisation::new(&program, "org_other").await;
    let waits = format!(
        "GET /mcp/approvals/{}?wait=60 HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {}\r\n\r\n",
        organisation.held(&program).await,
        organisation.key
    );
    let mut busy = Vec::new();
    while busy.len() < 16 {
        busy.push(connected(&program, waits.as_bytes()).await.unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let answer = program.get("/health", "").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert_eq!(answer.headers()["agenttrust-guardian"], "1");
    let body: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(body["error"], "UNAVAILABLE");
    drop(busy.pop());
    let freed = async || program.get("/health", "").await.status() == 200;
    eventually_within(LONG, "there is no room again", freed).await;
}

#[tokio::test]
async fn running_out_of_files_is_said_and_shuts_nobody_out() {
    let program = Program::serve(&["--dev"], &[]).await;
    let organisation = Organisation::new(&program, "org_other").await;
    let open = std::fs::read_dir(format!("/proc/{}/fd", program.id())).unwrap().count();
    let few = Some(u64::try_from(open + 30).unwrap());
    let id = Pid::from_raw(i32::try_from(program.id()).unwrap());
    prlimit(id, Resource::Nofile, Rlimit { current: few, maximum: few }).unwrap();
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(connected(&program, b"").await.unwrap());
    }
    program.logs("no more files can be opened").await;
    assert!(program.log().contains("WARN"), "{}", program.log());
    for _ in 0..10 {
        assert!(organisation.is_answered(&program).await < ANSWERED);
    }
    assert_eq!(program.log().matches("no more files").count(), 1, "{}", program.log());
}

#[tokio::test]
async fn limits_that_are_none_are_refused_at_the_start() {
    for (setting, value, says) in [
        (
            "--trust-domain",
            "A b",
            "trust-domain is \"A b\"; give it 1 to 255 letters in lower case",
        ),
        ("--max-requests", "0", "max-requests is 0; give a number from 16"),
        ("--max-requests", "99999999", "give a number from 16 to 1000000"),
        ("--max-requests", "many", "is \"many\", which is no whole number"),
        ("--mcp-hold", "0s", "is \"0s\", which is no time span"),
        ("--mcp-hold", "11m", "a held call waits for 600s at most"),
        ("--mcp-timeout", "2h", "mcp-timeout is 7200s; give a time from 100ms to 3600s"),
        ("--max-connections", "0", "max-connections is 0; give a number from 16"),
        ("--max-connections", "1000000", "ulimit -n"),
    ] {
        let said = crate::program::refused(&["--database", "memory", setting, value], &[]).await;
        assert!(said.contains(says), "{said}");
    }
}

#[tokio::test]
async fn callers_that_take_no_answer_on_http2_hold_nobodys_place() {
    let program = Program::serve(&["--dev", "--max-connections", "16"], &[]).await;
    // The preface, settings with a window of nothing, and one `GET /` that is answered 404.
    let mut asks = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    asks.extend(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00");
    asks.extend(b"\x00\x00\x06\x01\x05\x00\x00\x00\x01\x82\x86\x84\x41\x01x");
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(connected(&program, &asks).await.unwrap());
    }
    // Long before they would be closed for that alone.
    let room = async || program.get("/health", "").await.status() == 200;
    eventually_within(ANSWERED, "there is no room for others", room).await;
    assert!(number(&program, "agenttrust_connections_closed_for_room_total").await > 0.0);
    // And every one of them is closed in the end.
    for stream in &mut held {
        is_closed(stream).await;
    }
}
