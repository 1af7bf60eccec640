//! Bodies that are too long, that break off or do not come.

use std::time::Duration;

use bytes::Bytes;
use http::Version;
use serde_json::{Value, json};

use crate::connection::{Connection, VERSIONS, in_pieces, post, raw};
use crate::guardian::Script;
use crate::mcp::guarded_server::{GuardedServer, tools_call};
use crate::mcp::messages::{Bad, INVALID_REQUEST, all_refused};

const MIB: usize = 1024 * 1024;

/// Returns a good call that is exactly so long.
fn of_length(length: usize) -> Bytes {
    let call =
        |padding: usize| tools_call(7, "good", json!({ "a": "x".repeat(padding) })).to_string();
    call(length - call(0).len()).into()
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_a_length_and_without() {
    let server = GuardedServer::open(Script::Allow).await;
    let mut bad = Vec::new();
    for length in [MIB + 1, 2 * MIB, 10 * MIB] {
        let text = of_length(length);
        let whole = text.clone();
        bad.push(Bad::request(
            &format!("{length} bytes"),
            (413, INVALID_REQUEST),
            Value::Null,
            move || post(whole.clone()),
        ));
        bad.push(Bad::request(
            &format!("{length} bytes in pieces"),
            (413, INVALID_REQUEST),
            Value::Null,
            move || post("").map(|_| in_pieces(&text)),
        ));
    }
    all_refused(&server, &bad).await;
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_taken_whole_or_in_pieces() {
    let server = GuardedServer::open(Script::Allow).await;
    let text = of_length(MIB);
    for version in VERSIONS {
        let mut connection = Connection::open(server.address, version).await;
        for request in [post(text.clone()), post("").map(|_| in_pieces(&text))] {
            let reply = connection.send(request).await;
            assert_eq!(reply.status, 200, "{reply:?}");
        }
    }
    assert!(server.heard().iter().all(|heard| heard.text.len() == MIB));
    assert_eq!(server.heard().len(), 4);
}

#[tokio::test]
async fn the_limit_is_the_one_that_was_set() {
    let server = GuardedServer::with(Script::Allow, |layer| layer.max_body_bytes(200)).await;
    let text = of_length(201);
    let bad =
        Bad::request("201 bytes", (413, INVALID_REQUEST), Value::Null, move || post(text.clone()));
    all_refused(&server, &[bad]).await;
}

#[tokio::test]
async fn a_body_without_an_end_is_not_read_for_ever_and_closes_its_connection_only() {
    let server = GuardedServer::open(Script::Allow).await;
    let (chunk, count) = ([b'x'; 65536], 18 * 16);
    let mut said = b"POST /mcp HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..count {
        said.extend_from_slice(b"10000\r\n");
        said.extend_from_slice(&chunk);
        said.extend_from_slice(b"\r\n");
    }
    // It may be closed while we are still writing: then there is no answer to be read, and that is all.
    let mut stream = tokio::net::TcpStream::connect(server.address).await.expect("it listens");
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let wrote = stream.write_all(&said).await;
    let mut answer = Vec::new();
    if wrote.is_ok() && stream.read_to_end(&mut answer).await.is_ok() {
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
    assert_eq!((server.heard().len(), server.guardian.checks().len()), (0, 0));
    let mut other = Connection::open(server.address, Version::HTTP_11).await;
    assert_eq!(other.post(&tools_call(1, "good", json!({}))).await.status, 200);
}

#[tokio::test]
async fn a_body_without_an_end_does_not_close_a_connection_of_http_2() {
    let server = GuardedServer::open(Script::Allow).await;
    let mut connection = Connection::open(server.address, Version::HTTP_2).await;
    let reply = connection.send(post(vec![b'x'; 18 * MIB])).await;
    assert_eq!(reply.status, 413);
    assert_eq!(connection.post(&tools_call(1, "good", json!({}))).await.status, 200);
}

#[tokio::test]
async fn whoever_asks_before_sending_too_much_is_told_before_it_is_sent() {
    let server = GuardedServer::open(Script::Allow).await;
    for length in [MIB + 1, 100 * MIB] {
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n\
             content-length: {length}\r\n\r\n"
        );
        let answer = raw(server.address, head.as_bytes(), false).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        // The body that was announced may still be on its way, so that nothing can follow it.
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        assert!(answer.contains("\"code\":-32600"), "{answer}");
    }
    assert_eq!((server.heard().len(), server.guardian.checks().len()), (0, 0));
}

#[tokio::test]
async fn whoever_asks_before_sending_a_good_call_is_told_to_go_on() {
    let server = GuardedServer::open(Script::Allow).await;
    let call = tools_call(1, "good", json!({})).to_string();
    let said = format!(
        "POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{call}",
        call.len()
    );
    let answer = raw(server.address, said.as_bytes(), false).await;
    assert!(answer.contains("HTTP/1.1 200 ") && answer.contains("done"), "{answer}");
    let heard = server.only_heard();
    assert_eq!(heard.head.headers.get("expect"), None, "nobody has to be asked any more");
}

#[tokio::test]
async fn whoever_asks_before_sending_too_much_in_pieces_is_told_after_it() {
    let server = GuardedServer::open(Script::Allow).await;
    let text = of_length(2 * MIB);
    let bad = Bad::request("2 MiB in pieces", (413, INVALID_REQUEST), Value::Null, move || {
        let mut request = post("").map(|_| in_pieces(&text));
        request.headers_mut().insert("expect", http::HeaderValue::from_static("100-continue"));
        request
    });
    all_refused(&server, &[bad]).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_runs_nothing() {
    let server = GuardedServer::open(Script::Allow).await;
    let call = tools_call(1, "good", json!({})).to_string();
    for (framing, body) in [
        (format!("content-length: {}", call.len() + 1), call.clone()),
        ("transfer-encoding: chunked".to_owned(), format!("{:x}\r\n{call}\r\n", call.len())),
    ] {
        let said = format!("POST /mcp HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n{body}");
        let answer = raw(server.address, said.as_bytes(), true).await;
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    assert_eq!((server.heard().len(), server.guardian.checks().len()), (0, 0));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_longer_than_was_said() {
    let server =
        GuardedServer::with(Script::Allow, |layer| layer.body_timeout(Duration::from_millis(300)))
            .await;
    let said = b"POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
    let answer = raw(server.address, said, false).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!((server.heard().len(), server.guardian.checks().len()), (0, 0));
}
