//! Tokens as they are, as they should be, and as they are forged.

mod claims;
mod header;
mod keys;
mod rfc;
mod shape;
mod signature;
mod signing;
mod valid;

use self::signing::verify;
use super::Refusal;

/// A table of tokens that are refused: what is wrong with each, the token, and the reason.
type Forged = Vec<(&'static str, String, Refusal)>;

/// Holds that each is refused for its own reason and no other.
fn assert_refused(forged: Forged) {
    for (what, token, reason) in forged {
        assert_eq!(
            verify(&token).map(|claims| claims.subject),
            Err(reason),
            "{what}: {token:.300}"
        );
    }
}

#[test]
fn table_of_forged_tokens_has_at_least_sixty_rows_and_none_twice() {
    let all = [shape::forged(), header::forged(), signature::forged(), claims::forged()].concat();
    let mut tokens: Vec<&String> = all.iter().map(|(_, token, _)| token).collect();
    let rows = tokens.len();
    assert!(rows >= 60, "{rows}");
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), rows, "some are the same");
    let mut names: Vec<&str> = all.iter().map(|(what, ..)| *what).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rows, "some are called the same");
}

/// Reasons are for the audit: one line, and nothing of the token's that could be anything.
#[test]
fn reasons_are_short_sentences_without_control_characters() {
    for (what, _, reason) in header::forged().into_iter().chain(claims::forged()) {
        let told = reason.to_string();
        assert!(
            told.chars().count() < 250 && !told.chars().any(char::is_control),
            "{what}: {told}"
        );
    }
}
