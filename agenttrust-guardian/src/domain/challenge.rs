//! What `WWW-Authenticate` says to a caller whose token does not do (RFC 6750), and where it is pointed to from there
//! (RFC 9728).

/// Writes the challenge to a caller without a token that works. `error` is absent where the token had no fault, and
/// `described` where the caller is not to learn the fault. Scopes that cannot be written there are left out.
pub(crate) fn unauthenticated(
    error: Option<&str>,
    described: Option<&str>,
    scopes: &[&str],
) -> String {
    let error = error.map(|error| format!("error=\"{error}\""));
    let described = described.map(|url| format!("resource_metadata=\"{url}\""));
    let scopes = scope_list(scopes).map(|scopes| format!("scope=\"{scopes}\""));
    let told: Vec<String> = [error, described, scopes].into_iter().flatten().collect();
    match told.is_empty() {
        true => "Bearer".to_owned(),
        false => format!("Bearer {}", told.join(", ")),
    }
}

/// Writes a list of scopes as RFC 6750 has it; `None` for an empty list, and where one of the scopes cannot be in it.
pub(crate) fn scope_list(scopes: &[&str]) -> Option<String> {
    let plain = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let all = scopes.iter().all(|scope| !scope.is_empty() && scope.bytes().all(plain));
    (all && !scopes.is_empty()).then(|| scopes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenge_says_no_more_than_there_is_to_say() {
        assert_eq!(unauthenticated(None, None, &[]), "Bearer");
        assert_eq!(unauthenticated(None, None, &["a b"]), "Bearer");
        assert_eq!(
            unauthenticated(Some("invalid_token"), None, &["a2a/agt_1"]),
            "Bearer error=\"invalid_token\", scope=\"a2a/agt_1\""
        );
        assert_eq!(
            unauthenticated(None, Some("https://x.example/y"), &[]),
            "Bearer resource_metadata=\"https://x.example/y\""
        );
    }

    #[test]
    fn what_would_end_the_text_or_be_two_scopes_is_not_written() {
        for bad in ["", "a b", "a\"b", "a\\b", "ä", "a\r\nb"] {
            assert_eq!(scope_list(&["files/read", bad]), None, "{bad:?}");
        }
        assert_eq!(scope_list(&["files/read", "db:read"]).as_deref(), Some("files/read db:read"));
    }
}
