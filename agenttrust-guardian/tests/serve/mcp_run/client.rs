//! A client that starts `agenttrust mcp run` as it would start the server.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use agenttrust_testkit::eventually_within;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::server;
use crate::program::{LONG, command};

pub(super) struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// The messages that came beside the answers that were waited for.
    pub(super) beside: Vec<Value>,
    log: Arc<Mutex<String>>,
    next: u64,
}

impl Client {
    /// Creates a server `notes` behind a Guardian inside.
    pub(super) fn inside(arguments: &[&str]) -> Self {
        Self::start(arguments, &[], "")
    }

    pub(super) fn start(arguments: &[&str], environment: &[(&str, &str)], manner: &str) -> Self {
        let server = server::command();
        let server: Vec<_> = server.iter().map(String::as_str).collect();
        let environment = [&[(server::IS_SERVER, manner)], environment].concat();
        let all = [&["--server", "notes"], arguments, &["--"], &server].concat();
        Self::of(&all, &environment)
    }

    pub(super) fn of(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::spawn(command(&[&["mcp", "run"], arguments].concat(), environment))
    }

    /// Starts this program.
    pub(super) fn spawn(mut command: Command) -> Self {
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (copy, mut logged) = (Arc::clone(&log), child.stderr.take().unwrap());
        tokio::spawn(async move {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = logged.read(&mut piece).await {
                copy.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..read]));
            }
        });
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output, beside: Vec::new(), log, next: 0 }
    }

    pub(super) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(super) async fn logs(&self, what: &str) {
        let look = async || if self.log().contains(what) { Ok(()) } else { Err(self.log()) };
        eventually_within(LONG, format!("{what:?} is not in the log"), look).await;
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(super) async fn send_text(&mut self, text: &str) {
        self.input.as_mut().unwrap().write_all(text.as_bytes()).await.unwrap();
    }

    pub(super) async fn send(&mut self, message: &Value) {
        self.send_text(&format!("{message}\n")).await;
    }

    /// Sends a request; returns its id.
    pub(super) async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = Value::from(self.next);
        let ask = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(&ask).await;
        id
    }

    /// Returns the next message; none at the end.
    pub(super) async fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = tokio::time::timeout(LONG, self.output.read_line(&mut line)).await;
        let read = read.unwrap_or_else(|_| panic!("no message came: {}", self.log())).unwrap();
        let message = || serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        (read > 0).then(message)
    }

    /// Returns the answer to the request with this id.
    pub(super) async fn answer(&mut self, id: &Value) -> Value {
        loop {
            let message = self.next().await;
            let message = message.unwrap_or_else(|| panic!("it ended: {}", self.log()));
            if message.get("method").is_none() && message["id"] == *id {
                return message;
            }
            self.beside.push(message);
        }
    }

    pub(super) async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params).await;
        self.answer(&id).await
    }

    pub(super) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// Calls a tool that runs; returns what it says.
    pub(super) async fn says(&mut self, tool: &str, arguments: Value) -> String {
        let answer = self.call(tool, arguments).await;
        text_of(&answer)
    }

    /// Returns everything of these that reached the server.
    pub(super) async fn reached(&mut self, method: &str) -> Vec<Value> {
        let asked = self.says("list_asked", json!({})).await;
        let asked: Vec<Value> = serde_json::from_str(&asked).unwrap();
        let of_tool = |message: &Value| message["params"]["name"] != "list_asked";
        asked.into_iter().filter(|it| it["method"] == method && of_tool(it)).collect()
    }

    /// Waits until so many calls have reached the server: two that are under way pass each other.
    pub(super) async fn calls_reach(&mut self, count: usize) {
        let begun = Instant::now();
        while self.reached("tools/call").await.len() != count {
            assert!(begun.elapsed() < LONG, "it is not called {count} times");
        }
    }

    /// Ends the input.
    pub(super) fn hang_up(&mut self) {
        self.input = None;
    }

    pub(super) async fn ends(&mut self) -> ExitStatus {
        tokio::time::timeout(LONG, self.child.wait()).await.expect("it does not end").unwrap()
    }
}

pub(super) fn signal(name: &str, process: u32) {
    let id = process.to_string();
    let done = std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap();
    assert!(done.success());
}

/// Returns what a result says.
pub(super) fn text_of(answer: &Value) -> String {
    let text = answer["result"]["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("no text: {answer}")).to_owned()
}

/// Returns whether a process is there and no zombie.
pub(super) fn runs(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z" && state != "X")
}
