//! The decision: deny beats elevate beats allow.

use std::collections::BTreeMap;

use cedar_policy::{AuthorizationError, Authorizer, Entities, PolicyId, Request};

use super::annotations::Rate;
use super::facts::Facts;
use super::verdict::{Limit, Terms, Verdict};

/// How many policies a reason spells out; all of them are in the verdict's list.
const MAX_REASONS: usize = 3;

/// Policies that are asked together.
///
/// Cedar answers one question about one set and, once a `forbid` matches, no longer tells which
/// `permit`s did. Kept apart, each half tells everything that matched in it.
#[derive(Clone, Default)]
pub(super) struct Rules {
    pub(super) forbids: cedar_policy::PolicySet,
    pub(super) permits: cedar_policy::PolicySet,
    pub(super) notes: BTreeMap<PolicyId, Note>,
}

/// What the annotations of a policy say, beside its id.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) reason: Option<String>,
    /// `Some` when the policy is `@elevate`.
    pub(super) terms: Option<Terms>,
    pub(super) limit: Option<Rate>,
}

impl Rules {
    pub(super) fn decide(&self, facts: &Facts<'_>) -> Verdict {
        let entities = match facts.entities() {
            Ok(entities) => entities,
            Err(problem) => return unaskable(&problem),
        };
        let first = match self.ask(facts, &entities, false) {
            Ok(answers) => answers,
            Err(problem) => return unaskable(&problem),
        };
        if let Some(denial) = first.denial() {
            return denial;
        }
        let holding: Vec<&Match<'_>> =
            first.forbids.iter().chain(&first.permits).filter(|m| m.holds()).collect();
        if holding.is_empty() {
            return first.allow_or_unmatched(facts);
        }
        match self.approved(facts, &entities) {
            Verdict::Allow { limits, .. } => Verdict::Hold {
                limits,
                terms: holding
                    .iter()
                    .filter_map(|m| m.note.terms)
                    .reduce(Terms::strictest)
                    .unwrap_or_default(),
                policies: ids(holding.iter().copied()),
                reason: explain("held", holding.iter().copied()),
            },
            Verdict::Deny { policies, reason } | Verdict::Hold { policies, reason, .. } => {
                Verdict::Deny {
                    policies,
                    reason: format!("{reason} (an approval would not change that)"),
                }
            }
        }
    }

    pub(super) fn decide_approved(&self, facts: &Facts<'_>) -> Verdict {
        match facts.entities() {
            Ok(entities) => self.approved(facts, &entities),
            Err(problem) => unaskable(&problem),
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.notes.keys().map(AsRef::as_ref)
    }

    fn approved(&self, facts: &Facts<'_>, entities: &Entities) -> Verdict {
        match self.ask(facts, entities, true) {
            // A `forbid` that holds is switched off by the approval, so only the others deny.
            Ok(answers) => answers.denial().unwrap_or_else(|| answers.allow_or_unmatched(facts)),
            Err(problem) => unaskable(&problem),
        }
    }

    fn ask(
        &self,
        facts: &Facts<'_>,
        entities: &Entities,
        approved: bool,
    ) -> Result<Answers<'_>, String> {
        let request = facts.request(approved)?;
        let (forbids, broken_forbids) = self.matches(&self.forbids, &request, entities)?;
        let (permits, broken_permits) = self.matches(&self.permits, &request, entities)?;
        Ok(Answers { forbids, broken_forbids, permits, broken_permits })
    }

    fn matches(
        &self,
        half: &cedar_policy::PolicySet,
        request: &Request,
        entities: &Entities,
    ) -> Result<(Vec<Match<'_>>, Vec<Broken>), String> {
        if half.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let response = Authorizer::new().is_authorized(request, half, entities);
        let mut matched = Vec::new();
        for id in response.diagnostics().reason() {
            // Every policy of both halves has a note; one without would be a bug that must not permit.
            let Some((id, note)) = self.notes.get_key_value(id) else {
                return Err(format!("policy `{id}` matched but is not on record"));
            };
            matched.push(Match { id: id.as_ref(), note });
        }
        // Cedar's order is that of a hash map; reasons and the audit should not change from run to run.
        matched.sort_by_key(|m| m.id);
        let mut broken: Vec<Broken> = response
            .diagnostics()
            .errors()
            .map(|AuthorizationError::PolicyEvaluationError(error)| Broken {
                id: error.policy_id().to_string(),
                problem: error.inner().to_string(),
                binds: self.notes.get(error.policy_id()).map_or(
                    // One that is not on record might hold.
                    Some("asks for approval"),
                    |note| match note {
                        Note { terms: Some(_), .. } => Some("asks for approval"),
                        Note { limit: Some(_), .. } => Some("limits how often it permits"),
                        Note { .. } => None,
                    },
                ),
            })
            .collect();
        broken.sort_by(|a, b| a.id.cmp(&b.id));
        Ok((matched, broken))
    }
}

/// Everything that matched, or could not be evaluated, in both halves.
struct Answers<'a> {
    forbids: Vec<Match<'a>>,
    broken_forbids: Vec<Broken>,
    permits: Vec<Match<'a>>,
    broken_permits: Vec<Broken>,
}

/// A policy that applies to this call.
struct Match<'a> {
    id: &'a str,
    note: &'a Note,
}

impl Match<'_> {
    fn holds(&self) -> bool {
        self.note.terms.is_some()
    }

    fn limit(&self) -> Option<Limit> {
        let Rate { most, within, per } = self.note.limit?;
        Some(Limit { policy: self.id.to_owned(), most, within, per })
    }
}

/// A policy that could not be evaluated for this call.
struct Broken {
    id: String,
    problem: String,
    /// What it does beside permitting, which leaving it out would lift.
    binds: Option<&'static str>,
}

impl Answers<'_> {
    /// The denial that no approval lifts: by a `forbid` without `@elevate`, by one that may apply but
    /// could not be evaluated, or by a permit with `@elevate` or `@limit` that could not be, because
    /// leaving it out would lift its hold or its limit.
    fn denial(&self) -> Option<Verdict> {
        let firm = || self.forbids.iter().filter(|m| !m.holds());
        let broken_binds = || self.broken_permits.iter().filter(|broken| broken.binds.is_some());
        if firm().next().is_none()
            && self.broken_forbids.is_empty()
            && broken_binds().next().is_none()
        {
            return None;
        }
        let mut policies = ids(firm());
        let broken = self.broken_forbids.iter().chain(broken_binds());
        policies.extend(broken.map(|broken| broken.id.clone()));
        policies.sort();
        let mut parts = Vec::new();
        if firm().next().is_some() {
            parts.push(explain("denied", firm()));
        }
        let mut tell = |verb: &str, Broken { id, problem, .. }: &Broken| {
            parts.push(format!(
                "denied because policy `{id}` {verb} and could not be evaluated: {problem}"
            ));
        };
        self.broken_forbids.iter().take(MAX_REASONS).for_each(|broken| tell("forbids", broken));
        broken_binds()
            .take(MAX_REASONS)
            .for_each(|broken| tell(broken.binds.unwrap_or_default(), broken));
        Some(Verdict::Deny { policies, reason: parts.join("; ") })
    }

    fn allow_or_unmatched(&self, facts: &Facts<'_>) -> Verdict {
        if !self.permits.is_empty() {
            return Verdict::Allow {
                policies: ids(self.permits.iter()),
                reason: explain("allowed", self.permits.iter()),
                limits: self.permits.iter().filter_map(Match::limit).collect(),
            };
        }
        let mut reason = format!("no policy permits this {} call", facts.effect);
        for Broken { id, problem, .. } in self.broken_permits.iter().take(MAX_REASONS) {
            reason.push_str(&format!("; policy `{id}` could not be evaluated: {problem}"));
        }
        Verdict::Deny { policies: Vec::new(), reason }
    }
}

fn ids<'a>(matches: impl Iterator<Item = &'a Match<'a>>) -> Vec<String> {
    let mut ids: Vec<String> = matches.map(|m| m.id.to_owned()).collect();
    ids.sort();
    ids
}

/// ``held by policy `a`: its reason; policy `b` ``.
fn explain<'a>(verb: &str, matches: impl Iterator<Item = &'a Match<'a>>) -> String {
    let mut parts: Vec<String> = matches
        .map(|m| match &m.note.reason {
            Some(reason) => format!("policy `{}`: {reason}", m.id),
            None => format!("policy `{}`", m.id),
        })
        .collect();
    if parts.len() > MAX_REASONS {
        let more = parts.len() - MAX_REASONS;
        parts.truncate(MAX_REASONS);
        parts.push(format!("and {more} more"));
    }
    format!("{verb} by {}", parts.join("; "))
}

fn unaskable(problem: &str) -> Verdict {
    Verdict::Deny {
        policies: Vec::new(),
        reason: format!("the policies could not be asked about this call: {problem}"),
    }
}
