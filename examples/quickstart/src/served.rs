//! [`Served`]: a router on a socket of this machine, for as long as an example needs it.

use anyhow::Context as _;
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A router served on a free port of the loopback address.
#[derive(Debug)]
pub struct Served {
    url: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Served {
    /// Serves `router` until [`stop`](Self::stop), or until this is dropped.
    ///
    /// # Errors
    ///
    /// When the system gives no port.
    pub async fn on_loopback(router: Router) -> anyhow::Result<Self> {
        Self::on_loopback_as(|_| router).await
    }

    /// Does the same as [`on_loopback`](Self::on_loopback), for a router that says where it is.
    ///
    /// # Errors
    ///
    /// When the system gives no port.
    pub async fn on_loopback_as(router: impl FnOnce(&str) -> Router) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.context("no free port to serve on")?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = router(&url);
        let (stop, stopped) = oneshot::channel();
        let server = axum::serve(listener, router).with_graceful_shutdown(async {
            // Told to stop, or nobody is left to tell: the end either way.
            let _ = stopped.await;
        });
        Ok(Self { url, stop, server: tokio::spawn(server.into_future()) })
    }

    /// Returns where it is, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Closes the socket and every connection. Afterwards no server listens there.
    ///
    /// # Errors
    ///
    /// When the server had ended by itself.
    pub async fn stop(self) -> anyhow::Result<()> {
        drop(self.stop);
        Ok(self.server.await??)
    }
}
