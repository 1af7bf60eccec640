//! API keys: making, listing, rotating, revoking.

use std::time::Duration;

use serde_json::json;

use super::AgentTrustClient;
use super::path::segment;
use crate::error::Result;
use crate::model::{ApiKey, CreateKeyRequest};

/// See [`AgentTrustClient::keys`].
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    client: &'a AgentTrustClient,
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
    pub async fn create(&self, request: &CreateKeyRequest) -> Result<ApiKey> {
        self.client.post("/api/v1/keys").json(request).send().await?.object("key")
    }

    /// The keys of the organisation, revoked ones too, without what is secret.
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
}
