//! Requests while they are under way: from their head to the end of their answer.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Request, Response, Version};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tower::Service;

use super::connections::{self, Arriving, Handle, Taking};
use crate::domain::Peer;

/// A service that answers requests of one connection.
#[derive(Clone, Debug)]
pub(super) struct Tracked {
    router: Router,
    connection: Handle,
    peer: SocketAddr,
}

impl Tracked {
    pub(super) fn new(router: Router, connection: Handle, peer: SocketAddr) -> Self {
        Self { router, connection, peer }
    }
}

impl hyper::service::Service<Request<Incoming>> for Tracked {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let http2 = request.version() >= Version::HTTP_2;
        let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let length = length.and_then(|length| length.parse().ok());
        let under_way = self.connection.request(http2, head(&request), length.unwrap_or(0));
        let in_chunks = !http2 && length.is_none() && !request.body().is_end_stream();
        let mut request = request.map(|body| match body.is_end_stream() {
            true => Body::empty(),
            false => {
                let arriving = Arriving::new(self.connection.clone());
                Body::new(Asked { body, in_chunks, arriving })
            }
        });
        request.extensions_mut().insert(Peer(self.peer));
        // A router is always ready.
        let answered = self.router.clone().call(request);
        let connection = http2.then(|| self.connection.clone());
        Box::pin(async move {
            let response = answered.await?;
            Ok(response.map(|body| {
                let taking = connection.filter(|_| !body.is_end_stream()).map(Taking::new);
                Answer { body, taking, _under_way: under_way }
            }))
        })
    }
}

/// Returns how many bytes the head of a request took, as HTTP/1 writes it.
fn head(request: &Request<Incoming>) -> usize {
    let path = request.uri().path_and_query().map_or(1, |path| path.as_str().len());
    let line = request.method().as_str().len() + path + " HTTP/1.1\r\n\r\n".len() + 1;
    let header = |name: &str, value: usize| name.len() + value + ": \r\n".len();
    let headers = request.headers().iter();
    line + headers.map(|(name, value)| header(name.as_str(), value.len())).sum::<usize>()
}

/// The body of a request.
#[derive(Debug)]
struct Asked {
    body: Incoming,
    /// Whether it is a request on HTTP/1 that does not say how long it is: what was read of it is known by what is
    /// taken.
    in_chunks: bool,
    arriving: Arriving,
}

impl HttpBody for Asked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref().filter(|_| self.in_chunks)
        {
            let digits = data.len().checked_ilog(16).unwrap_or(0) as usize + 1;
            self.arriving.took(digits + "\r\n".len() + data.len() + "\r\n".len());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer; while it is read, its request is under way.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    /// The answer on HTTP/2, where it may wait for its caller out of sight of the socket.
    taking: Option<Taking>,
    _under_way: connections::Request,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(taking) = &mut self.taking {
            // Where the next piece is not there yet, it is not the caller that is slow.
            taking.set(frame.is_ready());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
