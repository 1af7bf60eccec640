//! API keys: who may ask a Guardian what.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::timestamp::Timestamp;
use super::word::wire_words;

wire_words! {
    /// The role of an API key: what it may do.
    pub enum KeyRole as "role of a key" {
        /// Checks and reports as the agents it is bound to; reads what is theirs.
        Agent = "agent",
        /// Checks for any agent, only inside a live session made from that agent's token.
        Gateway = "gateway",
        /// Reads everything, verifies and exports the audit.
        Auditor = "auditor",
        /// An auditor who decides approvals, suspends and revokes agents and sets floors.
        Operator = "operator",
        /// A key that may do everything.
        Admin = "admin",
    }
    default = Unknown;
}

/// An API key as a Guardian tells of it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ApiKey {
    /// The key's id, which is opaque and no secret.
    pub id: String,
    /// The organisation that it is of.
    #[serde(default)]
    pub org_id: String,
    /// The key's role.
    #[serde(default)]
    pub role: KeyRole,
    /// The agents that a key of role `agent` is bound to.
    #[serde(default)]
    pub agents: Vec<String>,
    /// The gateway that it is of; keys of one name are one gateway.
    #[serde(default)]
    pub gateway: Option<String>,
    /// The person or program that it is of.
    #[serde(default)]
    pub owner: Option<String>,
    /// The key that it was made with; absent where the program made it.
    #[serde(default)]
    pub made_by: Option<String>,
    /// The time when the key was made.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// The time when the key was revoked.
    #[serde(default)]
    pub revoked_at: Option<Timestamp>,
    /// The time when the key was given another secret.
    #[serde(default)]
    pub rotated_at: Option<Timestamp>,
    /// The time until which the secret before that works.
    #[serde(default)]
    pub old_key_until: Option<Timestamp>,
    /// The time when the key was last used, up to a minute behind.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
    /// The key itself, in the one answer that shows it.
    #[serde(default)]
    pub key: Option<KeySecret>,
}

/// An API key, `sk_live_…`. `Debug` shows nothing of it, and its memory is wiped when dropped.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct KeySecret(Zeroizing<String>);

impl KeySecret {
    /// Returns the key. Store it where the secrets of its user are: the Guardian has only a hash of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for KeySecret {
    fn from(key: String) -> Self {
        Self(Zeroizing::new(key))
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(..)")
    }
}

/// A request to make an API key.
///
/// ```
/// use agenttrust::model::{CreateKeyRequest, KeyRole};
///
/// let request = CreateKeyRequest::new(KeyRole::Agent).agents(["agt_1"]);
/// assert_eq!(request.agents, ["agt_1"]);
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CreateKeyRequest {
    /// The key's role.
    pub role: KeyRole,
    /// The agents that a key of role `agent` is bound to; keys of other roles are bound to none.
    pub agents: Vec<String>,
    /// Sets another organisation than that of the key which asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// The gateway that a key of role `gateway` is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// The person or program that it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl CreateKeyRequest {
    /// Creates a key that may do this.
    #[must_use]
    pub fn new(role: KeyRole) -> Self {
        Self { role, agents: Vec::new(), org_id: None, gateway: None, owner: None }
    }

    /// Sets the agents that it is bound to.
    #[must_use]
    pub fn agents<S: Into<String>>(mut self, agents: impl IntoIterator<Item = S>) -> Self {
        self.agents = agents.into_iter().map(Into::into).collect();
        self
    }

    /// Sets another organisation than that of the key which asks.
    #[must_use]
    pub fn org_id(mut self, org_id: impl Into<String>) -> Self {
        self.org_id = Some(org_id.into());
        self
    }

    /// Sets the gateway that a key of role `gateway` is of: a token for an audience is taken at the gateway that it
    /// names. Several keys may share a name, and are one gateway then: a session that is opened with one of
    /// them serves the others.
    ///
    /// ```
    /// use agenttrust::model::{CreateKeyRequest, KeyRole};
    ///
    /// let request = CreateKeyRequest::new(KeyRole::Gateway).gateway("files");
    /// assert_eq!(request.gateway.as_deref(), Some("files"));
    /// ```
    #[must_use]
    pub fn gateway(mut self, name: impl Into<String>) -> Self {
        self.gateway = Some(name.into());
        self
    }

    /// Sets the person or program that it is of. An approval is not decided by a key of the owner who asked for it, and
    /// keys of one owner are one approver. Where none is named, the key of an operator or admin is of the owner of
    /// the key that makes it.
    ///
    /// ```
    /// use agenttrust::model::{CreateKeyRequest, KeyRole};
    ///
    /// let request = CreateKeyRequest::new(KeyRole::Operator).owner("alice");
    /// assert_eq!(request.owner.as_deref(), Some("alice"));
    /// ```
    #[must_use]
    pub fn owner(mut self, name: impl Into<String>) -> Self {
        self.owner = Some(name.into());
        self
    }
}

wire_words! {
    /// The treatment of the tokens and sessions that were issued and opened with a key that is revoked.
    pub enum Issued as "way to treat what a key issued" {
        /// Tokens and sessions live on until they expire.
        Keep = "keep",
        /// Tokens and sessions are revoked with the key, and so is all that was made from them.
        Revoke = "revoke",
    }
    default = Unknown;
}

/// The result of the revocation of a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct KeyRevocation {
    /// The change that was made, as one word.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: String,
    /// Whether it is stored. Until it is, it is in force at the Guardian that answers and tried again; the
    /// other replicas do not know of it yet, and a restart would forget it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub durable: bool,
    /// The treatment of what was issued with the key.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub issued: Issued,
    /// The number of tokens that were revoked with the key and worked until then.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub tokens: u64,
    /// The number of sessions that were revoked with the key and were open until then.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub sessions: u64,
    /// The number of delegations that were revoked with the key and worked until then.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub delegations: u64,
}
