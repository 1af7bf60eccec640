//! The log of invalidations: an answer about a token is stale when the token was invalidated after the Guardian was
//! asked for that answer.

use std::collections::VecDeque;

use super::key::Key;

/// The number of invalidations that the log keeps. An answer that was asked for before the oldest of them may be stale.
const KEPT: usize = 1024;

/// The tokens whose cached answers no longer hold: one token, every token of an agent, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Invalidation {
    Token(Key),
    /// All tokens of this agent.
    Agent(String),
    /// All tokens, where it is not known which one.
    All,
}

impl Invalidation {
    pub(super) fn concerns(&self, key: &Key, agent_id: &str) -> bool {
        match self {
            Self::Token(of) => of == key,
            Self::Agent(of) => of == agent_id,
            Self::All => true,
        }
    }
}

/// Whether an answer about a token still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Current,
    /// The token or its agent was invalidated since.
    Invalidated,
    /// The token may have been invalidated since, like any other.
    Unknown,
}

/// A point in the log: the number of invalidations that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch(u64);

/// The newest invalidations, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct InvalidationLog {
    latest: VecDeque<Invalidation>,
    /// The number of all invalidations, those that are no longer kept too.
    count: u64,
}

impl InvalidationLog {
    pub(super) fn now(&self) -> Epoch {
        Epoch(self.count)
    }

    pub(super) fn add(&mut self, invalidation: Invalidation) {
        if self.latest.len() >= KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back(invalidation);
        self.count += 1;
    }

    /// Returns whether an answer of `epoch` about this token, which speaks for this agent, still holds.
    pub(super) fn standing(&self, epoch: Epoch, key: &Key, agent_id: &str) -> Standing {
        let later = self.count.saturating_sub(epoch.0);
        let later = usize::try_from(later).unwrap_or(usize::MAX);
        let mut standing =
            if later > self.latest.len() { Standing::Unknown } else { Standing::Current };
        for invalidation in self.latest.iter().rev().take(later) {
            match invalidation {
                Invalidation::All => standing = Standing::Unknown,
                named if named.concerns(key, agent_id) => return Standing::Invalidated,
                _ => {}
            }
        }
        standing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_later_invalidation_of_the_token_or_its_agent_makes_an_answer_stale() {
        let (key, mut invalidations) = (Key::from_token("at_1"), InvalidationLog::default());
        invalidations.add(Invalidation::Token(key));
        let epoch = invalidations.now();
        assert_eq!(invalidations.standing(epoch, &key, "agt_1"), Standing::Current);
        invalidations.add(Invalidation::Token(Key::from_token("at_2")));
        invalidations.add(Invalidation::Agent("agt_2".to_owned()));
        assert_eq!(invalidations.standing(epoch, &key, "agt_1"), Standing::Current);
        assert_eq!(invalidations.standing(epoch, &key, "agt_2"), Standing::Invalidated);
        invalidations.add(Invalidation::All);
        assert_eq!(invalidations.standing(epoch, &key, "agt_1"), Standing::Unknown);
        invalidations.add(Invalidation::Token(key));
        invalidations.add(Invalidation::All);
        assert_eq!(invalidations.standing(epoch, &key, "agt_1"), Standing::Invalidated);
    }

    #[test]
    fn what_was_asked_too_long_ago_to_tell_may_have_been_taken_back() {
        let (key, mut invalidations) = (Key::from_token("at_1"), InvalidationLog::default());
        let epoch = invalidations.now();
        for _ in 0..KEPT {
            invalidations.add(Invalidation::Agent("agt_2".to_owned()));
        }
        assert_eq!(invalidations.standing(epoch, &key, "agt_1"), Standing::Current);
        invalidations.add(Invalidation::Agent("agt_2".to_owned()));
        assert_eq!(invalidations.standing(epoch, &key, "agt_1"), Standing::Unknown);
        assert_eq!(invalidations.latest.len(), KEPT);
    }
}
