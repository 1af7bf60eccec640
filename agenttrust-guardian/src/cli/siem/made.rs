//! What is said of a destination that was just made, beside its id: what it lacks, and who else has its name.

use agenttrust::AgentTrustClient;
use agenttrust::model::SiemDestination;

use crate::cli::out::harmless;

/// Warns of what a new destination lacks that its maker may not have meant. It is made all the same.
pub(super) async fn warn_of_gaps(
    client: &AgentTrustClient,
    made: &SiemDestination,
    has_token: bool,
) {
    let id = harmless(&made.id);
    if let Some(lacks) = lacks(&made.destination_type).filter(|_| !has_token) {
        eprintln!("note: {lacks}; give one with `agenttrust siem update {id} --token-file FILE`");
    }
    // Where the list does not come, nothing is said of it.
    let listed = client.streaming().list().await.unwrap_or_default();
    let named = listed.iter().filter(|other| other.name == made.name).count();
    if named > 1 {
        let name = harmless(&made.name);
        eprintln!(
            "note: {named} destinations have the name {name:?} now, so name this one by its id, {id}"
        );
    }
}

/// Returns what one of this type lacks without a token.
fn lacks(kind: &str) -> Option<&'static str> {
    match kind {
        "webhook" => Some(
            "what it is sent is unsigned, because it has no secret: its receiver cannot tell it from what others send",
        ),
        "splunk" => Some("it has no token, and Splunk takes nothing without one"),
        "datadog" => Some("it has no token, and Datadog takes nothing without an API key"),
        _ => None,
    }
}
