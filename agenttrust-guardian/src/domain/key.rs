//! An API key, as everyone knows it: not the secret, but whose it is and what it may.

use std::fmt;

use super::role::{Access, Permission};
use super::{Error, Role};

/// An API key that works.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) role: Role,
    pub(crate) agents: Vec<String>,
    /// The gateway that it is of; keys of one name are one gateway.
    pub(crate) gateway: Option<String>,
    /// The person or program that it is of; keys of one owner are one approver.
    pub(crate) owner: Option<String>,
}

impl Key {
    /// Returns whether the key is bound to this agent.
    pub(crate) fn is_bound_to(&self, agent_id: &str) -> bool {
        self.agents.iter().any(|bound| bound == agent_id)
    }

    /// Returns whether a session was opened with this key, or at the gateway that it is of.
    pub(crate) fn has_opened(&self, opened_by: Option<&str>, gateway: Option<&str>) -> bool {
        opened_by == Some(&self.id) || gateway.is_some() && gateway == self.gateway.as_deref()
    }

    /// Returns how far the key may go with `permission`.
    ///
    /// # Errors
    ///
    /// Forbidden when not at all; names the roles that may.
    pub(crate) fn need(&self, permission: Permission) -> Result<Access, Error> {
        match self.role.may(permission) {
            Access::No => Err(Error::forbidden(format!(
                "a key of role {} may not {permission}; use one of role {}",
                self.role,
                Role::ALL
                    .iter()
                    .filter(|role| role.may(permission) != Access::No)
                    .map(|role| role.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            ))),
            access => Ok(access),
        }
    }
}

/// A key, and how far it may go with what it is used for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach<'a> {
    pub(crate) key: &'a Key,
    pub(crate) access: Access,
    /// The one agent that the caller speaks for, where it says so.
    pub(crate) named: Option<&'a str>,
}

impl Reach<'_> {
    /// Returns whether this agent is within it.
    pub(crate) fn covers(&self, agent_id: &str) -> bool {
        self.names(agent_id) && (self.access == Access::Any || self.key.is_bound_to(agent_id))
    }

    /// Returns whether the request names this agent, or no agent.
    pub(crate) fn names(&self, agent_id: &str) -> bool {
        self.named.is_none_or(|named| named == agent_id)
    }

    /// Refuses an agent that is not within it.
    ///
    /// # Errors
    ///
    /// Forbidden.
    pub(crate) fn need(&self, agent_id: &str) -> Result<(), Error> {
        if self.access != Access::Any && !self.key.is_bound_to(agent_id) {
            return Err(Error::not_bound(agent_id));
        }
        self.need_named(agent_id)
    }

    /// Refuses another agent than the one that the caller speaks for.
    ///
    /// # Errors
    ///
    /// Forbidden.
    pub(crate) fn need_named(&self, agent_id: &str) -> Result<(), Error> {
        match self.named {
            Some(named) if named != agent_id => Err(Error::not_named(named, agent_id)),
            _ => Ok(()),
        }
    }

    /// Returns the agents to list things of, `None` for all: those that are within it, or the one that is asked about.
    ///
    /// # Errors
    ///
    /// Forbidden for one that is not within it.
    pub(crate) fn listed(&self, agent_id: Option<&str>) -> Result<Vec<Option<String>>, Error> {
        if let Some(agent_id) = agent_id.or(self.named) {
            self.need(agent_id)?;
            return Ok(vec![Some(agent_id.to_owned())]);
        }
        Ok(match self.access {
            Access::Any => vec![None],
            _ => self.key.agents.iter().cloned().map(Some).collect(),
        })
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
