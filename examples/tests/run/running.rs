//! Programs that a test runs beside itself: an example, or a script with the official packages.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

pub(crate) use crate::built::example;

/// The longest time that any step may take.
pub(crate) const STEP_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns what `future` gives, or that it took too long.
pub(crate) async fn in_time<F: Future>(what: &str, future: F) -> Result<F::Output> {
    tokio::time::timeout(STEP_TIMEOUT, future)
        .await
        .with_context(|| format!("{what} took too long"))
}

/// A program with its pipes in our hands. It is killed with this.
pub(crate) struct Running {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().context("it starts")?;
        let log = child.stderr.take().context("it has a log")?;
        Ok(Self { child, log: BufReader::new(log).lines() })
    }

    /// Returns its standard output and input, for a test that speaks a protocol over them; once.
    pub(crate) fn pipes(&mut self) -> Result<(ChildStdout, ChildStdin)> {
        let pipes = self.child.stdout.take().zip(self.child.stdin.take());
        pipes.context("the pipes are taken")
    }

    /// Returns the next line of its log that holds `words`.
    pub(crate) async fn said(&mut self, words: &str) -> Result<String> {
        let line = async {
            let mut others = Vec::new();
            while let Some(line) = self.log.next_line().await? {
                if line.contains(words) {
                    return Ok(line);
                }
                others.push(line);
            }
            anyhow::bail!("its log ended without {words:?}:\n{}", others.join("\n"))
        };
        in_time(&format!("a line with {words:?}"), line).await?
    }

    /// Waits for its end, which must be a good one.
    pub(crate) async fn ended_well(mut self) -> Result<()> {
        let status = in_time("its end", self.child.wait()).await??;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }
}

/// Returns `node` with this script of `peers/`; `None`, and a word about why, where there is no
/// `node` or the packages are not installed.
pub(crate) async fn node_with_the_peers(script: &str) -> Option<Command> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    let installed = peers.join("node_modules/@modelcontextprotocol/sdk/package.json").is_file();
    let version = Command::new("node").arg("--version").stdin(Stdio::null()).output().await;
    if installed && version.is_ok_and(|output| output.status.success()) {
        let mut node = Command::new("node");
        node.arg(peers.join(script)).stdin(Stdio::null()).kill_on_drop(true);
        return Some(node);
    }
    // Past the capture of the test's own output: a skip that nobody sees is taken for a pass.
    let said = "skipped: the official TypeScript client is not here; install node 18 or later and \
                run `npm ci` in examples/tests/peers\n";
    let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), said.as_bytes());
    None
}
