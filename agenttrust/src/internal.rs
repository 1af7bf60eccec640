//! What our own crates share beside the public API, and others should not use. No stability between
//! versions.

pub use crate::foreign::{Problem, Reason};
pub use crate::guard::{Breaker, Cover, Miss};
