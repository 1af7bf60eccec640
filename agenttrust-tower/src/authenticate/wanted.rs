//! What a token has to be good for here.

use agenttrust::internal::NAME_MAX_BYTES;
use agenttrust::model::CapabilitySet;

/// Whom a token has to be for, and what it has to carry.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) audience: Option<String>,
    pub(super) scopes: Vec<String>,
}

impl Wanted {
    /// Why nobody can be let in by this, and what to mend. Asked all the same, a Guardian would take an
    /// empty audience for none, and say of any token that it is good.
    pub(super) fn fault(&self) -> Option<String> {
        if let Some(audience) = &self.audience {
            if audience.trim().is_empty() {
                return Some(
                    "its audience is empty; say which one tokens have to be for, or leave \
                     `audience` out to let in tokens for any"
                        .to_owned(),
                );
            }
            if audience.len() > NAME_MAX_BYTES || audience.chars().any(char::is_control) {
                return Some(format!(
                    "its audience {audience:?} is none that a token can be issued for; give it \
                     {NAME_MAX_BYTES} bytes at most and no control characters"
                ));
            }
        }
        let unreadable = |scope| CapabilitySet::parse(&[scope]).err();
        self.scopes.iter().find_map(|scope| {
            let error = unreadable(scope)?;
            Some(format!("no token can carry its required scope {scope:?}: {error}"))
        })
    }

    /// The first scope that is required here and that a token with these scopes does not carry.
    pub(super) fn missing(&self, scopes: &[String]) -> Option<String> {
        // Scopes that cannot be read carry nothing.
        let carried = CapabilitySet::parse(scopes).unwrap_or_default();
        self.scopes.iter().find(|scope| !carried.covers(scope)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_at_fault(audience: Option<&str>, scopes: &[&str]) -> bool {
        let scopes = scopes.iter().map(ToString::to_string).collect();
        Wanted { audience: audience.map(str::to_owned), scopes }.fault().is_some()
    }

    #[test]
    fn what_no_token_can_be_good_for_is_a_fault() {
        for audience in ["", " ", "a\nb", &"a".repeat(201)] {
            assert!(is_at_fault(Some(audience), &[]), "{audience:?}");
        }
        for scope in ["", "fi*les", "a\nb"] {
            assert!(is_at_fault(None, &["files:read", scope]), "{scope:?}");
        }
        assert!(!is_at_fault(None, &[]));
        assert!(!is_at_fault(Some("mcp://files"), &["files:read", "files_read", "files:*", "*"]));
    }
}
