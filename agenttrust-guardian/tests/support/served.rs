//! The program itself, serving: started, killed and asked over a socket.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use agenttrust_testkit::ADMIN;
use axum::http::{HeaderMap, HeaderName};
use serde_json::Value;

/// The variable of the key that seals secrets where there is no file beside the database for it.
const KEY: &str = "AGENTTRUST_SECRET_KEY";

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_agenttrust");

/// A served Guardian; killed when dropped, without a chance to say good-bye.
pub(crate) struct Served {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Served {
    /// Starts one on this database, whose admin key is [`ADMIN`].
    pub(crate) fn start(database: &str, more: &[&str]) -> Self {
        let child = Command::new(PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0", "--database", database])
            .args(more)
            .env_remove("AGENTTRUST_DATABASE")
            .env("AGENTTRUST_ADMIN_KEY", ADMIN)
            .env("AGENTTRUST_LOG", "error")
            .envs(database.starts_with("postgres").then(|| (KEY, "0f1e".repeat(16))))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // From here on it is killed, whatever happens.
        let mut served = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let mut out = BufReader::new(served.child.stdout.take().unwrap());
        let mut said = String::new();
        loop {
            let before = said.len();
            let read = out.read_line(&mut said).unwrap();
            assert_ne!(read, 0, "ended before it was ready: {said:?}");
            if let Some(address) = said[before..].trim().strip_prefix("listening on http://") {
                served.address = address.parse().unwrap();
                return served;
            }
        }
    }

    /// Kills it with `kill -9`, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Returns the number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns a caller that asks it.
    pub(crate) fn caller(&self) -> Caller {
        // For the test that would hang.
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        Caller { http, base: format!("http://{}", self.address), headers: HeaderMap::new() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a served Guardian.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    http: reqwest::Client,
    base: String,
    /// The headers that go with every request, beside the key.
    headers: HeaderMap,
}

impl Caller {
    /// Asks with this header too.
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut with = self.clone();
        with.headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        with
    }

    /// Status and body of the answer; `None` when none arrived whole.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        key: &str,
        body: &Value,
    ) -> Option<(u16, Value)> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header("X-API-Key", key)
            .header("Content-Type", "application/json")
            .headers(self.headers.clone());
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.ok()?;
        Some((status, serde_json::from_slice(&body).unwrap()))
    }

    /// Returns the body of an answer that must arrive and be a success.
    pub(crate) async fn sure(&self, method: &str, path: &str, key: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(method, path, key, body).await.expect("no answer");
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }
}
