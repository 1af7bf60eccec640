//! What was taken back, in the order in which it was heard: what was asked before then, about a token
//! that it concerns, is an answer of before.

use std::collections::VecDeque;

use super::key::Key;

/// So much is told apart; of what was asked before then, anything may have been taken back.
const KEPT: usize = 1024;

/// What is worth less than it was, or may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Forgotten {
    Token(Key),
    /// Every token of this agent.
    Agent(String),
    /// Nobody knows which.
    All,
}

impl Forgotten {
    pub(super) fn concerns(&self, key: &Key, agent_id: &str) -> bool {
        match self {
            Self::Token(of) => of == key,
            Self::Agent(of) => of == agent_id,
            Self::All => true,
        }
    }
}

/// What is said of a token since a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    Nothing,
    /// It, or its agent, was named.
    Named,
    /// It may have been taken back, like any other.
    Perhaps,
}

/// A moment, by what had been heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(u64);

#[derive(Debug, Default)]
pub(super) struct Heard {
    latest: VecDeque<Forgotten>,
    /// How much was heard altogether.
    count: u64,
}

impl Heard {
    pub(super) fn now(&self) -> Moment {
        Moment(self.count)
    }

    pub(super) fn add(&mut self, forgotten: Forgotten) {
        if self.latest.len() >= KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back(forgotten);
        self.count += 1;
    }

    /// What was heard since `moment` of this token, which speaks for this agent.
    pub(super) fn since(&self, moment: Moment, key: &Key, agent_id: &str) -> Since {
        let later = self.count.saturating_sub(moment.0);
        let later = usize::try_from(later).unwrap_or(usize::MAX);
        let mut said = if later > self.latest.len() { Since::Perhaps } else { Since::Nothing };
        for forgotten in self.latest.iter().rev().take(later) {
            match forgotten {
                Forgotten::All => said = Since::Perhaps,
                named if named.concerns(key, agent_id) => return Since::Named,
                _ => {}
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_heard_later_and_concerns_a_token_is_said_of_it() {
        let (key, mut heard) = (Key::from_token("at_1"), Heard::default());
        heard.add(Forgotten::Token(key));
        let moment = heard.now();
        assert_eq!(heard.since(moment, &key, "agt_1"), Since::Nothing);
        heard.add(Forgotten::Token(Key::from_token("at_2")));
        heard.add(Forgotten::Agent("agt_2".to_owned()));
        assert_eq!(heard.since(moment, &key, "agt_1"), Since::Nothing);
        assert_eq!(heard.since(moment, &key, "agt_2"), Since::Named);
        heard.add(Forgotten::All);
        assert_eq!(heard.since(moment, &key, "agt_1"), Since::Perhaps);
        heard.add(Forgotten::Token(key));
        heard.add(Forgotten::All);
        assert_eq!(heard.since(moment, &key, "agt_1"), Since::Named);
    }

    #[test]
    fn what_was_asked_too_long_ago_to_tell_may_have_been_taken_back() {
        let (key, mut heard) = (Key::from_token("at_1"), Heard::default());
        let moment = heard.now();
        for _ in 0..KEPT {
            heard.add(Forgotten::Agent("agt_2".to_owned()));
        }
        assert_eq!(heard.since(moment, &key, "agt_1"), Since::Nothing);
        heard.add(Forgotten::Agent("agt_2".to_owned()));
        assert_eq!(heard.since(moment, &key, "agt_1"), Since::Perhaps);
        assert_eq!(heard.latest.len(), KEPT);
    }
}
