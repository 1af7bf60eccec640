//! A gRPC server and client without generated code: one method of each shape, over strings.

use std::convert::Infallible;
use std::task::{Context, Poll};

use agenttrust::AgentTrustGuard;
use agenttrust_tower::GuardLayer;
use agenttrust_tower::grpc::{BindMessage, GrpcDeny, GrpcExtract};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{Layer, Service, service_fn};

use crate::wire::served::{Counter, Served};
use crate::wire::watch::Gate;

type Codec = ProstCodec<String, String>;
pub(crate) type Replies = BoxStream<'static, Result<String, Status>>;

/// A service that counts the calls that reach it, and the messages that it was sent.
#[derive(Clone)]
pub(crate) struct Words {
    pub(crate) calls: Counter,
    pub(crate) messages: Counter,
    /// Holds back the last message of each stream.
    pub(crate) gate: Gate,
}

impl Words {
    pub(crate) fn new() -> Self {
        Self { calls: Counter::default(), messages: Counter::default(), gate: Gate::closed() }
    }

    /// Returns two messages; `missing` as the first word is not found, at once or after one
    /// message.
    fn replies(self, word: &str) -> Result<Response<Replies>, Status> {
        self.calls.count();
        let last = match word {
            "missing" => return Err(Status::not_found("no such word")),
            "gone" => Err(Status::not_found("no such word any more")),
            word => Ok(format!("{word}, at last")),
        };
        let gated = self.gate.between(Ok(format!("{word}, at first")), last);
        Ok(Response::new(gated.boxed()))
    }

    async fn unary(self, request: Request<String>) -> Result<Response<String>, Status> {
        self.calls.count();
        match request.get_ref().as_str() {
            "missing" => Err(Status::not_found("no such word")),
            word => Ok(Response::new(word.to_owned())),
        }
    }

    async fn collect(
        self,
        request: Request<Streaming<String>>,
    ) -> Result<Response<String>, Status> {
        self.calls.count();
        let mut messages = request.into_inner();
        let mut collected = Vec::new();
        while let Some(message) = messages.message().await? {
            self.messages.count();
            collected.push(message);
        }
        Ok(Response::new(collected.join(" ")))
    }

    async fn both(self, request: Request<Streaming<String>>) -> Result<Response<Replies>, Status> {
        self.calls.count();
        let messages = self.messages.clone();
        let echoed = request.into_inner().inspect(move |_| messages.count());
        Ok(Response::new(echoed.boxed()))
    }
}

impl NamedService for Words {
    const NAME: &'static str = "test.Words";
}

impl Service<http::Request<Body>> for Words {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let words = self.clone();
        async move {
            let mut grpc = tonic::server::Grpc::new(Codec::new());
            Ok(match request.uri().path() {
                "/test.Words/GetOne" => {
                    let method = service_fn(move |request| words.clone().unary(request));
                    grpc.unary(method, request).await
                }
                "/test.Words/ListAll" => {
                    let method = service_fn(move |request: Request<String>| {
                        let words = words.clone();
                        async move { words.replies(request.get_ref()) }
                    });
                    grpc.server_streaming(method, request).await
                }
                "/test.Words/SendMany" => {
                    let method = service_fn(move |request| words.clone().collect(request));
                    grpc.client_streaming(method, request).await
                }
                "/test.Words/Talk" => {
                    let method = service_fn(move |request| words.clone().both(request));
                    grpc.streaming(method, request).await
                }
                _ => Status::unimplemented("no such method").into_http(),
            })
        }
        .boxed()
    }
}

/// The place of the guard.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// The guard is around the whole server, also what it does not serve.
    Server,
    /// The guard is around the one service.
    Service,
}

pub(crate) async fn serve(words: &Words, guard: &AgentTrustGuard, place: Place) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let connections = Counter::default();
    let counter = connections.clone();
    let incoming = TcpListenerStream::new(listener).inspect(move |_| counter.count());
    let (words, layer) = (words.clone(), GuardLayer::grpc(guard.clone()));
    Served::new(address, connections, async move {
        let served = match place {
            Place::Server => {
                let mut server = Server::builder().layer(layer);
                server.add_service(words).serve_with_incoming(incoming).await
            }
            Place::Service => {
                let guarded = layer.layer(words);
                Server::builder().add_service(guarded).serve_with_incoming(incoming).await
            }
        };
        served.expect("it serves until it is dropped");
    })
}

/// Serves `words` behind a layer that binds messages.
pub(crate) async fn serve_bound(
    words: &Words,
    layer: GuardLayer<GrpcExtract, GrpcDeny, BindMessage>,
) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let guarded = layer.layer(words.clone());
    Served::new(address, Counter::default(), async move {
        let server = Server::builder().add_service(guarded);
        let served = server.serve_with_incoming(TcpListenerStream::new(listener)).await;
        served.expect("it serves until it is dropped");
    })
}

/// tonic's own client.
pub(crate) struct Client(tonic::client::Grpc<Channel>);

impl Client {
    pub(crate) async fn of(served: &Served) -> Self {
        let channel = Channel::from_shared(served.url("")).expect("an address");
        Self(tonic::client::Grpc::new(channel.connect().await.expect("it listens")))
    }

    async fn ready(&mut self) {
        self.0.ready().await.expect("the connection is of use");
    }

    pub(crate) async fn unary(&mut self, path: &'static str, word: &str) -> Result<String, Status> {
        self.ready().await;
        let path = PathAndQuery::from_static(path);
        let reply = self.0.unary(Request::new(word.to_owned()), path, Codec::new()).await?;
        Ok(reply.into_inner())
    }

    pub(crate) async fn list(&mut self, word: &str) -> Result<Streaming<String>, Status> {
        self.ready().await;
        let path = PathAndQuery::from_static("/test.Words/ListAll");
        let request = Request::new(word.to_owned());
        Ok(self.0.server_streaming(request, path, Codec::new()).await?.into_inner())
    }

    pub(crate) async fn send_many(
        &mut self,
        words: impl futures_util::Stream<Item = String> + Send + 'static,
    ) -> Result<String, Status> {
        self.ready().await;
        let path = PathAndQuery::from_static("/test.Words/SendMany");
        let reply = self.0.client_streaming(Request::new(words), path, Codec::new()).await?;
        Ok(reply.into_inner())
    }

    pub(crate) async fn talk(
        &mut self,
        words: impl futures_util::Stream<Item = String> + Send + 'static,
    ) -> Result<Streaming<String>, Status> {
        self.ready().await;
        let path = PathAndQuery::from_static("/test.Words/Talk");
        Ok(self.0.streaming(Request::new(words), path, Codec::new()).await?.into_inner())
    }
}
