//! Federation: who else's word is taken on who an agent is, and the tokens that say it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::session::SessionMode;
use super::timestamp::Timestamp;
use super::tolerant::or_default;
use super::word::wire_words;

wire_words! {
    /// The trust in a federation provider, which sets how far the sessions of its tokens go.
    pub enum TrustLevel as "level of trust" {
        /// Sessions are supervised, and an agent may call only what the rule lists. A rule without scopes is refused.
        Low = "low",
        /// Sessions are supervised. Published clients call it `standard`.
        Medium = "medium" | "standard",
        /// Sessions go as far as the agent's own.
        High = "high",
    }
    default = Medium;
}

/// A rule for which tokens of a provider are which agent of ours: those of this subject, with these claims. A rule with
/// neither is for every token of the provider.
///
/// ```
/// use agenttrust::FederationRule;
///
/// let rule = FederationRule::new("agt_1").claim("groups", "ops").scope("files:read");
/// assert_eq!(
///     serde_json::to_string(&rule)?,
///     r#"{"claims":{"groups":"ops"},"agent_id":"agt_1","scopes":["files:read"]}"#,
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct FederationRule {
    /// The `sub` that the token must have, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub subject: Option<String>,
    /// The claims that it must have: each equal to the value here or, where it is a list, with the value in it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub claims: Map<String, Value>,
    /// The agent.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub agent_id: String,
    /// The most that sessions of these tokens allow, in the notation of capabilities; absent means what the agent may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub scopes: Option<Vec<String>>,
}

impl FederationRule {
    /// Makes every token of the provider this agent.
    #[must_use]
    pub fn new(agent_id: impl Into<String>) -> Self {
        Self { agent_id: agent_id.into(), ..Self::default() }
    }

    /// Narrows the rule to tokens of this subject.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Narrows the rule to tokens with this claim.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Allows sessions of these tokens this, and nothing that no call of this allows.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.get_or_insert_default().push(scope.into());
        self
    }
}

/// An OpenID Connect provider whose tokens are taken (SDK guide, section 11).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct FederationProvider {
    /// The provider's id, which is opaque.
    pub id: String,
    /// The organisation that takes its tokens.
    #[serde(default, alias = "orgId")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub org_id: String,
    /// The provider's issuer: the `iss` of its tokens, byte for byte.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub issuer: String,
    /// The provider's name, for people.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub name: String,
    /// The URL of the provider's keys.
    #[serde(default, alias = "jwksUri")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub jwks_uri: String,
    /// The URL where people sign in, if the provider has one.
    #[serde(default, alias = "authorizationEndpoint", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub authorization_endpoint: Option<String>,
    /// The URL where the provider issues tokens, if it has one.
    #[serde(default, alias = "tokenEndpoint", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub token_endpoint: Option<String>,
    /// The trust in the provider.
    #[serde(default, alias = "trustLevel")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub trust_level: TrustLevel,
    /// The provider's status: `active`, or `disabled` where its gateway key was revoked. None of its tokens are
    /// accepted then, until the provider is removed and registered again.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: String,
    /// The audiences that the `aud` of its tokens must name one of; empty means the Guardian's public URL.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub audiences: Vec<String>,
    /// The rules for which of its tokens are which agent. The first rule that fits counts.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub rules: Vec<FederationRule>,
    /// The id of its gateway key, by which the Guardian asks for those that come with its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key_id: Option<String>,
    /// The id of the key that registered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub created_by: Option<String>,
    /// The time when the provider was registered.
    #[serde(default, alias = "createdAt", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub created_at: Option<Timestamp>,
    /// The time when the provider was changed last.
    #[serde(default, alias = "updatedAt", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub updated_at: Option<Timestamp>,
}

/// A request to register a federation provider.
///
/// ```
/// use agenttrust::RegisterFederationProviderRequest;
///
/// let request = RegisterFederationProviderRequest {
///     issuer: "https://issuer.example.com".to_string(),
///     name: "Example Workforce".to_string(),
///     trust_level: Some("high".to_string()),
/// };
/// assert!(serde_json::to_string(&request)?.contains(r#""trust_level":"high""#));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterFederationProviderRequest {
    /// The provider's issuer, whose `/.well-known/openid-configuration` has the rest.
    pub issuer: String,
    /// The provider's name, for people.
    pub name: String,
    /// The trust in the provider, one of the words of [`TrustLevel`]; medium by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_level: Option<String>,
}

/// A request to change a federation provider; absent members stay as they are.
///
/// ```
/// use agenttrust::{FederationRule, UpdateFederationProviderRequest};
///
/// let request = UpdateFederationProviderRequest::new().rules([FederationRule::new("agt_1")]);
/// assert_eq!(serde_json::to_string(&request)?, r#"{"rules":[{"agent_id":"agt_1"}]}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UpdateFederationProviderRequest {
    /// The provider's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The trust in the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_level: Option<TrustLevel>,
    /// All audiences that the `aud` of its tokens may name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audiences: Option<Vec<String>>,
    /// All rules of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<FederationRule>>,
}

impl UpdateFederationProviderRequest {
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

    /// Trusts it so far.
    #[must_use]
    pub fn trust_level(mut self, trust_level: TrustLevel) -> Self {
        self.trust_level = Some(trust_level);
        self
    }

    /// Takes tokens for these audiences and no others.
    #[must_use]
    pub fn audiences<S: Into<String>>(mut self, audiences: impl IntoIterator<Item = S>) -> Self {
        self.audiences = Some(audiences.into_iter().map(Into::into).collect());
        self
    }

    /// Gives it these rules and no others.
    #[must_use]
    pub fn rules(mut self, rules: impl IntoIterator<Item = FederationRule>) -> Self {
        self.rules = Some(rules.into_iter().collect());
        self
    }
}

/// A request to look into a token, or to open a session from it: one of a provider, or one of ours. `Debug` hides the
/// token.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct VerifyFederatedTokenRequest {
    /// The token.
    pub token: String,
    /// The issuer that it must be of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_hint: Option<String>,
}

impl fmt::Debug for VerifyFederatedTokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyFederatedTokenRequest")
            .field("token", &"..")
            .field("issuer_hint", &self.issuer_hint)
            .finish()
    }
}

/// The worth of a federated token right now.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct FederatedIntrospection {
    /// Whether it works; absent reads as `false`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub valid: bool,
    /// The same by its other name.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub active: bool,
    /// The agent that it speaks for; absent where no rule is for it.
    #[serde(default, alias = "agentId", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub agent_id: Option<String>,
    /// The token's issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub issuer: Option<String>,
    /// The time when the token stops working.
    #[serde(default, alias = "expiresAt", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<Timestamp>,
    /// The reason why the token does not work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub error: Option<String>,
    /// The token's subject, in the issuer's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub subject: Option<String>,
    /// The provider that issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub provider_id: Option<String>,
    /// The trust in that provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub trust_level: Option<TrustLevel>,
    /// The scopes of the token; empty where it names none.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The audiences of the token; empty means anywhere.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<String>,
}

/// The steps of a federated token towards a session, for people who set federation up.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct FederationTest {
    /// Whether it would open a session; absent reads as `false`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub ok: bool,
    /// The steps, up to the first one that failed.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub steps: Vec<FederationTestStep>,
    /// The agent that it speaks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub agent_id: Option<String>,
    /// The mode that the session would have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub mode: Option<SessionMode>,
    /// The most that the session would allow; absent where it would have no ceiling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub scope_ceiling: Option<Vec<String>>,
    /// The time when the session would end by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<Timestamp>,
}

/// A step of a [`FederationTest`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct FederationTestStep {
    /// The step's name, as one word.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub step: String,
    /// Whether that is good; absent reads as `false`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub ok: bool,
    /// The result of the step, in a sentence.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub says: String,
}

impl FederationTestStep {
    /// Returns what is said of a step.
    #[must_use]
    pub fn new(step: impl Into<String>, ok: bool, says: impl Into<String>) -> Self {
        Self { step: step.into(), ok, says: says.into() }
    }
}

/// A request to issue a federation token; the agent is named beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueFederatedTokenRequest {
    /// The audience of the token; anywhere by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The scopes of the token; empty means all that the agent may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The token's lifetime in seconds; an hour by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
}

/// An opaque federation token, `fed_…`: only the Guardian can say what it is worth. `Debug` hides it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct FederatedToken {
    /// The secret itself; it travels as `token`.
    #[serde(default, rename = "token", alias = "id_token", alias = "idToken")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub id_token: String,
    /// The token's lifetime, in seconds.
    #[serde(default, alias = "expiresIn")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub expires_in: u64,
    /// A name for it that is not secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub token_id: Option<String>,
}

impl fmt::Debug for FederatedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FederatedToken")
            .field("id_token", &"fed_..")
            .field("expires_in", &self.expires_in)
            .field("token_id", &self.token_id)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_that_published_clients_call_standard_is_medium_and_none_is_too() {
        assert_eq!("standard".parse(), Ok(TrustLevel::Medium));
        let provider = |text: &str| serde_json::from_str::<FederationProvider>(text).unwrap();
        let said = provider(r#"{"id": "p", "trustLevel": "standard", "rules": null, "more": 1}"#);
        assert_eq!(said.trust_level, TrustLevel::Medium);
        assert_eq!(provider(r#"{"id": "p"}"#).trust_level, TrustLevel::Medium);
        // A word that is not known is trusted in nothing.
        let other = provider(r#"{"id": "p", "trust_level": "absolute"}"#);
        assert_eq!(other.trust_level, TrustLevel::Unknown);
        let error = "absolute".parse::<TrustLevel>().unwrap_err();
        assert_eq!(error.to_string(), "\"absolute\" is no level of trust; use low, medium or high");
    }

    #[test]
    fn token_is_read_by_each_of_its_names_and_debug_shows_none() {
        for name in ["token", "id_token", "idToken"] {
            let text = format!(r#"{{"{name}": "fed_S3cret", "expiresIn": 60}}"#);
            let token: FederatedToken = serde_json::from_str(&text).unwrap();
            assert_eq!((&*token.id_token, token.expires_in), ("fed_S3cret", 60));
            assert!(!format!("{token:?}").contains("S3cret"));
        }
        let asked =
            VerifyFederatedTokenRequest { token: "eyJS3cret".to_owned(), issuer_hint: None };
        assert!(!format!("{asked:?}").contains("S3cret"));
    }
}
