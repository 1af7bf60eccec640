//! Workload identity without `.await`.

use super::resources::resources;
use super::wait;
use crate::client::{self as asynchronous, AgentTrustClient, proven};
use crate::error::Result;
use crate::keys::KeyStore;
use crate::model::{
    Challenge, IssueWimseTokenRequest, VerifyWimseTokenRequest, WimseToken, WimseVerification,
};

resources! {
    /// Tokens that say which agent a workload is; the async one is [`crate::client::Wimse`].
    Wimse by wimse {
        /// Issues a workload token, bound to no key unless the request has a proof.
        ///
        /// # Errors
        ///
        /// As for the async [`issue_token`](crate::client::Wimse::issue_token).
        fn issue_token(&self, request: &IssueWimseTokenRequest) -> WimseToken;

        /// Asks for a nonce. Signed with the agent's key, it proves that the signer has the key.
        ///
        /// # Errors
        ///
        /// As for the async [`challenge`](crate::client::Wimse::challenge).
        fn challenge(&self, agent_id: &str) -> Challenge;

        /// Issues a workload token, and returns it as the headers of a request to another service.
        ///
        /// # Errors
        ///
        /// As for the async [`get_jwt_signed_headers`](crate::client::Wimse::get_jwt_signed_headers).
        fn get_jwt_signed_headers(&self, request: &IssueWimseTokenRequest) -> Vec<(String, String)>;

        /// Returns what a workload token is worth right now.
        ///
        /// # Errors
        ///
        /// As for the async [`verify_wimse`](crate::client::Wimse::verify_wimse).
        fn verify_wimse(&self, request: &VerifyWimseTokenRequest) -> WimseVerification;

        /// Returns what a workload token is worth right now at this target.
        ///
        /// # Errors
        ///
        /// As for the async [`verify_wimse_for`](crate::client::Wimse::verify_wimse_for).
        fn verify_wimse_for(
            &self, request: &VerifyWimseTokenRequest, target: &str
        ) -> WimseVerification;
    }
}

impl Wimse<'_> {
    /// Issues a workload token that is bound to the agent's key: with a proof, signed on this thread by what
    /// `key_store` has for the agent.
    ///
    /// # Errors
    ///
    /// As for the async [`issue_token_with_proof`](crate::client::Wimse::issue_token_with_proof).
    pub fn issue_token_with_proof(
        &self,
        request: &IssueWimseTokenRequest,
        key_store: &dyn KeyStore,
    ) -> Result<WimseToken> {
        let challenge = self.challenge(&request.agent_id)?;
        self.issue_token(&proven(request, &challenge, key_store)?)
    }
}

/// The credentials of one agent; the async ones are [`crate::AgentCredentials`].
///
/// ```
/// use agenttrust::blocking::AgentCredentials;
/// use agenttrust::{InMemoryKeyStore, KeyStore, generate_agent_key};
///
/// # use agenttrust::blocking::AgentTrustClient;
/// # let client = AgentTrustClient::builder().service(tower::service_fn(
/// #     |_: http::Request<bytes::Bytes>| async move {
/// #         let said = r#"{"nonce": "n", "token": "eyJ", "expires_at": "2100-01-01T00:00:00Z"}"#;
/// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
/// #     },
/// # )).build()?;
/// let pair = generate_agent_key()?;
/// let mut keys = InMemoryKeyStore::new();
/// keys.store("agt_1", &pair.private_key_pem)?;
/// let credentials = AgentCredentials::new(&client, keys, "agt_1", &pair.public_key_pem);
/// let headers = credentials.runtime_headers("POST", "/api/v1/agenttrust/check")?;
/// assert_eq!(headers[0].1, "Bearer eyJ");
/// # Ok::<(), agenttrust::AgentTrustError>(())
/// ```
#[derive(Clone, Debug)]
pub struct AgentCredentials {
    credentials: asynchronous::AgentCredentials,
}

impl AgentCredentials {
    /// Returns the credentials of an agent, as the async [`new`](asynchronous::AgentCredentials::new).
    #[must_use]
    pub fn new(
        client: &super::AgentTrustClient,
        key_store: impl KeyStore + 'static,
        agent_id: impl Into<String>,
        public_key_pem: impl AsRef<str>,
    ) -> Self {
        Self::with_options(client, key_store, agent_id, public_key_pem, None, None)
    }

    /// Does the same as [`new`](Self::new), with the audience and the lifetime of the tokens that are issued.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "as in the published clients")]
    pub fn with_options(
        client: &super::AgentTrustClient,
        key_store: impl KeyStore + 'static,
        agent_id: impl Into<String>,
        public_key_pem: impl AsRef<str>,
        audience: Option<Vec<String>>,
        ttl_seconds: Option<u64>,
    ) -> Self {
        asynchronous::AgentCredentials::with_options(
            client.as_async(),
            key_store,
            agent_id,
            public_key_pem,
            audience,
            ttl_seconds,
        )
        .into()
    }

    /// Returns the async credentials behind these; both share the token.
    #[must_use]
    pub fn as_async(&self) -> &asynchronous::AgentCredentials {
        &self.credentials
    }

    /// Returns the agent that they are of.
    #[must_use]
    pub fn agent_id(&self) -> &str {
        self.credentials.agent_id()
    }

    /// Returns a token that works for another while, and issues a new one where it holds none.
    ///
    /// # Errors
    ///
    /// As for the async [`token`](asynchronous::AgentCredentials::token).
    pub fn token(&self) -> Result<String> {
        let credentials = self.credentials.clone();
        wait(async move { credentials.token().await })
    }

    /// Returns the headers of one request to the Guardian.
    ///
    /// # Errors
    ///
    /// As for the async [`runtime_headers`](asynchronous::AgentCredentials::runtime_headers).
    pub fn runtime_headers(&self, method: &str, path: &str) -> Result<Vec<(String, String)>> {
        let credentials = self.credentials.clone();
        let (method, path) = (method.to_owned(), path.to_owned());
        wait(async move { credentials.runtime_headers(&method, &path).await })
    }

    /// Forgets the token, so that the next call issues another one.
    pub fn invalidate(&self) {
        self.credentials.invalidate();
    }
}

impl From<asynchronous::AgentCredentials> for AgentCredentials {
    fn from(credentials: asynchronous::AgentCredentials) -> Self {
        Self { credentials }
    }
}
