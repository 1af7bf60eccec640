//! API keys: making, listing, rotating, revoking.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::AgentTrustClient;
use super::path::segment;
use crate::error::{AgentTrustError, Result};
use crate::model::{ApiKey, CreateKeyRequest, Issued, KeyRevocation};

/// See [`AgentTrustClient::keys`].
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    client: &'a AgentTrustClient,
}

/// The reason why a key is revoked, and the treatment of what was issued with it.
///
/// ```
/// use agenttrust::client::RevokeKeyOptions;
/// use agenttrust::model::Issued;
///
/// let options = RevokeKeyOptions::new("its server was sold").issued(Issued::Revoke);
/// assert_eq!(options.issued, Some(Issued::Revoke));
/// ```
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct RevokeKeyOptions {
    /// Tells why; the audit keeps it.
    pub reason: String,
    /// The treatment of the tokens and sessions that were issued and opened with the key. By default they are revoked
    /// with it if the reason is `compromised`, and else they stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<Issued>,
}

impl RevokeKeyOptions {
    /// Creates a revocation for this reason.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), issued: None }
    }

    /// Sets what becomes of the tokens and sessions that were issued and opened with it.
    #[must_use]
    pub fn issued(mut self, issued: Issued) -> Self {
        self.issued = Some(issued);
        self
    }
}

impl<'a> Keys<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Makes a key and returns it, with the secret that is shown [this once](ApiKey::key).
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for a key of role `agent` without agents,
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that is no admin's, and
    /// [`NotFound`](crate::AgentTrustError::NotFound) for an unknown agent and from a gateway that makes no keys.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the key may have been made, and its secret is not shown again: look for it with
    /// [`list`](Self::list) and revoke it.
    pub async fn create(&self, request: &CreateKeyRequest) -> Result<ApiKey> {
        self.client.post("/api/v1/keys").json(request).send().await?.object("key")
    }

    /// Returns the keys of the organisation, revoked ones too, without what is secret.
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that is no admin's.
    pub async fn list(&self) -> Result<Vec<ApiKey>> {
        self.client.get("/api/v1/keys").send().await?.list("keys")
    }

    /// Gives a key another secret and returns it, shown this once. The secret that it has now still works for
    /// `overlap`, in whole seconds, at most 30 days.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such key that works.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the key may have a new secret, which is not shown again: rotate it again.
    pub async fn rotate(&self, key_id: &str, overlap: Duration) -> Result<ApiKey> {
        let path = format!("/api/v1/keys/{}/rotate", segment("key id", key_id)?);
        let body = json!({ "overlap": overlap.as_secs() });
        self.client.post(path).json(&body).send().await?.object("key")
    }

    /// Revokes a key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when no key has this id.
    pub async fn revoke(&self, key_id: &str) -> Result<()> {
        let path = format!("/api/v1/keys/{}", segment("key id", key_id)?);
        self.client.delete(path).send().await?;
        Ok(())
    }

    /// Revokes a key, says why, and returns what went with it.
    ///
    /// ```no_run
    /// use agenttrust::client::RevokeKeyOptions;
    ///
    /// # async fn example(client: agenttrust::AgentTrustClient) -> Result<(), agenttrust::AgentTrustError> {
    /// let gone = client.keys().revoke_with("key_1", &RevokeKeyOptions::new("compromised")).await?;
    /// println!("{} tokens and {} sessions went with it", gone.tokens, gone.sessions);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when no key that works has this id,
    /// [`Validation`](crate::AgentTrustError::Validation) for a reason that is too long.
    pub async fn revoke_with(
        &self,
        key_id: &str,
        options: &RevokeKeyOptions,
    ) -> Result<KeyRevocation> {
        let path = format!("/api/v1/keys/{}", segment("key id", key_id)?);
        let revoked: KeyRevocation = self.client.delete(path).json(options).send().await?.json()?;
        // Something in between may have dropped the body, or the gateway knows nothing of it.
        match options.issued {
            Some(wanted) if wanted != revoked.issued => Err(AgentTrustError::invalid(format!(
                "key {key_id:?} is revoked, and what was issued with it was not treated as asked for \
                 ({wanted}): revoke its tokens and sessions by their ids"
            ))),
            _ => Ok(revoked),
        }
    }
}
