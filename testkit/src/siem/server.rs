//! A listener on a thread of its own, for whatever is spoken over its connections.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// The longest time that an address may be another's after it was let go.
const BIND_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection, with TLS or without.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    /// Returns the connection below.
    fn socket(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Wire for tokio_rustls::server::TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A server that listens at one address, and can be stopped and started again there.
#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    pub(super) tls: Option<Arc<ServerConfig>>,
    server: Option<Server>,
}

impl Listener {
    /// Listens at a free port, and has each connection served with this state.
    pub(super) fn start<S, F>(
        tls: Option<Arc<ServerConfig>>,
        state: &Arc<S>,
        serve: fn(Box<dyn Wire>, Arc<S>) -> F,
    ) -> Self
    where
        S: Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut listener = Self { address, tls, server: None };
        listener.restart(state, serve);
        listener
    }

    /// Listens again at the address that it had.
    pub(super) fn restart<S, F>(&mut self, state: &Arc<S>, serve: fn(Box<dyn Wire>, Arc<S>) -> F)
    where
        S: Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.stop();
        let state = Arc::clone(state);
        let serve = move |wire| serve(wire, Arc::clone(&state));
        let (server, address) = Server::listen(self.address, self.tls.clone(), serve);
        self.server = Some(server);
        self.address = address;
    }

    /// Closes every connection and lets none in.
    pub(super) fn stop(&mut self) {
        self.server = None;
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Serves until it is dropped; then every connection is closed.
#[derive(Debug)]
struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at this address, port 0 for a free one, and has each connection served.
    fn listen<F>(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        serve: impl Fn(Box<dyn Wire>) -> F + Send + 'static,
    ) -> (Self, SocketAddr)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = bind(address);
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(listener, tls, serve) => {}
                    _ = stopped => {}
                }
            });
        });
        (Self { stop: Some(stop), thread: Some(thread) }, address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn bind(address: SocketAddr) -> std::net::TcpListener {
    let begun = Instant::now();
    loop {
        match std::net::TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(error) if begun.elapsed() > BIND_TIMEOUT => panic!("{address}: {error}"),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

async fn accept<F>(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    serve: impl Fn(Box<dyn Wire>) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    while let Ok((socket, _)) = listener.accept().await {
        let wire: Box<dyn Wire> = match &tls {
            None => Box::new(socket),
            // One that is not trusted is hung up on, and the next one is let in.
            Some(tls) => match TlsAcceptor::from(Arc::clone(tls)).accept(socket).await {
                Ok(stream) => Box::new(stream),
                Err(_) => continue,
            },
        };
        tokio::spawn(serve(wire));
    }
}
