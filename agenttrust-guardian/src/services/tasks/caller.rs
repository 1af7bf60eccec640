//! Who asks for a task, or about one, and which tasks it may see.

use std::sync::Arc;

use crate::domain::Key;
use crate::domain::role::{Access, Permission};

/// Who asks: an agent, by a key that speaks for it, or an operator's or administrator's key itself.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) key: Arc<Key>,
    /// The agent that it speaks for. Whoever makes a caller has seen that the key may.
    pub(crate) agent_id: Option<String>,
    /// The session that the agent asks in.
    pub(crate) session_id: Option<String>,
}

impl Caller {
    /// What a message is from, as it is kept: no agent's id is that of a key.
    pub(super) fn source(&self) -> &str {
        self.agent_id.as_deref().unwrap_or(&self.key.id)
    }

    /// The agents whose tasks it sees; `None` for all of its organisation.
    pub(super) fn sees(&self) -> Option<Vec<String>> {
        if let Some(agent_id) = &self.agent_id {
            return Some(vec![agent_id.clone()]);
        }
        match self.key.role.may(Permission::ReadTasks) {
            Access::Any => None,
            Access::Own => Some(self.key.agents.clone()),
            Access::No => Some(Vec::new()),
        }
    }
}
