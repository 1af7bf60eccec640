//! The Ed25519 keys of agents: made here, kept in a [`KeyStore`], and used to sign. The private half never travels.

mod file;
mod keychain;
mod memory;

pub use self::file::FileKeyStore;
#[cfg(feature = "keychain")]
pub use self::keychain::SystemKeychain;
pub use self::keychain::{KeychainBackend, KeychainKeyStore};
pub use self::memory::InMemoryKeyStore;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::error::{AgentTrustError, Result};
use crate::model::PrivateKey;

/// The Ed25519 key pair of an agent. `Debug` shows nothing of the private half.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AgentKeyPair {
    /// The public half as PKIX PEM: what the agent is registered with.
    pub public_key_pem: String,
    /// The private half as PKCS #8 PEM: what its [`KeyStore`] keeps.
    pub private_key_pem: PrivateKey,
}

/// A store of the private keys of agents, which signs with them.
///
/// A key is asked for by the id of its agent. Signing does not hand out the key, so a store may be a device that never
/// does. A call may take as long as reading a file does; the client makes it on a thread that may block.
///
/// ```
/// use agenttrust::{InMemoryKeyStore, KeyStore, generate_agent_key, parse_public_key};
///
/// let pair = generate_agent_key()?;
/// let mut keys = InMemoryKeyStore::new();
/// keys.store("agt_1", &pair.private_key_pem)?;
/// let signature = keys.sign("agt_1", b"what it says")?;
///
/// let signature = ed25519_dalek::Signature::from_slice(&signature).unwrap();
/// assert!(parse_public_key(&pair.public_key_pem)?.verify_strict(b"what it says", &signature).is_ok());
/// # Ok::<(), agenttrust::AgentTrustError>(())
/// ```
pub trait KeyStore: Send + Sync {
    /// Keeps the private key of an agent, in PKCS #8 PEM, in place of one that is there.
    ///
    /// # Errors
    ///
    /// [`Crypto`](AgentTrustError::Crypto) for what is no such key, and where it cannot be kept.
    fn store(&mut self, agent_id: &str, private_key_pem: &str) -> Result<()>;

    /// Signs a message with the key of an agent, and returns the 64 bytes of the signature.
    ///
    /// # Errors
    ///
    /// [`Crypto`](AgentTrustError::Crypto) where the agent has no key here, and where it cannot be read.
    fn sign(&self, agent_id: &str, message: &[u8]) -> Result<Vec<u8>>;

    /// Forgets the key of an agent; one that has none is fine.
    ///
    /// # Errors
    ///
    /// [`Crypto`](AgentTrustError::Crypto) where it cannot be removed.
    fn delete(&mut self, agent_id: &str) -> Result<()>;
}

/// Makes a fresh Ed25519 key pair for an agent.
///
/// ```
/// use agenttrust::{CreateAgentRequest, generate_agent_key};
///
/// let pair = generate_agent_key()?;
/// let request = CreateAgentRequest {
///     name: "research-bot".to_string(),
///     public_key: Some(pair.public_key_pem.clone()),
///     ..Default::default()
/// };
/// # assert!(request.public_key.unwrap().starts_with("-----BEGIN PUBLIC KEY-----"));
/// # Ok::<(), agenttrust::AgentTrustError>(())
/// ```
///
/// # Errors
///
/// [`Crypto`](AgentTrustError::Crypto) where the system gives no random numbers.
pub fn generate_agent_key() -> Result<AgentKeyPair> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    getrandom::fill(&mut *seed).map_err(|error| {
        AgentTrustError::crypto(format!(
            "no key pair for the agent, because the system gave no random numbers: {error}"
        ))
    })?;
    let key = SigningKey::from_bytes(&seed);
    let private = key.to_pkcs8_pem(LineEnding::LF).map_err(encoding)?;
    let public = key.verifying_key().to_public_key_der().map_err(encoding)?;
    let public = STANDARD.encode(public.as_bytes());
    Ok(AgentKeyPair {
        public_key_pem: format!("-----BEGIN PUBLIC KEY-----\n{public}\n-----END PUBLIC KEY-----\n"),
        private_key_pem: PrivateKey::new(private),
    })
}

/// Signs a message with a private key in PKCS #8 PEM, and returns the 64 bytes of the signature.
///
/// ```
/// use agenttrust::{generate_agent_key, sign_with_private_key_pem};
///
/// let pair = generate_agent_key()?;
/// assert_eq!(sign_with_private_key_pem(&pair.private_key_pem, b"what it says")?.len(), 64);
/// # Ok::<(), agenttrust::AgentTrustError>(())
/// ```
///
/// # Errors
///
/// [`Crypto`](AgentTrustError::Crypto) for a key that is not Ed25519 in PKCS #8 PEM.
pub fn sign_with_private_key_pem(private_key_pem: &str, message: &[u8]) -> Result<Vec<u8>> {
    Ok(sign_with(&parse_private_key(private_key_pem)?, message))
}

/// Reads a public key in PKIX PEM, as agents are registered with it.
///
/// ```
/// use agenttrust::{AgentTrustError, parse_public_key};
///
/// let error = parse_public_key("-----BEGIN CERTIFICATE-----").unwrap_err();
/// assert!(matches!(error, AgentTrustError::Crypto { .. }));
/// ```
///
/// # Errors
///
/// [`Crypto`](AgentTrustError::Crypto) for what is no Ed25519 public key in PKIX PEM.
pub fn parse_public_key(public_key_pem: &str) -> Result<VerifyingKey> {
    VerifyingKey::from_public_key_pem(public_key_pem).map_err(|_| {
        AgentTrustError::crypto(
            "the public key is no Ed25519 key in PKIX PEM (`-----BEGIN PUBLIC KEY-----`); give the one that the \
             agent is registered with",
        )
    })
}

/// Reads a private key; the error says nothing of what was given.
pub(crate) fn parse_private_key(private_key_pem: &str) -> Result<SigningKey> {
    SigningKey::from_pkcs8_pem(private_key_pem).map_err(|_| {
        AgentTrustError::crypto(
            "the private key is no Ed25519 key in PKCS #8 PEM (`-----BEGIN PRIVATE KEY-----`); give the one that was \
             made with the agent's public key",
        )
    })
}

pub(crate) fn sign_with(key: &SigningKey, message: &[u8]) -> Vec<u8> {
    key.sign(message).to_bytes().to_vec()
}

/// Returns what is said of an agent whose key is not in a store.
fn no_key(agent_id: &str) -> AgentTrustError {
    AgentTrustError::crypto(format!(
        "no key of agent {agent_id:?} is in this store; store the one that was made when the agent was registered"
    ))
}

fn encoding(error: impl std::fmt::Display) -> AgentTrustError {
    AgentTrustError::crypto(format!("the agent's key pair cannot be written as PEM: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pair_that_is_made_signs_and_verifies_and_shows_nothing_of_its_private_half() {
        let pair = generate_agent_key().unwrap();
        let signature = sign_with_private_key_pem(&pair.private_key_pem, b"x").unwrap();
        let signature = ed25519_dalek::Signature::from_slice(&signature).unwrap();
        let public = parse_public_key(&pair.public_key_pem).unwrap();
        assert!(public.verify_strict(b"x", &signature).is_ok());
        assert!(public.verify_strict(b"y", &signature).is_err());
        let shown = format!("{pair:?}");
        assert!(shown.contains("BEGIN PUBLIC") && !shown.contains("BEGIN PRIVATE"), "{shown}");
        assert_ne!(generate_agent_key().unwrap().public_key_pem, pair.public_key_pem);
    }

    #[test]
    fn pem_of_the_wrong_kind_is_refused_and_not_repeated() {
        let pair = generate_agent_key().unwrap();
        let cut = &pair.private_key_pem[..pair.private_key_pem.len() - 40];
        for pem in ["", "secret", cut, &pair.public_key_pem] {
            let error = sign_with_private_key_pem(pem, b"x").unwrap_err();
            assert_eq!(error.code(), "CRYPTO_ERROR");
            let secret = pem.lines().nth(1).unwrap_or("secret");
            assert!(!error.to_string().contains(secret), "{error}");
        }
        for pem in ["", "secret", &*pair.private_key_pem] {
            let error = parse_public_key(pem).unwrap_err();
            assert!(error.to_string().contains("registered with"), "{error}");
        }
    }
}
