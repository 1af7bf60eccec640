//! Names and ids, as long as a Guardian takes them.

/// The longest name or id, in bytes.
pub const NAME_MAX_BYTES: usize = 200;
/// The longest reason for a decision, in characters.
pub const REASON_MAX_CHARS: usize = 500;
