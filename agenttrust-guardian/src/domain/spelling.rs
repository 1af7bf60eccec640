//! "Did you mean": the known word that is nearest to one that nobody knows.

/// The known word that was meant, if one is near enough.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known = known.into_iter().map(|known| (strsim::levenshtein(word, known), known));
    let (distance, nearest) = known.min()?;
    (distance <= 2.max(nearest.len() / 3)).then_some(nearest)
}
