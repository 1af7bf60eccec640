//! What many rows would repeat, said once in a row of its own that they refer to.
//!
//! An agent's capabilities and a session's ceiling may be long lists, and every decision rests on them. So
//! they are a row of the kind `facts`, and a decision names its digest: SHA-256 over
//!
//! ```text
//! "agenttrust.audit.facts.v1"                             25 bytes of ASCII
//! org_id, body without `digest`                           each its length (8, big endian) and UTF-8
//! ```
//!
//! In each log such a row comes before the first decision that names it, and again after an hour. A Guardian
//! lets rows go an hour later than it has to, so that those that it has to keep have their facts.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use agenttrust::internal::hex;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::MAX_BODY_BYTES;

const DOMAIN: &[u8] = b"agenttrust.audit.facts.v1";

/// The time for which a row is referred to before it is written again.
pub(crate) const FACTS_HOLD: Duration = Duration::from_secs(3_600);
/// The bytes of its row that the digest takes.
const DIGEST_BYTES: usize = 100;
/// The number of rows that are remembered as written.
const KNOWN: usize = 10_000;

/// Facts that rows refer to, by the digest of what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FactsDigest([u8; 32]);

impl FactsDigest {
    /// Returns the digest of these facts of an organisation; `None` for lists that no row has room for.
    pub(crate) fn compute(org_id: &str, body: &Value) -> Option<Self> {
        let body = serde_json_canonicalizer::to_string(body).ok()?;
        if body.len() > MAX_BODY_BYTES - DIGEST_BYTES {
            return None;
        }
        let mut hash = Sha256::new_with_prefix(DOMAIN);
        for text in [org_id, body.as_str()] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        Some(Self(hash.finalize().into()))
    }

    /// Returns the digest as rows spell it.
    pub(crate) fn to_hex(self) -> String {
        hex::encode(&self.0)
    }
}

/// The facts that have a row in the log that a Guardian writes.
#[derive(Debug, Default)]
pub(super) struct WrittenFacts {
    written: RwLock<HashMap<FactsDigest, Instant>>,
}

impl WrittenFacts {
    /// Returns whether a row that can be referred to is on disk.
    pub(super) fn knows(&self, digest: FactsDigest) -> bool {
        let written = self.written.read().unwrap_or_else(PoisonError::into_inner);
        written.get(&digest).is_some_and(|at| at.elapsed() < FACTS_HOLD)
    }

    /// Notes that the rows of these are on disk.
    pub(super) fn add(&self, digests: impl IntoIterator<Item = FactsDigest>) {
        let mut digests = digests.into_iter().peekable();
        if digests.peek().is_none() {
            return;
        }
        let mut written = self.written.write().unwrap_or_else(PoisonError::into_inner);
        if written.len() >= KNOWN {
            written.clear();
        }
        let now = Instant::now();
        written.extend(digests.map(|digest| (digest, now)));
    }

    /// Forgets what is on disk, since rows were let go, and perhaps these.
    pub(super) fn forget(&self) {
        self.written.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn facts_have_one_digest_whatever_the_order_and_another_for_each_organisation() {
        let one = json!({ "capabilities": ["a", "b"], "agent_name": "x" });
        let same = json!({ "agent_name": "x", "capabilities": ["a", "b"] });
        let other = json!({ "agent_name": "x", "capabilities": ["b", "a"] });
        assert_eq!(FactsDigest::compute("org", &one), FactsDigest::compute("org", &same));
        assert_ne!(FactsDigest::compute("org", &one), FactsDigest::compute("org", &other));
        assert_ne!(FactsDigest::compute("org", &one), FactsDigest::compute("org2", &one));
    }

    #[test]
    fn the_encoding_is_the_documented_one() {
        let mut bytes = b"agenttrust.audit.facts.v1".to_vec();
        for text in ["org", r#"{"ceiling":["a"]}"#] {
            bytes.extend([0, 0, 0, 0, 0, 0, 0]);
            bytes.push(u8::try_from(text.len()).unwrap());
            bytes.extend(text.as_bytes());
        }
        let digest = FactsDigest::compute("org", &json!({ "ceiling": ["a"] })).unwrap();
        assert_eq!(digest.to_hex(), hex::encode(&Sha256::digest(bytes)));
    }

    #[test]
    fn what_was_let_go_is_written_again() {
        let (told, digest) =
            (WrittenFacts::default(), FactsDigest::compute("org", &json!({})).unwrap());
        assert!(!told.knows(digest));
        told.add([digest]);
        assert!(told.knows(digest));
        told.forget();
        assert!(!told.knows(digest));
    }
}
