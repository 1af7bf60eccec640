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

    /// The task as it may see it: all of one of the agents that it speaks for that ask, and of one that they are asked what
    /// has reached them.
    pub(super) fn view(&self, task: TaskRow) -> Option<TaskRow> {
        let Some(agents) = self.sees() else { return Some(task) };
        let is_of = |id: &str| agents.iter().any(|agent| agent == id);
        if is_of(&task.source) || task.source == self.key.id {
            return Some(task);
        }
        if is_of(&task.target_agent_id) { task.into_seen() } else { None }
    }

    /// Whether it sees of this task only what has reached its target.
    pub(super) fn is_only_asked(&self, task: &TaskRow) -> bool {
        let asks =
            |agents: Vec<String>| agents.contains(&task.source) || task.source == self.key.id;
        self.sees().is_some_and(|agents| !asks(agents))
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
