//! The tools of MCP servers: pinned as they are first seen, and refused once they are others, until an operator
//! accepts what they are by then.

use std::collections::BTreeMap;
use std::sync::Arc;

use agenttrust::model::{AgentStatus, McpTool, McpToolChange, McpToolState};
use agenttrust::{Effect, background};
use serde_json::{Value, json};

use crate::audit::Record;
use crate::domain::{Error, Key};
use crate::engine::Engine;
use crate::manifest::{
    Extent, ListedTool, Observed, PINNED_MAX_BYTES, PinnedTool, ToolListChanges, effect_hint,
    observe as observed,
};
use crate::registry::McpServerEntry;
use crate::store::{McpServerRow, McpToolAccepted, McpToolChanges, McpToolRow, StoreError};

/// The number of bytes of tools that one row of the audit lists: with one more it still fits.
const LISTED_BYTES: usize = 32 << 10;
/// The number of times that what was observed is planned before giving up on being first.
const PLANS_MOST: usize = 10;

/// Returns what is known of a server's tools, ordered by name; of those alone that one of `agents` may use, where they
/// are given, and then without what a tool is changed to.
///
/// # Errors
///
/// Those of the database.
pub(crate) async fn list(
    engine: &Engine,
    server: &McpServerEntry,
    agents: Option<&[&str]>,
) -> Result<Vec<McpTool>, Error> {
    let row = &server.row;
    let mut rows = engine.reading_store.shown_mcp_tools(row.id.clone()).await?;
    if let Some(agents) = agents {
        let known = agents.iter().filter_map(|id| engine.registry.agents.get(&row.org_id, id));
        let active: Vec<_> =
            known.filter(|entry| entry.agent.status == AgentStatus::Active).collect();
        rows.retain_mut(|tool| {
            tool.changed_definition = None;
            let name = format!("{}/{}", row.name, tool.tool.pinned.name);
            active.iter().any(|agent| agent.capabilities.covers(&name))
        });
    }
    Ok(rows.into_iter().map(show).collect())
}

/// Returns a tool as callers see it.
fn show(row: McpToolRow) -> McpTool {
    let McpToolRow { tool, changed_definition, .. } = row;
    let mut shown = McpTool::default();
    shown.state = match &tool.changed {
        _ if tool.is_gone => McpToolState::Gone,
        Some(_) => McpToolState::Changed,
        None => McpToolState::Pinned,
    };
    shown.name.clone_from(&tool.pinned.name);
    shown.digest.clone_from(&tool.pinned.digest);
    shown.definition = tool.pinned.definition.clone();
    shown.effect_hint = tool.pinned.effect_hint;
    shown.changed = tool.changed.map(|digest| {
        let mut changed = McpToolChange::default();
        (changed.digest, changed.definition) = (digest, changed_definition);
        changed
    });
    shown.first_seen_at = Some(tool.first_seen_at);
    (shown.accepted_by, shown.accepted_at) = (tool.accepted_by, tool.accepted_at);
    shown
}

/// Pins a tool as its server describes it now, which is the definition of this digest: the operator that accepts it
/// has looked at that one. Its effect is raised where the annotations say more, and never lowered: that is for
/// [`set_effect`](super::tools::set_effect).
///
/// # Errors
///
/// Not found for a server or a tool that is not known; conflict where the tool is another one by now, or cannot be
/// pinned; unavailable where the database or the audit cannot be written.
pub(crate) async fn accept(
    engine: &Engine,
    key: &Key,
    server: &McpServerEntry,
    (tool, digest): (&str, &str),
) -> Result<McpTool, Error> {
    let McpServerRow { id, name: server_name, .. } = &server.row;
    let find = async || {
        let mut rows = engine.store.shown_mcp_tools(id.clone()).await?.into_iter();
        let found = rows.find(|row| row.tool.pinned.name == tool);
        found.ok_or_else(|| Error::unknown("tool", &format!("{server_name}/{tool}")))
    };
    let row = find().await?;
    let before = &row.tool.pinned;
    if row.tool.changed.is_none() && before.digest == digest {
        return Ok(show(row));
    }
    let effect_hint = acceptable(server, &row, digest)?;
    let accepted = McpToolAccepted {
        server_id: id.clone(),
        org_id: key.org_id.clone(),
        name: tool.to_owned(),
        digest: digest.to_owned(),
        effect_hint,
        by: key.id.clone(),
    };
    let stored = async {
        match engine.store.accept_mcp_tool(accepted, engine.clock.now()).await? {
            true => Ok(()),
            false => Err(another(tool)),
        }
    };
    let about = json!({
        "server_id": id, "server": server_name, "tool": tool, "digest": digest, "before": before.digest,
        "effect_hint": effect_hint,
    });
    let record = |_: &()| Record::new("mcp_tool.accepted", &key.org_id).actor(&key.id).body(about);
    engine.change(stored, record).await?;
    find().await.map(show)
}

/// Returns what the effect of a tool is raised to once it is pinned as it is changed to, if that is what was looked at.
fn acceptable(
    server: &McpServerEntry,
    row: &McpToolRow,
    digest: &str,
) -> Result<Option<Effect>, Error> {
    let before = &row.tool.pinned;
    if row.tool.changed.as_deref() != Some(digest) {
        return Err(another(&before.name));
    }
    let cannot = |why: &str| {
        Err(Error::conflict(format!(
            "tool {:?} cannot be accepted as it is now: {why}; have its server mended, or register it again",
            before.name
        )))
    };
    let Some(definition) = &row.changed_definition else {
        return cannot("its definition is too long to be kept, or there are two of its name");
    };
    let pinned: usize = server.tools.values().map(|tool| tool.pinned.bytes).sum();
    let bytes = definition.to_string().len();
    if pinned.saturating_sub(before.bytes).saturating_add(bytes) > PINNED_MAX_BYTES {
        return cannot("with it the definitions of its server would be longer than may be kept");
    }
    Ok(before.effect_hint.max(effect_hint(definition)))
}

fn another(tool: &str) -> Error {
    Error::conflict(format!(
        "tool {tool:?} is not the one of this digest, or is another one by now; look at it again"
    ))
}

/// The standing of a tool that a server lists, compared with the pinned one.
#[derive(Clone, Debug)]
pub(crate) enum ToolStanding {
    /// The tool that is pinned.
    Known(Arc<PinnedTool>),
    /// A tool that is described otherwise than the pinned one.
    Changed,
    /// A tool whose name is not pinned yet.
    New,
}

/// Compares a member of `tools` with what is pinned under its name.
pub(crate) fn standing(server: &McpServerEntry, tool: &Value) -> ToolStanding {
    let listed = ListedTool::read(&server.row.name, tool);
    let Some(listed) = listed else { return ToolStanding::New };
    match server.tools.get(&listed.name) {
        None => ToolStanding::New,
        Some(kept) if kept.pinned.digest == listed.digest => {
            ToolStanding::Known(Arc::clone(&kept.pinned))
        }
        Some(_) => ToolStanding::Changed,
    }
}

/// Takes in a list of a server's tools: pins what is new, notes what is another one by now and, of a list of all, what
/// is gone, and tells the audit of each once. Memory knows of it when this returns.
///
/// # Errors
///
/// Not found where the server was removed meanwhile, conflict where other replicas keep being first, unavailable where
/// the database or the audit cannot be written; nothing is pinned then.
pub(crate) async fn observe(
    engine: &Arc<Engine>,
    server: &Arc<McpServerEntry>,
    listed: BTreeMap<String, ListedTool>,
    extent: Extent,
) -> Result<(), Error> {
    let known = engine.registry.mcp_servers.get(&server.row.id);
    let known = known.ok_or_else(|| removed(server))?;
    if known.row.tools_seen_at.is_some()
        && observed(&known.tools, &listed, extent, engine.clock.now()).is_empty()
    {
        return Ok(());
    }
    // To its end, also when the caller is gone: what is stored is recorded.
    let engine = Arc::clone(engine);
    let kept = background::spawn(async move {
        let _alone = Arc::clone(&known.observing).lock_owned().await;
        keep(&engine, &known, &listed, extent).await
    });
    kept.await.unwrap_or_else(|_| Err(StoreError::Stopped.into()))
}

async fn keep(
    engine: &Engine,
    server: &McpServerEntry,
    listed: &BTreeMap<String, ListedTool>,
    extent: Extent,
) -> Result<(), Error> {
    for _ in 0..PLANS_MOST {
        let seen = engine.sync().await?;
        let now = engine.clock.now();
        let id = &server.row.id;
        let known = engine.registry.mcp_servers.get(id).ok_or_else(|| removed(server))?;
        let Observed { pinned, marks, news, left_out } =
            observed(&known.tools, listed, extent, now);
        if pinned.is_empty() && marks.is_empty() && known.row.tools_seen_at.is_some() {
            return Ok(());
        }
        if left_out > 0 {
            tracing::warn!(
                server = id,
                left_out,
                "an MCP server lists more tools than are pinned, or longer ones; those left out cannot be called"
            );
        }
        engine.ensure_auditable()?;
        let org_id = known.row.org_id.clone();
        let changes = McpToolChanges { server_id: id.clone(), org_id, seen, pinned, marks };
        if !engine.store.change_mcp_tools(changes, now).await? {
            continue;
        }
        engine.sync().await?;
        for record in records(&known, news) {
            engine.record_audit(record).await?;
        }
        return Ok(());
    }
    Err(Error::conflict(format!(
        "other replicas keep changing what is known of the tools of MCP server {:?}; try again in a moment",
        server.row.name
    )))
}

fn removed(server: &McpServerEntry) -> Error {
    Error::unknown("MCP server", &server.row.id)
}

/// Returns what the audit says of what was observed.
fn records(server: &McpServerEntry, news: ToolListChanges) -> Vec<Record> {
    let ToolListChanges { appeared, changed, gone } = news;
    let kinds =
        [("mcp_tool.appeared", appeared), ("mcp_tool.changed", changed), ("mcp_tool.gone", gone)];
    let mut records = Vec::new();
    for (kind, tools) in kinds {
        let mut rows: Vec<Vec<Value>> = Vec::new();
        let mut bytes = usize::MAX;
        for (name, digest) in tools {
            let tool = json!({ "name": name, "digest": digest });
            if bytes > LISTED_BYTES {
                rows.push(Vec::new());
                bytes = 0;
            }
            bytes += tool.to_string().len();
            if let Some(row) = rows.last_mut() {
                row.push(tool);
            }
        }
        let record = |tools: Vec<Value>| {
            let (id, name) = (&server.row.id, &server.row.name);
            let body = json!({ "server_id": id, "server": name, "tools": tools });
            Record::new(kind, &server.row.org_id).body(body)
        };
        records.extend(rows.into_iter().map(record));
    }
    records
}
