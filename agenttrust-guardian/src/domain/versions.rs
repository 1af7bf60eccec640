//! What an agent could do when something was issued to it. A token or session that lives narrows with its agent
//! and never widens: it reaches what the agent had at every moment since it was issued.

use agenttrust::model::CapabilitySet;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};

/// The number of earlier sets of capabilities that are remembered. With one more the two oldest become one, the
/// narrower.
const REMEMBERED: usize = 16;

/// The numbers of an agent's capabilities, with the earlier ones that what was issued before may still reach.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Versions {
    /// The number of the capabilities that it has now.
    pub(crate) now: i64,
    /// The earlier sets, oldest first; empty for what reaches all that the agent does.
    past: Vec<Past>,
}

#[derive(Clone, Debug, PartialEq)]
struct Past {
    /// The last version of this set, which begins behind that of the set before.
    until: i64,
    /// The capabilities that are left of it.
    left: CapabilitySet,
}

/// The form in which it is kept.
#[derive(Deserialize, Serialize)]
struct Kept {
    until: i64,
    left: Vec<String>,
}

impl Default for Versions {
    fn default() -> Self {
        Self { now: 1, past: Vec::new() }
    }
}

impl Versions {
    /// Reads what [`past`](Self::past) wrote.
    pub(crate) fn parse(now: i64, past: &str) -> Result<Self, serde_json::Error> {
        let kept: Vec<Kept> = serde_json::from_str(past)?;
        let past = kept.into_iter().map(|Kept { until, left }| {
            let left = CapabilitySet::share(left.into()).map_err(serde_json::Error::custom)?;
            Ok(Past { until, left })
        });
        Ok(Self { now, past: past.collect::<Result<_, serde_json::Error>>()? })
    }

    /// Returns what is remembered, as it is kept.
    pub(crate) fn past(&self) -> String {
        let kept = |past: &Past| Kept { until: past.until, left: past.left.as_slice().to_vec() };
        // Numbers and lists of names always serialise.
        serde_json::to_string(&self.past.iter().map(kept).collect::<Vec<_>>()).unwrap_or_default()
    }

    /// Returns what limits what was issued under this number, beside the capabilities that the agent has now.
    pub(crate) fn limit(&self, issued: i64) -> Option<&CapabilitySet> {
        self.past.iter().find(|past| issued <= past.until).map(|past| &past.left)
    }

    /// Returns the same once an agent that had `before` has `after`.
    pub(crate) fn followed_by(self, before: &CapabilitySet, after: &CapabilitySet) -> Self {
        if before == after {
            return self;
        }
        let Self { now, mut past } = self;
        past.push(Past { until: now, left: before.clone() });
        for one in &mut past {
            one.left = one.left.in_common_with(after);
        }
        let mut kept: Vec<Past> = Vec::with_capacity(past.len());
        for one in past {
            match kept.last_mut() {
                Some(last) if last.left == one.left => last.until = one.until,
                _ => kept.push(one),
            }
        }
        // What is all that the agent has is no limit.
        kept.retain(|one| !one.left.covers_all_of(after));
        if let (true, [oldest, next, ..]) = (kept.len() > REMEMBERED, kept.as_mut_slice()) {
            next.left = oldest.left.clone();
            kept.remove(0);
        }
        Self { now: now.saturating_add(1), past: kept }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> CapabilitySet {
        CapabilitySet::parse(names).unwrap()
    }

    /// Returns the versions of an agent that had these capabilities one after the other.
    fn after(each: &[&[&str]]) -> Versions {
        each.windows(2).fold(Versions::default(), |versions, two| {
            versions.followed_by(&set(two[0]), &set(two[1]))
        })
    }

    #[test]
    fn what_was_lost_stays_lost_and_what_is_gained_is_for_what_comes_after() {
        let versions =
            after(&[&["files:*"], &["files:read"], &["files:*"], &["files:*", "refund"]]);
        assert_eq!(versions.now, 4);
        let limit = |issued| versions.limit(issued).map(|limit| limit.as_slice().to_vec());
        assert_eq!(limit(1), Some(vec!["files:read".to_owned()]));
        assert_eq!(limit(2), Some(vec!["files:read".to_owned()]));
        assert_eq!(limit(3), Some(vec!["files:*".to_owned()]));
        assert_eq!(limit(4), None);
        assert_eq!(Versions::parse(versions.now, &versions.past()).unwrap(), versions);
    }

    #[test]
    fn an_agent_that_only_loses_leaves_nothing_to_remember() {
        let versions = after(&[&["*"], &["files:*", "refund"], &["files:*"], &[]]);
        assert_eq!((versions.now, versions.past().as_str()), (4, "[]"));
        // And what it gains then none of them has.
        let versions = versions.followed_by(&set(&[]), &set(&["*"]));
        assert!((1..=4).all(|issued| versions.limit(issued).unwrap().is_empty()));
        assert!(versions.limit(5).is_none());
    }

    #[test]
    fn the_same_capabilities_in_another_order_are_no_version() {
        assert_eq!(after(&[&["a", "b"], &["b", "a"]]), Versions::default());
    }

    #[test]
    fn as_much_is_remembered_as_there_is_room_for_and_what_is_forgotten_never_widens() {
        let names: Vec<String> = (0..40).map(|n| format!("tool_{n}")).collect();
        let mut versions = Versions::default();
        for count in 1..names.len() {
            let set = |names: &[String]| CapabilitySet::parse(names).unwrap();
            versions = versions.followed_by(&set(&names[..count]), &set(&names[..=count]));
            assert!(versions.past.len() <= REMEMBERED);
        }
        for (issued, had) in (1..).zip(1..names.len()) {
            let limit = versions.limit(issued).unwrap();
            assert!(limit.covers("tool_0") && !limit.covers(&names[had]), "{issued}: {limit:?}");
        }
        assert_eq!(versions.limit(39).unwrap().as_slice().len(), 39, "the newest are kept whole");
    }
}
