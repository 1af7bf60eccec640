//! Annotations: which there are, what their values may be, and which make sense together.

use std::time::Duration;

use cedar_policy::Effect;

use super::verdict::{ApprovalRequirements, Limit, Per};
use crate::domain::duration;
use crate::domain::numbers::digits;
use crate::domain::spelling::nearest;

/// Every annotation that means something here.
const KNOWN: [&str; 9] =
    ["id", "reason", "elevate", "quorum", "window", "single_use", "pending", "limit", "shadow"];

/// The largest length of an `@id` or a `@reason`, in characters: both travel in answers.
const MAX_ID_CHARS: usize = 100;
const MAX_REASON_CHARS: usize = 400;

const MAX_QUORUM: u32 = 20;
/// The longest `@window`, `@pending` and time of a `@limit`.
const MAX_TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const MAX_LIMIT: u32 = 1_000_000;

/// The annotations of one policy, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Annotations {
    pub(super) id: Option<String>,
    pub(super) reason: Option<String>,
    /// `Some` when the policy is `@elevate`.
    pub(super) terms: Option<ApprovalRequirements>,
    pub(super) limit: Option<Rate>,
    pub(super) shadow: bool,
}

/// The rate that `@limit` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) max_calls: u32,
    pub(super) window: Duration,
    pub(super) per: Per,
}

impl Rate {
    /// Returns the limit of the policy with this id.
    pub(super) fn to_limit(self, policy: &str) -> Limit {
        let Self { max_calls, window, per } = self;
        Limit { policy: policy.to_owned(), max_calls, window, per, giver: None }
    }
}

impl Annotations {
    /// Reads the annotations of one policy, which permits or forbids.
    ///
    /// # Errors
    ///
    /// A sentence, without a place, when one is unknown, has a bad value, or means nothing here.
    pub(super) fn parse<'a>(
        policy: Effect,
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, String> {
        let mut read = Self::default();
        let (mut elevate, mut single_use) = (false, false);
        let (mut quorum, mut window, mut pending) = (None, None, None);
        // Cedar itself refuses a policy that gives one annotation twice.
        for (name, value) in pairs {
            match name {
                "id" => read.id = Some(text(name, value, MAX_ID_CHARS)?),
                "reason" => read.reason = Some(text(name, value, MAX_REASON_CHARS)?),
                "elevate" => elevate = flag(name, value)?,
                "single_use" => single_use = flag(name, value)?,
                "shadow" => read.shadow = flag(name, value)?,
                "quorum" => quorum = Some(count(value)?),
                "window" => window = Some(time(name, value)?),
                "pending" => pending = Some(time(name, value)?),
                "limit" => read.limit = Some(rate(value)?),
                unknown => return Err(unknown_annotation(unknown)),
            }
        }
        if elevate {
            read.terms = Some(ApprovalRequirements {
                quorum: quorum.unwrap_or(1),
                window,
                single_use: single_use || window.is_none(),
                pending,
            });
        } else if let Some(idle) = [
            quorum.map(|_| "quorum"),
            window.map(|_| "window"),
            single_use.then_some("single_use"),
            pending.map(|_| "pending"),
        ]
        .into_iter()
        .flatten()
        .next()
        {
            return Err(format!(
                "`@{idle}` does nothing without `@elevate`; add `@elevate`, or remove `@{idle}`"
            ));
        }
        if policy == Effect::Forbid && read.limit.is_some() {
            return Err("`@limit` says how often a `permit` permits, and this is a `forbid`; put it on the \
                        `permit`, or remove it"
                .to_owned());
        }
        Ok(read)
    }
}

fn text(name: &str, value: &str, max_chars: usize) -> Result<String, String> {
    if value.trim().is_empty() {
        return Err(format!("`@{name}` is empty; write `@{name}(\"…\")`, or remove it"));
    }
    if value.chars().any(char::is_control) {
        return Err(format!(
            "`@{name}` holds a control character; keep it on one line of plain text"
        ));
    }
    if value.chars().count() > max_chars {
        return Err(format!("`@{name}` is longer than {max_chars} characters; shorten it"));
    }
    Ok(value.to_owned())
}

fn flag(name: &str, value: &str) -> Result<bool, String> {
    if value.is_empty() {
        Ok(true)
    } else {
        Err(format!("`@{name}` takes no value; write `@{name}` to switch it on, or remove it"))
    }
}

fn count(value: &str) -> Result<u32, String> {
    let count = digits(value).and_then(|count| u32::try_from(count).ok());
    count.filter(|count| (1..=MAX_QUORUM).contains(count)).ok_or_else(|| {
        format!(
            "`@quorum({value:?})` is not a number of approvers; write one from 1 to {MAX_QUORUM}, as in \
             `@quorum(\"2\")`"
        )
    })
}

fn time(name: &str, value: &str) -> Result<Duration, String> {
    span(value).ok_or_else(|| {
        format!(
            "`@{name}({value:?})` is not a time span; write a whole number and s, m, h or d, from \"1s\" \
             to \"30d\", as in `@{name}(\"10m\")`"
        )
    })
}

fn rate(value: &str) -> Result<Rate, String> {
    let read = || {
        let (rate, per) = match value.split_once(" per ") {
            None => (value, Per::Agent),
            Some((rate, "agent")) => (rate, Per::Agent),
            Some((rate, "session")) => (rate, Per::Session),
            Some(_) => return None,
        };
        let (most, within) = rate.split_once('/')?;
        let most = digits(most)?.try_into().ok().filter(|most| (1..=MAX_LIMIT).contains(most))?;
        Some(Rate { max_calls: most, window: span(within)?, per })
    };
    read().ok_or_else(|| {
        format!(
            "`@limit({value:?})` is not a number of calls (1 to {MAX_LIMIT}) in a time span (\"1s\" to \
             \"30d\"); write it as in `@limit(\"60/1m\")`, which counts for each agent, or \
             `@limit(\"60/1m per session\")`"
        )
    })
}

/// Returns a whole number and `s`, `m`, `h` or `d`: from one second to [`MAX_TIME`].
fn span(text: &str) -> Option<Duration> {
    duration::parse(text, &duration::UNITS, MAX_TIME)
}

fn unknown_annotation(name: &str) -> String {
    match nearest(name, KNOWN) {
        Some(known) => format!("unknown annotation `@{name}`; did you mean `@{known}`?"),
        None => format!("unknown annotation `@{name}`; known are @{}", KNOWN.join(", @")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(pairs: &[(&str, &str)]) -> Result<Annotations, String> {
        Annotations::parse(Effect::Permit, pairs.iter().copied())
    }

    #[test]
    fn a_bare_elevate_is_one_approver_and_one_use() {
        assert_eq!(
            parsed(&[("elevate", "")]).unwrap().terms,
            Some(ApprovalRequirements::default())
        );
    }

    #[test]
    fn elevation_terms_are_read() {
        let minutes = |n: u64| Some(Duration::from_secs(n * 60));
        for (pairs, terms) in [
            (
                vec![("window", "10m")],
                ApprovalRequirements {
                    quorum: 1,
                    window: minutes(10),
                    single_use: false,
                    pending: None,
                },
            ),
            (
                vec![("window", "1h"), ("single_use", "")],
                ApprovalRequirements { window: minutes(60), ..ApprovalRequirements::default() },
            ),
            (
                vec![("quorum", "2"), ("window", "30d")],
                ApprovalRequirements {
                    quorum: 2,
                    window: minutes(30 * 24 * 60),
                    single_use: false,
                    pending: None,
                },
            ),
            (
                vec![("quorum", "20")],
                ApprovalRequirements { quorum: 20, ..ApprovalRequirements::default() },
            ),
            (
                vec![("pending", "2h")],
                ApprovalRequirements { pending: minutes(120), ..ApprovalRequirements::default() },
            ),
        ] {
            let pairs: Vec<_> = pairs.into_iter().chain([("elevate", "")]).collect();
            assert_eq!(parsed(&pairs).unwrap().terms, Some(terms), "{pairs:?}");
        }
    }

    #[test]
    fn a_bad_value_is_refused_with_what_to_write() {
        for pair in [
            ("quorum", ""),
            ("quorum", "0"),
            ("quorum", "21"),
            ("quorum", "two"),
            ("quorum", "+2"),
            ("window", ""),
            ("window", "0s"),
            ("window", "10"),
            ("window", "m"),
            ("window", "10mm"),
            ("window", "31d"),
            ("window", "-1m"),
            ("window", "1.5h"),
            ("window", "99999999999999999999d"),
            ("window", "10 m"),
            ("window", "10é"),
            ("pending", ""),
            ("pending", "0m"),
            ("pending", "31d"),
            ("pending", "2 h"),
            ("limit", ""),
            ("limit", "60"),
            ("limit", "0/1m"),
            ("limit", "60/0m"),
            ("limit", "1000001/1m"),
            ("limit", "4294967297/1m"),
            ("limit", "60/31d"),
            ("limit", "-1/1m"),
            ("limit", "60/1m per tool"),
            ("limit", "60/1m per session "),
            ("limit", "60/1m  per session"),
            ("limit", "60 / 1m"),
            ("limit", "60/1m/1m"),
            ("elevate", "true"),
            ("shadow", "no"),
            ("single_use", "1"),
            ("id", ""),
            ("id", " "),
            ("id", "a\nb"),
            ("reason", ""),
            ("reason", "\u{7}"),
        ] {
            let error = parsed(&[("elevate", ""), pair]).or_else(|_| parsed(&[pair])).unwrap_err();
            assert!(error.contains(&format!("`@{}", pair.0)), "{error}");
        }
        assert!(parsed(&[("id", &"é".repeat(101))]).is_err());
    }

    #[test]
    fn an_unknown_annotation_is_refused_with_the_nearest_one() {
        for (typo, meant) in [
            ("elevte", "elevate"),
            ("Elevate", "elevate"),
            ("reasons", "reason"),
            ("singleuse", "single_use"),
            ("ID", "id"),
        ] {
            let error = parsed(&[(typo, "")]).unwrap_err();
            assert!(error.ends_with(&format!("did you mean `@{meant}`?")), "{error}");
        }
        let error = parsed(&[("documentation", "")]).unwrap_err();
        assert!(error.contains("known are @id, @reason"), "{error}");
    }

    #[test]
    fn a_limit_is_a_count_in_a_time_for_each_agent_or_session() {
        let seconds = Duration::from_secs;
        for (value, max_calls, window, per) in [
            ("60/1m", 60, seconds(60), Per::Agent),
            ("60/1m per agent", 60, seconds(60), Per::Agent),
            ("1/30d per session", 1, seconds(30 * 24 * 3_600), Per::Session),
            ("1000000/1s", 1_000_000, seconds(1), Per::Agent),
        ] {
            assert_eq!(
                parsed(&[("limit", value)]).unwrap().limit,
                Some(Rate { max_calls, window, per })
            );
        }
    }

    #[test]
    fn a_limit_belongs_on_a_permit() {
        let limit = [("limit", "60/1m")];
        let error = Annotations::parse(Effect::Forbid, limit.into_iter()).unwrap_err();
        assert!(error.contains("put it on the `permit`"), "{error}");
    }

    #[test]
    fn an_annotation_that_would_do_nothing_is_refused() {
        for pair in [("quorum", "2"), ("window", "10m"), ("single_use", ""), ("pending", "2h")] {
            let error = parsed(&[pair]).unwrap_err();
            assert!(error.contains("does nothing without `@elevate`"), "{error}");
        }
    }
}
