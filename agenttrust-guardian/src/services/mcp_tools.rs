//! The tools of MCP servers: pinned as they are first seen, and refused once they are others, until an operator
//! accepts what they are by then.

use std::collections::BTreeMap;
use std::sync::Arc;

use agenttrust::background;
use serde_json::{Value, json};

use crate::audit::Record;
use crate::domain::Error;
use crate::engine::Engine;
use crate::manifest::{ListedTool, News, Observed, PinnedTool, observe as observed, read_list};
use crate::registry::McpServerEntry;
use crate::store::{McpToolChanges, StoreError};

/// How many bytes of tools one row of the audit lists: with one more it still fits.
const LISTED_BYTES: usize = 32 << 10;
/// How often what was observed is planned before giving up on being first.
const PLANS_MOST: usize = 10;

/// How a tool that a server lists stands to the one that is pinned.
#[derive(Clone, Debug)]
pub(crate) enum ToolStanding {
    /// It is the pinned one.
    Known(Arc<PinnedTool>),
    /// It is another one.
    Changed,
    /// None of its name is pinned.
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

/// Takes in the whole list of a server's tools: pins what is new, notes what is another one by now and what is gone,
/// and tells the audit of each once. Memory knows of it when this returns.
///
/// # Errors
///
/// Not found where the server was removed meanwhile, conflict where other replicas keep being first, unavailable where
/// the database or the audit cannot be written; nothing is pinned then.
pub(crate) async fn observe(
    engine: &Arc<Engine>,
    server: &Arc<McpServerEntry>,
    tools: Vec<Value>,
) -> Result<(), Error> {
    let listed = read_list(&server.row.name, &tools);
    let known = engine.registry.mcp_servers.get(&server.row.id);
    let known = known.ok_or_else(|| removed(server))?;
    if known.row.tools_seen_at.is_some()
        && observed(&known.tools, &listed, engine.clock.now()).is_empty()
    {
        return Ok(());
    }
    // To its end, also when the caller is gone: what is stored is recorded.
    let engine = Arc::clone(engine);
    let kept = background::spawn(async move {
        let _alone = Arc::clone(&known.observing).lock_owned().await;
        keep(&engine, &known, &listed).await
    });
    kept.await.unwrap_or_else(|_| Err(StoreError::Stopped.into()))
}

async fn keep(
    engine: &Engine,
    server: &McpServerEntry,
    listed: &BTreeMap<String, ListedTool>,
) -> Result<(), Error> {
    for _ in 0..PLANS_MOST {
        let seen = engine.sync().await?;
        let now = engine.clock.now();
        let id = &server.row.id;
        let known = engine.registry.mcp_servers.get(id).ok_or_else(|| removed(server))?;
        let Observed { pinned, marks, news, left_out } = observed(&known.tools, listed, now);
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

/// What the audit says of what was observed.
fn records(server: &McpServerEntry, news: News) -> Vec<Record> {
    let News { appeared, changed, gone } = news;
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
