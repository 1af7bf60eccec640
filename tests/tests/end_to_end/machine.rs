//! A database file with `agenttrust serve` on it from time to time, and an agent that is a process of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::AGENTTRUST;

const AGENT: &str = env!("CARGO_BIN_EXE_agent-under-test");
pub(crate) const ADMIN: &str = "sk_live_of_the_admin_0123456789abcdef";

/// A database file, and a state file beside it.
pub(crate) struct Machine {
    pub(crate) folder: tempfile::TempDir,
}

/// `agenttrust serve` on that file; killed when dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) url: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        }
        let _ = self.child.wait();
    }
}

impl Served {
    /// Runs a command of the program against it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(AGENTTRUST);
        command.env_clear().args(arguments);
        command.env("AGENTTRUST_URL", &self.url).env("AGENTTRUST_API_KEY", ADMIN);
        command.output().unwrap()
    }

    pub(crate) fn printed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {complained}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Kills it, without a word of warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Registers an agent that may refund; its id, and a key of its own.
    pub(crate) fn agent(&self) -> (String, String) {
        let made = self.printed(&[
            "agents",
            "create",
            "shopbot",
            "--capability",
            "refund",
            "--key",
            "--json",
        ]);
        let made: Value = serde_json::from_str(&made).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&made["agent"]["id"]), text(&made["key"]))
    }
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("guardian.db")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("agent.state")
    }

    pub(crate) fn serve(&self) -> Served {
        let mut child = Command::new(AGENTTRUST)
            .env_clear()
            .args(["serve", "--listen", "127.0.0.1:0", "--database"])
            .arg(self.database())
            .env("AGENTTRUST_ADMIN_KEY", ADMIN)
            .env("AGENTTRUST_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url =
            lines.find_map(|line| Some(line.unwrap().strip_prefix("listening on ")?.to_owned()));
        Served { child, url: url.expect("it ended before it was ready") }
    }
}

/// Runs the agent once.
pub(crate) fn call(arguments: [&str; 3], environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(AGENT);
    let output =
        command.env_clear().args(arguments).envs(environment.iter().copied()).output().unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complained}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Returns the approval that a hold names.
pub(crate) fn held(said: &str) -> String {
    let id = said.split_whitespace().find(|word| word.starts_with("apr_"));
    assert!(said.starts_with("ELEVATION_REQUIRED: "), "{said}");
    id.unwrap_or_else(|| panic!("no approval in {said}")).trim_end_matches(':').to_owned()
}
