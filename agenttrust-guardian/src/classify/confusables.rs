//! Confusable characters: words that are not what they look like.

use unicode_security::{RestrictionLevel, RestrictionLevelDetection};

use super::verbs;
use super::words::humps;

/// Returns whether a word of the name is written to look like another: with letters of several scripts, with
/// letters that are no text (full-width, mathematical), with characters that are not seen, or such that
/// a known word is what a person reads.
pub(super) fn has_confusables(name: &str) -> bool {
    !name.is_ascii()
        && name
            .split(|c: char| c.is_ascii() && !c.is_ascii_alphabetic())
            .filter(|chunk| !chunk.is_ascii() && chunk.contains(char::is_alphabetic))
            .any(|chunk| {
                // Latin beside Chinese, Japanese or Korean is how those are written.
                !chunk.check_restriction_level(RestrictionLevel::HighlyRestrictive)
                    || verbs::looks_known(chunk)
                    || humps(chunk).any(|hump| !hump.is_ascii() && verbs::looks_known(hump))
            })
}
