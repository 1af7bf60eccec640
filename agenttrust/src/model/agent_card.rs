//! Agent cards: what an agent tells others of itself, as A2A 1.0 has it.
//!
//! Written, a card has the members that its form in Protocol Buffers would have: what is required is there, and what is
//! not required and says nothing is left out. Members that this version does not know are kept, so that a card that
//! was read and is written again still goes with its signatures.

use std::collections::BTreeMap;
use std::fmt;

use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::card_key::CardKey;
use super::tolerant::or_default;

/// The URI of the extension in which a card says how far its agent is trusted, and a task what our Guardian knows of
/// it.
pub const ATI_TRUST_EXTENSION_URI: &str = "https://agenttrust.id/ext/trust/v1";

/// The card that an agent shows to others: who it is, what it can do and where it is reached.
///
/// ```
/// use agenttrust::AgentCard;
///
/// let card: AgentCard = serde_json::from_str(
///     r#"{
///         "name": "researcher",
///         "supportedInterfaces": [
///             {"url": "https://gateway.example/a2a/agents/agt_1", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
///         ],
///         "capabilities": {"extensions": [
///             {"uri": "https://agenttrust.id/ext/trust/v1", "params": {"ati_trust_score": 92}}
///         ]}
///     }"#,
/// )?;
/// assert_eq!(card.primary_url(), Some("https://gateway.example/a2a/agents/agt_1"));
/// assert_eq!(card.trust_score(), Some(92.0));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AgentCard {
    /// The name of the agent.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub name: String,
    /// The agent's purpose.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub description: String,
    /// The version of the agent.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub version: String,
    /// The ways to reach the agent, the preferred one first.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub supported_interfaces: Vec<AgentInterface>,
    /// The organisation that offers the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub provider: Option<AgentProvider>,
    /// The capabilities of A2A that the agent has.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub capabilities: AgentCapabilities,
    /// The ways in which a caller may prove who it is, by name.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub security_schemes: BTreeMap<String, SecurityScheme>,
    /// The ways to prove it that the agent accepts.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub security_requirements: Vec<Value>,
    /// The media types that it reads.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub default_input_modes: Vec<String>,
    /// The media types that it writes.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub default_output_modes: Vec<String>,
    /// The agent's skills.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub skills: Vec<AgentCardSkill>,
    /// The signatures of the card: see [`verify_signature`](Self::verify_signature).
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<AgentCardSignature>,
    /// The URL of the agent's documentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub documentation_url: Option<String>,
    /// A picture of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub icon_url: Option<String>,
    /// The agent's URL on a card from before A2A 1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub url: Option<String>,
    /// The other members of the card.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl AgentCard {
    /// Returns where the agent is reached: its preferred interface, else the address of a card from before A2A 1.0.
    #[must_use]
    pub fn primary_url(&self) -> Option<&str> {
        let first = self.supported_interfaces.first().map(|interface| interface.url.as_str());
        first.filter(|url| !url.is_empty()).or(self.url.as_deref())
    }

    /// Returns the trust score, 0 to 100; none where the card has none, as for an agent of which too little is known.
    ///
    /// It is as good as the card: [verify its signature](Self::verify_signature) first.
    #[must_use]
    pub fn trust_score(&self) -> Option<f64> {
        self.trust()?.get("ati_trust_score")?.as_f64()
    }

    /// Returns the Ed25519 public key of the agent itself, PKIX PEM; none where the card has none that is one.
    ///
    /// It is as good as the card: [verify its signature](Self::verify_signature) first.
    ///
    /// ```
    /// # use agenttrust::AgentCard;
    /// let card: AgentCard = serde_json::from_str(
    ///     r#"{"capabilities": {"extensions": [{
    ///         "uri": "https://agenttrust.id/ext/trust/v1",
    ///         "params": {"ati_agent_key": {
    ///             "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    ///         }}
    ///     }]}}"#,
    /// )?;
    /// assert!(card.agent_public_key_pem().is_some_and(|pem| pem.starts_with("-----BEGIN PUBLIC KEY-----")));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn agent_public_key_pem(&self) -> Option<String> {
        let key: CardKey =
            serde_json::from_value(self.trust()?.get("ati_agent_key")?.clone()).ok()?;
        let key = VerifyingKey::from_bytes(&key.bytes()?).ok()?;
        key.to_public_key_pem(LineEnding::LF).ok()
    }

    /// Returns what the card says of how far its agent is trusted.
    fn trust(&self) -> Option<&Map<String, Value>> {
        let extensions = &self.capabilities.extensions;
        let trust = extensions.iter().find(|extension| extension.uri == ATI_TRUST_EXTENSION_URI)?;
        trust.params.as_ref()
    }
}

/// A way to reach an agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AgentInterface {
    /// The URL of this way.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub url: String,
    /// The binding of calls: `JSONRPC`, `HTTP+JSON` or `GRPC`.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub protocol_binding: String,
    /// The version of A2A, such as `1.0`.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub protocol_version: String,
    /// The value that a caller sends as `tenant`.
    #[serde(default, skip_serializing_if = "is_empty")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub tenant: Option<String>,
    /// The other members of the interface.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl AgentInterface {
    /// Makes an interface at this address.
    #[must_use]
    pub fn new(
        url: impl Into<String>,
        protocol_binding: impl Into<String>,
        protocol_version: impl Into<String>,
    ) -> Self {
        Self {
            url: url.into(),
            protocol_binding: protocol_binding.into(),
            protocol_version: protocol_version.into(),
            ..Self::default()
        }
    }
}

/// The organisation that offers an agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AgentProvider {
    /// The name of the organisation.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub organization: String,
    /// The organisation's URL.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub url: String,
    /// The other members of the provider.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The capabilities of A2A that an agent has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AgentCapabilities {
    /// Whether it answers as a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub streaming: Option<bool>,
    /// Whether it tells of its tasks by push notifications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub push_notifications: Option<bool>,
    /// The extensions of A2A that it supports.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<AgentExtension>,
    /// Whether a caller that says who it is sees another card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub extended_agent_card: Option<bool>,
    /// The other members of the capabilities.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An extension of A2A that an agent supports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AgentExtension {
    /// The URI that names the extension.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub uri: String,
    /// The way in which the agent uses the extension.
    #[serde(default, skip_serializing_if = "is_empty")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub description: Option<String>,
    /// Whether a caller has to know it.
    #[serde(default, skip_serializing_if = "is_false")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub required: Option<bool>,
    /// The extension's parameters for the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, value_type = Option<Object>))]
    pub params: Option<Map<String, Value>>,
    /// The other members of the extension.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A way for a caller to prove who it is. A2A 1.0 has one member for each kind of way, which is in
/// [`other`](Self::other); before, there were `type` and `scheme`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct SecurityScheme {
    /// The kind of way, before A2A 1.0: `http`, `apiKey`, `oauth2`, …
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub r#type: String,
    /// The scheme of HTTP, before A2A 1.0: `bearer`, …
    #[serde(default, skip_serializing_if = "is_empty")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub scheme: Option<String>,
    /// The scheme's members by A2A 1.0, such as `{"httpAuthSecurityScheme": {"scheme": "Bearer"}}`.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A skill of an agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AgentCardSkill {
    /// The skill's id, among those of the agent.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub id: String,
    /// The skill's name, for people.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub name: String,
    /// The skill's description.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub description: String,
    /// Words by which it is found.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub tags: Vec<String>,
    /// Examples of messages that ask for the skill.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// The media types that it reads, where these are not those of the agent.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub input_modes: Vec<String>,
    /// The media types that it writes, where these are not those of the agent.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub output_modes: Vec<String>,
    /// The other members of the skill.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A signature of a card, as a JSON Web Signature whose payload is the card.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AgentCardSignature {
    /// The header that is signed with it, in base64url.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub protected: String,
    /// The signature, in base64url.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub signature: String,
    /// A header that is not signed, and so says nothing that could be relied on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, value_type = Option<Object>))]
    pub header: Option<Value>,
}

impl AgentCardSignature {
    /// Makes a signature of these parts, both in base64url.
    #[must_use]
    pub fn new(protected: impl Into<String>, signature: impl Into<String>) -> Self {
        Self { protected: protected.into(), signature: signature.into(), header: None }
    }
}

impl fmt::Debug for AgentCardSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentCardSignature")
            .field("protected", &self.protected)
            .finish_non_exhaustive()
    }
}

/// Returns whether a text that need not be there says nothing.
fn is_empty(text: &Option<String>) -> bool {
    text.as_ref().is_none_or(String::is_empty)
}

fn is_false(truth: &Option<bool>) -> bool {
    *truth != Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_is_read_from_as_little_as_a_gateway_may_say_and_keeps_what_is_not_known() {
        let card: AgentCard = serde_json::from_str(
            r#"{"name": "a", "skills": null, "capabilities": {"streaming": false, "teleports": 1}, "colour": "red"}"#,
        )
        .unwrap();
        assert_eq!((card.name.as_str(), card.skills.len(), card.trust_score()), ("a", 0, None));
        assert_eq!(card.capabilities.streaming, Some(false));
        let written = serde_json::to_value(&card).unwrap();
        assert_eq!(written["colour"], "red");
        assert_eq!(
            written["capabilities"],
            serde_json::json!({"streaming": false, "teleports": 1})
        );
    }

    #[test]
    fn card_from_before_1_0_says_where_its_agent_is() {
        let card: AgentCard =
            serde_json::from_str(r#"{"name": "a", "url": "https://a.example", "version": "0.9"}"#)
                .unwrap();
        assert_eq!(card.primary_url(), Some("https://a.example"));
        assert_eq!(card.agent_public_key_pem(), None);
    }

    #[test]
    fn key_of_another_kind_is_no_key_of_the_agent() {
        for key in [
            r#"{"kty": "EC", "crv": "P-256", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"kty": "OKP", "crv": "X25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"kty": "OKP", "crv": "Ed25519", "x": "11qY"}"#,
            "null",
            "7",
        ] {
            let card = format!(
                r#"{{"capabilities": {{"extensions": [{{"uri": "{ATI_TRUST_EXTENSION_URI}", "params": {{"ati_agent_key": {key}}}}}]}}}}"#
            );
            let card: AgentCard = serde_json::from_str(&card).unwrap();
            assert_eq!(card.agent_public_key_pem(), None, "{key}");
        }
    }
}
