//! Coverage: what happened in all lives of a trial; one in which nothing was approved proves nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use agenttrust::model::ApprovalStatus;
use agenttrust_testkit::is_long;

use super::model::{Act, Denial, KeyHolder, Said};

/// The number of times that each answer was given.
pub(super) struct Coverage(Mutex<BTreeMap<&'static str, u64>>);

/// The answers that a long trial must have seen, and how often.
const NEEDED: [(&str, u64); 10] = [
    ("held", 200),
    ("allowed", 40),
    ("denied by a decision", 20),
    ("denied to a revoked agent", 10),
    ("approved", 40),
    ("vote counted", 100),
    ("own request refused", 5),
    ("late decision refused", 50),
    ("revoked key refused", 20),
    ("input shown", 10),
];

impl Coverage {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Counts the answer to a step.
    pub(super) fn count(&self, act: &Act, said: &Said) {
        let what = match (act, said) {
            (_, Said::Held(_)) => "held",
            (_, Said::Allowed(_)) => "allowed",
            (_, Said::Denied(Denial::Standing(_))) => "denied by a decision",
            (_, Said::Denied(Denial::TooManyDenials)) => "denied after three decisions",
            (_, Said::Denied(Denial::TooManyPending)) => "denied with twenty pending",
            (_, Said::Denied(Denial::Revoked)) => "denied to a revoked agent",
            (_, Said::Status(ApprovalStatus::Pending, _)) => "vote counted",
            (_, Said::Status(ApprovalStatus::Denied, Some(_))) => "denied",
            (_, Said::Status(_, Some(_))) => "approved",
            (_, Said::Status(_, None)) => "said again",
            (
                Act::Decide { who: KeyHolder::Admin | KeyHolder::Operator(_), .. },
                Said::Refused(403),
            ) => "own request refused",
            (Act::Decide { .. }, Said::Refused(401)) => "revoked key refused",
            (Act::Decide { .. }, Said::Refused(409)) => "late decision refused",
            (Act::Disclose { .. }, Said::Done) => "input shown",
            (_, Said::Done) => "revoked",
            (_, Said::Refused(_)) => "refused",
        };
        *self.0.lock().unwrap().entry(what).or_default() += 1;
    }

    /// Fails if too little happened for the trial to mean anything.
    pub(super) fn must_mean_something(&self) {
        let coverage = self.0.lock().unwrap();
        for (what, times) in NEEDED {
            // In a short one only what happens all the time is sure to happen.
            let times = if is_long() { times } else { times / 50 };
            let seen = coverage.get(what).copied().unwrap_or(0);
            assert!(seen >= times, "{what}: {seen} times only: {coverage:?}");
        }
    }
}

impl fmt::Debug for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lock().unwrap().fmt(f)
    }
}
