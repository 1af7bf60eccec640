//! What the agent needs beside the tool itself.

use super::Check;
use crate::manifest::Declared;

/// The scopes that the check declares, then those that only the manifest does: leaving one out of a
/// check does not make it unnecessary.
pub(super) fn needed(check: &Check, declared: Option<&Declared>) -> Vec<String> {
    let mut scopes = check.scopes.clone().unwrap_or_default();
    for scope in declared.map_or(&[][..], |declared| &declared.scopes) {
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    scopes
}
