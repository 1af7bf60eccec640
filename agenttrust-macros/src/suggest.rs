//! "Did you mean": the known word nearest to a misspelt one.

/// Returns `; did you mean …?` for a misspelt word, or nothing when no candidate is near.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> String {
    closest(word, candidates).map_or_else(String::new, |known| format!("; did you mean `{known}`?"))
}

fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Half a word of typing mistakes is another word.
    let limit = (word.chars().count() / 2).min(3);
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|known| (strsim::levenshtein(&word, known), known))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_gets_the_nearest_known_one() {
        let known = ["effect", "tool", "guard", "skip", "skip_all"];
        assert_eq!(closest("efect", known), Some("effect"));
        assert_eq!(closest("Tool", known), Some("tool"));
        assert_eq!(closest("skipall", known), Some("skip_all"));
    }

    #[test]
    fn a_different_word_gets_no_suggestion() {
        assert_eq!(did_you_mean("retries", ["effect", "tool"]), "");
        assert_eq!(did_you_mean("", ["effect", "tool"]), "");
    }
}
