//! Keys in the memory of this process.

use std::collections::HashMap;
use std::fmt;

use ed25519_dalek::SigningKey;

use super::{KeyStore, no_key, parse_private_key, sign_with};
use crate::error::Result;

/// Keys in the memory of this process: gone when it ends, and wiped when they are deleted. `Debug` shows whose they
/// are.
///
/// ```
/// use agenttrust::{InMemoryKeyStore, KeyStore, generate_agent_key};
///
/// let mut keys = InMemoryKeyStore::new();
/// keys.store("agt_1", &generate_agent_key()?.private_key_pem)?;
/// assert_eq!(keys.sign("agt_1", b"what it says")?.len(), 64);
/// # Ok::<(), agenttrust::AgentTrustError>(())
/// ```
#[derive(Default)]
pub struct InMemoryKeyStore {
    keys: HashMap<String, SigningKey>,
}

impl InMemoryKeyStore {
    /// Creates a store without a key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl KeyStore for InMemoryKeyStore {
    fn store(&mut self, agent_id: &str, private_key_pem: &str) -> Result<()> {
        self.keys.insert(agent_id.to_owned(), parse_private_key(private_key_pem)?);
        Ok(())
    }

    fn sign(&self, agent_id: &str, message: &[u8]) -> Result<Vec<u8>> {
        let key = self.keys.get(agent_id).ok_or_else(|| no_key(agent_id))?;
        Ok(sign_with(key, message))
    }

    fn delete(&mut self, agent_id: &str) -> Result<()> {
        self.keys.remove(agent_id);
        Ok(())
    }
}

impl fmt::Debug for InMemoryKeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryKeyStore").field("agents", &self.keys.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::generate_agent_key;

    #[test]
    fn key_that_was_deleted_or_never_stored_signs_nothing() {
        let mut keys = InMemoryKeyStore::new();
        let pair = generate_agent_key().unwrap();
        assert!(keys.sign("agt_1", b"x").unwrap_err().to_string().contains("agt_1"));
        keys.store("agt_1", &pair.private_key_pem).unwrap();
        keys.store("agt_1", "no key").unwrap_err();
        assert!(keys.sign("agt_1", b"x").is_ok(), "the one that was there stays");
        keys.sign("agt_2", b"x").unwrap_err();
        let shown = format!("{keys:?}");
        assert!(shown.contains("agt_1") && !shown.contains("SigningKey"), "{shown}");
        keys.delete("agt_1").unwrap();
        keys.delete("agt_1").unwrap();
        keys.sign("agt_1", b"x").unwrap_err();
    }
}
