//! The two places where a guard goes in tonic, and a socket to try them on.

use agenttrust::{AgentTrustGuard, Effect};
use agenttrust_tower::GuardLayer;
use agenttrust_tower::grpc::{GrpcDeny, GrpcExtract};
use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tower::Layer as _;

use crate::files::Folder;
use crate::files::proto::files_server::FilesServer;

/// Returns what both have in common: names say what most methods do, and this is for the one whose does not.
fn layer(guard: AgentTrustGuard) -> GuardLayer<GrpcExtract, GrpcDeny> {
    GuardLayer::grpc(guard).effects([("files.v1.Files/Download", Effect::Read)])
}

/// A server on a free port of the loopback address, for as long as this lives.
pub(crate) struct Serving {
    pub(crate) url: String,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Serving {
    /// Returns the guard around the whole server: every service of it, and whatever it does not serve.
    pub(crate) async fn all_guarded(
        folder: Folder,
        guard: AgentTrustGuard,
    ) -> anyhow::Result<Self> {
        let (url, incoming) = socket().await?;
        let server = Server::builder()
            .layer(layer(guard))
            .add_service(FilesServer::new(folder))
            .serve_with_incoming(incoming);
        Ok(Self { url, server: tokio::spawn(server) })
    }

    /// Returns the guard around one service; others, such as health, would be added beside it unguarded. The
    /// guarded service keeps its name, so it goes where any service goes.
    pub(crate) async fn one_guarded(
        folder: Folder,
        guard: AgentTrustGuard,
    ) -> anyhow::Result<Self> {
        let (url, incoming) = socket().await?;
        let files = layer(guard).layer(FilesServer::new(folder));
        let server = Server::builder().add_service(files).serve_with_incoming(incoming);
        Ok(Self { url, server: tokio::spawn(server) })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn socket() -> anyhow::Result<(String, TcpListenerStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port to serve on")?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((url, TcpListenerStream::new(listener)))
}
