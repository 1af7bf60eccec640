//! Health of the gateway.

use super::AgentTrustClient;
use crate::error::Result;
use crate::model::Health;

impl AgentTrustClient {
    /// Returns the health of the gateway. Needs no API key.
    ///
    /// # Errors
    ///
    /// [`Network`](crate::AgentTrustError::Network) when there is no answer,
    /// [`Api`](crate::AgentTrustError::Api) when it answers that it is unhealthy.
    pub async fn health(&self) -> Result<Health> {
        self.get("/health").send().await?.json()
    }
}
