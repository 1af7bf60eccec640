//! Taking connections, and serving each to its end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use axum::Router;
use futures_util::future::{Either, select};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::connections::{Connections, End, HEAD_MOST, Handle};
use super::descriptors;
use super::places::Places;
use super::tracked::Tracked;
use super::watched::Watched;
use crate::metrics::ConnectionNumbers;

/// The time between two pings of a connection of HTTP/2, and the time that an answer may take.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);
/// The number of requests that a connection of HTTP/2 may have under way, and may begin and give up.
const STREAMS: u32 = 128;
const RESETS: usize = 20;
/// The bytes of a body that are taken before its handler reads it, for one request and for a connection of HTTP/2.
const WINDOW: u32 = 64 << 10;
const WINDOWS: u32 = 1 << 20;
/// The time between two looks at connections.
const LOOK: Duration = Duration::from_millis(500);
/// The time that it may take until a connection that makes room is gone.
const LEAVING: Duration = Duration::from_secs(1);
/// The number of connections that are answered at once that there is no room, and the time that this may take for
/// each.
const REFUSED_AT_ONCE: usize = 32;
const REFUSING: Duration = Duration::from_secs(2);
/// The pause after taking a connection went wrong, and the time between two lines about that.
const PAUSE: Duration = Duration::from_millis(50);
const SAID_EVERY: Duration = Duration::from_secs(10);

/// The order to stop, which every listener gets, and passes to every connection.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Stop {
    stage: watch::Sender<ShutdownStage>,
    open: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShutdownStage {
    Serving,
    /// The listener finishes what is under way, and takes nothing new.
    Draining,
    /// The listener cuts off what is still under way.
    Cut,
}

impl Stop {
    pub(in crate::cli) fn new() -> Self {
        Self { stage: watch::Sender::new(ShutdownStage::Serving), open: Arc::default() }
    }

    /// Takes nothing new, and ends each connection after what is under way on it.
    pub(in crate::cli) fn gently(&self) {
        self.stage.send_replace(ShutdownStage::Draining);
    }

    /// Ends what is left; whether there was anything.
    pub(in crate::cli) fn now(&self) -> bool {
        let any = self.open.load(Ordering::Relaxed) > 0;
        self.stage.send_replace(ShutdownStage::Cut);
        any
    }
}

/// The router that a listener serves, and its places.
pub(super) struct Offer {
    pub(super) router: Router,
    /// The answer where there is no room.
    pub(super) full: Router,
    pub(super) tls: Option<Arc<ArcSwap<ServerConfig>>>,
    pub(super) places: Places,
    pub(super) numbers: ConnectionNumbers,
    pub(super) stop: Stop,
}

/// Serves every connection until the order to stop, and then until what is under way is done or cut off.
pub(super) async fn serve(listener: TcpListener, offer: Offer) {
    let connections = Arc::new(Connections::new(offer.numbers.clone()));
    let sweeper = Arc::clone(&connections);
    let sweeping = tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            sweeper.sweep();
        }
    });
    let taking = Taking {
        builder: builder(),
        refusals: Arc::new(Semaphore::new(REFUSED_AT_ONCE)),
        connections: Arc::clone(&connections),
        offer,
    };
    let mut stage = taking.offer.stop.stage.subscribe();
    let mut said = None;
    loop {
        let stopped = pin!(stage.wait_for(|stage| *stage != ShutdownStage::Serving));
        let accepted = match select(stopped, pin!(listener.accept())).await {
            Either::Left(_) => break,
            Either::Right((accepted, _)) => accepted,
        };
        match accepted {
            Ok((stream, peer)) => taking.take(stream, peer).await,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                say(&error, &mut said);
                if descriptors::are_used_up(&error) {
                    connections.make_room();
                }
                // What could not be taken is still there, and would be tried again at once.
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    // Whoever connects from here on is refused, so that others are asked instead.
    drop(listener);
    while connections.count() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    sweeping.abort();
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).max_buf_size(HEAD_MOST);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESETS)
        .max_header_list_size(HEAD_MOST as u32)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOWS);
    builder
}

/// Returns whether an error concerns one caller, and no later one.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};

    [ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted].contains(&error.kind())
}

fn say(error: &io::Error, said: &mut Option<Instant>) {
    if said.is_some_and(|said| said.elapsed() < SAID_EVERY) {
        return;
    }
    *said = Some(Instant::now());
    if descriptors::are_used_up(error) {
        tracing::warn!(
            %error,
            "no more files can be opened, so idle connections are closed; raise the limit of open files, or \
             lower max-connections"
        );
    } else {
        tracing::warn!(%error, "connections cannot be taken at the moment; trying on");
    }
}

/// The parts that are needed to serve a connection.
struct Taking {
    builder: Builder<TokioExecutor>,
    refusals: Arc<Semaphore>,
    connections: Arc<Connections>,
    offer: Offer,
}

impl Taking {
    /// Serves a new connection. Where there is no room, the one that is idle for longest makes some; where no
    /// connection is idle, the new one gets an answer that says so.
    async fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let from = (stream, peer);
        let mut place = self.offer.places.take();
        if place.is_none() && self.connections.make_room() {
            let left = tokio::time::timeout(LEAVING, self.offer.places.wait());
            place = left.await.ok().flatten();
        }
        if let Some(place) = place {
            self.spawn(from, place, self.offer.router.clone(), None);
            return;
        }
        self.offer.numbers.refused.inc();
        // With so many being told already, it is closed: made, and broken off.
        if let Ok(place) = Arc::clone(&self.refusals).try_acquire_owned() {
            self.spawn(from, place, self.offer.full.clone(), Some(REFUSING));
        }
    }

    fn spawn(
        &self,
        (stream, peer): (TcpStream, SocketAddr),
        place: tokio::sync::OwnedSemaphorePermit,
        router: Router,
        limit: Option<Duration>,
    ) {
        let connection = self.connections.register(limit.is_none());
        let tls = self.offer.tls.as_ref().map(|config| TlsAcceptor::from(config.load_full()));
        let (builder, stop) = (self.builder.clone(), self.offer.stop.clone());
        tokio::spawn(async move {
            stop.open.fetch_add(1, Ordering::Relaxed);
            let service = Tracked::new(router, connection.clone(), peer);
            let one = One { builder, service, connection, stage: stop.stage.subscribe() };
            let serving = one.serve(stream, tls);
            match limit {
                None => serving.await,
                Some(limit) => drop(tokio::time::timeout(limit, serving).await),
            }
            stop.open.fetch_sub(1, Ordering::Relaxed);
            drop(place);
        });
    }
}

/// A connection that is served.
struct One {
    builder: Builder<TokioExecutor>,
    service: Tracked,
    connection: Handle,
    stage: watch::Receiver<ShutdownStage>,
}

impl One {
    async fn serve(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection came to nothing");
            return;
        }
        let Some(tls) = tls else { return self.answer(stream).await };
        let accepted = {
            let told = pin!(self.connection.told());
            let mut stopping = self.stage.clone();
            let stopped = pin!(stopping.wait_for(|stage| *stage != ShutdownStage::Serving));
            match select(pin!(tls.accept(stream)), select(told, stopped)).await {
                Either::Left((accepted, _)) => accepted,
                Either::Right(_) => return,
            }
        };
        match accepted {
            Ok(stream) => self.answer(stream).await,
            Err(error) => tracing::debug!(%error, "a connection came to nothing"),
        }
    }

    /// Answers what is asked on a connection, until it ends or is to end.
    async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let Self { builder, service, connection, mut stage } = self;
        let io = Watched::new(stream, connection.clone());
        let mut answering = pin!(builder.serve_connection(TokioIo::new(io), service));
        let mut gentle = false;
        loop {
            let stopped = async {
                // It is told once to end gently, and once to end.
                let stage = stage.wait_for(|stage| match stage {
                    ShutdownStage::Serving => false,
                    ShutdownStage::Draining => !gentle,
                    ShutdownStage::Cut => true,
                });
                match stage.await.map(|stage| *stage) {
                    Ok(ShutdownStage::Draining) => End::Gently,
                    _ => End::Now,
                }
            };
            let end =
                match select(answering.as_mut(), select(pin!(connection.told()), pin!(stopped)))
                    .await
                {
                    Either::Left((Ok(()), _)) => return,
                    Either::Left((Err(error), _)) => {
                        tracing::debug!(error, "a connection came to nothing");
                        return;
                    }
                    Either::Right((Either::Left((end, _)) | Either::Right((end, _)), _)) => end,
                };
            if end == End::Now {
                return;
            }
            gentle = true;
            answering.as_mut().graceful_shutdown();
        }
    }
}
