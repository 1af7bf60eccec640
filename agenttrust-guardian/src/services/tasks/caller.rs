//! Who asks for a task, or about one, and which tasks it may see.

use std::sync::Arc;

use crate::domain::Key;
use crate::domain::role::{Access, Permission};
use crate::store::TaskRow;

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

    /// Whether it may see this task: of the agents that it speaks for, asking or asked, or sent with its key.
    pub(super) fn may_see(&self, task: &TaskRow) -> bool {
        let Some(agents) = self.sees() else { return true };
        let is_of = |id: &str| agents.iter().any(|agent| agent == id);
        is_of(&task.source) || is_of(&task.target_agent_id) || task.source == self.key.id
    }

    /// Whether it may have this task ended: its sender, and who may send for anyone.
    pub(super) fn may_cancel(&self, task: &TaskRow) -> bool {
        match &self.agent_id {
            Some(agent_id) => task.source == *agent_id,
            None => match self.key.role.may(Permission::SendTasks) {
                Access::Any => true,
                Access::Own => self.key.is_bound_to(&task.source),
                Access::No => false,
            },
        }
    }
}
