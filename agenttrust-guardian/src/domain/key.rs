//! An API key, as everyone knows it: not the secret, but whose it is and what it may.

use std::fmt;

use super::Role;
use super::role::Access;

/// One API key that works.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) role: Role,
    pub(crate) agents: Vec<String>,
}

impl Key {
    /// Whether the key is bound to this agent.
    pub(crate) fn is_bound_to(&self, agent_id: &str) -> bool {
        self.agents.iter().any(|bound| bound == agent_id)
    }
}

/// A key, and how far it may go with what it is used for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach<'a> {
    pub(crate) key: &'a Key,
    pub(crate) access: Access,
}

impl Reach<'_> {
    /// Whether this agent is within it.
    pub(crate) fn covers(&self, agent_id: &str) -> bool {
        self.access == Access::Any || self.key.is_bound_to(agent_id)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}
