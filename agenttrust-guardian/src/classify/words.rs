//! How a name is cut into words, and how a word looks.

use unicode_security::skeleton;

/// Returns the words of a part of a name, without what is between them.
pub(super) fn words(part: &str) -> impl Iterator<Item = &str> {
    part.split(|c: char| !c.is_alphabetic()).flat_map(humps)
}

/// Returns the chunks of a name whose capitals are those of no language: of `list_DELETEfile` the second, of
/// `get_deLeTe_all` likewise. Cut at its capitals, such a chunk hides a verb that a person reads.
pub(super) fn oddly_cased(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_alphabetic()).filter(|chunk| {
        let letters: Vec<char> = chunk.chars().collect();
        let has_small = letters.iter().any(|letter| letter.is_lowercase());
        let capitals_in_a_row =
            letters.windows(2).any(|pair| pair.iter().all(|letter| letter.is_uppercase()));
        let short_humps = humps(chunk).filter(|hump| hump.chars().count() <= 2).count();
        has_small && (capitals_in_a_row || short_humps > 1)
    })
}

/// Returns what a person reads, so that what looks alike is equal: without marks and what is not seen.
pub(super) fn look(word: &str) -> String {
    let lower = word.to_lowercase();
    skeleton(&lower).filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect()
}

/// Cuts `camelCase`, and `SQLDrop` into `SQL` and `Drop`.
pub(super) fn humps(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (hump, after) = rest.split_at(hump_end(rest));
        rest = after;
        Some(hump)
    })
}

fn hump_end(word: &str) -> usize {
    let mut chars = word.char_indices().peekable();
    let mut previous: Option<char> = None;
    while let Some((at, current)) = chars.next() {
        if let Some(previous) = previous
            && current.is_uppercase()
        {
            let starts_a_word = chars.peek().is_some_and(|(_, next)| next.is_lowercase());
            if !previous.is_uppercase() || starts_a_word {
                return at;
            }
        }
        previous = Some(current);
    }
    word.len()
}
