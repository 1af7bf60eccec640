//! What an agent proves with, check by check, that it is the one that asks: a workload token that is bound to its key,
//! and a proof for each request.

mod challenged;
mod token;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ed25519_dalek::VerifyingKey;
use http::HeaderMap;

pub(crate) use self::challenged::DpopChallenge;
use self::token::BoundToken;
use super::AgentTrustClient;
use super::request::Failed;
use crate::background;
use crate::dpop::{Bound, mint};
use crate::error::{AgentTrustError, Result};
use crate::keys::{KeyStore, parse_public_key};
use crate::model::IssueWimseTokenRequest;

/// The credentials of one agent: workload tokens that are bound to its key, and a proof for each request.
///
/// A token is issued when the first one is needed, and again 60 seconds before it expires (at half of its life, where
/// that is later); however many calls need one at once, one is issued, and a call that is dropped meanwhile harms no
/// other. The private key stays in its [`KeyStore`]. Clones share the token.
///
/// With [`with_agent_credentials`](AgentTrustClient::with_agent_credentials) a client sends them with every check of
/// this agent, and so does a guard of that client. A token that cannot be had fails the check; it is never sent
/// without.
///
/// ```
/// use agenttrust::{AgentCredentials, AgentTrustGuard, InMemoryKeyStore, KeyStore, generate_agent_key};
///
/// # use agenttrust::AgentTrustClient;
/// # let client = AgentTrustClient::builder().service(tower::service_fn(
/// #     |request: http::Request<bytes::Bytes>| async move {
/// #         let is_check = request.uri().path().ends_with("/check");
/// #         assert!(!is_check || request.headers().contains_key("dpop"));
/// #         let said = r#"{"nonce": "n", "token": "eyJ", "expires_at": "2100-01-01T00:00:00Z", "allowed": true}"#;
/// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
/// #     },
/// # )).build()?;
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let pair = generate_agent_key()?;
/// let mut keys = InMemoryKeyStore::new();
/// keys.store("agt_1", &pair.private_key_pem)?;
///
/// let credentials = AgentCredentials::new(&client, keys, "agt_1", &pair.public_key_pem);
/// let client = client.with_agent_credentials(credentials);
/// let guard = AgentTrustGuard::builder(client, "agt_1").build();
/// guard.check("web_search", "AI news").await?;
/// # Ok::<(), agenttrust::AgentTrustError>(())
/// # })?;
/// # Ok::<(), agenttrust::AgentTrustError>(())
/// ```
#[derive(Clone)]
pub struct AgentCredentials {
    inner: Arc<Inner>,
}

struct Inner {
    client: AgentTrustClient,
    keys: Arc<dyn KeyStore>,
    /// The public half of the agent's key, or what is wrong with it.
    key: Result<VerifyingKey>,
    request: IssueWimseTokenRequest,
    token: BoundToken,
    /// The last nonce that the Guardian asked for in proofs.
    nonce: Mutex<Option<String>>,
}

/// The token and the proof that go with one request.
pub(crate) struct Proven {
    pub(crate) token: Arc<str>,
    pub(crate) proof: String,
}

impl AgentCredentials {
    /// Returns the credentials of an agent. Its private key is in `key_store`, `public_key_pem` is what it is
    /// registered with. Nothing is sent yet.
    #[must_use]
    pub fn new(
        client: &AgentTrustClient,
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
        client: &AgentTrustClient,
        key_store: impl KeyStore + 'static,
        agent_id: impl Into<String>,
        public_key_pem: impl AsRef<str>,
        audience: Option<Vec<String>>,
        ttl_seconds: Option<u64>,
    ) -> Self {
        let agent_id = agent_id.into();
        let request =
            IssueWimseTokenRequest { agent_id, audience, ttl_seconds, ..Default::default() };
        let inner = Inner {
            client: client.clone().without_agent_credentials(),
            keys: Arc::new(key_store),
            key: parse_public_key(public_key_pem.as_ref()),
            request,
            token: BoundToken::default(),
            nonce: Mutex::new(None),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the agent that they are of.
    #[must_use]
    pub fn agent_id(&self) -> &str {
        &self.inner.request.agent_id
    }

    /// Returns a token that works for another while, and issues a new one where it holds none.
    ///
    /// # Errors
    ///
    /// As for [`issue_token_with_proof`](super::Wimse::issue_token_with_proof). A failure is not remembered: the next
    /// call tries again.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the token is issued all the same and kept for the next call.
    pub async fn token(&self) -> Result<String> {
        Ok(self.bound_token().await?.to_string())
    }

    /// Returns the headers of one request to the Guardian: `Authorization` with a token, and `DPoP` with a proof for
    /// this method and path. A proof serves once.
    ///
    /// ```
    /// use agenttrust::{AgentCredentials, InMemoryKeyStore, KeyStore, generate_agent_key};
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async move {
    /// #         let said = r#"{"nonce": "n", "token": "eyJ", "expires_at": "2100-01-01T00:00:00Z"}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let pair = generate_agent_key()?;
    /// # let mut keys = InMemoryKeyStore::new();
    /// # keys.store("agt_1", &pair.private_key_pem)?;
    /// let credentials = AgentCredentials::new(&client, keys, "agt_1", &pair.public_key_pem);
    /// let headers = credentials.runtime_headers("POST", "/api/v1/agenttrust/check").await?;
    /// assert_eq!(headers[0], ("Authorization".to_string(), "Bearer eyJ".to_string()));
    /// assert_eq!(headers[1].0, "DPoP");
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`token`](Self::token), and [`Crypto`](AgentTrustError::Crypto) where the store does not sign or the
    /// public key is not Ed25519 in PKIX PEM.
    pub async fn runtime_headers(&self, method: &str, path: &str) -> Result<Vec<(String, String)>> {
        let url = format!("{}{path}", self.inner.client.base_url());
        let Proven { token, proof } = self.prove(method, &url).await?;
        Ok(vec![
            ("Authorization".to_owned(), format!("Bearer {token}")),
            ("DPoP".to_owned(), proof),
        ])
    }

    /// Forgets the token, so that the next call issues another one: after the agent was given another key, say.
    pub fn invalidate(&self) {
        self.inner.token.forget(None);
    }

    /// Returns a token, and a proof for one request.
    pub(crate) async fn prove(&self, method: &str, url: &str) -> Result<Proven, Failed> {
        let token = self.bound_token().await?;
        let (inner, bound_to) = (Arc::clone(&self.inner), Arc::clone(&token));
        let (method, url) = (method.to_owned(), url.to_owned());
        let proof = signing(move || {
            let key = inner.key.as_ref().map_err(AgentTrustError::copied)?;
            let nonce = inner.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let bound = Bound {
                method: &method,
                url: &url,
                access_token: &bound_to,
                nonce: nonce.as_deref(),
            };
            mint(key, &bound, |message| inner.keys.sign(&inner.request.agent_id, message))
        })
        .await?;
        Ok(Proven { token, proof })
    }

    /// Takes in why a request with this proof was refused, so that the next one is better.
    pub(crate) fn hear(&self, challenge: &DpopChallenge, proven: &Proven) {
        match challenge {
            DpopChallenge::Nonce(nonce) => self.remember_nonce(nonce),
            DpopChallenge::Token => self.inner.token.forget(Some(&proven.token)),
        }
    }

    /// Keeps the nonce that an answer has for the next proof.
    pub(crate) fn keep_nonce(&self, headers: &HeaderMap) {
        if let Some(nonce) = challenged::nonce(headers) {
            self.remember_nonce(&nonce);
        }
    }

    fn remember_nonce(&self, nonce: &str) {
        let mut kept = self.inner.nonce.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(nonce.to_owned());
    }

    async fn bound_token(&self) -> Result<Arc<str>, Failed> {
        let inner = &self.inner;
        inner.token.get(|| token::issue(&inner.client, &inner.keys, &inner.request)).await
    }
}

/// Signs on a thread that may block: a key store may read files, or ask a person.
async fn signing<T: Send + 'static>(
    sign: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let signed = background::handle().spawn_blocking(sign).await;
    signed.unwrap_or_else(|_| {
        Err(AgentTrustError::crypto(
            "the key store panicked, which was printed where it happened; nothing was signed",
        ))
    })
}

impl fmt::Debug for AgentCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentCredentials")
            .field("agent_id", &self.inner.request.agent_id)
            .finish_non_exhaustive()
    }
}
