//! The delegations that work.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, RwLock};

use agenttrust::Timestamp;
use agenttrust::model::{CapabilityError, CapabilitySet};

use super::index::Index;
use super::{read_lock, unreadable, write_lock};
use crate::domain::names::spelt;
use crate::store::{DelegationRow, StoreError};

/// The number of delegations of one agent that may work at once.
const GIVEN_MOST: usize = 1_000;

/// A delegation, its lists read once.
#[derive(Debug)]
pub(crate) struct DelegationEntry {
    pub(crate) row: DelegationRow,
    pub(crate) scope: CapabilitySet,
    /// Its restriction to tools, if it has one.
    tools: Option<CapabilitySet>,
}

impl DelegationEntry {
    pub(crate) fn new(row: DelegationRow) -> Result<Self, CapabilityError> {
        let scope = CapabilitySet::share(Arc::clone(&row.scope))?;
        let tools = row.restrictions.tools.as_deref().map(CapabilitySet::parse).transpose()?;
        Ok(Self { row, scope, tools })
    }

    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.row.expires_at > now
    }

    /// Returns why it does not let a call of this tool through that needs these scopes.
    pub(super) fn refusal(&self, tool: &str, scopes: &[String]) -> Option<String> {
        let row = &self.row;
        let names = std::iter::once(tool).chain(scopes.iter().map(String::as_str));
        for name in names {
            if !self.scope.covers(name) {
                return Some(format!(
                    "{name:?} is outside the scope {} of delegation {:?}; in its session an agent has nothing of its \
                     own",
                    spelt(&row.scope),
                    row.id
                ));
            }
        }
        if self.tools.as_ref().is_some_and(|tools| !tools.covers(tool)) {
            return Some(format!(
                "{tool:?} is not among the tools {} that delegation {:?} is restricted to",
                spelt(row.restrictions.tools.as_deref().unwrap_or_default()),
                row.id
            ));
        }
        let servers = row.restrictions.servers.as_deref()?;
        let server = tool.split_once('/').map(|(server, _)| server);
        let named = server.is_some_and(|server| servers.iter().any(|named| named == server));
        (!named).then(|| {
            format!(
                "{tool:?} is a tool of none of the servers {} that delegation {:?} is restricted to",
                spelt(servers),
                row.id
            )
        })
    }
}

/// Every delegation that was not revoked, by its id.
#[derive(Debug, Default)]
pub(crate) struct Delegations {
    kept: RwLock<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_id: HashMap<String, Arc<DelegationEntry>>,
    by_giver: Index,
    by_receiver: Index,
    by_parent: Index,
}

impl Kept {
    fn insert(&mut self, entry: Arc<DelegationEntry>) {
        let row = &entry.row;
        self.by_giver.insert(&row.from_agent_id, row.expires_at, &row.id);
        self.by_receiver.insert(&row.to_agent_id, row.expires_at, &row.id);
        if let Some(parent_id) = &row.parent_id {
            self.by_parent.insert(parent_id, row.expires_at, &row.id);
        }
        self.by_id.insert(row.id.clone(), entry);
    }

    fn remove(&mut self, id: &str) -> Option<Arc<DelegationEntry>> {
        let entry = self.by_id.remove(id)?;
        let row = &entry.row;
        self.by_giver.remove(&row.from_agent_id, row.expires_at, id);
        self.by_receiver.remove(&row.to_agent_id, row.expires_at, id);
        if let Some(parent_id) = &row.parent_id {
            self.by_parent.remove(parent_id, row.expires_at, id);
        }
        Some(entry)
    }

    /// Returns the ids of these and of all that were made from them.
    fn with_below(&self, ids: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut left: Vec<String> = ids.into_iter().collect();
        while let Some(id) = left.pop() {
            if found.insert(id.clone()) {
                left.extend(self.by_parent.ids_of(&id).map(str::to_owned));
            }
        }
        found
    }

    /// Removes these and all that were made from them; returns them.
    fn remove_with_below(
        &mut self,
        ids: impl IntoIterator<Item = String>,
    ) -> Vec<Arc<DelegationEntry>> {
        let gone = self.with_below(ids);
        gone.iter().filter_map(|id| self.remove(id)).collect()
    }
}

impl Delegations {
    pub(super) fn new(rows: Vec<DelegationRow>) -> Result<Self, StoreError> {
        let mut kept = Kept::default();
        for row in rows {
            kept.insert(Arc::new(DelegationEntry::new(row).map_err(unreadable)?));
        }
        Ok(Self { kept: RwLock::new(kept) })
    }

    /// Takes over all of `other` instead of what is here.
    pub(super) fn replace(&self, other: Self) {
        super::replace(&self.kept, other.kept);
    }

    /// Returns the delegation with this id, if it is of this organisation; it may have expired.
    pub(crate) fn get(&self, org_id: &str, id: &str) -> Option<Arc<DelegationEntry>> {
        let kept = read_lock(&self.kept);
        kept.by_id.get(id).filter(|entry| entry.row.org_id == org_id).cloned()
    }

    /// Returns whether the agent has given as many as it may give at once.
    pub(crate) fn is_full(&self, agent_id: &str, now: Timestamp) -> bool {
        read_lock(&self.kept).by_giver.is_full(agent_id, GIVEN_MOST, now)
    }

    pub(super) fn insert(&self, entry: DelegationEntry) {
        write_lock(&self.kept).insert(Arc::new(entry));
    }

    /// Returns a delegation that this agent was given, works by itself at `now` and covers these.
    pub(crate) fn given_to(
        &self,
        agent_id: &str,
        scope: &CapabilitySet,
        now: Timestamp,
    ) -> Option<Arc<DelegationEntry>> {
        let kept = read_lock(&self.kept);
        let given = kept.by_receiver.ids_of(agent_id).filter_map(|id| kept.by_id.get(id));
        let mut live = given.filter(|entry| entry.is_live(now));
        live.find(|entry| entry.scope.covers_all_of(scope)).cloned()
    }

    /// Returns the agents that act under what this one gave, at any remove.
    pub(crate) fn receivers_below(&self, agent_id: &str) -> BTreeSet<String> {
        let kept = read_lock(&self.kept);
        let given = kept.by_giver.ids_of(agent_id).map(str::to_owned).collect::<Vec<_>>();
        let below = kept.with_below(given);
        let below = below.iter().filter_map(|id| kept.by_id.get(id));
        below.map(|entry| entry.row.to_agent_id.clone()).collect()
    }

    /// Removes the delegation of this id and all that were made from it; returns them.
    pub(super) fn remove_with_below(&self, id: &str) -> Vec<Arc<DelegationEntry>> {
        write_lock(&self.kept).remove_with_below([id.to_owned()])
    }

    /// Removes what this agent gave and was given, and all that were made from that; returns them.
    pub(super) fn remove_of_agent(&self, agent_id: &str) -> Vec<Arc<DelegationEntry>> {
        let mut kept = write_lock(&self.kept);
        let own = kept.by_giver.ids_of(agent_id).chain(kept.by_receiver.ids_of(agent_id));
        let own: Vec<String> = own.map(str::to_owned).collect();
        kept.remove_with_below(own)
    }

    /// Removes what was made with this key, and all that were made from that; returns them.
    pub(super) fn remove_made_with(&self, key_id: &str) -> Vec<Arc<DelegationEntry>> {
        let mut kept = write_lock(&self.kept);
        let made = kept.by_id.values().filter(|entry| entry.row.created_by == key_id);
        let made: Vec<String> = made.map(|entry| entry.row.id.clone()).collect();
        kept.remove_with_below(made)
    }

    /// Forgets what expired before `before`.
    pub(crate) fn prune(&self, before: Timestamp) {
        let mut kept = write_lock(&self.kept);
        let over = |entry: &&Arc<DelegationEntry>| entry.row.expires_at < before;
        let gone: Vec<String> =
            kept.by_id.values().filter(over).map(|entry| entry.row.id.clone()).collect();
        for id in gone {
            kept.remove(&id);
        }
    }
}
