//! The key that a proof names, and what stands for it elsewhere: its thumbprint (RFC 7638).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::keys::parse_public_key;

/// A JSON Web Key of Ed25519 (RFC 8037), as proofs carry it. A private key, and one with certificates, is refused.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Jwk {
    kty: String,
    crv: String,
    x: String,
    #[serde(default, skip_serializing)]
    alg: Option<String>,
    #[serde(default, rename = "use", skip_serializing)]
    usage: Option<String>,
    #[serde(default, skip_serializing)]
    key_ops: Option<Vec<String>>,
    #[serde(default, rename = "kid", skip_serializing)]
    _kid: Option<String>,
}

impl Jwk {
    pub(super) fn of(key: &VerifyingKey) -> Self {
        Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: URL_SAFE_NO_PAD.encode(key.as_bytes()),
            alg: None,
            usage: None,
            key_ops: None,
            _kid: None,
        }
    }

    /// Returns the key itself, where it is one of Ed25519 that may verify.
    pub(super) fn key(&self) -> Option<VerifyingKey> {
        let fits = self.kty == "OKP"
            && self.crv == "Ed25519"
            && self.alg.as_deref().is_none_or(|alg| matches!(alg, "EdDSA" | "Ed25519"))
            && self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|all| all.iter().any(|one| one == "verify"));
        if !fits {
            return None;
        }
        let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(&self.x).ok()?.try_into().ok()?;
        let key = VerifyingKey::from_bytes(&bytes).ok()?;
        (!key.is_weak()).then_some(key)
    }
}

/// Returns the thumbprint of an Ed25519 key, as tokens that are bound to it say it in `cnf.jkt`.
#[must_use]
pub fn thumbprint(key: &VerifyingKey) -> String {
    let x = URL_SAFE_NO_PAD.encode(key.as_bytes());
    // Its required members, in the order of their names, without white space.
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(members.as_bytes()))
}

/// Returns the Ed25519 key in a PKIX PEM, as agents are registered with; `None` for anything else.
#[must_use]
pub fn key_of_pem(pem: &str) -> Option<VerifyingKey> {
    parse_public_key(pem).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn read(json: &str) -> Option<VerifyingKey> {
        serde_json::from_str::<Jwk>(json).ok()?.key()
    }

    #[test]
    fn thumbprint_is_that_of_the_standard() {
        let key = read(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"}}"#)).unwrap();
        assert_eq!(thumbprint(&key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let pem = "-----BEGIN PUBLIC KEY-----\n\
                   MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
                   -----END PUBLIC KEY-----\n";
        assert_eq!(key_of_pem(pem), Some(key));
    }

    #[test]
    fn key_that_is_private_or_of_another_kind_is_none() {
        let with = |more: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"{more}}}"#);
        for good in [r#","use":"sig","alg":"EdDSA","kid":"k""#, r#","key_ops":["verify"]"#] {
            assert!(read(&with(good)).is_some(), "{good}");
        }
        for bad in [
            r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A""#,
            r#","k":"AA""#,
            r#","x5c":[]"#,
            r#","use":"enc""#,
            r#","alg":"HS256""#,
            r#","key_ops":["sign"]"#,
        ] {
            assert!(read(&with(bad)).is_none(), "{bad}");
        }
        for bad in [
            format!(r#"{{"kty":"OKP","crv":"X25519","x":"{X}"}}"#),
            format!(r#"{{"kty":"EC","crv":"Ed25519","x":"{X}"}}"#),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}="}}"#),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, X.replace('o', "p")),
            // The neutral point: it would verify what nobody signed.
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"AQ{}"}}"#, "A".repeat(41)),
            r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#.to_owned(),
        ] {
            assert!(read(&bad).is_none(), "{bad}");
        }
    }
}
