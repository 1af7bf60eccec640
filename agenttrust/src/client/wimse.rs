//! Workload identity: tokens that say which agent a workload is, and proofs that it has the agent's key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::AgentTrustClient;
use super::path::segment;
use super::request::{Answer, Failed};
use crate::error::{AgentTrustError, Result};
use crate::keys::KeyStore;
use crate::model::headers;
use crate::model::{
    Challenge, IssueWimseTokenRequest, PopProof, Timestamp, VerifyWimseTokenRequest, WimseToken,
    WimseVerification,
};

/// See [`AgentTrustClient::wimse`].
#[derive(Clone, Copy, Debug)]
pub struct Wimse<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> Wimse<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Issues a workload token, bound to no key unless the request has a proof.
    ///
    /// ```
    /// use agenttrust::IssueWimseTokenRequest;
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async {
    /// #         let said = r#"{"token": "eyJ", "workload_id": "spiffe://example.com/agent/agt_1"}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let request = IssueWimseTokenRequest {
    ///     agent_id: "agt_1".to_string(),
    ///     environment: Some("prod".to_string()),
    ///     ..Default::default()
    /// };
    /// let issued = client.wimse().issue_token(&request).await?;
    /// println!("workload {}", issued.workload_id);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Validation`](AgentTrustError::Validation) for a lifetime out of bounds and what cannot be part of a workload's
    /// id, [`NotFound`](AgentTrustError::NotFound) for an unknown agent, and
    /// [`Authentication`](AgentTrustError::Authentication) for a proof that is not good.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, a token may have been issued that is not returned: it ends at its expiry.
    pub async fn issue_token(&self, request: &IssueWimseTokenRequest) -> Result<WimseToken> {
        self.ask_token(request).await?.object("token_data")
    }

    /// Asks for a nonce. Signed with the agent's key, it proves that the signer has the key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](AgentTrustError::NotFound) for an unknown agent.
    pub async fn challenge(&self, agent_id: &str) -> Result<Challenge> {
        Ok(self.ask_challenge(agent_id).await?)
    }

    /// Issues a workload token that is bound to the agent's key: with a proof, signed here by what `key_store` has for
    /// the agent.
    ///
    /// ```
    /// use agenttrust::{InMemoryKeyStore, IssueWimseTokenRequest, KeyStore, generate_agent_key};
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async {
    /// #         let said = r#"{"nonce": "n", "token": "eyJ", "workload_id": "spiffe://example.com/agent/agt_1"}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let mut keys = InMemoryKeyStore::new();
    /// keys.store("agt_1", &generate_agent_key()?.private_key_pem)?;
    /// let request =
    ///     IssueWimseTokenRequest { agent_id: "agt_1".to_string(), ..Default::default() };
    /// let bound = client.wimse().issue_token_with_proof(&request, &keys).await?;
    /// println!("workload {}", bound.workload_id);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`issue_token`](Self::issue_token), and [`Crypto`](AgentTrustError::Crypto) where the store does not
    /// sign.
    ///
    /// # Cancel safety
    ///
    /// As for [`issue_token`](Self::issue_token).
    pub async fn issue_token_with_proof(
        &self,
        request: &IssueWimseTokenRequest,
        key_store: &dyn KeyStore,
    ) -> Result<WimseToken> {
        let challenge = self.challenge(&request.agent_id).await?;
        self.issue_token(&proven(request, &challenge, key_store)?).await
    }

    /// Issues a workload token, and returns it as the headers of a request to another service: `Authorization`,
    /// `X-WIMSE-Workload-ID` and `X-WIMSE-Trust-Domain`.
    ///
    /// ```
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async {
    /// #         let said = r#"{"token": "eyJ", "workload_id": "spiffe://d/agent/agt_1", "trust_domain": "d"}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let request = agenttrust::IssueWimseTokenRequest { agent_id: "agt_1".to_string(), ..Default::default() };
    /// let headers = client.wimse().get_jwt_signed_headers(&request).await?;
    /// assert_eq!(headers[0], ("Authorization".to_string(), "Bearer eyJ".to_string()));
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`issue_token`](Self::issue_token).
    pub async fn get_jwt_signed_headers(
        &self,
        request: &IssueWimseTokenRequest,
    ) -> Result<Vec<(String, String)>> {
        let WimseToken { token, workload_id, trust_domain, .. } = self.issue_token(request).await?;
        Ok(vec![
            ("Authorization".to_owned(), format!("Bearer {token}")),
            ("X-WIMSE-Workload-ID".to_owned(), workload_id),
            ("X-WIMSE-Trust-Domain".to_owned(), trust_domain),
        ])
    }

    /// Returns the worth of a workload token right now, at the server that this client's key is of. A server that
    /// accepts tokens of other agents asks [`verify_wimse_for`](Self::verify_wimse_for).
    ///
    /// It cannot tell whether the sender has the key that the token is bound to
    /// ([`key_thumbprint`](WimseVerification::key_thumbprint)): that takes a proof.
    ///
    /// # Errors
    ///
    /// Only when the question cannot be asked: a worthless token is an answer, with
    /// [`valid`](WimseVerification::valid) `false`.
    pub async fn verify_wimse(
        &self,
        request: &VerifyWimseTokenRequest,
    ) -> Result<WimseVerification> {
        self.verification(request, None).await
    }

    /// Does the same as [`verify_wimse`](Self::verify_wimse), at `target`: a token that is for other audiences is worth
    /// nothing there.
    ///
    /// ```
    /// use agenttrust::VerifyWimseTokenRequest;
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |request: http::Request<bytes::Bytes>| async move {
    /// #         assert_eq!(request.headers()["agenttrust-target"], "https://files.example");
    /// #         let said = r#"{"valid": true, "agent_id": "agt_1", "key_thumbprint": "kPrK"}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let request = VerifyWimseTokenRequest { token: "eyJ".to_string(), ..Default::default() };
    /// let worth = client.wimse().verify_wimse_for(&request, "https://files.example").await?;
    /// // Bound to a key: to be taken only with a proof of it.
    /// assert!(worth.valid && worth.key_thumbprint.is_some());
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`verify_wimse`](Self::verify_wimse), and [`Validation`](AgentTrustError::Validation) for a target that
    /// is empty: it would name no audience.
    pub async fn verify_wimse_for(
        &self,
        request: &VerifyWimseTokenRequest,
        target: &str,
    ) -> Result<WimseVerification> {
        if target.trim().is_empty() {
            return Err(AgentTrustError::invalid(
                "the target is empty; name where the token is used, or ask without a target",
            ));
        }
        self.verification(request, Some(target)).await
    }

    async fn verification(
        &self,
        request: &VerifyWimseTokenRequest,
        target: Option<&str>,
    ) -> Result<WimseVerification> {
        let call = self.client.post("/api/v1/wimse/verify").json(request).repeatable();
        let call = match target {
            Some(target) => call.text_header(headers::TARGET, target),
            None => call,
        };
        call.send().await?.json()
    }

    /// Does the same as [`challenge`](Self::challenge); a failure says when to ask again, where the Guardian said so.
    pub(super) async fn ask_challenge(&self, agent_id: &str) -> Result<Challenge, Failed> {
        let path = format!("/api/v1/agents/{}/challenge", segment("agent id", agent_id)?);
        Ok(self.client.post(path).ask().await?.object("challenge")?)
    }

    /// Returns the answer to an issuance, with the time when it came.
    pub(super) async fn ask_token(
        &self,
        request: &IssueWimseTokenRequest,
    ) -> Result<Answer, Failed> {
        self.client.post("/api/v1/wimse/token").json(request).ask().await
    }
}

/// Returns the request with a proof in it: that what `key_store` has for the agent signed the nonce of a challenge.
pub(crate) fn proven(
    request: &IssueWimseTokenRequest,
    challenge: &Challenge,
    key_store: &dyn KeyStore,
) -> Result<IssueWimseTokenRequest> {
    if challenge.nonce.is_empty() {
        return Err(AgentTrustError::GuardianUnavailable {
            message: format!(
                "no workload token for agent {:?}: the gateway gave no nonce to sign; see that it issues such tokens",
                request.agent_id
            ),
        });
    }
    let ts = Timestamp::now().unix_seconds();
    let message = signed_message(request, &challenge.nonce, ts);
    let signature = URL_SAFE_NO_PAD.encode(key_store.sign(&request.agent_id, message.as_bytes())?);
    let proof = PopProof { nonce: challenge.nonce.clone(), ts, signature };
    Ok(IssueWimseTokenRequest { proof: Some(proof), ..request.clone() })
}

/// Returns what is signed to prove that an agent has its key.
fn signed_message(request: &IssueWimseTokenRequest, nonce: &str, ts: i64) -> String {
    let audience = request.audience.as_deref().unwrap_or_default().join(",");
    format!("pop-v1:{nonce}:{}:{audience}:{ts}", request.agent_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_that_is_signed_is_that_of_the_published_clients() {
        let request = IssueWimseTokenRequest { agent_id: "agt_1".to_owned(), ..Default::default() };
        assert_eq!(signed_message(&request, "n", 1_781_974_465), "pop-v1:n:agt_1::1781974465");
        let request = IssueWimseTokenRequest {
            audience: Some(vec!["https://a".to_owned(), "https://b".to_owned()]),
            ..request
        };
        assert_eq!(signed_message(&request, "n", 1), "pop-v1:n:agt_1:https://a,https://b:1");
    }
}
