//! What the policies are told about a check.

use agenttrust::Timestamp;

use super::Check;
use super::session::SessionContext;
use crate::classify::Classification;
use crate::policy::AuthorizationRequest;
use crate::registry::AgentEntry;

/// The facts of one check.
pub(super) fn facts<'a>(
    check: &'a Check,
    entry: &'a AgentEntry,
    visit: &'a SessionContext,
    class: &Classification,
    scopes: &'a [String],
    now: Timestamp,
) -> AuthorizationRequest<'a> {
    AuthorizationRequest {
        org: &entry.agent.org_id,
        agent_id: &entry.agent.id,
        agent_name: &entry.agent.name,
        groups: &entry.groups,
        capabilities: entry.capabilities.as_slice(),
        tool: &check.tool,
        effect: class.effect,
        confidence: class.confidence,
        session_id: check.session_id.as_deref(),
        session_source: visit.source(),
        session_mode: visit.mode(),
        ceiling: visit.ceiling(),
        scopes,
        input_chars: check.summary.as_deref().map(input_chars),
        now_unix_seconds: now.unix_seconds(),
    }
}

/// How long the input is, in characters: what `[N chars]` says, else the length of the summary.
fn input_chars(summary: &str) -> u64 {
    counted(summary).unwrap_or_else(|| summary.chars().count() as u64)
}

/// The number in `[N chars]`, which is all that a guard says of an input unless told otherwise.
pub(super) fn counted(summary: &str) -> Option<u64> {
    let digits = summary.strip_prefix('[')?.strip_suffix(" chars]")?;
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // More digits than fit are still a count, and no text of the caller's.
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_count_of_characters_counts_as_one() {
        assert_eq!(counted("[12 chars]"), Some(12));
        assert_eq!(counted("[99999999999999999999999 chars]"), Some(u64::MAX));
        for text in ["", "[ chars]", "[-1 chars]", "[+1 chars]", "[12 chars] x", "12 chars"] {
            assert_eq!(counted(text), None, "{text}");
        }
        assert_eq!(input_chars("drop table users"), 16);
        assert_eq!(input_chars("🙂🙂"), 2);
    }
}
