//! Numbers that prove that they were made here, so that any replica, and a Guardian that was started again, can tell.
//!
//! A number is a UUID of version 7, which carries the time when it was made. Its proof is 128 bits of HMAC-SHA-256
//! under a secret of the database, over what the number is for.

use agenttrust::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::{NoContext, Uuid};

use super::shared_secrets::shared_secret;
use crate::domain::{GuardianError, Sealer};
use crate::store::Store;

const PROOF_BYTES: usize = 16;

/// The secret that proves numbers.
pub(super) struct Numbers {
    mac: Hmac<Sha256>,
}

impl Numbers {
    /// Returns those of this database, by the secret of this `name`; `what` they are is for people.
    pub(super) async fn load(
        store: &Store,
        sealer: &Sealer,
        (name, what): (&str, &str),
    ) -> Result<Self, GuardianError> {
        let secret = shared_secret(store, sealer, name).await?;
        Self::new(&secret).ok_or_else(|| {
            GuardianError::Unavailable(format!("the secret of {what} is not usable; restore it"))
        })
    }

    /// Returns those of this secret, which has 32 bytes.
    pub(super) fn new(secret: &[u8]) -> Option<Self> {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).ok();
        mac.filter(|_| secret.len() == 32).map(|mac| Self { mac })
    }

    /// Proves texts of this domain.
    pub(super) fn prove(&self, domain: &[u8], texts: &[&[u8]]) -> String {
        let proof = self.mac_of(domain, texts).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode(proof.get(..PROOF_BYTES).unwrap_or_default())
    }

    /// Returns whether this proves just these texts of this domain.
    pub(super) fn proves(&self, proof: &str, domain: &[u8], texts: &[&[u8]]) -> bool {
        let Ok(proof) = URL_SAFE_NO_PAD.decode(proof) else { return false };
        // Also takes its time: bytes are compared in constant time.
        proof.len() == PROOF_BYTES
            && self.mac_of(domain, texts).verify_truncated_left(&proof).is_ok()
    }

    /// Covers the domain and each text with its length.
    fn mac_of(&self, domain: &[u8], texts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(domain);
        for text in texts {
            mac.update(&(text.len() as u64).to_be_bytes());
            mac.update(text);
        }
        mac
    }
}

/// Returns a new number.
pub(super) fn next(now: Timestamp) -> String {
    let micros = now.unix_micros().max(0).unsigned_abs();
    let nanos = u32::try_from(micros % 1_000_000).unwrap_or(0) * 1_000;
    let at = uuid::Timestamp::from_unix(NoContext, micros / 1_000_000, nanos);
    Uuid::new_v7(at).simple().to_string()
}

/// Returns when this number was made.
pub(super) fn made_at(number: &str) -> Option<Timestamp> {
    let (seconds, nanos) = Uuid::try_parse(number).ok()?.get_timestamp()?.to_unix();
    let micros = seconds.checked_mul(1_000_000)?.checked_add(u64::from(nanos / 1_000))?;
    Timestamp::from_unix_micros(i64::try_from(micros).ok()?)
}
