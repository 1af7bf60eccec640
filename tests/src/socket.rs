//! [`Socket`]: a router on a real socket, served by a thread that no test's runtime can take along.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::bounded::one_thread;

/// A router on a free port of the loopback address, until it is dropped.
#[derive(Debug)]
pub struct Socket {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Socket {
    /// Serves `router`.
    ///
    /// # Errors
    ///
    /// When the system gives no port.
    pub fn serve(router: Router) -> Result<Self> {
        // Bound here, so that it is there when this returns; driven over there.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no free port")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            one_thread().block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    served = axum::serve(listener, router) => served.expect("serving goes on"),
                    _ = stopped => {}
                }
            });
        });
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns where it is, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic was printed where it happened; the test fails by what it then misses.
            let _ = thread.join();
        }
    }
}
