//! The default transport: reqwest, with one connection pool for each runtime that calls.
//!
//! A pooled connection is driven by the runtime that opened it. Used from another runtime it hangs
//! as soon as the first one is idle or gone, so pools are kept by runtime id, the least recently
//! used forgotten.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use lru::LruCache;
use tokio::net::TcpStream;
use tokio::runtime::{Handle, Id};
use tower::Service;

use super::error::{TransportError, TransportErrorKind};
use super::scheme;
use crate::background;

/// Runtimes times routes.
const POOLS: NonZeroUsize = NonZeroUsize::new(16).unwrap();
/// How long connecting may take, TLS included. A host that is switched off never refuses: without a
/// limit of its own, that could not be told from a gateway that has the request and is slow.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// How long a host is given to take a second connection, where it is not known at which step the first
/// one hung. Both together are shorter than a guard's time-out.
const KNOCK_LIMIT: Duration = Duration::from_secs(1);

/// Sends requests with reqwest from whatever runtime calls.
#[derive(Clone, Debug)]
pub(crate) struct PooledHttp {
    pools: Arc<Mutex<LruCache<(Id, Route), reqwest::Client>>>,
    system_proxy: bool,
}

/// Whether a proxy of the environment may stand in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Route {
    Proxied,
    /// Not asked for; or to this very machine, which no proxy can reach.
    Direct,
}

impl Route {
    fn for_request(request: &Request<Bytes>, system_proxy: bool) -> Self {
        let host = request.uri().host().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let loopback = match address {
            Ok(address) => address.is_loopback(),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        };
        if loopback || !system_proxy { Self::Direct } else { Self::Proxied }
    }
}

impl PooledHttp {
    pub(crate) fn new(system_proxy: bool) -> Self {
        Self { pools: Arc::new(Mutex::new(LruCache::new(POOLS))), system_proxy }
    }

    fn client_of(&self, runtime: Id, route: Route) -> Result<reqwest::Client, reqwest::Error> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = pools.get(&(runtime, route)) {
            return Ok(client.clone());
        }
        let mut builder = reqwest::Client::builder();
        if route == Route::Direct {
            builder = builder.no_proxy();
        }
        let client = builder
            // A redirect could carry the API key to another host.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .user_agent(concat!("agenttrust/", env!("CARGO_PKG_VERSION")))
            .build()?;
        pools.put((runtime, route), client.clone());
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
        let route = Route::for_request(&request, self.system_proxy);
        let uri = request.uri().clone();
        let sent = async {
            let client = self.client_of(runtime, route)?;
            client.execute(reqwest::Request::try_from(request)?).await
        };
        match sent.await {
            Ok(response) => Ok(response.into()),
            Err(error) => {
                let hung = error.is_connect() && error.is_timeout();
                let error = error.without_url();
                if hung && uri.scheme() == Some(&Scheme::HTTPS) && answers(&uri, route).await {
                    return Err(TransportError::new(TransportErrorKind::Timeout, error));
                }
                let advice = match route == Route::Direct || !any_proxy_is_named() {
                    true => scheme::advice(&uri, &error).await,
                    // Who would answer is the proxy.
                    false => None,
                };
                let error = TransportError::classify(error.into());
                Err(match advice {
                    Some(advice) => error.with_advice(advice),
                    None => error,
                })
            }
        }
    }
}

/// Whether the host of `uri`, where connecting hung, takes connections: then it is there, and the TLS
/// handshake is what it did not answer. To reqwest both are one step.
async fn answers(uri: &Uri, route: Route) -> bool {
    // Nothing is known of what is behind a proxy, so that it counts as there.
    if route == Route::Proxied && proxy_is_named() {
        return true;
    }
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let knock = TcpStream::connect((host, uri.port_u16().unwrap_or(443)));
    matches!(tokio::time::timeout(KNOCK_LIMIT, knock).await, Ok(Ok(_)))
}

fn proxy_is_named() -> bool {
    is_set(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
}

fn any_proxy_is_named() -> bool {
    proxy_is_named() || is_set(&["HTTP_PROXY", "http_proxy"])
}

fn is_set(names: &[&str]) -> bool {
    names.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(url: &str) -> Route {
        Route::for_request(&Request::get(url).body(Bytes::new()).unwrap(), true)
    }

    #[test]
    fn a_proxy_never_stands_between_a_process_and_its_own_machine() {
        for url in
            ["http://localhost:1/", "http://127.0.0.1:1/", "http://127.9.9.9/", "http://[::1]:1/"]
        {
            assert_eq!(route(url), Route::Direct, "{url}");
        }
        for url in ["https://example.com/", "http://10.0.0.1/", "http://localhost.evil.test/"] {
            assert_eq!(route(url), Route::Proxied, "{url}");
        }
    }
}
