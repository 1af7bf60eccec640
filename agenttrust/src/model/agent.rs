//! Agents: who acts.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::timestamp::Timestamp;
use super::word::wire_words;

wire_words! {
    /// Whether an agent may act.
    pub enum AgentStatus as "status of an agent" {
        /// An agent that may act.
        Active = "active",
        /// An agent that may not act until an operator lifts the suspension.
        Suspended = "suspended",
        /// An agent that may never act again.
        Revoked = "revoked",
    }
    default = Active;
}

/// A registered agent (SDK guide, section 3).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Agent {
    /// The agent's id, which is opaque.
    pub id: String,
    /// The name it was registered under.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub name: String,
    /// The organisation it belongs to.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub org_id: String,
    /// The framework that the agent is built with, `custom` by default.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub framework: String,
    /// Ed25519 public key, PKIX PEM; empty when the gateway keeps none.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub public_key: String,
    /// Whether it may act.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: AgentStatus,
    /// The tools and scopes it may use.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub capabilities: Vec<String>,
    /// Further members that were registered with the agent.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true, value_type = Object))]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Whether every check of it needs a proof that it has its private key, whatever the API key is.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub requires_proof: bool,
    /// The time when the agent was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = true, nullable = false))]
    pub created_at: Option<Timestamp>,
    /// The private key that the client generated, present once: in the answer to `create`.
    ///
    /// It never travels and is `None` in every agent that came from elsewhere.
    #[serde(skip)]
    pub private_key: Option<PrivateKey>,
}

impl Agent {
    /// Creates an active agent with this id and name, everything else empty.
    #[must_use]
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            org_id: String::new(),
            framework: "custom".to_owned(),
            public_key: String::new(),
            status: AgentStatus::Active,
            capabilities: Vec::new(),
            metadata: serde_json::Map::new(),
            requires_proof: false,
            created_at: None,
            private_key: None,
        }
    }
}

/// The Ed25519 private key of an agent, PKCS #8 PEM. `Debug` shows nothing of it, and its memory is
/// wiped when dropped.
#[derive(Clone)]
pub struct PrivateKey(Zeroizing<String>);

impl PrivateKey {
    pub(crate) fn new(pem: Zeroizing<String>) -> Self {
        Self(pem)
    }

    /// Returns the key as PKCS #8 PEM. Store it where the agent's other secrets are: there is no other copy.
    #[must_use]
    pub fn as_pem(&self) -> &str {
        &self.0
    }
}

/// The private key is taken where a key in PEM is.
impl std::ops::Deref for PrivateKey {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// A request to register an agent (SDK guide, section 3).
///
/// ```
/// let request = agenttrust::CreateAgentRequest {
///     name: "research-bot".to_string(),
///     capabilities: vec!["web:search".to_string()],
///     ..Default::default()
/// };
/// assert_eq!(request.framework, "custom");
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateAgentRequest {
    /// A name for people.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name))]
    pub name: String,
    /// The framework that the agent is built with.
    #[serde(default = "custom")]
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name, default = "custom"))]
    pub framework: String,
    /// The tools and scopes it may use; none means that it may use no tool.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<super::schema::Capability>, max_items = 256))]
    pub capabilities: Vec<String>,
    /// Further members to keep with the agent.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// The organisation; absent means that of the API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// The agent's Ed25519 public key, PKIX PEM; absent means that the client generates a key pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::schema::PublicKey>))]
    pub public_key: Option<String>,
}

/// A request to change an agent; absent members stay as they are.
///
/// Two requests at once are put in force one after the other, each on top of what the other one left. So use
/// [`grant`](Self::grant) and [`withdraw`](Self::withdraw) to change some capabilities, and
/// [`capabilities`](Self::capabilities) to set all of them.
///
/// ```
/// use agenttrust::model::UpdateAgentRequest;
///
/// let request = UpdateAgentRequest::new().grant(["files:read"]).metadata("team", "billing");
/// assert_eq!(
///     serde_json::to_string(&request)?,
///     r#"{"grant":["files:read"],"metadata":{"team":"billing"}}"#,
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct UpdateAgentRequest {
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name, required = false))]
    pub name: Option<String>,
    /// The agent's new capabilities, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<super::schema::Capability>, required = false, max_items = 256))]
    pub capabilities: Option<Vec<String>>,
    /// Capabilities that it is not to have any more; taken out of those above, or of those that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<super::schema::Capability>, max_items = 256))]
    pub withdraw: Vec<String>,
    /// Capabilities that it is to have beside these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<super::schema::Capability>, max_items = 256))]
    pub grant: Vec<String>,
    /// The agent's new groups, all of them, which policies name; `metadata.groups` has them.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<super::schema::Name>, required = false, max_items = 256))]
    pub groups: Option<Vec<String>>,
    /// Members of the metadata that are to be as they are here; one that is `null` goes, and every other stays.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Whether every check of it is to need a proof that it has its private key, whatever the API key is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[cfg_attr(feature = "openapi", schema(value_type = bool, required = false))]
    pub requires_proof: Option<bool>,
    /// The agent's new Ed25519 public key, PKIX PEM. What is bound to the key that it had is worth nothing from then on.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::PublicKey, required = false))]
    pub public_key: Option<String>,
}

/// Returns what is there, which `null` is not.
fn given<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(from).map(Some)
}

impl UpdateAgentRequest {
    /// Creates a request that changes nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives it this name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Gives it these capabilities and no others.
    #[must_use]
    pub fn capabilities<S: Into<String>>(
        mut self,
        capabilities: impl IntoIterator<Item = S>,
    ) -> Self {
        self.capabilities = Some(capabilities.into_iter().map(Into::into).collect());
        self
    }

    /// Gives it these capabilities beside those that it has.
    #[must_use]
    pub fn grant<S: Into<String>>(mut self, capabilities: impl IntoIterator<Item = S>) -> Self {
        self.grant.extend(capabilities.into_iter().map(Into::into));
        self
    }

    /// Takes these capabilities from those that it has.
    #[must_use]
    pub fn withdraw<S: Into<String>>(mut self, capabilities: impl IntoIterator<Item = S>) -> Self {
        self.withdraw.extend(capabilities.into_iter().map(Into::into));
        self
    }

    /// Puts it into these groups and no others.
    #[must_use]
    pub fn groups<S: Into<String>>(mut self, groups: impl IntoIterator<Item = S>) -> Self {
        self.groups = Some(groups.into_iter().map(Into::into).collect());
        self
    }

    /// Keeps `value` as this member of its metadata; `null` takes the member out.
    #[must_use]
    pub fn metadata(
        mut self,
        member: impl Into<String>,
        value: impl Into<serde_json::Value>,
    ) -> Self {
        self.metadata.insert(member.into(), value.into());
        self
    }

    /// Has every check of it need a proof that it has its private key, or none.
    #[must_use]
    pub fn requires_proof(mut self, requires_proof: bool) -> Self {
        self.requires_proof = Some(requires_proof);
        self
    }

    /// Gives it this public key, PKIX PEM, instead of the one that it has. The private one stays with the agent.
    #[must_use]
    pub fn public_key(mut self, pem: impl Into<String>) -> Self {
        self.public_key = Some(pem.into());
        self
    }
}

fn custom() -> String {
    "custom".to_owned()
}

impl Default for CreateAgentRequest {
    fn default() -> Self {
        Self {
            name: String::new(),
            framework: custom(),
            capabilities: Vec::new(),
            metadata: serde_json::Map::new(),
            org_id: None,
            public_key: None,
        }
    }
}
