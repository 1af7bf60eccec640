//! A receiver of webhooks on a real socket: keeps what it is sent, and answers as it is told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A message that arrived.
#[derive(Clone, Debug)]
pub struct Message {
    /// The message's headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The message's body.
    pub body: String,
}

impl Message {
    /// Reads its body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Returns its `webhook-id`.
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }
}

/// A receiver on a free port.
#[derive(Debug)]
pub struct Receiver {
    /// The address at which the receiver listens.
    pub address: SocketAddr,
    arrived: mpsc::UnboundedReceiver<Message>,
}

impl Receiver {
    /// Answers the first message with the first of `statuses` and so on, the last one from there on.
    pub async fn answering(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (send, arrived) = mpsc::unbounded_channel();
        let mut statuses = statuses.to_vec();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let status = if statuses.len() > 1 { statuses.remove(0) } else { statuses[0] };
                // A connection that breaks off was that of a Guardian that ended.
                if let Some(message) = receive(socket, status).await
                    && send.send(message).is_err()
                {
                    return;
                }
            }
        });
        Self { address, arrived }
    }

    /// Returns a URL of it that holds a secret.
    pub fn url(&self) -> String {
        format!("http://{}/hooks?token=hunter2", self.address)
    }

    /// Returns the next message. The time limit is for the test that would hang.
    pub async fn next(&mut self) -> Message {
        let next = tokio::time::timeout(Duration::from_secs(30), self.arrived.recv());
        next.await.expect("no message arrives").unwrap()
    }

    /// Returns what arrived and was not looked at.
    pub fn rest(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.arrived.try_recv().ok()).collect()
    }
}

async fn receive(mut socket: TcpStream, status: u16) -> Option<Message> {
    let mut read = Vec::new();
    let (head, body) = loop {
        let mut more = [0; 8_192];
        let count = socket.read(&mut more).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&more[..count]);
        let text = String::from_utf8(read.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
            });
            if body.len() == length.unwrap() {
                break (head.to_owned(), body.to_owned());
            }
        }
    };
    let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    socket.write_all(answer.as_bytes()).await.ok()?;
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Some(Message { headers, body })
}
