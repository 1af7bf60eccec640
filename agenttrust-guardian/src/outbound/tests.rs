//! Real calls to real sockets.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers every connection with `answer`, and counts them.
async fn receiver(answer: String) -> (SocketAddr, tokio::sync::watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (count, counted) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            count.send_modify(|count| *count += 1);
            let _ = socket.read(&mut [0; 4_096]).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (address, counted)
}

async fn post(outbound: &Outbound, url: &str) -> Result<StatusCode, Error> {
    outbound.post(outbound.target(url)?, HeaderMap::new(), "{}".to_owned()).await
}

#[tokio::test]
async fn redirect_is_an_answer_and_followed_nowhere() {
    let (elsewhere, visits) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()).await;
    let moved =
        format!("HTTP/1.1 307 Moved\r\nlocation: http://{elsewhere}/\r\ncontent-length: 0\r\n\r\n");
    let (address, _) = receiver(moved).await;
    let status = post(&Outbound::new(true), &format!("http://{address}/")).await.unwrap();
    assert_eq!(status, 307);
    assert_eq!(*visits.borrow(), 0);
}

#[tokio::test]
async fn answer_without_end_is_hung_up_on() {
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1 << 20));
    let (address, _) = receiver(endless).await;
    let begun = std::time::Instant::now();
    assert_eq!(post(&Outbound::new(true), &format!("http://{address}/")).await.unwrap(), 200);
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn address_is_looked_at_when_it_is_connected_to_and_not_only_when_it_is_given() {
    let (address, visits) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()).await;
    // The URL passed when it was looked at; by now its name stands for this machine.
    let passed = Outbound::new(true).target(&format!("http://localhost:{}/", address.port()));
    let outbound = Outbound::new(false);
    let refused = outbound.post(passed.unwrap(), HeaderMap::new(), String::new()).await;
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("no address that may be reached"), "{told}");
    assert_eq!(*visits.borrow(), 0);
}

#[tokio::test]
async fn error_tells_why_and_not_where() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let told = post(&Outbound::new(true), &format!("http://{address}/secret-path")).await;
    let told = told.unwrap_err().to_string();
    assert!(told.starts_with("no answer: ") && told.contains("refused"), "{told}");
    assert!(!told.contains("secret-path"), "{told}");
}
