//! Which tasks an agent was given, as far as memory goes: of a list of tasks, and of what a server tells of them, an
//! agent hears of its own. What is forgotten is known again once the agent asks for it by its id.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

use crate::domain::Fingerprint;

/// The number of agents, each at one server, whose tasks are known; those that were named longest ago are forgotten
/// first.
const CALLERS_MOST: NonZeroUsize = match NonZeroUsize::new(1_024) {
    Some(most) => most,
    None => NonZeroUsize::MIN,
};
/// The number of tasks that are known of each.
const TASKS_MOST: NonZeroUsize = match NonZeroUsize::new(256) {
    Some(most) => most,
    None => NonZeroUsize::MIN,
};

/// A server and an agent.
type Of = (String, String);
/// Tasks, by what takes the same room whatever a server calls them.
type Tasks = LruCache<Fingerprint, ()>;

/// The tasks of all agents.
#[derive(Debug)]
pub(super) struct TaskOwners(Mutex<LruCache<Of, Tasks>>);

impl Default for TaskOwners {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CALLERS_MOST)))
    }
}

impl TaskOwners {
    /// Remembers that a task is this agent's.
    pub(super) fn remember(&self, server_id: &str, agent_id: &str, task: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = (server_id.to_owned(), agent_id.to_owned());
        // It grows with what is in it, and does not begin with room for all.
        let tasks = all.get_or_insert_mut(of, LruCache::unbounded);
        tasks.put(Fingerprint::from_text(task), ());
        while tasks.len() > TASKS_MOST.get() {
            tasks.pop_lru();
        }
    }

    /// Returns whether a task is known to be this agent's.
    pub(super) fn has(&self, server_id: &str, agent_id: &str, task: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = (server_id.to_owned(), agent_id.to_owned());
        all.get(&of).is_some_and(|tasks| tasks.contains(&Fingerprint::from_text(task)))
    }

    /// Returns whether a task is known to be another agent's and not this one's.
    pub(super) fn is_anothers(&self, server_id: &str, agent_id: &str, task: &str) -> bool {
        if self.has(server_id, agent_id, task) {
            return false;
        }
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let task = Fingerprint::from_text(task);
        all.iter().any(|((server, _), tasks)| server == server_id && tasks.contains(&task))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_known_of_their_agent_and_as_many_as_there_may_be() {
        let owners = TaskOwners::default();
        for number in 0..=TASKS_MOST.get() {
            owners.remember("s", "a", &number.to_string());
        }
        let last = TASKS_MOST.to_string();
        assert!(owners.has("s", "a", &last) && owners.has("s", "a", "1"));
        assert!(!owners.has("s", "a", "0"), "the oldest is kept");
        assert!(!owners.has("s", "b", &last) && !owners.has("t", "a", &last));
        assert!(owners.is_anothers("s", "b", &last) && !owners.is_anothers("s", "a", &last));
        assert!(!owners.is_anothers("t", "b", &last) && !owners.is_anothers("s", "b", "unknown"));
        for number in 0..CALLERS_MOST.get() {
            owners.remember("s", &format!("b{number}"), "1");
        }
        assert!(!owners.has("s", "a", &last), "the oldest is kept");
    }
}
