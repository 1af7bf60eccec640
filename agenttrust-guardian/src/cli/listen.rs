//! Listening: an address, and a server on it that slow clients and many clients do not hold up.

mod accept;
mod connections;
mod descriptors;
mod places;
mod tracked;
mod watched;

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket};

use self::accept::Offer;
pub(super) use self::accept::Stop;
pub(super) use self::places::Places;
use crate::domain::GuardianError;
use crate::domain::host::{Host, Hosts};
use crate::guardian::Guardian;

/// The number of connections that may wait until they are taken, as far as the operating system lets them.
const BACKLOG: u32 = 4_096;
/// Connections to the numbers at most.
const TO_METRICS: usize = 32;

/// An address that is listened on, and the setting that named it.
#[derive(Debug)]
pub(super) struct Listening {
    listener: TcpListener,
    pub(super) address: SocketAddr,
    /// Whether others than this machine can reach it.
    pub(super) exposed: bool,
    /// Under which names it answers, where that matters.
    hosts: Option<Hosts>,
}

/// The addresses that a setting means.
#[derive(Debug)]
pub(super) struct Addresses<'a> {
    setting: &'static str,
    text: &'a str,
    all: Vec<SocketAddr>,
}

impl<'a> Addresses<'a> {
    /// Looks up what `text` means.
    pub(super) fn find(setting: &'static str, text: &'a str) -> Result<Self, GuardianError> {
        let mut addresses = Self { setting, text, all: Vec::new() };
        let found = text.to_socket_addrs().map_err(|error| addresses.cannot(&error.to_string()))?;
        addresses.all.extend(found);
        if addresses.all.is_empty() {
            return Err(addresses.cannot("it names no address"));
        }
        Ok(addresses)
    }

    /// Returns whether others than this machine could reach one of them.
    pub(super) fn exposed(&self) -> bool {
        self.all.iter().any(|address| !address.ip().is_loopback())
    }

    /// Listens on the first of them that is free.
    pub(super) fn bind(&self) -> Result<Listening, GuardianError> {
        let cannot = |error: std::io::Error| self.cannot(&error.to_string());
        let mut first_error = None;
        let mut bound = self.all.iter().filter_map(|address| {
            listen(*address).map_err(|error| first_error.get_or_insert(error)).ok()
        });
        let bound = bound.next();
        let Some(listener) = bound else {
            let why = first_error.map_or_else(String::new, |error| error.to_string());
            return Err(self.cannot(&why));
        };
        let address = listener.local_addr().map_err(cannot)?;
        Ok(Listening { listener, address, exposed: self.exposed(), hosts: None })
    }

    fn cannot(&self, why: &str) -> GuardianError {
        GuardianError::Invalid(format!(
            "cannot listen on {}: {why}; give --{} an address such as 127.0.0.1:0, which takes a \
             free port",
            self.text, self.setting
        ))
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A Guardian that is started again listens where the one before did, whose connections linger.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Returns how many connections there may be: as many as `told` says, or as the process has room for.
pub(super) fn connections(told: Option<usize>) -> Result<usize, GuardianError> {
    descriptors::connections(told)
}

impl Listening {
    /// Answers under these names. On a loopback address, which pages in a browser of this machine reach, it answers
    /// under no others; elsewhere only where there are any, as nothing tells how others call this machine.
    pub(super) fn under(self, names: impl IntoIterator<Item = Host>) -> Self {
        let mut names = names.into_iter().peekable();
        let loopback = self.address.ip().to_canonical().is_loopback();
        let known = loopback || names.peek().is_some();
        Self { hosts: known.then(|| Hosts::new(names)), ..self }
    }

    /// Serves the Guardian to as many connections as there are places, with TLS where there is a certificate, until
    /// `stop` is called for and what is under way is done or cut off.
    pub(super) async fn serve(
        self,
        guardian: &Guardian,
        tls: Option<Arc<ArcSwap<ServerConfig>>>,
        places: Places,
        stop: Stop,
    ) {
        let router = match self.hosts {
            Some(hosts) => guardian.named_router(hosts),
            None => guardian.router(),
        };
        let offer = Offer { tls, ..offer(guardian, router, places, stop) };
        accept::serve(self.listener, offer).await;
    }

    /// Serves the numbers and nothing else.
    pub(super) async fn serve_metrics(self, guardian: &Guardian, stop: Stop) {
        let offer = offer(guardian, guardian.metrics_router(), Places::new(TO_METRICS), stop);
        accept::serve(self.listener, offer).await;
    }
}

/// Returns what is served without TLS to as many connections as there are places.
fn offer(guardian: &Guardian, router: Router, places: Places, stop: Stop) -> Offer {
    let (full, numbers) = (Guardian::full_router(), guardian.connection_numbers());
    Offer { router, full, tls: None, places, numbers, stop }
}
