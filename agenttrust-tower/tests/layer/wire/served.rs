//! Servers on free ports of this machine that count their connections, and clients for them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::serve::ListenerExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The version of HTTP that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// The versions that clients speak.
pub(crate) const VERSIONS: [Version; 2] = [Version::Http1, Version::Http2];

impl Version {
    pub(crate) fn client(self) -> reqwest::Client {
        let builder = reqwest::Client::builder().no_proxy();
        match self {
            Self::Http1 => builder.http1_only(),
            Self::Http2 => builder.http2_prior_knowledge(),
        }
        .build()
        .expect("the settings are right")
    }
}

/// The number of times that something happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn counted(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A server, for as long as this lives.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Counter,
    server: JoinHandle<()>,
}

impl Served {
    /// Serves `router` over HTTP/1.1 and HTTP/2.
    pub(crate) async fn router(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let connections = Counter::default();
        let counter = connections.clone();
        let listener = listener.tap_io(move |_| counter.count());
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves until it is dropped");
        });
        Self { address, connections, server }
    }

    pub(crate) fn new(
        address: SocketAddr,
        connections: Counter,
        server: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self { address, connections, server: tokio::spawn(server) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns a connection of the test's own, to say things that no client says.
    pub(crate) async fn connect(&self) -> Connection {
        Connection(TcpStream::connect(self.address).await.expect("it listens"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An HTTP/1.1 connection, byte by byte.
pub(crate) struct Connection(TcpStream);

/// The answer: the head as text, and as much of the body as the head announces.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Connection {
    /// Sends a request of these lines and this body, and reads the answer to it.
    pub(crate) async fn ask(&mut self, lines: &[&str], body: &str) -> Answer {
        self.send(lines, body).await;
        let head = self.head().await;
        let bodiless = lines[0].starts_with("HEAD ");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.filter(|_| !bodiless).map_or(0, |length| length.parse().expect("one"));
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.expect("the whole body");
        Answer {
            status: head[9..12].parse().expect("a status"),
            head,
            body: String::from_utf8(body).expect("text"),
        }
    }

    pub(crate) async fn send(&mut self, lines: &[&str], body: &str) {
        let head = format!("{}\r\ncontent-length: {}\r\n\r\n", lines.join("\r\n"), body.len());
        // In one piece: a server closes the connection when it has answered a request whose body it
        // neither read nor has.
        self.0.write_all(format!("{head}{body}").as_bytes()).await.expect("it takes the request");
    }

    /// Returns the head of an answer, to the empty line.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("the server answers"));
        }
        String::from_utf8(head).expect("text")
    }

    /// Returns whether the server has closed it.
    pub(crate) async fn is_over(&mut self) -> bool {
        matches!(self.0.read(&mut [0; 16]).await, Ok(0) | Err(_))
    }
}
