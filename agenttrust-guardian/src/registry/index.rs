//! What belongs to whom, ordered by when it expires: so that a question about one agent does not look
//! at everything that there is.

use std::collections::{BTreeSet, HashMap};

use agenttrust::Timestamp;

/// The ids of what each owner has.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_owner: HashMap<String, BTreeSet<(Timestamp, String)>>,
}

impl Index {
    pub(super) fn insert(&mut self, owner: &str, expires_at: Timestamp, id: &str) {
        let key = (expires_at, id.to_owned());
        if let Some(ids) = self.by_owner.get_mut(owner) {
            ids.insert(key);
        } else {
            self.by_owner.insert(owner.to_owned(), BTreeSet::from([key]));
        }
    }

    pub(super) fn remove(&mut self, owner: &str, expires_at: Timestamp, id: &str) {
        if let Some(ids) = self.by_owner.get_mut(owner) {
            ids.remove(&(expires_at, id.to_owned()));
            if ids.is_empty() {
                self.by_owner.remove(owner);
            }
        }
    }

    /// Returns the ids of what this owner has.
    pub(super) fn ids_of(&self, owner: &str) -> impl Iterator<Item = &str> {
        self.by_owner.get(owner).into_iter().flatten().map(|(_, id)| id.as_str())
    }

    /// Returns whether at least `most` of what this owner has is live at `now`.
    pub(super) fn is_full(&self, owner: &str, most: usize, now: Timestamp) -> bool {
        self.by_owner.get(owner).is_some_and(|ids| {
            // What is over comes first, and is looked at only where it matters.
            ids.len() >= most
                && ids.len() - ids.iter().take_while(|(until, _)| *until <= now).count() >= most
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000).unwrap()
    }

    #[test]
    fn only_what_an_owner_has_and_what_is_live_counts() {
        let mut index = Index::default();
        for n in 0..4 {
            index.insert("one", at(n), &n.to_string());
        }
        index.insert("one", at(3), "3");
        index.insert("other", at(9), "9");
        assert_eq!(index.ids_of("one").collect::<Vec<_>>(), ["0", "1", "2", "3"]);
        assert!(index.is_full("one", 4, at(-1)));
        assert!(!index.is_full("one", 4, at(0)), "what expires now is over");
        assert!(index.is_full("one", 3, at(0)));
        assert!(!index.is_full("third", 1, at(0)));
        for n in 0..4 {
            index.remove("one", at(n), &n.to_string());
        }
        assert_eq!(index.ids_of("one").count(), 0);
        assert_eq!(index.by_owner.len(), 1, "an owner of nothing is forgotten");
    }
}
