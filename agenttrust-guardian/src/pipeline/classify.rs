//! What the call does, from what is known of its tool and what its caller hints.

use super::Check;
use crate::classify::Classification;
use crate::manifest::Known;

/// The effect that the check is decided by.
pub(super) fn classified(check: &Check, known: &Known) -> Classification {
    known.classify(&check.tool, &check.agent_id, check.hint)
}
