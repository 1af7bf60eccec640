//! The keys of the MCP proxy, which all Guardians on one database share: one seals the sessions that the proxy gives
//! out, the other binds approvals to the inputs of calls.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::shared_secrets::shared_secret;
use crate::domain::{GuardianError, SealKey, Sealer};
use crate::store::Store;

/// The keys of the MCP proxy, the same for each replica.
pub(crate) struct McpKeys {
    /// The key that seals sessions.
    pub(crate) sessions: Sealer,
    /// The key of the digests that approvals are bound by.
    pub(crate) binding: [u8; 32],
}

impl McpKeys {
    /// Returns those of this database.
    pub(crate) async fn load(store: &Store, sealer: &Sealer) -> Result<Self, GuardianError> {
        let sessions = shared_secret(store, sealer, "mcp_sessions").await?;
        let binding = shared_secret(store, sealer, "mcp_binding").await?;
        Ok(Self { sessions: Sealer::new(vec![SealKey::new(&sessions)]), binding })
    }
}

impl McpKeys {
    /// Returns the key of the digests of what is called at one server, of a tool as it is pinned.
    pub(crate) fn binding_of(&self, server_id: &str, pinned: &str) -> [u8; 32] {
        // A key of 32 bytes is never refused.
        let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.binding) else {
            return self.binding;
        };
        for part in [server_id, pinned] {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for McpKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("McpKeys(..)")
    }
}
