//! What the call does: gathers the evidence and has it weighed.

use super::Check;
use crate::classify::{Classification, Evidence, classify};
use crate::manifest::Declared;
use crate::state::State;

/// The effect that the check is decided by.
pub(super) fn of(state: &State, check: &Check, declared: Option<&Declared>) -> Classification {
    classify(&Evidence {
        tool: &check.tool,
        operator: state.registry.tools.effect(&check.key.org_id, &check.tool),
        hint: check.hint,
        manifest: declared.and_then(|declared| declared.effect),
        annotation: None,
    })
}
