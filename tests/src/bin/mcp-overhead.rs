//! What `scripts/mcp-overhead` measures with. `mcp-overhead upstream` is a server, and `mcp-overhead reverse-proxy URL`
//! a plain proxy before it. `mcp-overhead measure COUNT NAME=URL...` calls a tool at each address in turn, so that a
//! machine that slows down slows down all. `MCP_HEADERS` is sent along, as JSON. Prints JSON.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use agenttrust_tests::upstream::{Tools, upstream};
use anyhow::{Context, Result, bail, ensure};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{Either, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Calls that are not counted, at each address.
const WARM_UP: usize = 200;
/// The number of times that the slow stream is read, at each address.
const STREAMS: usize = 3;

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["upstream"] => {
            let listener = listening().await?;
            Ok(axum::serve(listener, upstream(Tools::default())).await?)
        }
        ["reverse-proxy", target] => reverse_proxy(target.parse()?).await,
        ["measure", count, ref targets @ ..] => measure(count.parse()?, targets).await,
        _ => bail!("use mcp-overhead upstream | reverse-proxy URL | measure COUNT NAME=URL..."),
    }
}

async fn listening() -> Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    println!("listening on http://{}/mcp", listener.local_addr()?);
    Ok(listener)
}

/// Hands on what comes, and what comes back, and looks at nothing.
async fn reverse_proxy(target: Uri) -> Result<()> {
    let listener = listening().await?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let (client, target) = (client.clone(), target.clone());
        let handed_on = service_fn(move |mut request: Request<Incoming>| {
            *request.uri_mut() = target.clone();
            let answer = client.request(request);
            async move {
                Ok::<_, Infallible>(answer.await.map_or_else(
                    |_| {
                        let mut failed = Response::new(Either::Right(Empty::<Bytes>::new()));
                        *failed.status_mut() = StatusCode::BAD_GATEWAY;
                        failed
                    },
                    |answer| answer.map(Either::Left),
                ))
            }
        });
        let served = hyper::server::conn::http1::Builder::new();
        tokio::spawn(served.serve_connection(TokioIo::new(socket), handed_on));
    }
}

async fn measure(count: usize, targets: &[&str]) -> Result<()> {
    let client = reqwest::Client::builder().default_headers(headers()?).no_proxy().build()?;
    let mut opened = Vec::new();
    for (name, url) in targets.iter().filter_map(|target| target.split_once('=')) {
        opened.push((name, Address::open(client.clone(), url).await?));
    }
    let targets = opened;
    let mut took = vec![Vec::with_capacity(count); targets.len()];
    for round in 0..WARM_UP + count {
        for ((_, address), took) in targets.iter().zip(&mut took) {
            let begun = Instant::now();
            let answer: Value =
                serde_json::from_slice(&address.call("echo").await?.bytes().await?)?;
            let end = begun.elapsed();
            ensure!(answer["result"]["content"][0]["text"] == "hello", "{answer}");
            if round >= WARM_UP {
                took.push(end);
            }
        }
    }
    let mut all = serde_json::Map::new();
    for ((name, address), mut took) in targets.into_iter().zip(took) {
        took.sort_unstable();
        let at = |share: f64| took.get((took.len() as f64 * share) as usize).map_or(0.0, micros);
        let (first, whole) = address.slow_stream().await?;
        let figures = json!({
            "p50_us": at(0.5), "p90_us": at(0.9), "p99_us": at(0.99),
            "first_event_ms": first.as_secs_f64() * 1e3, "last_event_ms": whole.as_secs_f64() * 1e3,
        });
        all.insert(name.to_owned(), figures);
    }
    println!("{}", Value::from(all));
    Ok(())
}

fn micros(time: &Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn headers() -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let given = std::env::var("MCP_HEADERS").unwrap_or_else(|_| "{}".to_owned());
    for (name, value) in serde_json::from_str::<std::collections::BTreeMap<String, String>>(&given)?
    {
        headers.insert(name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?);
    }
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("accept", HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert("mcp-protocol-version", HeaderValue::from_static("2025-11-25"));
    Ok(headers)
}

/// The address at which a tool is called, in a session where there is one.
struct Address {
    client: reqwest::Client,
    url: String,
    session: Option<HeaderValue>,
}

impl Address {
    async fn open(client: reqwest::Client, url: &str) -> Result<Self> {
        let mut address = Self { client, url: url.to_owned(), session: None };
        let this = json!({ "name": "mcp-overhead", "version": "1" });
        let params =
            json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": this });
        let opened = address.sent("initialize", params).await?;
        address.session = opened.headers().get("mcp-session-id").cloned();
        Ok(address)
    }

    async fn sent(&self, method: &str, params: Value) -> Result<reqwest::Response> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut request = self.client.post(&self.url).body(body.to_string());
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        let answer = request.send().await?;
        ensure!(answer.status().is_success(), "{}: {}", self.url, answer.status());
        Ok(answer)
    }

    async fn call(&self, tool: &str) -> Result<reqwest::Response> {
        let arguments = json!({ "message": "hello" });
        self.sent("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// Returns when the first event of the slow stream came, and when the last; the slowest of some.
    async fn slow_stream(&self) -> Result<(Duration, Duration)> {
        let mut slowest = (Duration::ZERO, Duration::ZERO);
        for _ in 0..STREAMS {
            let begun = Instant::now();
            let mut answer = self.call("slow_stream").await?;
            let mut read = Vec::new();
            let mut first = None;
            while let Some(piece) = answer.chunk().await? {
                read.extend_from_slice(&piece);
                if first.is_none() && read.windows(2).any(|two| two == b"\n\n") {
                    first = Some(begun.elapsed());
                }
            }
            let first = first.context("no event came")?;
            let whole = String::from_utf8_lossy(&read);
            ensure!(whole.contains("at last"), "{}: the answer is missing", self.url);
            slowest = (slowest.0.max(first), slowest.1.max(begun.elapsed()));
        }
        Ok(slowest)
    }
}
