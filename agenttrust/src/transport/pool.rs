//! The default transport: reqwest, with one connection pool for each runtime that calls.
//!
//! A pooled connection is driven by the runtime that opened it. Used from another runtime it hangs
//! as soon as the first one is idle or gone, so pools are kept by runtime id, the least recently
//! used forgotten.
//!
//! Connections of one pool die together: a gateway is restarted, something on the way forgets them.
//! So the first that breaks takes the pool with it, and what is asked after it has a fresh connection.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use lru::LruCache;
use tokio::net::TcpStream;
use tokio::runtime::{Handle, Id};
use tower::Service;

use super::error::{TransportError, TransportErrorKind};
use super::{authorities, scheme};
use crate::background;

/// The number of runtimes that have a pool.
const POOLS: NonZeroUsize = NonZeroUsize::new(8).unwrap();
/// The longest time that connecting may take, TLS included. A host that is switched off never refuses: without a limit
/// of its own, that could not be told from a gateway that has the request and is slow.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// The time that a host is given to accept a second connection, where it is not known at which step the first one hung.
/// Both together are shorter than a guard's time-out.
const KNOCK_LIMIT: Duration = Duration::from_secs(1);
/// The time without an answer after which a request that is given up counts as lost in a dead connection.
const SILENCE: Duration = Duration::from_secs(1);

/// Sends requests to one gateway with reqwest, from whatever runtime calls.
#[derive(Clone, Debug)]
pub(crate) struct PooledHttp {
    pools: Arc<Mutex<Pools>>,
    to: Gateway,
}

#[derive(Debug)]
struct Pools {
    /// A client, and its pool with it, for each runtime.
    of: LruCache<Id, Arc<reqwest::Client>>,
    /// The one that showed that there can be one; the first runtime takes it.
    unused: Option<Arc<reqwest::Client>>,
}

/// The parts of a gateway's address that decide how it is called.
#[derive(Clone, Copy, Debug)]
struct Gateway {
    tls: bool,
    route: Route,
}

/// Whether a proxy of the environment may stand in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Proxied,
    /// A gateway without a proxy: none is asked for, or it is on this very machine, which no proxy can reach.
    Direct,
}

impl Route {
    fn to(uri: &Uri, system_proxy: bool) -> Self {
        let host = uri.host().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let loopback = match address {
            Ok(address) => address.is_loopback(),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        };
        if loopback || !system_proxy { Self::Direct } else { Self::Proxied }
    }
}

impl Gateway {
    /// Returns a client without a connection. Only TLS needs the certificates of authorities.
    fn client(self) -> Result<reqwest::Client, reqwest::Error> {
        let builder = || {
            let builder = reqwest::Client::builder()
                // A redirect could carry the API key to another host.
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT_LIMIT)
                .user_agent(concat!("agenttrust/", env!("CARGO_PKG_VERSION")));
            if self.route == Route::Direct { builder.no_proxy() } else { builder }
        };
        let plain = || builder().tls_certs_only([]).build();
        match self {
            Self { tls: true, .. } => builder().build(),
            Self { route: Route::Direct, .. } => plain(),
            // The way to a proxy may be by TLS, where this machine can.
            Self { route: Route::Proxied, .. } => builder().build().or_else(|_| plain()),
        }
    }
}

impl PooledHttp {
    /// Creates a transport to the gateway at `uri`; the error says what is missing on this machine.
    pub(crate) fn new(uri: &Uri, system_proxy: bool) -> Result<Self, String> {
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        let to = Gateway { tls, route: Route::to(uri, system_proxy) };
        let client = to.client().map_err(|error| authorities::why_none(&error))?;
        let pools = Pools { of: LruCache::new(POOLS), unused: Some(Arc::new(client)) };
        Ok(Self { pools: Arc::new(Mutex::new(pools)), to })
    }

    fn client_of(&self, runtime: Id) -> Result<Arc<reqwest::Client>, reqwest::Error> {
        let mut pools = self.lock();
        if let Some(client) = pools.of.get(&runtime) {
            return Ok(Arc::clone(client));
        }
        let client = match pools.unused.take() {
            Some(client) => client,
            None => Arc::new(self.to.client()?),
        };
        pools.of.put(runtime, Arc::clone(&client));
        Ok(client)
    }

    fn lock(&self) -> MutexGuard<'_, Pools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pool that a request is sent through.
#[derive(Clone)]
struct Pool {
    of: PooledHttp,
    runtime: Id,
    client: Arc<reqwest::Client>,
}

impl Pool {
    /// Lets no further request have one of its connections; those under way keep theirs.
    fn abandon(&self) {
        let mut pools = self.of.lock();
        if pools.of.peek(&self.runtime).is_none_or(|kept| !Arc::ptr_eq(kept, &self.client)) {
            return;
        }
        // Where there can be no other one, it is better than none.
        if let Ok(fresh) = self.of.to.client() {
            pools.of.put(self.runtime, Arc::new(fresh));
        }
    }
}

/// A request that waits for its answer.
struct Waiting<'a> {
    pool: &'a Pool,
    since: Instant,
    answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered && self.since.elapsed() >= SILENCE {
            self.pool.abandon();
        }
    }
}

impl Service<Request<Bytes>> for PooledHttp {
    type Response = Response<UnsyncBoxBody<Bytes, reqwest::Error>>;
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
    ) -> Result<<Self as Service<Request<Bytes>>>::Response, TransportError> {
        let uri = request.uri().clone();
        let error = match self.exchange(runtime, request).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let hung = error.is_connect() && error.is_timeout();
        let error = error.without_url();
        if hung && self.to.tls && answers(&uri, self.to.route).await {
            return Err(TransportError::new(TransportErrorKind::Timeout, error));
        }
        let advice = match self.to.route == Route::Direct || !any_proxy_is_named() {
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

    async fn exchange(
        &self,
        runtime: Id,
        request: Request<Bytes>,
    ) -> Result<<Self as Service<Request<Bytes>>>::Response, reqwest::Error> {
        let pool = Pool { of: self.clone(), runtime, client: self.client_of(runtime)? };
        let request = reqwest::Request::try_from(request)?;
        let mut waiting = Waiting { pool: &pool, since: Instant::now(), answered: false };
        let answer = pool.client.execute(request).await;
        waiting.answered = true;
        drop(waiting);
        match answer {
            Ok(answer) => Ok(Response::from(answer).map(|body| {
                body.map_err(move |error| {
                    pool.abandon();
                    error
                })
                .boxed_unsync()
            })),
            Err(error) => {
                // Where none could be made, nothing is known of those that there are.
                if !error.is_connect() {
                    pool.abandon();
                }
                Err(error)
            }
        }
    }
}

/// Returns whether the host of `uri`, where connecting hung, takes connections: then it is there, and the TLS
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
        Route::to(&url.parse().unwrap(), true)
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
