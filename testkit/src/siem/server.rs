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

/// How long an address may be another's after it was let go.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection, with TLS or without.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    /// The connection below.
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

/// Serves until it is dropped; then every connection is closed.
#[derive(Debug)]
pub(super) struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at this address, port 0 for a free one, and has each connection served.
    pub(super) fn listen<F>(
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
            Err(error) if begun.elapsed() > PATIENCE => panic!("{address}: {error}"),
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
