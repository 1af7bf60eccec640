//! What is known of the servers behind: which versions they speak, and how long ago their tools were looked at.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::Proxy;
use super::era::{
    Era, LEGACY, META_CAPABILITIES, META_CLIENT, META_VERSION, MODERN, UNSUPPORTED_VERSION, known,
    version_error,
};
use super::refusal::Refusal;
use super::send::{self, Outward};
use crate::manifest::{ListedTool, read_page};
use crate::registry::McpServerEntry;

/// The time that the version of a server is remembered: it may be another program by then.
const REMEMBERED: Duration = Duration::from_secs(3_600);
/// The time that a list of tools is relied on.
const TOOLS_FRESH: Duration = Duration::from_secs(30);

/// The versions of MCP that a server speaks.
#[derive(Clone, Debug)]
pub(super) struct Spoken {
    /// The newest version of the modern era that the proxy knows too.
    pub(super) modern: Option<&'static str>,
    /// The versions that it says it speaks.
    pub(super) versions: Vec<&'static str>,
    at: Instant,
}

/// A server behind the proxy.
#[derive(Debug, Default)]
pub(super) struct Upstream {
    spoken: Mutex<Option<Spoken>>,
    tools_at: Mutex<Option<Instant>>,
    /// The number of times that its tools were said to have changed.
    changes: AtomicU64,
    /// The right to ask what it speaks: many calls at once are one question.
    finding: Asking,
    /// The right to ask for its tools.
    pub(super) listing: Asking,
}

/// The right to ask, which one caller has at a time. Those that wait get its answer, an error too: at a server that
/// hangs, each would otherwise wait as long again.
#[derive(Debug, Default)]
pub(super) struct Asking(tokio::sync::Mutex<Option<(Instant, Refusal)>>);

impl Asking {
    /// Returns what `known` says, once it says anything; until then what `ask` comes to, which one at a time does.
    ///
    /// # Errors
    ///
    /// That of `ask`, by this caller or by the one that it waited for.
    pub(super) async fn once<T>(
        &self,
        known: impl Fn() -> Option<T>,
        ask: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        if let Some(known) = known() {
            return Ok(known);
        }
        let began = Instant::now();
        let mut failed = self.0.lock().await;
        if let Some(known) = known() {
            return Ok(known);
        }
        if let Some((_, refusal)) = failed.as_ref().filter(|(at, _)| *at >= began) {
            return Err(refusal.clone());
        }
        let asked = ask.await;
        *failed = asked.as_ref().err().map(|refusal| (Instant::now(), refusal.clone()));
        asked
    }
}

impl Upstream {
    /// Returns whether its tools were looked at a moment ago.
    pub(super) fn knows_tools(&self) -> bool {
        let at = *self.tools_at.lock().unwrap_or_else(PoisonError::into_inner);
        at.is_some_and(|at| at.elapsed() < TOOLS_FRESH)
    }

    /// Returns how often its tools changed; to be told with what was listed after it.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Notes that its tools were listed, unless they have changed since.
    pub(super) fn listed(&self, changes: u64, at: Instant) {
        if self.changes() == changes {
            *self.tools_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
        }
    }

    /// Forgets the list of its tools, because it says that they have changed.
    pub(super) fn forget_tools(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        *self.tools_at.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Forgets what it speaks, because that may have changed.
    pub(super) fn forget_spoken(&self) {
        *self.spoken.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns what it speaks, where that is known.
    fn spoken(&self) -> Option<Spoken> {
        let spoken = self.spoken.lock().unwrap_or_else(PoisonError::into_inner).clone();
        spoken.filter(|spoken| spoken.at.elapsed() < REMEMBERED)
    }
}

impl Proxy {
    /// Returns what this server speaks: asked once, and remembered.
    ///
    /// # Errors
    ///
    /// Refuses where it answers in neither era.
    pub(super) async fn spoken(
        self: &Arc<Self>,
        server: &Arc<McpServerEntry>,
    ) -> Result<Spoken, Refusal> {
        let upstream = self.upstream(&server.row.id);
        let ask = async {
            let spoken = match discover(self, server).await? {
                Some(spoken) => spoken,
                None => {
                    let session = self.sessions.of(self, server, "").await?;
                    let versions = known(&LEGACY, &session.version).into_iter().collect();
                    Spoken { modern: None, versions, at: Instant::now() }
                }
            };
            let kept = &mut *upstream.spoken.lock().unwrap_or_else(PoisonError::into_inner);
            *kept = Some(spoken.clone());
            Ok(spoken)
        };
        upstream.finding.once(|| upstream.spoken(), ask).await
    }

    /// Asks the server something in the name of the proxy, in whichever era it speaks; returns the result. Once more
    /// where the answer was that of a server which speaks another one by now.
    pub(super) async fn ask(
        self: &Arc<Self>,
        server: &Arc<McpServerEntry>,
        method: &str,
        params: Map<String, Value>,
    ) -> Result<Value, Refusal> {
        let spoken = self.spoken(server).await?;
        let asked = self.ask_in(server, &spoken, (method, params.clone())).await;
        let Err(refusal) = &asked else { return asked };
        let is_there = refusal.http_status() != StatusCode::GATEWAY_TIMEOUT;
        if !is_there || self.upstream(&server.row.id).spoken().is_some() {
            return asked;
        }
        let spoken = self.spoken(server).await?;
        self.ask_in(server, &spoken, (method, params)).await
    }

    async fn ask_in(
        self: &Arc<Self>,
        server: &Arc<McpServerEntry>,
        spoken: &Spoken,
        (method, params): (&str, Map<String, Value>),
    ) -> Result<Value, Refusal> {
        let Some(version) = spoken.modern else {
            return self.sessions.ask(self, server, method, params).await;
        };
        let request = modern_request(method, params, version);
        let answer = send::ask(self, server, request, Outward::modern(version, method)).await?;
        result_of(answer)
    }
}

/// Returns a request of the proxy's own.
pub(super) fn request(method: &str, params: Map<String, Value>) -> Value {
    json!({ "jsonrpc": "2.0", "id": next_id(), "method": method, "params": params })
}

/// Returns an id for a request that goes to a server in the name of the proxy: none is used twice.
pub(super) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Returns the same in the modern era.
pub(super) fn modern_request(method: &str, params: Map<String, Value>, version: &str) -> Value {
    let mut params = params;
    add_meta(&mut params, version, everything());
    request(method, params)
}

/// Returns all that a client can do. Some servers show a tool only to clients that can do what it asks of them.
pub(super) fn everything() -> Value {
    json!({ "elicitation": { "form": {}, "url": {} }, "roots": {}, "sampling": {} })
}

/// Says in `_meta` what every modern request says, in the name of the proxy and of a client that can do this.
pub(super) fn add_meta(params: &mut Map<String, Value>, version: &str, capabilities: Value) {
    let meta = params.entry("_meta").or_insert_with(|| Value::Object(Map::new()));
    if !meta.is_object() {
        *meta = Value::Object(Map::new());
    }
    if let Some(meta) = meta.as_object_mut() {
        meta.insert(META_VERSION.to_owned(), version.into());
        meta.insert(META_CLIENT.to_owned(), client_info());
        meta.insert(META_CAPABILITIES.to_owned(), capabilities);
    }
}

/// Returns who the proxy says it is.
pub(super) fn client_info() -> Value {
    json!({ "name": "agenttrust-guardian", "version": env!("CARGO_PKG_VERSION") })
}

/// Returns the result of an answer.
pub(super) fn result_of(answer: Value) -> Result<Value, Refusal> {
    let Value::Object(mut members) = answer else { return Err(unreadable()) };
    if let Some(result) = members.remove("result").filter(Value::is_object) {
        return Ok(result);
    }
    let said = members.get("error").and_then(|error| error.get("message")).and_then(Value::as_str);
    let said: String = said.unwrap_or("no reason").chars().take(200).collect();
    Err(Refusal::upstream(format!(
        "the MCP server refused what the Guardian asked of it: {said:?}"
    )))
}

pub(super) fn unreadable() -> Refusal {
    Refusal::upstream("the MCP server sent what is no message of JSON-RPC")
}

/// Returns what the server says of itself, where it is of the modern era.
async fn discover(
    proxy: &Arc<Proxy>,
    server: &Arc<McpServerEntry>,
) -> Result<Option<Spoken>, Refusal> {
    let Some(newest) = MODERN.first() else { return Ok(None) };
    let request = modern_request("server/discover", Map::new(), newest);
    let outward = Outward::modern(newest, "server/discover");
    let answer = match send::ask(proxy, server, request, outward).await {
        Ok(answer) => answer,
        // One that is not there does not answer the next question either.
        Err(refusal) if refusal.http_status() == StatusCode::GATEWAY_TIMEOUT => {
            return Err(refusal);
        }
        // A server of the other era may answer with any error.
        Err(refusal) => {
            tracing::debug!(why = refusal.message(), server = server.row.id, "no server/discover");
            return Ok(None);
        }
    };
    let listed = answer.pointer("/result/supportedVersions");
    let error = answer.pointer("/error/code").and_then(Value::as_i64);
    let listed = match error {
        Some(code) if code == i64::from(UNSUPPORTED_VERSION) => {
            answer.pointer("/error/data/supported")
        }
        _ => listed,
    };
    let Some(listed) = listed.and_then(Value::as_array) else { return Ok(None) };
    let of = |versions: &[&'static str]| -> Vec<&'static str> {
        let said = |version: &&&str| listed.iter().any(|said| said.as_str() == Some(version));
        versions.iter().filter(said).copied().collect()
    };
    let modern = of(&MODERN).first().copied();
    let versions: Vec<_> = of(&MODERN).into_iter().chain(of(&LEGACY)).collect();
    if versions.is_empty() {
        return Err(Refusal::upstream(
            "the MCP server speaks no version of MCP that is known here",
        ));
    }
    // Of one that lists older versions only, its own word in its own era is asked for.
    Ok(modern.map(|modern| Spoken { modern: Some(modern), versions, at: Instant::now() }))
}

/// Returns the error of the protocol for a caller of an era that the server does not speak.
pub(super) fn wrong_era(spoken: &Spoken, era: Era, requested: &str) -> Refusal {
    let versions: Vec<&str> = match era {
        Era::Modern => spoken.versions.clone(),
        Era::Legacy => spoken.versions.iter().copied().filter(|it| MODERN.contains(it)).collect(),
    };
    version_error(&versions, requested)
}

/// Returns the whole list of tools of a server, page by page.
///
/// # Errors
///
/// Refuses where it does not answer, or never comes to an end.
pub(super) async fn list_tools(
    proxy: &Arc<Proxy>,
    server: &Arc<McpServerEntry>,
) -> Result<BTreeMap<String, ListedTool>, Refusal> {
    const PAGES_MOST: usize = 64;
    const TOOLS_MOST: usize = 4_096;
    let (mut tools, mut params) = (BTreeMap::new(), Map::new());
    for _ in 0..PAGES_MOST {
        let mut result = proxy.ask(server, "tools/list", params).await?;
        let Some(Value::Array(page)) = result.get_mut("tools").map(Value::take) else {
            return Err(Refusal::upstream(
                "the MCP server sent something else than a list of tools",
            ));
        };
        // A page goes before the next one comes: of each tool is kept what is pinned of it.
        read_page(&mut tools, &server.row.name, &page);
        if tools.len() > TOOLS_MOST {
            break;
        }
        match result.get_mut("nextCursor").map(Value::take) {
            Some(Value::String(cursor)) => {
                params = Map::from_iter([("cursor".to_owned(), Value::String(cursor))]);
            }
            _ => return Ok(tools),
        }
    }
    Err(Refusal::upstream("the MCP server lists tools without end"))
}

/// The same method of HTTP for every message.
pub(super) const POST: Method = Method::POST;
