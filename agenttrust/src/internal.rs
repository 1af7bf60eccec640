//! What our own crates share beside the public API, and others should not use. No stability between
//! versions.

pub use crate::doubling::Doubling;
pub use crate::guard::{Breaker, Cover, Miss};

/// Hexadecimal.
pub mod hex {
    pub use crate::hex::{decode, encode};
}
