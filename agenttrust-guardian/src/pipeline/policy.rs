//! The policy step: what the policies are told about a check, and what they say.

use super::Check;
use super::evaluation::Evaluation;
use crate::engine::Engine;
use crate::policy::{AuthorizationRequest, Shadow, Verdict};

/// A check and its verdict.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) check: &'a Check,
    pub(super) evaluation: &'a Evaluation,
    pub(super) facts: AuthorizationRequest<'a>,
    pub(super) verdict: Verdict,
    /// The outcome of the policies; `None` where the check was refused before them.
    pub(super) said: Option<PolicyOutcome>,
}

/// The outcome of the policies for a check that came before them.
#[derive(Debug)]
pub(super) struct PolicyOutcome {
    /// Whether they allow, deny or hold it.
    pub(super) verdict: &'static str,
    /// The change that `@shadow` policies would make to that.
    pub(super) shadow: Option<Shadow>,
}

/// Asks the policies in force, unless the check was refused before them.
pub(super) fn judge<'a>(
    engine: &Engine,
    check: &'a Check,
    evaluation: &'a Evaluation,
) -> Judged<'a> {
    let facts = facts(check, evaluation);
    let (verdict, said) = match &evaluation.refused {
        Some(reason) => (Verdict::Deny { policies: Vec::new(), reason: reason.clone() }, None),
        None => {
            let policies = engine.policies.load();
            let verdict = policies.decide(&facts);
            let said = PolicyOutcome { verdict: verdict.as_str(), shadow: policies.shadow(&facts) };
            (verdict, Some(said))
        }
    };
    Judged { check, evaluation, facts, verdict, said }
}

/// Returns what the policies are told.
fn facts<'a>(check: &'a Check, evaluation: &'a Evaluation) -> AuthorizationRequest<'a> {
    let Evaluation { agent: entry, session, class, scopes, now, .. } = evaluation;
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
        session_source: session.source(),
        session_mode: session.mode(),
        ceiling: session.ceiling(),
        delegation: session.delegation(),
        scopes,
        input_chars: check.summary.as_deref().map(input_chars),
        now_unix_seconds: now.unix_seconds(),
        access: check.access.as_ref().map(|asked| &asked.facts),
    }
}

/// Returns how long the input is, in characters: what `[N chars]` says, else the length of the
/// summary.
fn input_chars(summary: &str) -> u64 {
    counted(summary).unwrap_or_else(|| summary.chars().count() as u64)
}

/// Returns the number in `[N chars]`, which is all that a guard says of an input unless told
/// otherwise.
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
