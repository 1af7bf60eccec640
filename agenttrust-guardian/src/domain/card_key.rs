//! The key that signs cards, and the tokens of workloads.
//!
//! The header of what it signs has the type: `JOSE` for the signature of a card, `wit+jwt` for a token,
//! `access-denial+jwt` for what binds a request for access to a denial. Those who verify one look at that, so that
//! neither passes for the other.

use std::fmt;

use agenttrust::internal::dpop::thumbprint;
use agenttrust::model::{AgentCardSignature, CardKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};

use super::Secret;

/// An Ed25519 key that signs cards, under an id that follows from it.
pub(crate) struct CardSigner {
    key: SigningKey,
    kid: String,
}

impl CardSigner {
    /// Creates a new one.
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
        // What tells a key from others (RFC 7638).
        let kid = thumbprint(&key.verifying_key());
        Self { key, kid }
    }

    /// Returns the private half, to be kept.
    pub(crate) fn secret(&self) -> Secret {
        Secret::from(URL_SAFE_NO_PAD.encode(self.key.to_bytes()))
    }

    /// Returns what signatures name it by.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the public half, in base64url.
    pub(crate) fn public(&self) -> String {
        CardKey::ed25519(&self.key.verifying_key().to_bytes()).x
    }

    /// Signs what is signed of a card.
    pub(crate) fn sign(&self, payload: &[u8]) -> AgentCardSignature {
        let (protected, _, signature) = self.signed("JOSE", payload);
        AgentCardSignature::new(protected, signature)
    }

    /// Signs what a workload's token says, and returns the token.
    pub(crate) fn sign_workload(&self, claims: &[u8]) -> String {
        let (header, claims, signature) = self.signed("wit+jwt", claims);
        format!("{header}.{claims}.{signature}")
    }

    /// Signs what binds a request for access to a denial, and returns the token.
    pub(crate) fn sign_denial(&self, claims: &[u8]) -> String {
        let (header, claims, signature) = self.signed("access-denial+jwt", claims);
        format!("{header}.{claims}.{signature}")
    }

    /// Returns the header that names this type, the payload and the signature over both, each in base64url.
    fn signed(&self, typ: &str, payload: &[u8]) -> (String, String, String) {
        let header = format!(r#"{{"alg":"EdDSA","kid":"{}","typ":"{typ}"}}"#, self.kid);
        let (header, payload) = (URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.key.sign(format!("{header}.{payload}").as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.to_bytes());
        (header, payload, signature)
    }
}

/// Writes nothing of the private half.
impl fmt::Debug for CardSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CardSigner").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use agenttrust::AgentCard;
    use agenttrust::model::TrustedKey;

    use super::*;

    /// The example of RFC 8037, appendix A.3.
    #[test]
    fn id_of_a_key_is_its_thumbprint() {
        // The private half of it: RFC 8037, appendix A.1.
        let secret = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A".to_owned();
        let signer = CardSigner::from_secret(&Secret::from(secret)).unwrap();
        assert_eq!(signer.public(), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(signer.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
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
        // A token that says what a card would, and signs it with the same key.
        let mut passed_off: AgentCard = serde_json::from_str(r#"{"name": "x"}"#).unwrap();
        let token = signer.sign_workload(&passed_off.signed_payload().unwrap());
        let parts: Vec<&str> = token.split('.').collect();
        let signature = AgentCardSignature::new(parts[0].to_owned(), parts[2].to_owned());
        passed_off.signatures.push(signature);
        let trusted = [TrustedKey::from_jwk(&key).unwrap()];
        assert!(
            passed_off.verify_signature(&trusted).is_err(),
            "a token passes for a card's signature"
        );
        for bad in ["", "AA", "!"] {
            assert!(CardSigner::from_secret(&Secret::from(bad.to_owned())).is_none());
        }
    }
}
