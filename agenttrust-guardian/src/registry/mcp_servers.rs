//! The MCP servers, and their tools as they are pinned.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};

use super::{read_lock, write_lock};
use crate::manifest::{KeptTool, PinnedTool};
use crate::store::{McpServerRow, McpToolRow};

/// An MCP server, as it was when it was looked up.
#[derive(Debug)]
pub(crate) struct McpServerEntry {
    pub(crate) row: McpServerRow,
    /// The tools that are kept of the server, by name.
    pub(crate) tools: BTreeMap<String, KeptTool>,
    /// The lock that is held from the look at what is kept of its tools until what changed is
    /// known.
    pub(crate) observing: Arc<tokio::sync::Mutex<()>>,
}

/// Whether a tool may be called, by what its server listed last.
#[derive(Clone, Debug)]
pub(crate) enum Callable {
    /// The tool is as it is pinned.
    Yes(Arc<PinnedTool>),
    /// The tool has changed, and waits until an operator accepts it.
    Changed,
    /// The server does not have it, as far as is known.
    Unknown,
}

impl McpServerEntry {
    fn new(row: McpServerRow, tools: BTreeMap<String, KeptTool>) -> Self {
        Self { row, tools, observing: Arc::default() }
    }

    /// Returns whether the tool of this name may be called, by what was observed last.
    pub(crate) fn callable(&self, tool: &str) -> Callable {
        match self.tools.get(tool) {
            None => Callable::Unknown,
            Some(tool) if tool.is_gone => Callable::Unknown,
            Some(tool) if tool.changed.is_some() => Callable::Changed,
            Some(tool) => Callable::Yes(Arc::clone(&tool.pinned)),
        }
    }
}

/// Every MCP server, by its id.
#[derive(Debug, Default)]
pub(crate) struct McpServers {
    by_id: RwLock<HashMap<String, Arc<McpServerEntry>>>,
}

impl McpServers {
    pub(super) fn new(rows: Vec<McpServerRow>, tools: Vec<McpToolRow>) -> Self {
        let mut by_server: HashMap<String, BTreeMap<String, KeptTool>> = HashMap::new();
        for McpToolRow { server_id, tool, .. } in tools {
            let of_server = by_server.entry(server_id).or_default();
            of_server.insert(tool.pinned.name.clone(), tool);
        }
        let entry = |row: McpServerRow| {
            let tools = by_server.remove(&row.id).unwrap_or_default();
            (row.id.clone(), Arc::new(McpServerEntry::new(row, tools)))
        };
        Self { by_id: RwLock::new(rows.into_iter().map(entry).collect()) }
    }

    /// Returns the server with this id, of whichever organisation: the id is its address.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<McpServerEntry>> {
        read_lock(&self.by_id).get(id).cloned()
    }

    /// Returns the servers of this organisation, the oldest first.
    pub(crate) fn of_org(&self, org_id: &str) -> Vec<Arc<McpServerEntry>> {
        let mut found: Vec<_> = read_lock(&self.by_id)
            .values()
            .filter(|entry| entry.row.org_id == org_id)
            .cloned()
            .collect();
        found.sort_by(|one, other| {
            (one.row.created_at, &one.row.id).cmp(&(other.row.created_at, &other.row.id))
        });
        found
    }

    /// Takes over a server as it is kept.
    pub(crate) fn insert(&self, row: McpServerRow, tools: Vec<McpToolRow>) {
        let tools = tools.into_iter().map(|row| (row.tool.pinned.name.clone(), row.tool));
        let mut entry = McpServerEntry::new(row, tools.collect());
        let mut by_id = write_lock(&self.by_id);
        if let Some(before) = by_id.get(&entry.row.id) {
            entry.observing = Arc::clone(&before.observing);
        }
        by_id.insert(entry.row.id.clone(), Arc::new(entry));
    }

    /// Forgets a server.
    pub(crate) fn remove(&self, id: &str) {
        write_lock(&self.by_id).remove(id);
    }

    /// Takes over all of `other` instead of what is here.
    pub(super) fn replace(&self, other: Self) {
        super::replace(&self.by_id, other.by_id);
    }
}
