//! Which proofs were used already: each is good once.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use agenttrust::internal::dpop::WINDOW;
use sha2::{Digest, Sha256};

/// The largest number of proofs that are remembered: where there are more, no proof is accepted before some of them are
/// over.
const MOST: usize = 1 << 18;
/// The largest number of them for one key, so that an agent does not take the room of others.
const MOST_OF_ONE: usize = 1 << 16;
/// The time that a proof is remembered: from one end of its window to the other, and the second that is cut off its
/// time.
const GOOD_FOR: Duration = Duration::from_secs(2 * WINDOW.as_secs() + 1);

/// The id of a proof, or of a key.
type Id = [u8; 16];

/// The result of using a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Used {
    First,
    Again,
    /// More proofs than can be remembered, so that it cannot be told whether this one was used.
    TooMany,
}

/// The proofs that were used.
pub(super) struct UsedProofs {
    most: usize,
    most_of_one: usize,
    /// The time that a proof is remembered.
    remembered: Duration,
    proofs: HashSet<Id>,
    /// The proofs in the order in which they came, which is that in which they go.
    order: VecDeque<(Instant, Id, Id)>,
    of_key: HashMap<Id, usize>,
}

impl UsedProofs {
    /// Remembers proofs of which none is used up later than `waits_most` after it came: one that came right before the
    /// end of its window, and waited, is to find that it was used at the beginning.
    pub(super) fn new(waits_most: Duration) -> Self {
        Self::bounded(MOST, MOST_OF_ONE, waits_most)
    }

    fn bounded(most: usize, most_of_one: usize, waits_most: Duration) -> Self {
        Self {
            most,
            most_of_one,
            remembered: GOOD_FOR + waits_most,
            proofs: HashSet::new(),
            order: VecDeque::new(),
            of_key: HashMap::new(),
        }
    }

    /// Uses the proof of this id, made with the key of this thumbprint.
    pub(super) fn use_up(&mut self, thumbprint: &str, jti: &str, now: Instant) -> Used {
        self.let_go(now);
        let (key, proof) = (id(&[thumbprint]), id(&[thumbprint, jti]));
        if self.proofs.contains(&proof) {
            return Used::Again;
        }
        let of_key = self.of_key.get(&key).copied().unwrap_or_default();
        if self.order.len() >= self.most || of_key >= self.most_of_one {
            return Used::TooMany;
        }
        self.proofs.insert(proof);
        self.order.push_back((now + self.remembered, key, proof));
        self.of_key.insert(key, of_key + 1);
        Used::First
    }

    fn let_go(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(until, ..)| *until <= now)
            && let Some((_, key, proof)) = self.order.pop_front()
        {
            self.proofs.remove(&proof);
            if let Some(left) = self.of_key.get_mut(&key) {
                *left -= 1;
                if *left == 0 {
                    self.of_key.remove(&key);
                }
            }
        }
    }
}

/// Returns the id of all parts, each with its length.
fn id(parts: &[&str]) -> Id {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut id = Id::default();
    for (to, from) in id.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proof_is_good_once_for_as_long_as_its_time_is() {
        let (mut used_proofs, now) = (UsedProofs::new(Duration::ZERO), Instant::now());
        assert_eq!(used_proofs.use_up("k", "j", now), Used::First);
        assert_eq!(used_proofs.use_up("k", "j", now), Used::Again);
        assert_eq!(used_proofs.use_up("kj", "", now), Used::First, "it is another one");
        assert_eq!(used_proofs.use_up("l", "j", now), Used::First, "another key's");
        let end = now + Duration::from_secs(120);
        assert_eq!(
            used_proofs.use_up("k", "j", end),
            Used::Again,
            "it could still be within its window"
        );
        assert_eq!(used_proofs.use_up("k", "j", now + GOOD_FOR), Used::First);
        assert_eq!(
            (used_proofs.proofs.len(), used_proofs.order.len(), used_proofs.of_key.len()),
            (1, 1, 1)
        );
    }

    #[test]
    fn proof_that_waits_after_it_came_in_time_is_good_once_too() {
        let waits = Duration::from_secs(15);
        let (mut used_proofs, now) = (UsedProofs::new(waits), Instant::now());
        assert_eq!(used_proofs.use_up("k", "j", now), Used::First);
        let last = now + GOOD_FOR + waits - Duration::from_millis(1);
        assert_eq!(used_proofs.use_up("k", "j", last), Used::Again, "it may have come in time");
        assert_eq!(used_proofs.use_up("k", "j", now + GOOD_FOR + waits), Used::First);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_one_key_does_not_take_the_room_of_others() {
        let (mut used_proofs, now) = (UsedProofs::bounded(100, 10, Duration::ZERO), Instant::now());
        for n in 0..10 {
            assert_eq!(used_proofs.use_up("k", &n.to_string(), now), Used::First);
        }
        assert_eq!(used_proofs.use_up("k", "more", now), Used::TooMany);
        assert_eq!(used_proofs.use_up("k", "0", now), Used::Again, "none is let go for it");
        for n in 0..90 {
            assert_eq!(used_proofs.use_up(&n.to_string(), "j", now), Used::First);
        }
        assert_eq!(used_proofs.use_up("l", "j", now), Used::TooMany);
        assert_eq!(used_proofs.use_up("l", "j", now + GOOD_FOR), Used::First);
    }
}
