//! What `@shadow` policies would change, without changing it.

use std::collections::BTreeSet;

use super::decide::{PreparedRequest, Rules, unaskable, verdict};
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

/// Returns what `shadow` would change about what `enforced` says.
pub(super) fn shadow(enforced: &Rules, shadow: &Rules, facts: &AuthorizationRequest<'_>) -> Shadow {
    weigh(enforced, shadow, facts)
        .unwrap_or_else(|problem| Shadow { verdict: unaskable(&problem), changed_by: Vec::new() })
}

fn weigh(
    enforced: &Rules,
    shadow: &Rules,
    facts: &AuthorizationRequest<'_>,
) -> Result<Shadow, String> {
    let prepared = PreparedRequest::new(facts)?;
    let (plain, approved) = (enforced.ask(&prepared, false)?, enforced.ask(&prepared, true)?);
    let (more, more_approved) = (shadow.ask(&prepared, false)?, shadow.ask(&prepared, true)?);
    let with = |wanted: &dyn Fn(&str) -> bool| {
        verdict(facts, &plain.with(&more, wanted), || Ok(approved.with(&more_approved, wanted)))
    };
    let now = with(&|_| false)?;
    let candidates: BTreeSet<&str> = more.ids().chain(more_approved.ids()).collect();
    let mut changed_by = Vec::new();
    for id in candidates {
        if differs(&now, &with(&|other| other == id)?) {
            changed_by.push(id.to_owned());
        }
    }
    Ok(Shadow { verdict: with(&|_| true)?, changed_by })
}

fn differs(now: &Verdict, then: &Verdict) -> bool {
    match (now, then) {
        (Verdict::Hold { terms: now, .. }, Verdict::Hold { terms: then, .. }) => now != then,
        _ => now.as_str() != then.as_str(),
    }
}
