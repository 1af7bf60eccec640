//! The default transport: reqwest, with one connection pool for each runtime that calls.
//!
//! A pooled connection is driven by the runtime that opened it. Used from another runtime it hangs
//! as soon as the first one is idle or gone, so pools are kept by runtime id, the least recently
//! used forgotten.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use lru::LruCache;
use tokio::runtime::{Handle, Id};
use tower::Service;

use super::error::TransportError;
use crate::private::background;

const RUNTIMES: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// Sends requests with reqwest from whatever runtime calls.
#[derive(Clone, Debug)]
pub(crate) struct PooledHttp {
    pools: Arc<Mutex<LruCache<Id, reqwest::Client>>>,
}

impl PooledHttp {
    pub(crate) fn new() -> Self {
        Self { pools: Arc::new(Mutex::new(LruCache::new(RUNTIMES))) }
    }

    fn client_of(&self, runtime: Id) -> Result<reqwest::Client, reqwest::Error> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = pools.get(&runtime) {
            return Ok(client.clone());
        }
        let client = reqwest::Client::builder()
            // A redirect could carry the API key to another host.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("agenttrust/", env!("CARGO_PKG_VERSION")))
            .build()?;
        pools.put(runtime, client.clone());
        Ok(client)
    }
}

impl Service<Request<Bytes>> for PooledHttp {
    type Response = Response<reqwest::Body>;
    type Error = TransportError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            match Handle::try_current() {
                Ok(runtime) => this.send(runtime.id(), request).await,
                // Called from another executor: ours drives the connection.
                Err(_) => {
                    let runtime = background::handle();
                    let sent = runtime.spawn(async move { this.send(runtime.id(), request).await });
                    sent.await.map_err(|error| TransportError::classify(error.into()))?
                }
            }
        })
    }
}

impl PooledHttp {
    async fn send(
        &self,
        runtime: Id,
        request: Request<Bytes>,
    ) -> Result<Response<reqwest::Body>, TransportError> {
        let sent = async {
            let client = self.client_of(runtime)?;
            client.execute(reqwest::Request::try_from(request)?).await
        };
        match sent.await {
            Ok(response) => Ok(response.into()),
            Err(error) => Err(TransportError::classify(error.without_url().into())),
        }
    }
}
