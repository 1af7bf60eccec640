//! Keys in the keychain of the operating system, or in whatever else keeps secrets by service and account.

use std::fmt;

use zeroize::Zeroizing;

use super::{KeyStore, parse_private_key, sign_with};
use crate::error::Result;

/// A store that keeps secrets by service and account, as the keychain of an operating system does.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// use agenttrust::{AgentTrustError, KeychainBackend, KeychainKeyStore, KeyStore, generate_agent_key};
///
/// #[derive(Default)]
/// struct Vault(Mutex<HashMap<String, String>>);
///
/// impl KeychainBackend for Vault {
///     fn set(&self, service: &str, account: &str, secret: &str) -> Result<(), AgentTrustError> {
///         self.0.lock().unwrap().insert(format!("{service}/{account}"), secret.to_string());
///         Ok(())
///     }
///     fn get(&self, service: &str, account: &str) -> Result<String, AgentTrustError> {
///         let secret = self.0.lock().unwrap().get(&format!("{service}/{account}")).cloned();
///         secret.ok_or_else(|| AgentTrustError::Crypto { message: format!("{account} has no key") })
///     }
///     fn delete(&self, service: &str, account: &str) -> Result<(), AgentTrustError> {
///         self.0.lock().unwrap().remove(&format!("{service}/{account}"));
///         Ok(())
///     }
/// }
///
/// let mut keys = KeychainKeyStore::new(Vault::default(), "research");
/// keys.store("agt_1", &generate_agent_key()?.private_key_pem)?;
/// assert_eq!(keys.sign("agt_1", b"what it says")?.len(), 64);
/// # Ok::<(), AgentTrustError>(())
/// ```
pub trait KeychainBackend: Send + Sync {
    /// Keeps a secret, in place of one that is there.
    ///
    /// # Errors
    ///
    /// [`Crypto`](crate::AgentTrustError::Crypto) where it cannot be kept.
    fn set(&self, service: &str, account: &str, secret: &str) -> Result<()>;

    /// Returns a secret.
    ///
    /// # Errors
    ///
    /// [`Crypto`](crate::AgentTrustError::Crypto) where there is no such secret, and where it is not handed out.
    fn get(&self, service: &str, account: &str) -> Result<String>;

    /// Forgets a secret. A secret that is not there is no error.
    ///
    /// # Errors
    ///
    /// [`Crypto`](crate::AgentTrustError::Crypto) where it cannot be removed.
    fn delete(&self, service: &str, account: &str) -> Result<()>;
}

/// Keys in a keychain: the accounts of one service are the ids of the agents. See [`KeychainBackend`].
pub struct KeychainKeyStore<B: KeychainBackend> {
    backend: B,
    service: String,
}

impl<B: KeychainBackend> KeychainKeyStore<B> {
    /// Returns the keys of a service, a name that tells this program's secrets from those of others.
    pub fn new(backend: B, service: impl Into<String>) -> Self {
        Self { backend, service: service.into() }
    }
}

impl<B: KeychainBackend> KeyStore for KeychainKeyStore<B> {
    fn store(&mut self, agent_id: &str, private_key_pem: &str) -> Result<()> {
        parse_private_key(private_key_pem)?;
        self.backend.set(&self.service, agent_id, private_key_pem)
    }

    fn sign(&self, agent_id: &str, message: &[u8]) -> Result<Vec<u8>> {
        let pem = Zeroizing::new(self.backend.get(&self.service, agent_id)?);
        Ok(sign_with(&parse_private_key(&pem)?, message))
    }

    fn delete(&mut self, agent_id: &str) -> Result<()> {
        self.backend.delete(&self.service, agent_id)
    }
}

impl<B: KeychainBackend> fmt::Debug for KeychainKeyStore<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeychainKeyStore").field("service", &self.service).finish_non_exhaustive()
    }
}

/// The keychain of the operating system: Keychain Services of macOS, the Credential Manager of Windows, the Secret
/// Service elsewhere (feature `keychain`).
///
/// ```no_run
/// use agenttrust::{KeyStore, KeychainKeyStore, SystemKeychain, generate_agent_key};
///
/// # fn main() -> Result<(), agenttrust::AgentTrustError> {
/// let mut keys = KeychainKeyStore::new(SystemKeychain, "research");
/// keys.store("agt_1", &generate_agent_key()?.private_key_pem)?;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "keychain")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemKeychain;

#[cfg(feature = "keychain")]
impl KeychainBackend for SystemKeychain {
    fn set(&self, service: &str, account: &str, secret: &str) -> Result<()> {
        let entry = keyring::Entry::new(service, account);
        entry.and_then(|entry| entry.set_password(secret)).map_err(|error| fault(account, &error))
    }

    fn get(&self, service: &str, account: &str) -> Result<String> {
        let entry = keyring::Entry::new(service, account);
        entry.and_then(|entry| entry.get_password()).map_err(|error| fault(account, &error))
    }

    fn delete(&self, service: &str, account: &str) -> Result<()> {
        let entry = keyring::Entry::new(service, account);
        match entry.and_then(|entry| entry.delete_credential()) {
            Err(keyring::Error::NoEntry) => Ok(()),
            done => done.map_err(|error| fault(account, &error)),
        }
    }
}

/// Returns what is said of a keychain that does not do what it is asked. Of its own errors only those are repeated that
/// hold no secret: one holds what it could not decode.
#[cfg(feature = "keychain")]
fn fault(account: &str, error: &keyring::Error) -> crate::error::AgentTrustError {
    let why = match error {
        keyring::Error::NoEntry => return super::no_key(account),
        keyring::Error::BadEncoding(_) => "what it has under this name is no text".to_owned(),
        other => other.to_string(),
    };
    crate::error::AgentTrustError::crypto(format!(
        "the keychain of this system does not hand out the key of agent {account:?}: {why}; see that it is there and \
         unlocked, or use another key store"
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::error::AgentTrustError;
    use crate::keys::generate_agent_key;

    /// Remembers one secret, and under which names.
    #[derive(Default)]
    struct One(Mutex<Option<(String, String, String)>>);

    impl KeychainBackend for One {
        fn set(&self, service: &str, account: &str, secret: &str) -> Result<()> {
            *self.0.lock().unwrap() = Some((service.into(), account.into(), secret.into()));
            Ok(())
        }

        fn get(&self, service: &str, account: &str) -> Result<String> {
            let one = self.0.lock().unwrap().clone();
            one.filter(|(s, a, _)| s == service && a == account)
                .map(|(_, _, secret)| secret)
                .ok_or_else(|| AgentTrustError::crypto("nothing"))
        }

        fn delete(&self, _: &str, _: &str) -> Result<()> {
            *self.0.lock().unwrap() = None;
            Ok(())
        }
    }

    #[test]
    fn key_is_kept_under_its_service_and_agent_and_only_if_it_is_one() {
        let mut keys = KeychainKeyStore::new(One::default(), "shop");
        keys.store("agt_1", "no key").unwrap_err();
        assert!(keys.backend.0.lock().unwrap().is_none());
        let pair = generate_agent_key().unwrap();
        keys.store("agt_1", &pair.private_key_pem).unwrap();
        let kept = keys.backend.0.lock().unwrap().clone().unwrap();
        assert_eq!((&*kept.0, &*kept.1, &*kept.2), ("shop", "agt_1", &*pair.private_key_pem));
        let signed = keys.sign("agt_1", b"x").unwrap();
        assert_eq!(
            signed,
            crate::keys::sign_with_private_key_pem(&pair.private_key_pem, b"x").unwrap()
        );
        keys.sign("agt_2", b"x").unwrap_err();
        keys.delete("agt_1").unwrap();
        keys.sign("agt_1", b"x").unwrap_err();
    }
}
