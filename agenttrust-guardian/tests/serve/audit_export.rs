//! An export whose reader stops reading, over a real socket: it keeps no one else waiting.

use agenttrust_testkit::ADMIN;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::program::Program;

/// The number of exports that are not read: more than read at the same time.
const UNREAD: usize = 9;
/// The number of agents that are registered, each a row of 15 KB.
const AGENTS: usize = 300;

/// Begins an export, and reads no more than its first bytes.
async fn begin(program: &Program, key: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(program.address).await.unwrap();
    let head =
        format!("GET /api/v1/audit/export HTTP/1.1\r\nhost: localhost\r\nx-api-key: {key}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 15];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200 OK");
    stream
}

async fn key(program: &Program) -> String {
    let (status, key) = program.post("/api/v1/keys", ADMIN, &json!({ "role": "auditor" })).await;
    assert_eq!(status, 201, "{key}");
    key["key"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_that_are_not_read_keep_no_export_and_no_verification_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db");
    let arguments = ["--database", database.to_str().unwrap()];
    let program = Program::serve(&arguments, &[("AGENTTRUST_ADMIN_KEY", ADMIN)]).await;
    // More than all buffers on the way hold.
    let long = |n: usize| format!("{n}:{}", "x".repeat(180));
    for n in 0..AGENTS {
        let capabilities: Vec<String> = (0..80).map(long).collect();
        let body = json!({ "name": format!("agent {n}"), "capabilities": capabilities });
        assert_eq!(program.post("/api/v1/agents", ADMIN, &body).await.0, 201);
    }
    let mut unread = Vec::new();
    let mut one = String::new();
    for _ in 0..UNREAD {
        one = key(&program).await;
        unread.push(begin(&program, &one).await);
    }
    // Another's, and another of the same key.
    for key in [key(&program).await, one] {
        let exported = program.get("/api/v1/audit/export", &key).await;
        assert_eq!(exported.status(), 200);
        let text = exported.text().await.unwrap();
        let rows = text.lines().filter(|line| line.contains("\"agent.created\"")).count();
        assert_eq!(rows, AGENTS);
    }
    assert_eq!(program.read("/api/v1/audit/verify", ADMIN).await["ok"], true);
    // Its reader comes back, and gets the rest.
    let mut stream = unread.pop().unwrap();
    let mut rest = Vec::new();
    let ends = b"\r\n0\r\n\r\n";
    while !rest.ends_with(ends) {
        let mut piece = [0; 64 << 10];
        let read = stream.read(&mut piece).await.unwrap();
        assert_ne!(read, 0, "it was cut off after {} bytes", rest.len());
        rest.extend_from_slice(&piece[..read]);
    }
    let count = rest.windows(15).filter(|part| part == b"\"agent.created\"").count();
    assert_eq!(count, AGENTS);
}

#[test]
fn command_that_finds_no_database_says_what_it_reads_and_how_a_guardian_is_asked() {
    for (arguments, address) in [
        (&["tail"][..], "/api/v1/audit\""),
        (&["verify"], "/api/v1/audit/verify\""),
        (&["export"], "/api/v1/audit/export\""),
    ] {
        let of = |url: &str| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_agenttrust"));
            command.arg("audit").args(arguments).env_clear().current_dir("/");
            let output = command.env("AGENTTRUST_URL", url).output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            crate::program::text(&output.stderr)
        };
        let reads = "this command reads the database itself and asks no Guardian";
        let said = of("http://127.0.0.1:9");
        assert!(said.contains("there is no such file") && said.contains(reads), "{said}");
        let curl =
            format!("curl -sS \"$AGENTTRUST_URL{address} -H \"X-API-Key: $AGENTTRUST_API_KEY\"");
        assert!(said.contains(&curl), "{said}");
        let said = of("");
        assert!(said.contains(reads) && !said.contains("curl"), "{said}");
    }
}
