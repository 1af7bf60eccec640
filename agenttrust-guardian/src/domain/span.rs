//! A part of a list whose ids are in the order in which its things came.

/// The part of a list to show: where to begin, and the number of entries.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// The thing behind which it begins.
    pub(crate) before: Option<String>,
    pub(crate) limit: usize,
}

impl Span {
    /// Returns how many to look for: one more tells whether there are more.
    pub(crate) fn looked_for(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// Cuts what was found to the span; and whether there is more.
    pub(crate) fn cut<T>(&self, mut found: Vec<T>) -> (Vec<T>, bool) {
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        (found, more)
    }
}
