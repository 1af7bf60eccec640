//! The check ids that were given out, so that a report can be believed or not.

use std::num::NonZeroUsize;
use std::sync::Mutex;

use lru::LruCache;

use super::{at_most, lock};

/// How many are remembered; a report that comes after so many other checks is kept as unverified.
const REMEMBERED: NonZeroUsize = at_most(65_536);

/// To whom and for what a check id was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) key_id: String,
    pub(crate) agent_id: String,
    pub(crate) session_id: String,
    pub(crate) tool: String,
}

/// Which part of a call a report is about. Each part of a check is believed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The call began.
    Start,
    /// The call ended, well or not.
    End,
}

#[derive(Debug)]
struct Entry {
    issued: Issued,
    started: bool,
    ended: bool,
}

/// The check ids that were given out.
#[derive(Debug)]
pub(crate) struct Checks {
    by_id: Mutex<LruCache<String, Entry>>,
}

impl Default for Checks {
    fn default() -> Self {
        Self { by_id: Mutex::new(LruCache::new(REMEMBERED)) }
    }
}

impl Checks {
    pub(crate) fn remember(&self, check_id: String, issued: Issued) {
        lock(&self.by_id).put(check_id, Entry { issued, started: false, ended: false });
    }

    /// Whether a report about this check is believed: given to the same key, agent, session and
    /// tool, and the first of its stage. It counts as reported from here on, unless it is
    /// [released](Self::release).
    pub(crate) fn verify(&self, check_id: &str, reported: &Issued, stage: Stage) -> bool {
        let mut by_id = lock(&self.by_id);
        let Some(entry) = by_id.peek_mut(check_id) else {
            return false;
        };
        if entry.issued != *reported {
            return false;
        }
        let seen = match stage {
            Stage::Start => &mut entry.started,
            Stage::End => &mut entry.ended,
        };
        !std::mem::replace(seen, true)
    }

    /// Takes a report back that was believed and could not be kept, so that it may come again.
    pub(crate) fn release(&self, check_id: &str, stage: Stage) {
        if let Some(entry) = lock(&self.by_id).peek_mut(check_id) {
            match stage {
                Stage::Start => entry.started = false,
                Stage::End => entry.ended = false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(tool: &str) -> Issued {
        Issued {
            key_id: "key_1".to_owned(),
            agent_id: "agt_1".to_owned(),
            session_id: String::new(),
            tool: tool.to_owned(),
        }
    }

    #[test]
    fn report_is_believed_once_and_only_for_what_was_checked() {
        let checks = Checks::default();
        checks.remember("chk_1".to_owned(), issued("search"));
        assert!(!checks.verify("chk_2", &issued("search"), Stage::End));
        assert!(!checks.verify("chk_1", &issued("delete"), Stage::End));
        assert!(checks.verify("chk_1", &issued("search"), Stage::Start));
        assert!(checks.verify("chk_1", &issued("search"), Stage::End));
        assert!(!checks.verify("chk_1", &issued("search"), Stage::End));
        checks.release("chk_1", Stage::End);
        assert!(checks.verify("chk_1", &issued("search"), Stage::End));
        assert!(!checks.verify("chk_1", &issued("search"), Stage::Start));
    }
}
