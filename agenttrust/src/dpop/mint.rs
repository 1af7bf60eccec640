//! Making a proof.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey;
use serde::Serialize;

use super::jwk::Jwk;
use super::{ALGORITHM, TYPE, token_hash};
use crate::error::{AgentTrustError, Result};
use crate::keys::{KeyStore, parse_private_key, parse_public_key, sign_with};
use crate::model::Timestamp;

/// The request that a proof is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    /// The token that travels with the proof; empty for a request without a token.
    pub(crate) access_token: &'a str,
    /// The nonce that the server asked for in the proof.
    pub(crate) nonce: Option<&'a str>,
}

#[derive(Serialize)]
struct Header {
    typ: &'static str,
    alg: &'static str,
    jwk: Jwk,
}

#[derive(Serialize)]
struct Payload<'a> {
    htm: &'a str,
    htu: &'a str,
    iat: i64,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

/// Makes a proof for one request, by an agent's private key in PKCS #8 PEM.
///
/// A proof serves once: make one for each request. A proof is good for any query and fragment of `url`. An empty
/// `access_token` makes a proof without a token.
///
/// ```
/// use agenttrust::{generate_agent_key, mint_dpop_proof};
///
/// let pair = generate_agent_key()?;
/// let proof = mint_dpop_proof(&pair.private_key_pem, "GET", "https://files.example/a", "eyJ…")?;
/// assert_eq!(proof.split('.').count(), 3);
/// # Ok::<(), agenttrust::AgentTrustError>(())
/// ```
///
/// # Errors
///
/// [`Crypto`](AgentTrustError::Crypto) for a key that is not Ed25519 in PKCS #8 PEM.
pub fn mint_dpop_proof(
    private_key_pem: &str,
    method: &str,
    url: &str,
    access_token: &str,
) -> Result<String> {
    let key = parse_private_key(private_key_pem)?;
    let bound = Bound { method, url, access_token, nonce: None };
    mint(&key.verifying_key(), &bound, |message| Ok(sign_with(&key, message)))
}

/// Makes a proof for one request, by the key that a store holds for an agent. `public_key_pem` is its public half, as
/// the agent is registered with it.
///
/// ```
/// use agenttrust::{InMemoryKeyStore, KeyStore, generate_agent_key, mint_dpop_proof_with_key_store};
///
/// let pair = generate_agent_key()?;
/// let mut keys = InMemoryKeyStore::new();
/// keys.store("agt_1", &pair.private_key_pem)?;
/// let url = "https://files.example/a";
/// let proof =
///     mint_dpop_proof_with_key_store(&keys, "agt_1", &pair.public_key_pem, "GET", url, "eyJ…")?;
/// assert_eq!(proof.split('.').count(), 3);
/// # Ok::<(), agenttrust::AgentTrustError>(())
/// ```
///
/// # Errors
///
/// [`Crypto`](AgentTrustError::Crypto) for a public key that is not Ed25519 in PKIX PEM, and where the store does not
/// sign.
#[expect(clippy::too_many_arguments, reason = "published clients have these")]
pub fn mint_dpop_proof_with_key_store(
    key_store: &dyn KeyStore,
    agent_id: &str,
    public_key_pem: &str,
    method: &str,
    url: &str,
    access_token: &str,
) -> Result<String> {
    let key = parse_public_key(public_key_pem)?;
    let bound = Bound { method, url, access_token, nonce: None };
    mint(&key, &bound, |message| key_store.sign(agent_id, message))
}

/// Makes a proof that `sign` signs for `key`.
pub(crate) fn mint(
    key: &VerifyingKey,
    bound: &Bound<'_>,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>>,
) -> Result<String> {
    let header = Header { typ: TYPE, alg: ALGORITHM, jwk: Jwk::of(key) };
    let payload = Payload {
        htm: bound.method,
        htu: bound.url.split(['?', '#']).next().unwrap_or_default(),
        iat: Timestamp::now().unix_seconds(),
        jti: uuid::Uuid::new_v4().to_string(),
        ath: Some(bound.access_token).filter(|token| !token.is_empty()).map(token_hash),
        nonce: bound.nonce,
    };
    let signed = format!("{}.{}", encode(&header)?, encode(&payload)?);
    let signature = sign(signed.as_bytes())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn encode(part: &impl Serialize) -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).map_err(AgentTrustError::Json)?))
}
