//! The caller that asks for a task, or about one, and the tasks that it may see.

use std::sync::Arc;

use crate::domain::Key;
use crate::domain::role::{Access, Permission};
use crate::store::TaskRow;

/// The caller: an agent, by a key that speaks for it, or an operator's or administrator's key itself.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) key: Arc<Key>,
    /// The agent that it speaks for. The code that makes a caller has seen that the key may.
    pub(crate) agent_id: Option<String>,
    /// The session that the agent asks in.
    pub(crate) session_id: Option<String>,
}

/// The part of a task that a caller sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    All,
    /// The part that has reached its target.
    AsTarget,
    Nothing,
}

impl Caller {
    /// Returns what a message is from, as it is kept: no agent's id is that of a key.
    pub(super) fn source(&self) -> &str {
        self.agent_id.as_deref().unwrap_or(&self.key.id)
    }

    /// Returns the agents whose tasks it sees; `None` for all of its organisation.
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

    /// Returns how much it may see of a task between these: all of one of the agents that it speaks for that ask, and
    /// of one that they are asked what has reached them.
    pub(super) fn sight(&self, source: &str, target_agent_id: &str) -> View {
        let Some(agents) = self.sees() else { return View::All };
        let is_of = |id: &str| agents.iter().any(|agent| agent == id);
        if is_of(source) || source == self.key.id {
            return View::All;
        }
        if is_of(target_agent_id) { View::AsTarget } else { View::Nothing }
    }

    /// Returns the task as it may see it.
    pub(super) fn view(&self, task: TaskRow) -> Option<TaskRow> {
        match self.sight(&task.source, &task.target_agent_id) {
            View::All => Some(task),
            View::AsTarget => task.into_seen(),
            View::Nothing => None,
        }
    }

    /// Returns whether it sees of this task only what has reached its target.
    pub(super) fn is_only_asked(&self, task: &TaskRow) -> bool {
        self.sight(&task.source, &task.target_agent_id) != View::All
    }

    /// Returns whether it may have this task ended: its sender, and a key that may send for any agent.
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
