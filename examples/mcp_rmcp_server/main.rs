//! An MCP server to start from: file tools built with rmcp, each call checked by a Guardian.
//!
//! ```sh
//! cargo run --example mcp_rmcp_server                       # stdio, as an MCP client starts it
//! cargo run --example mcp_rmcp_server -- --http             # streamable HTTP, on a free port
//! cargo run --example mcp_rmcp_server -- --approve FOLDER   # an operator who approves everything
//! ```
//!
//! Reading and writing are allowed, deleting is held: the model is told so, and that a person has to
//! approve it. That person reads the log (stderr), which shows what is held and how to approve it.
//!
//! - `files.rs` is the server, as if there were no guard.
//! - `guardian.rs` is who is asked: a Guardian of this process, or the one of `AGENTTRUST_URL`.
//! - `desk.rs` is the operator's desk.

mod desk;
mod files;
mod guardian;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use agenttrust_examples::asks_for_help;
use agenttrust_tower::rmcp::{GuardedHandler, GuardedHandlerExt as _};
use anyhow::{Context as _, bail};
use rmcp::ServiceExt as _;
use rmcp::transport::stdio;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tokio::net::TcpListener;

use self::files::Files;
use self::guardian::Asked;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if asks_for_help() {
        println!("{USE}");
        return Ok(());
    }
    let options = Options::from_args(std::env::args().skip(1))?;
    let files = match options.folder {
        Some(folder) => Files::of_folder(folder)?,
        None => Files::of_a_new_folder()?,
    };
    let asked = Asked::from_env(options.approve).await?;

    // The one line that matters. Serve what it returns, on whatever transport.
    let server = files.guarded(asked.guard()).server(guardian::SERVER);

    match options.transport {
        Transport::Stdio => serve_stdio(server).await?,
        Transport::Http => serve_http(server).await?,
    }
    asked.guard().close().await?;
    Ok(())
}

/// Serves until the client closes our standard input. Standard output is the protocol's alone: what a person is to read
/// goes to stderr.
async fn serve_stdio(server: GuardedHandler<Files>) -> anyhow::Result<()> {
    server.serve(stdio()).await?.waiting().await?;
    Ok(())
}

/// Serves until Ctrl-C. It listens on the loopback address, because callers do not have to say who they are: every
/// caller acts as the one agent of this server.
async fn serve_http(server: GuardedHandler<Files>) -> anyhow::Result<()> {
    let config = StreamableHttpServerConfig::default();
    let stop = config.cancellation_token.clone();
    let service = StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(LocalSessionManager::default()),
        config,
    );
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port to serve on")?;
    eprintln!("listening on http://{}/mcp", listener.local_addr()?);
    axum::serve(listener, axum::Router::new().route_service("/mcp", service))
        .with_graceful_shutdown(async move {
            let _ = tokio::signal::ctrl_c().await;
            // Ends the event streams, which would keep the server open for ever.
            stop.cancel();
        })
        .await?;
    Ok(())
}

/// The options of the command line.
struct Options {
    transport: Transport,
    approve: bool,
    folder: Option<PathBuf>,
}

enum Transport {
    Stdio,
    Http,
}

const USE: &str = "use mcp_rmcp_server [--stdio | --http] [--approve] [FOLDER]";

impl Options {
    fn from_args(args: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self { transport: Transport::Stdio, approve: false, folder: None };
        for arg in args {
            match arg.as_str() {
                "--stdio" => options.transport = Transport::Stdio,
                "--http" => options.transport = Transport::Http,
                "--approve" => options.approve = true,
                _ if arg.starts_with('-') || options.folder.is_some() => {
                    bail!("{arg:?} is not understood; {USE}")
                }
                _ => options.folder = Some(arg.into()),
            }
        }
        Ok(options)
    }
}
