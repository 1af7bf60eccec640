//! A server that is up to no good costs the Guardian bounded time and memory, and the client that called it hears what
//! was wrong. The figures are printed: `cargo test --test end_to_end hostile -- --nocapture`.

use std::time::{Duration, Instant};

use agenttrust_tests::bounded::in_a_runtime;
use agenttrust_tests::socket::Socket;
use agenttrust_tests::upstream::{FLOOD, Tools, upstream};
use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use http::HeaderMap;
use serde_json::{Value, json};

use super::guardian_with_agent::GuardianWithAgent;

/// The time that a server may be silent, as the Guardian is told.
const SILENT: &str = "2s";
/// The limits of any of it, in time, and in memory beyond that of a Guardian at rest.
const LONGEST: Duration = Duration::from_secs(60);
const MOST_KIB: u64 = 128 * 1024;

/// A Guardian with a server behind it, and one who calls.
#[derive(Debug)]
struct Fixture {
    guardian: GuardianWithAgent,
    upstream: Socket,
    tools: Tools,
    caller: reqwest::Client,
}

impl Fixture {
    async fn open() -> Result<Self> {
        let guardian = GuardianWithAgent::start_with(&[("--mcp-timeout", SILENT)]).await?;
        let tools = Tools::default();
        let upstream = Socket::serve(upstream(tools.clone()))?;
        let mut headers = HeaderMap::new();
        for (name, value) in guardian.headers() {
            headers.insert(name, value.parse()?);
        }
        headers.insert("content-type", "application/json".parse()?);
        headers.insert("accept", "application/json, text/event-stream".parse()?);
        let caller = reqwest::Client::builder().default_headers(headers).no_proxy().build()?;
        Ok(Self { guardian, upstream, tools, caller })
    }

    /// Registers the server, or what is at this kind's address, and returns where it is behind the Guardian.
    async fn register(&self, kind: &str) -> Result<String> {
        let path = if kind.is_empty() { "/mcp".to_owned() } else { format!("/{kind}/mcp") };
        let name = format!("hostile{kind}");
        let id = self.guardian.register(&name, &format!("{}{path}", self.upstream.url())).await?;
        Ok(self.guardian.proxied(&id))
    }

    async fn sent(&self, url: &str, session: &str, message: Value) -> Result<reqwest::Response> {
        let mut request = self.caller.post(url).body(message.to_string());
        if !session.is_empty() {
            request = request.header("mcp-session-id", session);
        }
        Ok(request.header("mcp-protocol-version", "2025-11-25").send().await?)
    }

    /// Opens a session, whose caller hears all that a server says.
    async fn session(&self, url: &str) -> Result<String> {
        let client = json!({ "name": "caller", "version": "1" });
        let params =
            json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
        let open = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let answer = self.sent(url, "", open).await?;
        let session = answer.headers().get("mcp-session-id").context("a session")?;
        Ok(session.to_str()?.to_owned())
    }

    /// Calls a tool, and returns the whole answer.
    async fn call(&self, url: &str, session: &str, tool: &str) -> Result<String> {
        let answer = self.sent(url, session, call(tool)).await?.text();
        tokio::time::timeout(LONGEST, answer)
            .await
            .with_context(|| format!("{tool} hangs"))?
            .or_else(
                |error| if error.is_body() { Ok(error.to_string()) } else { Err(error.into()) },
            )
    }

    /// Returns the memory of the Guardian now, in KiB.
    fn memory(&self) -> Result<u64> {
        self.status("VmRSS")
    }

    /// Returns the most that it had since the last [`forget_peak`](Self::forget_peak).
    fn peak(&self) -> Result<u64> {
        self.status("VmHWM")
    }

    fn forget_peak(&self) -> Result<()> {
        let path = format!("/proc/{}/clear_refs", self.guardian.served.process_id());
        Ok(std::fs::write(path, "5")?)
    }

    fn status(&self, name: &str) -> Result<u64> {
        let path = format!("/proc/{}/status", self.guardian.served.process_id());
        let status = std::fs::read_to_string(path)?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()).context("no figure")?;
        Ok(number.parse()?)
    }

    /// Returns what it costs to do this, which must not be much; printed.
    async fn costs<T>(&self, what: &str, of: impl Future<Output = Result<T>>) -> Result<T> {
        let before = self.memory()?;
        self.forget_peak()?;
        let begun = Instant::now();
        let done = of.await.with_context(|| what.to_owned())?;
        let (took, peak, after) = (begun.elapsed(), self.peak()?, self.memory()?);
        let mib = |kib: u64| kib as f64 / 1024.0;
        println!(
            "{what:34} {:>6} ms, memory {:>5.1} MiB before, {:>5.1} at most, {:>5.1} after",
            took.as_millis(),
            mib(before),
            mib(peak),
            mib(after)
        );
        ensure!(took < LONGEST, "{what} took {took:?}");
        ensure!(peak < before + MOST_KIB, "{what} took {peak} KiB, from {before}");
        Ok(done)
    }
}

fn call(tool: &str) -> Value {
    let params = json!({ "name": tool, "arguments": { "message": "hello" } });
    json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params })
}

/// Linux alone says how much memory a process has.
#[cfg(target_os = "linux")]
#[test]
fn each_of_its_tricks_costs_little_and_is_told() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::open().await?;
        let url = fixture.register("").await?;
        let session = fixture.session(&url).await?;
        ensure!(fixture.call(&url, &session, "echo").await?.contains("hello"));
        for (tool, words) in [
            ("hangs", "not in time"),
            ("stalls", "not in time"),
            ("html", "text/html"),
            ("gigabyte", "bytes"),
            ("endless_event", "bytes"),
            ("drops", "broke off"),
            ("redirects", "redirect"),
        ] {
            let answer = fixture.costs(tool, fixture.call(&url, &session, tool)).await?;
            ensure!(answer.contains("\"error\"") && answer.contains(words), "{tool}: {answer}");
            ensure!(!answer.contains("169.254"), "it tells where it was sent: {answer}");
        }
        // By those who hear the answer alone, too.
        for (tool, words) in [("floods", "at last"), ("gigabyte", "bytes"), ("drops", "broke off")]
        {
            let what = format!("{tool}, no session");
            let answer = fixture.costs(&what, fixture.call(&url, "", tool)).await?;
            ensure!(answer.contains(words), "{tool}: {answer}");
        }
        let answer = fixture.costs("floods", fixture.call(&url, &session, "floods")).await?;
        let heard = answer.matches("notifications/message").count();
        ensure!(heard == FLOOD && answer.contains("at last"), "{heard} notifications");
        let many = (0..8).map(|_| fixture.call(&url, &session, "endless_event"));
        fixture.costs("endless_event, eight at once", try_join_all(many)).await?;
        let unread = async {
            let answer = fixture.sent(&url, &session, call("floods")).await?;
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(answer.status())
        };
        fixture.costs("floods one who does not read", unread).await?;
        let answer =
            fixture.costs("echo, after all that", fixture.call(&url, &session, "echo")).await?;
        ensure!(answer.contains("hello"), "{answer}");
        Ok(())
    })
}

#[cfg(target_os = "linux")]
#[test]
fn one_that_never_says_what_it_is_is_told_so() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::open().await?;
        for (kind, words) in [
            ("hangs", "not in time"),
            ("stalls", "not in time"),
            ("html", "text/html"),
            ("gigabyte", "bytes"),
            ("endless_event", "bytes"),
            ("drops", "does not answer"),
            ("redirects", "redirect"),
        ] {
            let url = fixture.register(kind).await?;
            let what = format!("{kind}, whatever is asked");
            let answer = fixture.costs(&what, fixture.call(&url, "", "echo")).await?;
            ensure!(answer.contains("\"error\"") && answer.contains(words), "{kind}: {answer}");
        }
        Ok(())
    })
}

#[test]
fn a_tool_that_changes_between_list_and_call_is_refused_accepted_and_then_runs() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::open().await?;
        let id =
            fixture.guardian.register("box", &format!("{}/mcp", fixture.upstream.url())).await?;
        let (client, admin) = (fixture.guardian.client()?, fixture.guardian.admin_client()?);
        let agent = &fixture.guardian.agent_id;
        let list = async || client.mcp().call_tool(&id, agent, "tools/list", None, None).await;
        let echo = json!({ "name": "echo", "arguments": { "message": "hello" } });
        let call = async || {
            client.mcp().call_tool(&id, agent, "tools/call", Some(echo.clone()), None).await
        };
        ensure!(call().await?["content"][0]["text"] == "hello");

        let schema =
            json!({ "type": "object", "properties": { "password": { "type": "string" } } });
        fixture.tools.change("echo", "inputSchema", schema.clone());
        // Whoever lists what it has by now makes that known.
        list().await?;
        let refused = call().await?;
        let text = refused["content"][0]["text"].as_str().unwrap_or_default();
        ensure!(refused["isError"] == true && text.contains("accept"), "{refused}");

        let tools = admin.mcp().tools(&id).await?;
        let tool = tools.into_iter().find(|tool| tool.name == "echo").context("it is known")?;
        let change = tool.changed.context("its change is shown")?;
        ensure!(change.definition.as_ref().is_some_and(|shown| shown["inputSchema"] == schema));
        ensure!(client.mcp().accept_tool(&id, "echo", &change.digest).await.is_err());
        let stale = admin.mcp().accept_tool(&id, "echo", &tool.digest).await;
        ensure!(stale.is_err(), "another digest was accepted: {stale:?}");
        admin.mcp().accept_tool(&id, "echo", &change.digest).await?;
        ensure!(call().await?["content"][0]["text"] == "hello");

        // What is gone is a tool that the server does not have.
        fixture.tools.remove("echo");
        list().await?;
        let gone = call().await;
        ensure!(gone.as_ref().is_err_and(|error| error.code() == "JSON_RPC_-32602"), "{gone:?}");
        Ok(())
    })
}
