//! What the keys of agents raised a tool to: each for its own agent, and none for another.

use std::collections::BTreeMap;
use std::sync::Arc;

use agenttrust::Effect;

/// The name for every agent of the organisation: what was raised before the key was kept with it.
const EVERYBODY: &str = "";

/// The effect that each agent raised one tool to. Clones share it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Raised(Option<Arc<BTreeMap<Arc<str>, Effect>>>);

impl Raised {
    /// Returns what it is raised to for this agent.
    pub(crate) fn of(&self, agent: &str) -> Option<Effect> {
        self.by(agent).max(self.for_everybody())
    }

    /// Returns what it is raised to for all agents.
    pub(crate) fn for_everybody(&self) -> Option<Effect> {
        self.by(EVERYBODY)
    }

    /// Returns what this agent itself raised it to.
    pub(crate) fn by(&self, agent: &str) -> Option<Effect> {
        self.0.as_ref()?.get(agent).copied()
    }

    /// Returns the agents that raised it, with what to, ordered.
    pub(crate) fn by_agents(&self) -> impl Iterator<Item = (&Arc<str>, Effect)> {
        self.iter().filter(|(agent, _)| &***agent != EVERYBODY)
    }

    /// Returns what this agent raised, and what counts for all agents.
    pub(crate) fn only(&self, agent: &str) -> Self {
        let mut only = Self::default();
        for (raised_by, effect) in self.iter() {
            if [agent, EVERYBODY].contains(&&**raised_by) {
                only.raise(Arc::clone(raised_by), effect);
            }
        }
        only
    }

    /// Returns all that is kept, ordered.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, Effect)> {
        self.0.iter().flat_map(|raised| raised.iter()).map(|(agent, effect)| (agent, *effect))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Raises it for this agent.
    pub(crate) fn raise(&mut self, agent: Arc<str>, effect: Effect) {
        let raised = self.0.get_or_insert_default();
        Arc::make_mut(raised).insert(agent, effect);
    }

    /// Forgets what this agent raised it to; returns whether it did.
    pub(super) fn forget(&mut self, agent: &str) -> bool {
        let Some(raised) = self.0.as_mut().filter(|raised| raised.contains_key(agent)) else {
            return false;
        };
        Arc::make_mut(raised).remove(agent);
        true
    }

    /// Takes in what is not known yet.
    pub(super) fn join(&mut self, more: &Self) {
        for (agent, effect) in more.iter() {
            if self.by(agent).is_none() {
                self.raise(Arc::clone(agent), effect);
            }
        }
    }

    /// Returns for which agents `after` says something else, with what was and is.
    pub(crate) fn changes<'a>(
        &'a self,
        after: &'a Self,
    ) -> impl Iterator<Item = (&'a Arc<str>, Option<Effect>, Option<Effect>)> {
        let gone = self.iter().filter(|(agent, _)| after.by(agent).is_none());
        let gone = gone.map(|(agent, effect)| (agent, Some(effect), None));
        let there = after.iter().map(|(agent, effect)| (agent, self.by(agent), Some(effect)));
        gone.chain(there.filter(|(_, before, after)| before != after))
    }
}
