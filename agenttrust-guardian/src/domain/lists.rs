//! Lists of names that are kept once, however many tokens, sessions, floors and agents have the same one.
//!
//! The store hands out every list of names that it reads through [`shared`]. An entry here does not keep its list
//! alive. A list that is not used any more is gone, and its entry goes with the next [`sweep`], at the latest when
//! there are twice as many entries as lists were alive at the last one.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

/// The number of lists that are remembered before the first sweep.
const SWEPT_AT_LEAST: usize = 64;

static LISTS: LazyLock<Mutex<Lists>> = LazyLock::new(Mutex::default);

/// Returns the list with these names that is there already, else this one from now on.
pub(crate) fn shared(names: Vec<String>) -> Arc<[String]> {
    lists().shared(names)
}

/// Forgets the lists that nothing has any more.
pub(crate) fn sweep() {
    lists().sweep();
}

// A panic while the lock was held left a whole entry or none.
fn lists() -> MutexGuard<'static, Lists> {
    LISTS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Lists {
    hasher: RandomState,
    by_hash: HashMap<u64, Weak<[String]>>,
    swept_at: usize,
}

impl Default for Lists {
    fn default() -> Self {
        let (hasher, by_hash) = (RandomState::new(), HashMap::new());
        Self { hasher, by_hash, swept_at: SWEPT_AT_LEAST }
    }
}

impl Lists {
    fn shared(&mut self, names: Vec<String>) -> Arc<[String]> {
        let hash = self.hasher.hash_one(&names);
        let there = self.by_hash.get(&hash).and_then(Weak::upgrade);
        // Another list with the same hash stays the one that is remembered; this one is not shared.
        let is_taken = there.is_some();
        if let Some(list) = there.filter(|list| **list == *names) {
            return list;
        }
        // A text that was read may have room left over.
        let list: Arc<[String]> =
            names.into_iter().map(|name| name.into_boxed_str().into_string()).collect();
        if !is_taken {
            self.by_hash.insert(hash, Arc::downgrade(&list));
            if self.by_hash.len() >= self.swept_at {
                self.sweep();
            }
        }
        list
    }

    fn sweep(&mut self) {
        self.by_hash.retain(|_, list| list.strong_count() > 0);
        self.swept_at = (2 * self.by_hash.len()).max(SWEPT_AT_LEAST);
        self.by_hash.shrink_to(self.swept_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn equal_lists_are_one_and_lists_in_another_order_are_not() {
        let one = shared(names(&["lists:a", "lists:b"]));
        assert!(Arc::ptr_eq(&one, &shared(names(&["lists:a", "lists:b"]))));
        let other = shared(names(&["lists:b", "lists:a"]));
        assert!(!Arc::ptr_eq(&one, &other));
        assert_eq!(other[..], names(&["lists:b", "lists:a"])[..]);
    }

    #[test]
    fn a_list_that_nothing_has_any_more_is_forgotten() {
        let mut lists = Lists::default();
        let kept = lists.shared(names(&["kept"]));
        for n in 0..10 * SWEPT_AT_LEAST {
            drop(lists.shared(vec![n.to_string()]));
            assert!(lists.by_hash.len() < 2 * SWEPT_AT_LEAST);
        }
        lists.sweep();
        assert_eq!(lists.by_hash.len(), 1);
        assert!(Arc::ptr_eq(&kept, &lists.shared(names(&["kept"]))));
    }
}
