//! The agents.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, RwLock};

use agenttrust::internal::dpop::{key_of_pem, thumbprint};
use agenttrust::model::{Agent, CapabilityError, CapabilitySet};
use serde_json::{Value, json};

use super::{Limits, ceiling_facts, read_lock, unreadable, write_lock};
use crate::audit::FactsDigest;
use crate::domain::{Versions, lists};
use crate::store::{AgentRow, StoreError};

/// The entry of an agent's metadata that lists the groups it is in.
pub(crate) const GROUPS: &str = "groups";

/// An agent, its capabilities and groups read once, and its floor.
#[derive(Clone, Debug)]
pub(crate) struct AgentEntry {
    /// The agent without its capabilities, which are beside it and shared.
    pub(crate) agent: Agent,
    pub(crate) capabilities: CapabilitySet,
    /// The part of its earlier capabilities that is left to what was issued under them.
    pub(crate) versions: Versions,
    pub(crate) groups: Vec<String>,
    pub(crate) floor: Limits,
    /// The thumbprint of its registered key, by which tokens are bound to it; `None` where no key is registered.
    pub(crate) thumbprint: Option<Arc<str>>,
    /// The digest of the facts that the audit has of the agent, and of its floor's ceiling: see [`facts_of`].
    pub(crate) facts: Option<FactsDigest>,
    pub(crate) floor_facts: Option<FactsDigest>,
}

impl AgentEntry {
    pub(crate) fn new(mut row: AgentRow) -> Result<Self, CapabilityError> {
        let capabilities = lists::shared(mem::take(&mut row.agent.capabilities));
        let groups = groups_of(&row.agent);
        let floor = Limits::new(row.floor_mode, row.floor_ceiling)?;
        let facts = facts_of(&row.agent, &capabilities, &groups);
        Ok(Self {
            capabilities: CapabilitySet::share(capabilities)?,
            versions: row.versions,
            facts: FactsDigest::compute(&row.agent.org_id, &facts),
            floor_facts: ceiling_facts(&row.agent.org_id, &floor),
            thumbprint: key_of_pem(&row.agent.public_key).map(|key| thumbprint(&key).into()),
            groups,
            floor,
            agent: row.agent,
        })
    }

    /// Returns the agent as callers see it.
    pub(crate) fn show(&self) -> Agent {
        let mut agent = self.agent.clone();
        agent.capabilities = self.capabilities.as_slice().to_vec();
        agent
    }
}

/// Returns what every decision about this agent rests on, as the audit keeps it.
pub(crate) fn facts_of(agent: &Agent, capabilities: &[String], groups: &[String]) -> Value {
    json!({
        "agent_id": agent.id,
        "agent_name": agent.name,
        "groups": groups,
        "capabilities": capabilities,
    })
}

/// Returns the groups that an agent's metadata puts it in, sorted. They were looked at when the agent was
/// registered or changed; metadata that is kept from before that was may be anything.
pub(crate) fn groups_of(agent: &Agent) -> Vec<String> {
    let named = agent.metadata.get(GROUPS).and_then(Value::as_array);
    let mut groups: Vec<String> =
        named.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// Every agent by its id.
#[derive(Debug, Default)]
pub(crate) struct Agents {
    by_id: RwLock<HashMap<String, Arc<AgentEntry>>>,
}

impl Agents {
    pub(super) fn new(rows: Vec<AgentRow>) -> Result<Self, StoreError> {
        let mut by_id = HashMap::with_capacity(rows.len());
        for row in rows {
            let entry = AgentEntry::new(row).map_err(unreadable)?;
            by_id.insert(entry.agent.id.clone(), Arc::new(entry));
        }
        Ok(Self { by_id: RwLock::new(by_id) })
    }

    /// Takes over all of `other` instead of what is here.
    pub(super) fn replace(&self, other: Self) {
        super::replace(&self.by_id, other.by_id);
    }

    /// Returns the agent with this id, if it is of this organisation.
    pub(crate) fn get(&self, org_id: &str, id: &str) -> Option<Arc<AgentEntry>> {
        read_lock(&self.by_id).get(id).filter(|entry| entry.agent.org_id == org_id).cloned()
    }

    /// Returns the agent with this id, of whichever organisation.
    pub(crate) fn of_any_org(&self, id: &str) -> Option<Arc<AgentEntry>> {
        read_lock(&self.by_id).get(id).cloned()
    }

    /// Returns the agents of this organisation, oldest first.
    pub(crate) fn list(&self, org_id: &str) -> Vec<Arc<AgentEntry>> {
        let mut agents: Vec<_> = read_lock(&self.by_id)
            .values()
            .filter(|entry| entry.agent.org_id == org_id)
            .cloned()
            .collect();
        agents.sort_unstable_by(|one, other| {
            (one.agent.created_at, &one.agent.id).cmp(&(other.agent.created_at, &other.agent.id))
        });
        agents
    }

    pub(super) fn insert(&self, entry: AgentEntry) {
        write_lock(&self.by_id).insert(entry.agent.id.clone(), Arc::new(entry));
    }
}
