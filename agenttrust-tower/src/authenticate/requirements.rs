//! [`TokenRequirements`]: what a token has to be good for here.

use agenttrust::internal::NAME_MAX_BYTES;
use agenttrust::model::CapabilitySet;
use http::Uri;

/// The audience that a token has to be for, and the scopes that it has to carry.
#[derive(Clone, Debug, Default)]
pub(super) struct TokenRequirements {
    pub(super) audience: Option<String>,
    pub(super) scopes: Vec<String>,
    /// The URLs by which this server is called; tokens that are bound to a key are accepted where there is one.
    pub(super) public_urls: Vec<String>,
}

impl TokenRequirements {
    /// Returns why these requirements can let no agent in, and what to mend. Asked all the same, a Guardian would read
    /// an empty audience as no audience, and say of any token that it is good.
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
                    "no token can be issued for its audience {audience:?}; give it \
                     {NAME_MAX_BYTES} bytes at most and no control characters"
                ));
            }
        }
        if let Some(url) = self.public_urls.iter().find(|url| !is_base(url)) {
            return Some(format!(
                "it cannot be called by its public URL {url:?}; write it like https://files.example.com, \
                 without a query"
            ));
        }
        let unreadable = |scope| CapabilitySet::parse(&[scope]).err();
        self.scopes.iter().find_map(|scope| {
            let error = unreadable(scope)?;
            Some(format!("no token can carry its required scope {scope:?}: {error}"))
        })
    }

    /// Returns the first scope that is required here and that a token with these scopes does not carry.
    pub(super) fn missing(&self, scopes: &[String]) -> Option<String> {
        // Scopes that cannot be read carry nothing.
        let carried = CapabilitySet::parse(scopes).unwrap_or_default();
        self.scopes.iter().find(|scope| !carried.covers(scope)).cloned()
    }
}

/// Returns whether paths can be put behind it.
fn is_base(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    is_http && host && !url.contains(['?', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_at_fault(audience: Option<&str>, scopes: &[&str]) -> bool {
        let scopes = scopes.iter().map(ToString::to_string).collect();
        let audience = audience.map(str::to_owned);
        TokenRequirements { audience, scopes, public_urls: Vec::new() }.fault().is_some()
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

    #[test]
    fn what_no_call_can_come_by_is_a_fault() {
        let is_at_fault = |url: &str| {
            TokenRequirements { public_urls: vec![url.to_owned()], ..TokenRequirements::default() }
                .fault()
                .is_some()
        };
        for url in
            ["", "/", "files.example", "ftp://a", "https://a/?q", "https://a/#f", "https://b@a"]
        {
            assert!(is_at_fault(url), "{url}");
        }
        for url in ["https://files.example", "http://[::1]:8080/", "https://a/prefix"] {
            assert!(!is_at_fault(url), "{url}");
        }
    }
}
