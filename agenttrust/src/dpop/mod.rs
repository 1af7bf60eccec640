//! DPoP (RFC 9449): proofs that the sender of a request has the key that its token is bound to.
//!
//! `verify.rs` reads a proof as strictly as possible, because Guardian and layer rely on it. `uri.rs` says which
//! addresses are the same, `jwk.rs` which key a proof names, and `mint.rs` makes one. Ed25519 alone: it is what agents
//! have.

mod json;
mod jwk;
mod mint;
mod uri;
mod verify;

pub use self::json::is_unambiguous;
pub use self::jwk::{key_of_pem, thumbprint};
pub use self::mint::{mint_dpop_proof, mint_dpop_proof_with_key_store};
pub use self::verify::{
    ExpectedProof, JTI_MAX_CHARS, PROOF_MAX_BYTES, Proof, ProofRefusal, WINDOW, verify_proof,
};

pub(crate) use self::mint::{Bound, mint};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The type that every proof says it is of.
const TYPE: &str = "dpop+jwt";
/// The one algorithm, as proofs name it.
const ALGORITHM: &str = "EdDSA";

/// Returns what a proof says of the token that it comes with (`ath`).
fn token_hash(access_token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(access_token.as_bytes()))
}
