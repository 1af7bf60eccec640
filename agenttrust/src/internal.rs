//! What our own crates share beside the public API, and others should not use. No stability between
//! versions.

pub use crate::backoff::Backoff;
pub use crate::guard::{Breaker, Cover, Miss, Running};
pub use crate::model::name::{NAME_MAX_BYTES, REASON_MAX_CHARS};
pub use crate::model::tolerant::whole_number;
pub use crate::suspend_aware_instant::SuspendAwareInstant;

/// Hexadecimal.
pub mod hex {
    pub use crate::hex::{decode, encode};
}

/// Proofs of callers that have the key that a token is bound to.
pub mod dpop {
    pub use crate::dpop::{
        ExpectedProof, JTI_MAX_CHARS, PROOF_MAX_BYTES, Proof, ProofRefusal, WINDOW, is_unambiguous,
        key_of_pem, thumbprint, verify_proof,
    };
}
