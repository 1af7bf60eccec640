//! Delegations: what one agent lets another do in its place.

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;
use super::word::wire_words;

wire_words! {
    /// The state of a delegation.
    pub enum DelegationState as "state of a delegation" {
        /// A delegation that was not revoked and has not expired; nor has anything that it was made from.
        /// [`Delegation::usable`] says whether it lets calls through at present.
        Active = "active",
        /// A delegation that has expired.
        Expired = "expired",
        /// A delegation that was revoked, by itself or with what it was made from.
        Revoked = "revoked",
    }
    default = Unknown;
}

/// Restrictions of a delegation beyond its scope. Every restriction of a chain holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct DelegationRestrictions {
    /// The tools that may be called, in the notation of capabilities; absent means all in the scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<super::schema::Capability>>, min_items = 1, max_items = 256, nullable = false))]
    pub tools: Option<Vec<String>>,
    /// The servers whose tools may be called, such as `github` of `github/issues/create`; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<super::schema::Name>>, min_items = 1, max_items = 256, nullable = false))]
    pub servers: Option<Vec<String>>,
    /// The number of calls that are allowed in all, those of delegations that were made from this one included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 1, maximum = 1_000_000_000, nullable = false)
    )]
    pub max_calls: Option<u32>,
    /// The latest time at which the delegation ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub not_after: Option<Timestamp>,
}

impl DelegationRestrictions {
    /// Restricts the delegation to these tools, in the notation of capabilities.
    #[must_use]
    pub fn tools<S: Into<String>>(mut self, tools: impl IntoIterator<Item = S>) -> Self {
        self.tools = Some(tools.into_iter().map(Into::into).collect());
        self
    }

    /// Restricts the delegation to the tools of these servers.
    #[must_use]
    pub fn servers<S: Into<String>>(mut self, servers: impl IntoIterator<Item = S>) -> Self {
        self.servers = Some(servers.into_iter().map(Into::into).collect());
        self
    }

    /// Allows so many calls in all.
    #[must_use]
    pub fn max_calls(mut self, calls: u32) -> Self {
        self.max_calls = Some(calls);
        self
    }

    /// Ends the delegation then at the latest.
    #[must_use]
    pub fn not_after(mut self, at: Timestamp) -> Self {
        self.not_after = Some(at);
        self
    }
}

/// A delegation: an agent lets another one do part of what it may do itself (SDK guide, section 11).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Delegation {
    /// The delegation's id, which is opaque.
    pub id: String,
    /// The organisation of both agents.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub org_id: String,
    /// The agent that gives.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub from_agent_id: String,
    /// The agent that is given to.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub to_agent_id: String,
    /// The capabilities that are given.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub scope: Vec<String>,
    /// Restrictions beyond the scope.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub restrictions: DelegationRestrictions,
    /// The delegation that this one was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub parent_delegation_id: Option<String>,
    /// The ids of all that it was made from, the first one first; empty for one that an agent gave of its own.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub delegation_chain: Vec<String>,
    /// The delegation's state.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub state: DelegationState,
    /// Whether it lets calls through now: an active one does not while an agent of its chain is suspended, nor once
    /// its calls are used up. A gateway that is not ours may not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = bool, required = true))]
    pub usable: Option<bool>,
    /// The reason why the delegation lets no call through, and what would mend that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub unusable_because: Option<String>,
    /// The id of the key that it was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub created_by: Option<String>,
    /// The time when the delegation was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub created_at: Option<Timestamp>,
    /// The time when the delegation ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<Timestamp>,
    /// The time when the delegation was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub revoked_at: Option<Timestamp>,
}

/// An agent for which another one acts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Delegator {
    /// The agent's id.
    pub agent_id: String,
    /// The agent's name.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub agent_name: String,
}

impl Delegator {
    /// Names the agent of this id and name.
    #[must_use]
    pub fn new(agent_id: impl Into<String>, agent_name: impl Into<String>) -> Self {
        Self { agent_id: agent_id.into(), agent_name: agent_name.into() }
    }
}

/// A request to delegate (SDK guide, section 11).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CreateDelegationRequest {
    /// The agent that gives.
    pub from_agent_id: String,
    /// The agent that is given to.
    pub to_agent_id: String,
    /// The capabilities to give: no more than the giver may do itself or, with a parent, than that gives.
    pub scope: Vec<String>,
    /// The delegation's lifetime in seconds; an hour by default, and never longer than its parent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// Restrictions beyond the scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restrictions: Option<DelegationRestrictions>,
    /// The delegation that it is made from: one that was given to `from_agent_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_delegation_id: Option<String>,
}
