//! What is said of a destination that was just made, beside its id.

use agenttrust::model::SiemDestination;

use crate::cli::out::harmless;

/// Warns of what is weak about a new destination, which its maker may not have meant. It is made all the same.
pub(super) fn warn(made: &SiemDestination) {
    let Some(warning) = &made.warning else { return };
    let id = harmless(&made.id);
    eprintln!(
        "note: {}; give one with `agenttrust siem update {id} --token-file FILE`",
        harmless(warning)
    );
}
