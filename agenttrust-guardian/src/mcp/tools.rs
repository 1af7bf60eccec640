//! The tools of a server: looked at often enough, and shown to a caller as far as it may call them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use agenttrust::{Effect, background};
use agenttrust_tower::internal::mcp::Kind;
use serde_json::{Value, json};

use super::Proxy;
use super::answer::Reader;
use super::refusal::Refusal;
use super::send::{self, broke_off};
use super::subject::Subject;
use super::upstream::{list_tools, unreadable};
use crate::domain::Key;
#[cfg(feature = "cli")]
use crate::engine::Engine;
use crate::manifest::{Extent, read_list};
use crate::pipeline::{self, Check};
use crate::registry::{Callable, McpServerEntry};
use crate::services::mcp_tools::{self, ToolStanding};

/// The longest that a client may keep a list that was filtered for it: what it may call changes.
const KEPT_MOST_MS: u64 = 30_000;

/// Sees that the tools of this server were looked at a moment ago; returns it as it is now.
///
/// # Errors
///
/// Refuses where the server does not list them, or they cannot be kept.
pub(super) async fn fresh(
    proxy: &Arc<Proxy>,
    server: &Arc<McpServerEntry>,
) -> Result<Arc<McpServerEntry>, Refusal> {
    let upstream = proxy.upstream(&server.row.id);
    let list = async {
        let (changes, at) = (upstream.changes(), Instant::now());
        let timeout = proxy.engine.settings.mcp.timeout.saturating_mul(2);
        let listed = background::timeout(timeout, list_tools(proxy, server)).await;
        let listed = listed.unwrap_or_else(|_| Err(broke_off()))?;
        mcp_tools::observe(&proxy.engine, server, listed, Extent::All).await?;
        upstream.listed(changes, at);
        Ok(())
    };
    upstream.listing.once(|| upstream.knows_tools().then_some(()), list).await?;
    now(proxy, server)
}

/// Returns the server as it is known now.
fn now(proxy: &Proxy, server: &McpServerEntry) -> Result<Arc<McpServerEntry>, Refusal> {
    let found = proxy.engine.registry.mcp_servers.get(&server.row.id);
    found.ok_or_else(|| Refusal::from(crate::domain::Error::unknown("MCP server", &server.row.id)))
}

/// Sees that a list of tools which came for the caller is of the tools that are known. The server is waited for here,
/// so of what is read nothing is held: it takes many times its text.
///
/// # Errors
///
/// Refuses where the server does not list them, or they cannot be kept.
pub(super) async fn look(reader: &Reader, text: &str) -> Result<(), Refusal> {
    let Reader { proxy, server, .. } = reader;
    let known = fresh(proxy, server).await?;
    if is_of_others(&known, text) {
        proxy.upstream(&server.row.id).forget_tools();
        fresh(proxy, server).await?;
    }
    Ok(())
}

/// Returns whether an answer lists other tools than are known. A server may show each client others, by what the client
/// can do. What is missing is gone for all, and what is described otherwise is another tool for all, only if a client
/// that can do everything sees it so too.
fn is_of_others(known: &McpServerEntry, text: &str) -> bool {
    let message = send::read(text.as_bytes()).unwrap_or_default();
    let Some(Value::Array(listed)) = message.pointer("/result/tools") else { return false };
    let cursor = message.pointer("/result/nextCursor");
    let has_more = cursor.is_some_and(|cursor| !cursor.is_null());
    !has_more && misses_any(known, listed) || differs(known, listed)
}

/// Leaves in a list of tools those that the caller may call, in their order.
///
/// # Errors
///
/// Refuses a result that is not a list of tools, and a list that cannot be kept.
pub(super) async fn show(reader: &Reader, result: &mut Value) -> Result<(), Refusal> {
    let Reader { proxy, server, subject, .. } = reader;
    // Some clients do not look at case, and would read a second list, which nothing was left out of.
    if let Some(members) = result.as_object_mut() {
        members.retain(|name, _| name == "tools" || !name.eq_ignore_ascii_case("tools"));
    }
    let Some(Value::Array(listed)) = result.get_mut("tools") else { return Err(unreadable()) };
    let read = read_list(&server.row.name, listed);
    mcp_tools::observe(&proxy.engine, server, read, Extent::Some).await?;
    let server = now(proxy, server)?;
    listed.retain(|tool| match mcp_tools::standing(&server, tool) {
        ToolStanding::Known(pinned) => {
            let action = Kind::Tool.tool(Some(&server.row.name), &pinned.name);
            action.is_ok_and(|action| {
                let check = check_of(subject, action, pinned.effect_hint);
                pipeline::may_see(&proxy.engine, &check)
            })
        }
        // It is not called either before an operator has accepted it, or it was pinned.
        ToolStanding::Changed | ToolStanding::New => false,
    });
    Ok(())
}

/// Returns whether a tool that may be called is described otherwise in this list.
fn differs(server: &McpServerEntry, listed: &[Value]) -> bool {
    let is_changed = |tool: &Value| {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        matches!(server.callable(name), Callable::Yes(_))
            && matches!(mcp_tools::standing(server, tool), ToolStanding::Changed)
    };
    listed.iter().any(is_changed)
}

/// Returns whether a tool that is known is not in this list.
fn misses_any(server: &McpServerEntry, listed: &[Value]) -> bool {
    let names: HashSet<&str> =
        listed.iter().filter_map(|tool| tool.get("name")?.as_str()).collect();
    server.tools.iter().any(|(name, tool)| !tool.is_gone && !names.contains(name.as_str()))
}

/// Returns whether an agent could call a tool at present, where this key asks and the agent is in no session.
#[cfg(feature = "cli")]
pub(crate) fn may_see(
    engine: &Engine,
    key: &Arc<Key>,
    agent_id: &str,
    (tool, hint): (String, Option<Effect>),
) -> bool {
    pipeline::may_see(engine, &check_by(key, agent_id.to_owned(), tool, hint))
}

/// Returns a check of this tool, of which nothing is bound.
pub(super) fn check_of(subject: &Subject, tool: String, hint: Option<Effect>) -> Check {
    let session_id = subject.session_id.clone();
    let proof = subject.has_its_key.clone();
    Check { session_id, proof, ..check_by(&subject.key, subject.agent_id.clone(), tool, hint) }
}

fn check_by(key: &Arc<Key>, agent_id: String, tool: String, hint: Option<Effect>) -> Check {
    Check {
        key: Arc::clone(key),
        agent_id,
        session_id: None,
        session_is_generated: false,
        tool,
        hint,
        source: "mcp".to_owned(),
        scopes: None,
        digest: None,
        binds: None,
        key_id: None,
        summary: None,
        task_message: None,
        proof: None,
        trace: None,
        access: None,
        _place: None,
    }
}

/// Says of a list that it is for this caller alone, and not for long.
pub(super) fn mark_private(result: &mut Value) {
    let Some(members) = result.as_object_mut() else { return };
    let kept = members.get("ttlMs").and_then(Value::as_u64).unwrap_or(0).min(KEPT_MOST_MS);
    members.insert("ttlMs".to_owned(), kept.into());
    members.insert("cacheScope".to_owned(), json!("private"));
}
