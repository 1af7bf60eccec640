//! Servers and scripts of the official packages, as processes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// The folder of the packages.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/mcp")
}

/// The Node.js of the packages; none, and a word about why, where they are not installed.
pub(super) fn node() -> Option<PathBuf> {
    let node = folder().join("node_modules/.bin/node");
    if node.exists() {
        return Some(node);
    }
    // Past the capture of the test's own output: a skip that nobody sees is taken for a pass.
    let said = "skipped: the official MCP packages are not here; run `npm ci` in tests/peers/mcp\n";
    let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), said.as_bytes());
    None
}

/// The script of the "everything" server.
pub(super) fn everything_script() -> PathBuf {
    folder().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js")
}

/// A server, until this is dropped.
#[derive(Debug)]
pub(super) struct Peer {
    /// Where it is.
    pub(super) url: String,
    _process: Child,
}

impl Peer {
    /// The official "everything" server, which speaks the protocol up to 2025-11-25.
    pub(super) async fn everything(node: &Path) -> Result<Self> {
        // Freed again at once: it takes a port and no socket.
        let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
        let mut command = Command::new(node);
        command.arg(everything_script()).arg("streamableHttp");
        // What `get-env` shows.
        command.env("PORT", port.to_string()).env("AS_IF_SECRET", "yes");
        let (process, _) = started(command, "listening on port").await?;
        Ok(Self { url: format!("http://127.0.0.1:{port}/mcp"), _process: process })
    }

    /// The server on the official SDK that speaks all versions, 2026-07-28 among them.
    pub(super) async fn conformant(node: &Path) -> Result<Self> {
        let mut command = Command::new(node);
        command.arg(folder().join("conformant/server.mjs")).env("PORT", "0");
        let (process, line) = started(command, "listening on ").await?;
        let url = line.trim_start_matches("listening on ").trim().to_owned();
        Ok(Self { url, _process: process })
    }
}

/// Starts a program, and waits for a line of it with these words.
async fn started(mut command: Command, words: &str) -> Result<(Child, String)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn().context("it starts")?;
    let (line, mut lines) = unbounded_channel();
    tokio::spawn(read(process.stdout.take().context("an output")?, line.clone()));
    tokio::spawn(read(process.stderr.take().context("a log")?, line));
    let mut others = Vec::new();
    loop {
        match timeout(PATIENCE, lines.recv()).await {
            Ok(Some(line)) if line.contains(words) => return Ok((process, line)),
            Ok(Some(line)) => others.push(line),
            _ => bail!("it never said {words:?}, but:\n{}", others.join("\n")),
        }
    }
}

/// Hands on each line. Read to the end even when nobody listens any more: a full pipe would stop the program.
async fn read(output: impl AsyncRead + Unpin, line: UnboundedSender<String>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(read)) = lines.next_line().await {
        let _ = line.send(read);
    }
}

/// Runs a script to its end; its assertions are the test, and its last words are "all of it".
pub(super) async fn run(command: &mut Command) -> Result<()> {
    let output = timeout(PATIENCE, command.stdin(Stdio::null()).kill_on_drop(true).output());
    let output = output.await.context("the script took too long")?.context("the script starts")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && printed.trim_end().ends_with("all of it"),
        "{}\n{printed}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
