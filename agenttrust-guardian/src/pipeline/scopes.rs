//! What the agent needs beside the tool itself.

use super::Check;
use crate::manifest::ToolFacts;

/// Returns the scopes that the check declares, then those that only the manifest does: leaving one
/// out of a check does not make it unnecessary.
pub(super) fn needed(check: &Check, known: &ToolFacts) -> Vec<String> {
    let mut scopes = check.scopes.clone().unwrap_or_default();
    for scope in known.scopes() {
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    scopes
}
