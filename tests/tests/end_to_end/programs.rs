//! Programs that other people wrote: servers that say when they are ready, and scripts whose assertions are the test.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// The time that anything may take.
const PROGRAM_TIMEOUT: Duration = Duration::from_secs(90);

/// Returns a script for Python.
pub(crate) fn python_script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(name)
}

/// Returns the folder of packages of npm for this protocol.
pub(crate) fn packages_of(protocol: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(protocol)
}

/// Returns the Node.js of these packages; none, and a word about why, where they are not installed.
pub(crate) fn node_of(protocol: &str) -> Option<PathBuf> {
    let node = packages_of(protocol).join("node_modules/.bin/node");
    if node.exists() {
        return Some(node);
    }
    // Past the capture of the test's own output: a skip that nobody sees is taken for a pass.
    let said = format!(
        "skipped: the official packages for {protocol} are not here; run `npm ci` in tests/peers/{protocol}\n"
    );
    let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), said.as_bytes());
    None
}

/// Starts a program, and waits for a line of it with these words.
pub(crate) async fn started(mut command: Command, words: &str) -> Result<(Child, String)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn().context("it starts")?;
    let (line, mut lines) = unbounded_channel();
    tokio::spawn(read(process.stdout.take().context("an output")?, line.clone()));
    tokio::spawn(read(process.stderr.take().context("a log")?, line));
    let mut others = Vec::new();
    loop {
        match timeout(PROGRAM_TIMEOUT, lines.recv()).await {
            Ok(Some(line)) if line.contains(words) => return Ok((process, line)),
            Ok(Some(line)) => others.push(line),
            _ => bail!("it never said {words:?}, but:\n{}", others.join("\n")),
        }
    }
}

/// Hands on each line. Reads to the end even when no test listens any more: a full pipe would stop the program.
async fn read(output: impl AsyncRead + Unpin, line: UnboundedSender<String>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(read)) = lines.next_line().await {
        let _ = line.send(read);
    }
}

/// Runs a script to its end; its assertions are the test, and its last words are "all of it".
pub(crate) async fn run(command: &mut Command) -> Result<()> {
    let output = timeout(PROGRAM_TIMEOUT, command.stdin(Stdio::null()).kill_on_drop(true).output());
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
