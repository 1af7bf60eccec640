//! One connection, of HTTP/1.1 or of HTTP/2, and no other: what it does not survive, the next request
//! on it does not either.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

enum Sender {
    One(http1::SendRequest<Body>),
    Two(http2::SendRequest<Body>),
}

pub(crate) struct Connection {
    address: SocketAddr,
    sender: Sender,
}

/// An answer that was read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.text).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text))
    }

    /// Returns the one header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("it is text"))
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr, version: Version) -> Self {
        let stream = TokioIo::new(TcpStream::connect(address).await.expect("it listens"));
        let sender = if version == Version::HTTP_2 {
            let made = http2::handshake(TokioExecutor::new(), stream).await;
            let (sender, connection) = made.expect("a handshake");
            tokio::spawn(connection);
            Sender::Two(sender)
        } else {
            let (sender, connection) = http1::handshake(stream).await.expect("a handshake");
            tokio::spawn(connection);
            Sender::One(sender)
        };
        Self { address, sender }
    }

    /// Sends a request and returns as soon as the head of its answer is there.
    pub(crate) async fn head(&mut self, mut request: Request<Body>) -> Response<Incoming> {
        let answer = match &mut self.sender {
            Sender::One(sender) => {
                sender.ready().await.expect("the connection is still usable");
                let host = self.address.to_string().parse().expect("an address");
                request.headers_mut().insert("host", host);
                sender.send_request(request).await
            }
            Sender::Two(sender) => {
                sender.ready().await.expect("the connection is still usable");
                let path = request.uri().path_and_query().expect("a path").as_str();
                let uri = format!("http://{}{path}", self.address).parse().expect("a URI");
                *request.uri_mut() = uri;
                sender.send_request(request).await
            }
        };
        answer.expect("an answer")
    }

    pub(crate) async fn send(&mut self, request: Request<Body>) -> Reply {
        let (head, body) = self.head(request).await.into_parts();
        let text = body.collect().await.expect("a whole body").to_bytes();
        Reply { status: head.status, headers: head.headers, text }
    }

    /// Posts a message.
    pub(crate) async fn post(&mut self, message: &Value) -> Reply {
        self.send(post(message.to_string())).await
    }
}

/// Returns a message in a `POST`, as MCP has it.
pub(crate) fn post(text: impl Into<Bytes>) -> Request<Body> {
    with_method(Method::POST, text)
}

pub(crate) fn with_method(method: Method, text: impl Into<Bytes>) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri("/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(Full::new(text.into()).boxed_unsync())
        .expect("the head is right")
}

/// Returns the same, in pieces and without a length.
pub(crate) fn in_pieces(text: &Bytes) -> Body {
    let pieces: Vec<_> = text.chunks(7919).map(|piece| text.slice_ref(piece)).collect();
    let frames = pieces.into_iter().map(|piece| Ok(Frame::data(piece)));
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

/// Writes exactly this on a connection of its own, and returns all that comes back until it is closed.
pub(crate) async fn raw(address: SocketAddr, said: &[u8], stop_writing: bool) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(said).await.expect("it is taken");
    if stop_writing {
        stream.shutdown().await.expect("it is open");
    }
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    tokio::time::timeout(std::time::Duration::from_secs(20), reading)
        .await
        .expect("the connection is closed in the end")
        .expect("it is closed in order");
    String::from_utf8(answer).expect("the answer is text")
}
