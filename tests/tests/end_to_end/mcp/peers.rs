//! Servers of the official MCP packages, as processes.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

pub(crate) use crate::programs::run;
use crate::programs::{node_of, packages_of, started};

/// Returns the folder of the packages.
pub(crate) fn folder() -> PathBuf {
    packages_of("mcp")
}

/// Returns the Node.js of the packages; none, and a word about why, where they are not installed.
pub(crate) fn node() -> Option<PathBuf> {
    node_of("mcp")
}

/// Returns the script of the "everything" server.
pub(crate) fn everything_script() -> PathBuf {
    folder().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js")
}

/// A server, until this is dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The address of the server.
    pub(crate) url: String,
    _process: Child,
}

impl Peer {
    /// Returns the official "everything" server, which speaks the protocol up to 2025-11-25.
    pub(crate) async fn everything(node: &Path) -> Result<Self> {
        // Freed again at once: it takes a port and no socket.
        let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
        let mut command = Command::new(node);
        command.arg(everything_script()).arg("streamableHttp");
        // What `get-env` shows.
        command.env("PORT", port.to_string()).env("AS_IF_SECRET", "yes");
        let (process, _) = started(command, "listening on port").await?;
        Ok(Self { url: format!("http://127.0.0.1:{port}/mcp"), _process: process })
    }

    /// Returns the server on the official SDK that speaks all versions, 2026-07-28 among them.
    pub(crate) async fn conformant(node: &Path) -> Result<Self> {
        let mut command = Command::new(node);
        command.arg(folder().join("conformant/server.mjs")).env("PORT", "0");
        let (process, line) = started(command, "listening on ").await?;
        let url = line.trim_start_matches("listening on ").trim().to_owned();
        Ok(Self { url, _process: process })
    }
}
