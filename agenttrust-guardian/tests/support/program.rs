//! The program as a process: what it says, what it logs and how it ends.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::SocketAddr;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agenttrust_testkit::eventually_within;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

pub(crate) const DEV_KEY: &str = "sk_test_dev";

/// The limit for a test that would hang: nothing here takes that long.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A Guardian that is served; killed when dropped.
pub(crate) struct Program {
    child: Child,
    out: BufReader<ChildStdout>,
    /// The lines that it printed before it was ready.
    pub(crate) said: Vec<String>,
    pub(crate) scheme: String,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
    /// Reads the log to its end.
    logging: Option<JoinHandle<()>>,
}

impl Program {
    /// Serves on a free port.
    pub(crate) async fn serve(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::begin(command(&[&["serve"], arguments].concat(), environment), environment).await
    }

    /// Returns the same, where it may open so many files and no more.
    pub(crate) async fn serve_with_files(files: u32, arguments: &[&str]) -> Self {
        let mut command = Command::new("/bin/sh");
        let script = format!("ulimit -n {files} && exec \"$0\" serve \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_agenttrust")]).args(arguments);
        command.env_clear().kill_on_drop(true);
        Self::begin(command, &[]).await
    }

    async fn begin(mut command: Command, environment: &[(&str, &str)]) -> Self {
        command.env("AGENTTRUST_LISTEN", "127.0.0.1:0").envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut logged = BufReader::new(child.stderr.take().unwrap()).lines();
        let copy = Arc::clone(&log);
        let logging = tokio::spawn(async move {
            while let Some(line) = logged.next_line().await.unwrap() {
                let mut log = copy.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = Vec::new();
        loop {
            let mut line = String::new();
            out.read_line(&mut line).await.unwrap();
            let line = line.trim();
            assert!(!line.is_empty(), "it ended: {said:?} {}", log.lock().unwrap());
            let Some(url) = line.strip_prefix("listening on ") else {
                said.push(line.to_owned());
                continue;
            };
            let (scheme, address) = url.split_once("://").unwrap();
            let (scheme, address) = (scheme.to_owned(), address.parse().unwrap());
            return Self { child, out, said, scheme, address, log, logging: Some(logging) };
        }
    }

    /// Returns the next line that it prints.
    pub(crate) async fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).await.unwrap();
        line.trim().to_owned()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Returns the key that a first start prints.
    pub(crate) fn first_key(&self) -> String {
        let line = self.said.iter().find(|line| line.contains("sk_live_")).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    }

    /// Returns everything that it logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log says so.
    pub(crate) async fn logs(&self, what: &str) {
        let look = async || {
            let log = self.log();
            if log.contains(what) { Ok(()) } else { Err(log) }
        };
        eventually_within(LONG, format!("{what:?} is not in the log"), look).await;
    }

    /// Returns what a line of its status in /proc says.
    pub(crate) fn status(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let found = status.lines().find_map(|other| other.strip_prefix(line)).unwrap();
        found.split_whitespace().find_map(|word| word.parse().ok()).unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        let done = std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(done.success());
    }

    /// Returns how it ends; its log is whole then.
    pub(crate) async fn ends(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(LONG, self.child.wait()).await;
        let status = ended.expect("it does not end").unwrap();
        if let Some(logging) = self.logging.take() {
            logging.await.unwrap();
        }
        status
    }

    /// Returns a `GET` with a key.
    pub(crate) async fn get(&self, path: &str, key: &str) -> reqwest::Response {
        client().get(self.url(path)).header("x-api-key", key).send().await.unwrap()
    }

    /// Returns what a `GET` with a key is answered, in JSON.
    pub(crate) async fn read(&self, path: &str, key: &str) -> Value {
        let text = self.get(path, key).await.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Returns a `POST` with a key.
    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let request = client().post(self.url(path)).header("x-api-key", key);
        let response = request.body(body.to_string()).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

/// Returns a client that uses no proxy.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(LONG).build().unwrap()
}

/// Returns the program with nothing in its environment but this.
pub(crate) fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agenttrust"));
    command.args(arguments).env_clear().envs(environment.iter().copied()).kill_on_drop(true);
    command
}

/// Returns the program to its end.
pub(crate) async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let output = command(arguments, environment).output();
    tokio::time::timeout(LONG, output).await.expect("it does not end").unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Returns what the program says, in one sentence, when it refuses to serve.
pub(crate) async fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = run(&[&["serve"], arguments].concat(), environment).await;
    let said = text(&output.stderr);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{:?} {said}", output.status);
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    said.strip_prefix("error: ").unwrap_or_else(|| panic!("{said}")).trim_end().to_owned()
}
