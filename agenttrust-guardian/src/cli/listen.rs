//! Listening: an address, and a server on it that nobody can hold up by being slow.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use axum::Router;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Control, Handle, Server};
use tokio::net::TcpListener;

use crate::error::GuardianError;

/// How long a new connection may take to say what it wants.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// How long it may then take for the head of the next request, its rest in between included: longer than
/// clients keep connections that they do not use.
const NEXT_REQUEST: Duration = Duration::from_secs(120);
/// How often a connection of HTTP/2 is asked whether anybody is there, and how long that may take.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);

/// An address that is listened on, and the setting that named it.
#[derive(Debug)]
pub(super) struct Listening {
    listener: TcpListener,
    pub(super) address: SocketAddr,
    /// Whether others than this machine can reach it.
    pub(super) exposed: bool,
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

    /// Whether others than this machine could reach one of them.
    pub(super) fn exposed(&self) -> bool {
        self.all.iter().any(|address| !address.ip().is_loopback())
    }

    /// Listens on the first of them that is free.
    pub(super) async fn bind(&self) -> Result<Listening, GuardianError> {
        let cannot = |error: std::io::Error| self.cannot(&error.to_string());
        let listener = TcpListener::bind(self.all.as_slice()).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        Ok(Listening { listener, address, exposed: self.exposed() })
    }

    fn cannot(&self, why: &str) -> GuardianError {
        GuardianError::Invalid(format!(
            "cannot listen on {}: {why}; give --{} an address such as 127.0.0.1:8080",
            self.text, self.setting
        ))
    }
}

impl Listening {
    /// Serves `router`, with TLS where there is a certificate, until `control` says stop and what is under
    /// way is done or overdue.
    pub(super) async fn serve(
        self,
        router: Router,
        tls: Option<RustlsConfig>,
        control: &Control,
    ) -> std::io::Result<()> {
        let mut server = Server::<SocketAddr>::from_listener(self.listener)
            .handle(Handle::with_control(control.clone()))
            .first_request_timeout(FIRST_REQUEST)
            .accept_error_handler(|peer: Option<&SocketAddr>, error: &std::io::Error| {
                tracing::debug!(peer = peer.map(tracing::field::display), %error, "a connection came to nothing");
            });
        server.http_builder().http1().header_read_timeout(NEXT_REQUEST);
        server.http_builder().http2().keep_alive_interval(PING).keep_alive_timeout(PONG);
        let service = router.into_make_service();
        match tls {
            None => server.acceptor(NoDelayAcceptor::new()).serve(service).await,
            Some(config) => {
                let acceptor = RustlsAcceptor::new(config).acceptor(NoDelayAcceptor::new());
                server.acceptor(acceptor).serve(service).await
            }
        }
    }
}
