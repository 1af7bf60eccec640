//! What an agent acts under in the session of a delegation: that one and all that it was made from.

use std::sync::Arc;

use agenttrust::Timestamp;
use agenttrust::model::{AgentStatus, CapabilitySet, Delegator, SessionMode};

use super::{AgentEntry, DelegationEntry, Limits, Registry, stricter};
use crate::domain::Error;
use crate::policy::{AgentFacts, DelegationFacts};
use crate::store::Charge;

/// The number of delegations that may be made from one another.
pub(crate) const DEPTH_MOST: usize = 8;

/// A delegation and the agent that gave it.
#[derive(Clone, Debug)]
struct Link {
    delegation: Arc<DelegationEntry>,
    giver: Arc<AgentEntry>,
}

/// The delegations that a call is made under, the first one first. All of them work.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    links: Vec<Link>,
    /// The agent whose capabilities all of it rests on.
    pub(crate) root: Arc<AgentEntry>,
    /// The one that the call is made under.
    pub(crate) last: Arc<DelegationEntry>,
}

/// The reason why a delegation does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The delegation, or one that it was made from, is not there any more: it was revoked, it has expired, or an
    /// agent of it was revoked.
    Over,
    /// The agent that gave one of them is suspended.
    Suspended { giver: String },
}

/// Returns what is said of a delegation that has let through as many calls as it may.
pub(crate) fn used_up(id: &str, most: u32) -> String {
    format!(
        "delegation {id:?} is used up: {most} of {most} calls were let through; have another one made"
    )
}

impl Broken {
    /// Returns the reason for callers that ask for the delegation of this id.
    pub(crate) fn reason(&self, id: &str) -> String {
        match self {
            Self::Over => format!(
                "delegation {id:?} does not work: it, or one that it was made from, was revoked, has expired or was \
                 never made; have another one made"
            ),
            Self::Suspended { giver } => format!(
                "delegation {id:?} does not work at present: agent {giver:?}, which gave it or one that it was made \
                 from, is suspended; an operator can reactivate it"
            ),
        }
    }

    /// Returns the same as the error of a request for the delegation itself.
    pub(crate) fn error(&self, id: &str) -> Error {
        match self {
            Self::Over => Error::not_found(self.reason(id)),
            Self::Suspended { .. } => Error::forbidden(self.reason(id)),
        }
    }
}

impl Registry {
    /// Returns the delegation of this id with all that it was made from, if all of them work at `now`.
    pub(crate) fn chain(&self, org_id: &str, id: &str, now: Timestamp) -> Result<Chain, Broken> {
        let mut links = Vec::new();
        let mut next = Some(id.to_owned());
        while let Some(id) = next {
            // A longer one was never made.
            if links.len() == DEPTH_MOST {
                return Err(Broken::Over);
            }
            let delegation = self.delegations.get(org_id, &id).ok_or(Broken::Over)?;
            if !delegation.is_live(now) {
                return Err(Broken::Over);
            }
            let giver = self.agents.get(org_id, &delegation.row.from_agent_id);
            let giver = giver.ok_or(Broken::Over)?;
            match giver.agent.status {
                AgentStatus::Active => {}
                AgentStatus::Suspended => {
                    return Err(Broken::Suspended { giver: giver.agent.id.clone() });
                }
                _ => return Err(Broken::Over),
            }
            next = delegation.row.parent_id.clone();
            links.push(Link { delegation, giver });
        }
        links.reverse();
        let (Some(first), Some(last)) = (links.first(), links.last()) else {
            return Err(Broken::Over);
        };
        let (root, last) = (Arc::clone(&first.giver), Arc::clone(&last.delegation));
        Ok(Chain { links, root, last })
    }
}

impl Chain {
    /// Returns how many delegations it has: 1 for one that an agent gave of its own.
    pub(crate) fn depth(&self) -> usize {
        self.links.len()
    }

    /// Returns what limits it beside what the agent may do now that it begins with, where that one has gained some
    /// since.
    pub(crate) fn began_with(&self) -> Option<&CapabilitySet> {
        let first = self.links.first()?;
        self.root.versions.limit(first.delegation.row.agent_version)
    }

    /// Returns whether this agent gave one of them, or was given the last.
    pub(crate) fn has_agent(&self, agent_id: &str) -> bool {
        self.last.row.to_agent_id == agent_id
            || self.links.iter().any(|link| link.giver.agent.id == agent_id)
    }

    /// Returns the ids of the delegations, the first one first.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.links.iter().map(|link| link.delegation.row.id.clone()).collect()
    }

    /// Returns the agents that gave, the first one first.
    pub(crate) fn givers(&self) -> impl Iterator<Item = &AgentEntry> {
        self.links.iter().map(|link| &*link.giver)
    }

    /// Returns the keys that the delegations were made with: a key that made one counts as a requester of what is done
    /// under it.
    pub(crate) fn makers(&self) -> impl Iterator<Item = &str> {
        self.links.iter().map(|link| link.delegation.row.created_by.as_str())
    }

    /// Returns the id of a delegation of it that was made with this key.
    pub(crate) fn made_with(&self, key_id: &str) -> Option<&str> {
        let mut rows = self.links.iter().map(|link| &link.delegation.row);
        rows.find(|row| row.created_by == key_id).map(|row| row.id.as_str())
    }

    /// Returns the floors of the agents that gave: an agent that acts for another goes no further than that one may.
    pub(crate) fn floors(&self) -> impl Iterator<Item = &Limits> {
        self.links.iter().map(|link| &link.giver.floor)
    }

    /// Returns the strictest mode of these floors.
    pub(crate) fn mode(&self) -> SessionMode {
        self.floors().map(Limits::mode).fold(SessionMode::Restricted, stricter)
    }

    /// Returns whether a token that was issued under it carries this scope now.
    pub(crate) fn carries(&self, scope: &str) -> bool {
        self.root.capabilities.covers(scope)
            && self.began_with().is_none_or(|had| had.covers(scope))
            && self.floors().all(|floor| floor.covers(scope))
            && self.refusal(scope, &[]).is_none()
    }

    /// Returns whether a token that was issued under it carries all of these in full now.
    pub(crate) fn carries_all_of(&self, scopes: &CapabilitySet) -> bool {
        self.root.capabilities.covers_all_of(scopes)
            && self.began_with().is_none_or(|had| had.covers_all_of(scopes))
            && self.floors().all(|floor| floor.first_uncovered(scopes).is_none())
            && self.links.iter().all(|link| link.delegation.scope.covers_all_of(scopes))
    }

    /// Returns why it does not let a call of this tool through that needs these scopes.
    pub(crate) fn refusal(&self, tool: &str, scopes: &[String]) -> Option<String> {
        self.links.iter().find_map(|link| link.delegation.refusal(tool, scopes))
    }

    /// Returns what a call counts towards: one of the last delegation is one of all above it too.
    pub(crate) fn charges(&self) -> Vec<Charge> {
        let restricted = self.links.iter().filter_map(|link| {
            let row = &link.delegation.row;
            Some(Charge::of_delegation(&row.id, row.restrictions.max_calls?))
        });
        restricted.collect()
    }

    /// Returns the agents for which the last agent acts, the nearest first.
    pub(crate) fn on_behalf_of(&self) -> Vec<Delegator> {
        let givers = self.links.iter().rev().map(|link| &link.giver.agent);
        givers.map(|agent| Delegator::new(&agent.id, &agent.name)).collect()
    }

    /// Returns the facts that policies see of the chain.
    pub(crate) fn facts(&self) -> DelegationFacts {
        let givers = self.links.iter().map(|link| {
            let AgentEntry { agent, groups, capabilities, .. } = &*link.giver;
            AgentFacts::new(&agent.id, &agent.name, groups, capabilities.as_slice())
        });
        DelegationFacts::new(&self.last.row.id, &self.last.row.scope, givers.collect())
    }
}
