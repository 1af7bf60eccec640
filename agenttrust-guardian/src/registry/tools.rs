//! What is known of the tools: the effects that were set, and what was declared.

use std::collections::HashMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, MutexGuard};

use super::{read_lock, write_lock};
use crate::manifest::{Manifest, ToolFacts};
use crate::store::ToolRow;

/// The known tools, by organisation.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    by_org: RwLock<HashMap<String, Manifest>>,
    /// The number of tools that agents have raised, in all of them together.
    raised: AtomicUsize,
    /// The lock that is held from the look at what is known until what changed is known.
    changing: Mutex<()>,
}

impl Tools {
    pub(super) fn new(rows: Vec<ToolRow>) -> Self {
        let mut by_org: HashMap<String, Manifest> = HashMap::new();
        for ToolRow { org_id, tool, known } in rows {
            by_org.entry(org_id).or_default().join(tool, known);
        }
        let raised = AtomicUsize::new(by_org.values().map(Manifest::raised).sum());
        Self { by_org: RwLock::new(by_org), raised, changing: Mutex::default() }
    }

    /// Returns what is known of this tool.
    pub(crate) fn known(&self, org_id: &str, tool: &str) -> ToolFacts {
        read_lock(&self.by_org).get(org_id).map(|manifest| manifest.get(tool)).unwrap_or_default()
    }

    /// Looks at everything that is known in this organisation. Checks may have to wait for `read`.
    pub(crate) fn with_manifest<T>(&self, org_id: &str, read: impl FnOnce(&Manifest) -> T) -> T {
        match read_lock(&self.by_org).get(org_id) {
            Some(manifest) => read(manifest),
            None => read(&Manifest::default()),
        }
    }

    /// Returns how many tools agents have raised, in all organisations together.
    pub(crate) fn raised(&self) -> usize {
        self.raised.load(Ordering::Relaxed)
    }

    /// Forgets what an agent raised that is no more.
    pub(crate) fn forget_agent(&self, org_id: &str, agent_id: &str) {
        if let Some(manifest) = write_lock(&self.by_org).get_mut(org_id) {
            self.raised.fetch_sub(manifest.forget_agent(agent_id), Ordering::Relaxed);
        }
    }

    /// Keeps every other change waiting until this is dropped.
    pub(crate) async fn change_alone(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Takes over what the database keeps of this organisation's tools by now.
    pub(crate) fn replace(&self, org_id: &str, rows: Vec<ToolRow>) {
        let mut manifest = Manifest::default();
        for ToolRow { tool, known, .. } in rows {
            manifest.join(tool, known);
        }
        self.raised.fetch_add(manifest.raised(), Ordering::Relaxed);
        let before = write_lock(&self.by_org).insert(org_id.to_owned(), manifest);
        self.raised.fetch_sub(before.as_ref().map_or(0, Manifest::raised), Ordering::Relaxed);
    }

    /// Takes over all of `other` instead of what is here.
    pub(super) fn replace_all(&self, other: Self) {
        self.raised.store(other.raised(), Ordering::Relaxed);
        super::replace(&self.by_org, other.by_org);
    }
}
