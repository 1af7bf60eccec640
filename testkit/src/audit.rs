//! The audit's chain as the documents describe it, computed apart from the Guardian.

use sha2::{Digest, Sha256};

/// Returns the hash of a row of the audit that follows one with the hash `prev`. The texts are its columns `at`,
/// `kind`, `org_id`, `agent_id`, `actor` and `body`.
pub fn row_hash(seq: i64, prev: &[u8], texts: [Option<&str>; 6]) -> Vec<u8> {
    let mut hash = Sha256::new_with_prefix(b"agenttrust.audit.v1");
    hash.update(seq.to_be_bytes());
    hash.update(prev);
    for text in texts {
        match text {
            None => hash.update([0]),
            Some(text) => {
                hash.update([1]);
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
        }
    }
    hash.finalize().to_vec()
}
