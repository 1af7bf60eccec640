//! What `@shadow` policies would change, without changing it.

use std::collections::BTreeSet;

use super::decide::{Question, Rules, unaskable, verdict};
use super::facts::AuthorizationRequest;
use super::verdict::Verdict;

/// What the answer to a call would be if `@shadow` policies were enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shadow {
    /// The answer with all of them enforced.
    pub verdict: Verdict,
    /// The ids of those that would change the answer, each enforced alone, sorted: from one of allowed,
    /// held and denied to another, or the terms of an approval.
    pub changed_by: Vec<String>,
}

/// What `shadow` would change about what `enforced` says.
pub(super) fn shadow(enforced: &Rules, shadow: &Rules, facts: &AuthorizationRequest<'_>) -> Shadow {
    weigh(enforced, shadow, facts)
        .unwrap_or_else(|problem| Shadow { verdict: unaskable(&problem), changed_by: Vec::new() })
}

fn weigh(
    enforced: &Rules,
    shadow: &Rules,
    facts: &AuthorizationRequest<'_>,
) -> Result<Shadow, String> {
    let question = Question::new(facts)?;
    let (plain, approved) = (enforced.ask(&question, false)?, enforced.ask(&question, true)?);
    let (more, more_approved) = (shadow.ask(&question, false)?, shadow.ask(&question, true)?);
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
