//! What `@shadow` policies would change, without changing it.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::{Outcome, PreparedRequest, Rules, Weight, unaskable, verdict};
use super::delegation;
use super::facts::AuthorizationRequest;
use super::verdict::Verdict;

/// The answer that a call would get if `@shadow` policies were enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shadow {
    /// The answer with all of them enforced.
    pub verdict: Verdict,
    /// The ids of those that would change the answer, each enforced alone, sorted: from one of allowed,
    /// held and denied to another, or the terms of an approval.
    pub changed_by: Vec<String>,
}

/// Returns what `shadow` would change about what `enforced` says: of a call under a delegation, about the strictest of
/// what is said of its agent and of each that gave.
pub(super) fn shadow(enforced: &Rules, shadow: &Rules, facts: &AuthorizationRequest<'_>) -> Shadow {
    let mut all = Vec::new();
    let verdict = delegation::strictest(facts, |facts| {
        let (weighed, verdict) = Weighed::of(enforced, shadow, facts)
            .unwrap_or_else(|problem| (Weighed::denied(), unaskable(&problem)));
        all.push(weighed);
        verdict
    });
    let outcome = |id: Option<&str>| {
        all.iter().map(|weighed| weighed.outcome(id)).fold(Outcome::Allow, Outcome::strictest)
    };
    let now = outcome(None);
    let ids: BTreeSet<&String> = all.iter().flat_map(|weighed| weighed.alone.keys()).collect();
    let changed_by = ids.into_iter().filter(|id| outcome(Some(id)) != now).cloned().collect();
    Shadow { verdict, changed_by }
}

/// The weight of what matches one call, as it is and once it is approved: what is added is looked up for each
/// `@shadow` policy, so that many of them cost no more than their number.
struct Weighed {
    enforced: (Weight, Weight),
    /// The weight of each `@shadow` policy.
    alone: BTreeMap<String, (Weight, Weight)>,
}

impl Weighed {
    /// Returns the weights of a call, and the verdict on it with all `@shadow` policies enforced.
    fn of(
        enforced: &Rules,
        shadow: &Rules,
        facts: &AuthorizationRequest<'_>,
    ) -> Result<(Self, Verdict), String> {
        let prepared = PreparedRequest::new(facts)?;
        let (plain, approved) = (enforced.ask(&prepared, false)?, enforced.ask(&prepared, true)?);
        let (more, more_approved) = (shadow.ask(&prepared, false)?, shadow.ask(&prepared, true)?);
        let mut alone: BTreeMap<String, (Weight, Weight)> = BTreeMap::new();
        for (id, weight) in more.weights() {
            let (plain, _) = alone.entry(id.to_owned()).or_default();
            *plain = plain.with(weight);
        }
        for (id, weight) in more_approved.weights() {
            let (_, approved) = alone.entry(id.to_owned()).or_default();
            *approved = approved.with(weight);
        }
        let weighed = Self { enforced: (plain.weight(), approved.weight()), alone };
        let verdict = verdict(facts, &plain.with(more), || Ok(approved.with(more_approved)))?;
        Ok((weighed, verdict))
    }

    /// Returns the weights of a call about which the policies cannot be asked.
    fn denied() -> Self {
        Self { enforced: (Weight::DENIES, Weight::DENIES), alone: BTreeMap::new() }
    }

    /// Returns the outcome with the `@shadow` policy of this id enforced, or with none of them.
    fn outcome(&self, id: Option<&str>) -> Outcome {
        let (plain, approved) = self.enforced;
        let alone = id.and_then(|id| self.alone.get(id)).copied();
        let (more, more_approved) = alone.unwrap_or_default();
        Outcome::of(plain.with(more), approved.with(more_approved))
    }
}
