//! Federation: agents that come with the tokens of another organisation's identity provider (SDK guide, section 11).

use serde::Serialize;
use serde_json::json;

use super::AgentTrustClient;
use super::path::segment;
use crate::error::Result;
use crate::model::{
    FederatedIntrospection, FederatedToken, FederationProvider, FederationRule, FederationTest,
    IssueFederatedTokenRequest, RegisterFederationProviderRequest, Session,
    UpdateFederationProviderRequest, VerifyFederatedTokenRequest, headers,
};

const PROVIDERS: &str = "/api/v1/federation/providers";

/// See [`AgentTrustClient::federation`].
#[derive(Clone, Copy, Debug)]
pub struct Federation<'a> {
    client: &'a AgentTrustClient,
}

/// Settings of a provider that our Guardian knows beyond the guide: the audiences of its tokens, and the rules for
/// which agents they are.
///
/// ```
/// use agenttrust::client::RegisterFederationProviderOptions;
/// use agenttrust::model::FederationRule;
///
/// let options = RegisterFederationProviderOptions::default()
///     .audience("https://guardian.example.com")
///     .rule(FederationRule::new("agt_1").claim("groups", "agents"));
/// assert_eq!(options.rules.len(), 1);
/// ```
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct RegisterFederationProviderOptions {
    /// The audiences that the `aud` of its tokens must name one of; none means the Guardian's public URL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// The rules for which of its tokens are which agent. The first rule that fits counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<FederationRule>,
}

impl RegisterFederationProviderOptions {
    /// Takes tokens for this audience, beside those named before.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Adds a rule, after those added before.
    #[must_use]
    pub fn rule(mut self, rule: FederationRule) -> Self {
        self.rules.push(rule);
        self
    }
}

/// Options for the use of a federated token.
///
/// ```
/// use agenttrust::client::FederatedTokenOptions;
///
/// let options = FederatedTokenOptions::default().target("files");
/// assert_eq!(options.target.as_deref(), Some("files"));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FederatedTokenOptions {
    /// The place where the token is used: a `fed_` token that has an audience must name it.
    pub target: Option<String>,
}

impl FederatedTokenOptions {
    /// Sets where it is used.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }
}

#[derive(Serialize)]
struct Registration<'a> {
    #[serde(flatten)]
    request: &'a RegisterFederationProviderRequest,
    #[serde(flatten)]
    options: &'a RegisterFederationProviderOptions,
}

#[derive(Serialize)]
struct Issue<'a> {
    agent_id: &'a str,
    #[serde(flatten)]
    request: &'a IssueFederatedTokenRequest,
}

impl<'a> Federation<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Registers an OpenID Connect provider, whose tokens are taken from then on, and returns it. Where its keys are
    /// the Guardian reads from its `/.well-known/openid-configuration`. Needs an admin's key.
    ///
    /// At our Guardian its tokens are no agent before a [rule](Self::register_provider_with) says which.
    ///
    /// ```
    /// use agenttrust::RegisterFederationProviderRequest;
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async {
    /// #         let said = r#"{"id": "fedp_1", "issuer": "https://issuer.example.com", "trust_level": "high"}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let provider = client
    ///     .federation()
    ///     .register_provider(&RegisterFederationProviderRequest {
    ///         issuer: "https://issuer.example.com".to_string(),
    ///         name: "Example Workforce".to_string(),
    ///         trust_level: Some("high".to_string()),
    ///     })
    ///     .await?;
    /// println!("Provider ID: {}", provider.id);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for an issuer that cannot be asked, or whose document or keys
    /// are not what they have to be, [`Authorization`](crate::AgentTrustError::Authorization) for a key that is no
    /// admin's, [`Api`](crate::AgentTrustError::Api) with status 409 where the issuer is registered already, and 429
    /// where the organisation has as many as it may have.
    pub async fn register_provider(
        &self,
        request: &RegisterFederationProviderRequest,
    ) -> Result<FederationProvider> {
        self.register_provider_with(request, &RegisterFederationProviderOptions::default()).await
    }

    /// Does the same as [`register_provider`](Self::register_provider), and says for whom its tokens have to be and
    /// which agents they are: an extension of ours.
    ///
    /// # Errors
    ///
    /// As for [`register_provider`](Self::register_provider), and
    /// [`Validation`](crate::AgentTrustError::Validation) for a rule that cannot be one.
    pub async fn register_provider_with(
        &self,
        request: &RegisterFederationProviderRequest,
        options: &RegisterFederationProviderOptions,
    ) -> Result<FederationProvider> {
        let body = Registration { request, options };
        self.client.post(PROVIDERS).json(&body).send().await?.object("provider")
    }

    /// Returns the providers of the organisation.
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not read them.
    pub async fn list_providers(&self) -> Result<Vec<FederationProvider>> {
        self.client.get(PROVIDERS).send().await?.list("providers")
    }

    /// Returns the provider with this id: an extension of ours.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such provider.
    pub async fn get_provider(&self, provider_id: &str) -> Result<FederationProvider> {
        self.client.get(path(provider_id)?).send().await?.object("provider")
    }

    /// Changes a provider and returns it as it is now: an extension of ours. Absent members of `request` stay as they
    /// are. Needs an admin's key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such provider,
    /// [`Validation`](crate::AgentTrustError::Validation) for a request that says nothing, and for a rule that cannot
    /// be one.
    pub async fn update_provider(
        &self,
        provider_id: &str,
        request: &UpdateFederationProviderRequest,
    ) -> Result<FederationProvider> {
        self.client.patch(path(provider_id)?).json(request).send().await?.object("provider")
    }

    /// Deletes a provider: none of its tokens is taken from then on, and at our Guardian every session that one opened
    /// ends. Needs an admin's key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such provider.
    pub async fn delete_provider(&self, provider_id: &str) -> Result<()> {
        self.client.delete(path(provider_id)?).send().await.map(drop)
    }

    /// Returns what a token is worth right now: one of a provider, or a federation token of ours.
    ///
    /// ```
    /// use agenttrust::VerifyFederatedTokenRequest;
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async {
    /// #         let said = r#"{"valid": true, "active": true, "agent_id": "agt_1"}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let request = VerifyFederatedTokenRequest { token: "eyJ...".to_string(), issuer_hint: None };
    /// let worth = client.federation().verify_token(&request).await?;
    /// assert!(worth.valid);
    /// println!("it speaks for {:?}", worth.agent_id);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Only when the question cannot be asked, or not be answered because the provider's keys cannot be read: a
    /// worthless token is an answer, with [`valid`](FederatedIntrospection::valid) `false`.
    pub async fn verify_token(
        &self,
        request: &VerifyFederatedTokenRequest,
    ) -> Result<FederatedIntrospection> {
        let call = self.client.post("/api/v1/federation/tokens/verify").json(request);
        call.repeatable().send().await?.json()
    }

    /// Returns the same as [`verify_token`](Self::verify_token), by its other name.
    ///
    /// # Errors
    ///
    /// As for [`verify_token`](Self::verify_token).
    pub async fn introspect_token(
        &self,
        request: &VerifyFederatedTokenRequest,
    ) -> Result<FederatedIntrospection> {
        self.introspect_token_with(request, &FederatedTokenOptions::default()).await
    }

    /// Does the same as [`introspect_token`](Self::introspect_token), and says where the token is used: an extension of
    /// ours.
    ///
    /// # Errors
    ///
    /// As for [`verify_token`](Self::verify_token).
    pub async fn introspect_token_with(
        &self,
        request: &VerifyFederatedTokenRequest,
        options: &FederatedTokenOptions,
    ) -> Result<FederatedIntrospection> {
        let mut call = self.client.post("/api/v1/federation/tokens/introspect").json(request);
        if let Some(target) = &options.target {
            call = call.text_header(headers::TARGET, target);
        }
        call.repeatable().send().await?.json()
    }

    /// Opens a session for the agent that a token speaks for. It ends with the token, and goes as far as the provider
    /// is trusted and its rule says.
    ///
    /// # Errors
    ///
    /// [`TokenExpired`](crate::AgentTrustError::TokenExpired) for a token that is right but for its time,
    /// [`Authentication`](crate::AgentTrustError::Authentication) for one that is worth nothing otherwise, and
    /// [`Authorization`](crate::AgentTrustError::Authorization) where no rule says which agent it is, and for a key
    /// that may not open sessions of that agent.
    pub async fn init_session(&self, request: &VerifyFederatedTokenRequest) -> Result<Session> {
        self.init_session_with(request, &FederatedTokenOptions::default()).await
    }

    /// Does the same as [`init_session`](Self::init_session), and says where the token is used: an extension of ours.
    ///
    /// # Errors
    ///
    /// As for [`init_session`](Self::init_session).
    pub async fn init_session_with(
        &self,
        request: &VerifyFederatedTokenRequest,
        options: &FederatedTokenOptions,
    ) -> Result<Session> {
        let mut call = self.client.post("/api/v1/federation/sessions/init").json(request);
        if let Some(target) = &options.target {
            call = call.text_header(headers::TARGET, target);
        }
        call.send().await?.object("session")
    }

    /// Issues a federation token, `fed_…`: for others who ask the Guardian about it what the agent may do.
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for scopes beyond the agent's capabilities and a lifetime out
    /// of bounds, [`NotFound`](crate::AgentTrustError::NotFound) for an unknown agent.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, a token may have been issued that is not returned: it ends at its expiry.
    pub async fn issue_token(
        &self,
        agent_id: &str,
        request: &IssueFederatedTokenRequest,
    ) -> Result<FederatedToken> {
        let body = Issue { agent_id, request };
        let call = self.client.post("/api/v1/federation/tokens/issue").json(&body);
        call.send().await?.object("token_data")
    }

    /// Revokes a federation token at once.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) for a token that the gateway does not know.
    pub async fn revoke_token(&self, token: &str) -> Result<()> {
        let call = self.client.post("/api/v1/federation/tokens/revoke");
        call.json(&json!({ "token": token })).send().await.map(drop)
    }

    /// Lists step by step what a token would do and why, for the operator who sets federation up: an extension of ours.
    /// It opens nothing.
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not read providers: the faults of a
    /// token are for no other caller.
    pub async fn test_token(
        &self,
        request: &VerifyFederatedTokenRequest,
    ) -> Result<FederationTest> {
        let call = self.client.post("/api/v1/federation/test").json(request);
        call.repeatable().send().await?.json()
    }
}

fn path(provider_id: &str) -> Result<String> {
    Ok(format!("{PROVIDERS}/{}", segment("provider id", provider_id)?))
}
