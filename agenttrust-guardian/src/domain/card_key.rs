//! The key that signs cards.

use std::fmt;

use agenttrust::model::{AgentCardSignature, CardKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};

use super::Secret;

/// An Ed25519 key that signs cards, under an id that follows from it.
pub(crate) struct CardSigner {
    key: SigningKey,
    kid: String,
}

impl CardSigner {
    /// A new one.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bits = [0_u8; 32];
        getrandom::fill(&mut bits)?;
        Ok(Self::of(SigningKey::from_bytes(&bits)))
    }

    /// Reads a key that [`secret`](Self::secret) wrote; `None` for anything else.
    pub(crate) fn from_secret(secret: &Secret) -> Option<Self> {
        let bits = URL_SAFE_NO_PAD.decode(secret.expose()).ok()?;
        Some(Self::of(SigningKey::from_bytes(&bits.try_into().ok()?)))
    }

    fn of(key: SigningKey) -> Self {
        let kid = thumbprint(&CardKey::ed25519(&key.verifying_key().to_bytes()));
        Self { key, kid }
    }

    /// The private half, to be kept.
    pub(crate) fn secret(&self) -> Secret {
        Secret::from(URL_SAFE_NO_PAD.encode(self.key.to_bytes()))
    }

    /// What signatures name it by.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half, in base64url.
    pub(crate) fn public(&self) -> String {
        CardKey::ed25519(&self.key.verifying_key().to_bytes()).x
    }

    /// Signs what is signed of a card.
    pub(crate) fn sign(&self, payload: &[u8]) -> AgentCardSignature {
        let header = format!(r#"{{"alg":"EdDSA","kid":"{}","typ":"JOSE"}}"#, self.kid);
        let protected = URL_SAFE_NO_PAD.encode(header);
        let signed = format!("{protected}.{}", URL_SAFE_NO_PAD.encode(payload));
        let signature = self.key.sign(signed.as_bytes());
        AgentCardSignature::new(protected, URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}

/// Nothing of the private half.
impl fmt::Debug for CardSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CardSigner").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// What tells a key from others (RFC 7638).
fn thumbprint(key: &CardKey) -> String {
    let CardKey { kty, crv, x, .. } = key;
    let members = format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

#[cfg(test)]
mod tests {
    use agenttrust::AgentCard;
    use agenttrust::model::TrustedKey;

    use super::*;

    /// The example of RFC 8037, appendix A.3.
    #[test]
    fn id_of_a_key_is_its_thumbprint() {
        let mut key = CardKey::ed25519(&[0; 32]);
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".clone_into(&mut key.x);
        assert_eq!(thumbprint(&key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn what_was_signed_is_verified_by_the_public_half_and_the_private_one_is_not_shown() {
        let signer = CardSigner::random().unwrap();
        let again = CardSigner::from_secret(&signer.secret()).unwrap();
        assert_eq!((again.kid(), again.public()), (signer.kid(), signer.public()));
        let mut card: AgentCard = serde_json::from_str(r#"{"name": "Ä"}"#).unwrap();
        card.signatures.push(again.sign(&card.signed_payload().unwrap()));
        let mut key = CardKey::ed25519(&[0; 32]);
        key.x = signer.public();
        key.kid = Some(signer.kid().to_owned());
        assert!(card.verify_signature(&[TrustedKey::from_jwk(&key).unwrap()]).is_ok());
        assert!(!format!("{signer:?}").contains(signer.secret().expose()));
        for bad in ["", "AA", "!"] {
            assert!(CardSigner::from_secret(&Secret::from(bad.to_owned())).is_none());
        }
    }
}
