//! The decision: deny beats elevate beats allow.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use cedar_policy::{AuthorizationError, Authorizer, Effect, Entities, EntityUid, Policy, PolicyId};

use super::annotations::Rate;
use super::facts::AuthorizationRequest;
use super::index::Index;
use super::quorum::{Demand, Demanded, Hold};
use super::verdict::{ApprovalRequirements, Limit, Verdict};

/// The number of policies that a reason spells out; all of them are in the verdict's list.
const MAX_REASONS: usize = 3;

/// Policies that are asked together.
///
/// Cedar answers one question about one set and, once a `forbid` matches, no longer tells which
/// `permit`s did. Kept apart, each half tells everything that matched in it.
#[derive(Default)]
pub(super) struct Rules {
    forbids: Index,
    permits: Index,
    attributes: BTreeMap<PolicyId, PolicyAttributes>,
    /// The demands for several approvers.
    demands: Vec<Demand>,
}

/// The facts about a policy that a decision needs beside its id, most of them from the annotations.
#[derive(Clone, Debug)]
pub(super) struct PolicyAttributes {
    pub(super) reason: Option<String>,
    /// `Some` when the policy is `@elevate`.
    pub(super) terms: Option<ApprovalRequirements>,
    pub(super) limit: Option<Rate>,
    /// Whether the policy applies to nothing but evaluations of AuthZEN.
    pub(super) of_evaluations: bool,
}

/// An authorization request, with the principals and the resource that Cedar is given for it.
pub(super) struct PreparedRequest<'a> {
    pub(super) facts: &'a AuthorizationRequest<'a>,
    principals: Vec<EntityUid>,
    resource: EntityUid,
    /// The entities, made when Cedar is asked: for many calls it is not.
    entities: OnceCell<Entities>,
}

impl<'a> PreparedRequest<'a> {
    pub(super) fn new(facts: &'a AuthorizationRequest<'a>) -> Result<Self, String> {
        facts.askable()?;
        Ok(Self {
            facts,
            principals: facts.principals()?,
            resource: facts.resource()?,
            entities: OnceCell::new(),
        })
    }

    fn entities(&self) -> Result<&Entities, String> {
        if let Some(entities) = self.entities.get() {
            return Ok(entities);
        }
        let entities = self.facts.entities()?;
        Ok(self.entities.get_or_init(|| entities))
    }
}

impl Rules {
    /// Adds a policy, whose id must be new.
    pub(super) fn add(
        &mut self,
        policy: &Policy,
        attributes: PolicyAttributes,
    ) -> Result<(), String> {
        let half = match policy.effect() {
            Effect::Permit => &mut self.permits,
            Effect::Forbid => &mut self.forbids,
        };
        half.add(policy)?;
        self.demands.extend(Demand::of(policy, attributes.terms));
        self.attributes.insert(policy.id().clone(), attributes);
        Ok(())
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.attributes.keys().map(AsRef::as_ref)
    }

    /// Returns what those take together that ask for several approvers and may hold this.
    pub(super) fn demanded(&self, hold: Hold<'_>) -> Option<Demanded> {
        let found = self.demands.iter().filter_map(|demand| demand.on(hold));
        found.reduce(|mut all, one| {
            all.join(one);
            all
        })
    }

    pub(super) fn decide(&self, facts: &AuthorizationRequest<'_>) -> Verdict {
        let decided = PreparedRequest::new(facts).and_then(|prepared| {
            let plain = self.ask(&prepared, false)?;
            verdict(facts, &plain, || self.ask(&prepared, true))
        });
        decided.unwrap_or_else(|problem| unaskable(&problem))
    }

    pub(super) fn decide_approved(&self, facts: &AuthorizationRequest<'_>) -> Verdict {
        PreparedRequest::new(facts)
            .and_then(|prepared| self.ask(&prepared, true))
            .map_or_else(|problem| unaskable(&problem), |answers| answers.approved(facts))
    }

    /// Returns how many policies a call is put to.
    #[cfg(test)]
    pub(super) fn candidates(&self, facts: &AuthorizationRequest<'_>) -> usize {
        let PreparedRequest { principals, resource, .. } = PreparedRequest::new(facts).unwrap();
        let of = |half: &Index| -> usize {
            let candidates = half.candidates(facts.effect, &resource, &principals);
            candidates.map(|policies| policies.ids().count()).sum()
        };
        of(&self.forbids) + of(&self.permits)
    }

    /// Returns everything that matches, or cannot be evaluated.
    pub(super) fn ask(
        &self,
        prepared: &PreparedRequest<'_>,
        approved: bool,
    ) -> Result<Answers<'_>, String> {
        let (forbids, broken_forbids) = self.collect(&self.forbids, prepared, approved)?;
        let (mut permits, mut broken_permits) = self.collect(&self.permits, prepared, approved)?;
        // Written for the agent, it says nothing of those for whom the agent acts.
        if prepared.facts.access.is_some_and(|access| !access.is_of_agent()) {
            permits.retain(|permit| permit.attributes.of_evaluations);
            broken_permits.retain(|broken| broken.of_evaluations);
        }
        let mut answers = Answers { forbids, broken_forbids, permits, broken_permits };
        answers.sort();
        Ok(answers)
    }

    /// Returns what matches of one half, and what of it cannot be evaluated.
    fn collect(
        &self,
        half: &Index,
        prepared: &PreparedRequest<'_>,
        approved: bool,
    ) -> Result<(Vec<Match<'_>>, Vec<Broken>), String> {
        let (mut matched, mut broken) = (Vec::new(), Vec::new());
        let PreparedRequest { facts, principals, resource, .. } = prepared;
        for policies in half.candidates(facts.effect, resource, principals) {
            for id in &policies.certain {
                matched.push(self.matched(id)?);
            }
            if policies.open.is_empty() {
                continue;
            }
            let (request, entities) = (facts.request(approved)?, prepared.entities()?);
            let response = Authorizer::new().is_authorized(&request, &policies.open, entities);
            for id in response.diagnostics().reason() {
                matched.push(self.matched(id)?);
            }
            for error in response.diagnostics().errors() {
                let AuthorizationError::PolicyEvaluationError(error) = error;
                broken.push(Broken {
                    id: error.policy_id().to_string(),
                    problem: error.inner().to_string(),
                    // One that is not on record might.
                    of_evaluations: (self.attributes.get(error.policy_id()))
                        .is_none_or(|attributes| attributes.of_evaluations),
                    binds: self.attributes.get(error.policy_id()).map_or(
                        // One that is not on record might hold.
                        Some("asks for approval"),
                        |attributes| match attributes {
                            PolicyAttributes { terms: Some(_), .. } => Some("asks for approval"),
                            PolicyAttributes { limit: Some(_), .. } => {
                                Some("limits how often it permits")
                            }
                            PolicyAttributes { .. } => None,
                        },
                    ),
                });
            }
        }
        Ok((matched, broken))
    }

    fn matched(&self, id: &PolicyId) -> Result<Match<'_>, String> {
        // Every policy has attributes; one without would be a bug that must not permit.
        let (id, attributes) = self
            .attributes
            .get_key_value(id)
            .ok_or_else(|| format!("policy `{id}` matched but is not on record"))?;
        Ok(Match { id: id.as_ref(), attributes })
    }
}

/// Returns what the policies say of a call that was not approved, from all that match it as it is and, where
/// that matters, once it is approved.
pub(super) fn verdict<'a>(
    facts: &AuthorizationRequest<'_>,
    plain: &Answers<'_>,
    approved: impl FnOnce() -> Result<Answers<'a>, String>,
) -> Result<Verdict, String> {
    if let Some(denial) = plain.denial() {
        return Ok(denial);
    }
    let holding: Vec<&Match<'_>> =
        plain.forbids.iter().chain(&plain.permits).filter(|m| m.holds()).collect();
    if holding.is_empty() {
        return Ok(plain.allow_or_unmatched(facts));
    }
    Ok(match approved()?.approved(facts) {
        Verdict::Allow { limits, .. } => Verdict::Hold {
            limits,
            terms: holding
                .iter()
                .filter_map(|m| m.attributes.terms)
                .reduce(ApprovalRequirements::strictest)
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
    })
}

/// As much of some answers as says whether a call is allowed, held or denied: that of many is added up from that of
/// each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    /// Whether any of them denies, which no approval lifts.
    denies: bool,
    /// Whether any of them permits, if need be after approval.
    permits: bool,
    /// The requirements of those that hold.
    terms: Option<ApprovalRequirements>,
}

impl Weight {
    pub(super) const DENIES: Self = Self { denies: true, permits: false, terms: None };

    fn of_forbid(forbid: &Match<'_>) -> Self {
        Self { denies: !forbid.holds(), permits: false, terms: forbid.attributes.terms }
    }

    fn of_permit(permit: &Match<'_>) -> Self {
        Self { denies: false, permits: true, terms: permit.attributes.terms }
    }

    /// Returns the weight of both together.
    pub(super) fn with(self, other: Self) -> Self {
        let terms = self.terms.into_iter().chain(other.terms);
        Self {
            denies: self.denies || other.denies,
            permits: self.permits || other.permits,
            terms: terms.reduce(ApprovalRequirements::strictest),
        }
    }
}

/// The kind of a verdict, and the requirements of the approval where it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Allow,
    Deny,
    Hold(ApprovalRequirements),
}

impl Outcome {
    /// Returns the outcome that [`verdict`] comes to, by what matches a call as it is and once it is approved.
    pub(super) fn of(plain: Weight, approved: Weight) -> Self {
        match plain.terms {
            _ if plain.denies => Self::Deny,
            None if plain.permits => Self::Allow,
            Some(terms) if approved.permits && !approved.denies => Self::Hold(terms),
            None | Some(_) => Self::Deny,
        }
    }

    /// Returns the strictest of both.
    pub(super) fn strictest(self, other: Self) -> Self {
        match (self, other) {
            (Self::Deny, _) | (_, Self::Deny) => Self::Deny,
            (Self::Hold(terms), Self::Hold(more)) => Self::Hold(terms.strictest(more)),
            (Self::Hold(terms), Self::Allow) | (Self::Allow, Self::Hold(terms)) => {
                Self::Hold(terms)
            }
            (Self::Allow, Self::Allow) => Self::Allow,
        }
    }
}

/// The policies that matched, or could not be evaluated, in both halves.
#[derive(Default)]
pub(super) struct Answers<'a> {
    forbids: Vec<Match<'a>>,
    broken_forbids: Vec<Broken>,
    permits: Vec<Match<'a>>,
    broken_permits: Vec<Broken>,
}

/// A policy that applies to this call.
struct Match<'a> {
    id: &'a str,
    attributes: &'a PolicyAttributes,
}

impl Match<'_> {
    fn holds(&self) -> bool {
        self.attributes.terms.is_some()
    }

    fn limit(&self) -> Option<Limit> {
        self.attributes.limit.map(|rate| rate.to_limit(self.id))
    }
}

/// A policy that could not be evaluated for this call.
struct Broken {
    id: String,
    problem: String,
    of_evaluations: bool,
    /// The restriction that it adds to its permission, which leaving it out would lift.
    binds: Option<&'static str>,
}

impl Answers<'_> {
    /// Returns the weight of each of them, by its id.
    pub(super) fn weights(&self) -> impl Iterator<Item = (&str, Weight)> {
        let forbids = self.forbids.iter().map(|m| (m.id, Weight::of_forbid(m)));
        let permits = self.permits.iter().map(|m| (m.id, Weight::of_permit(m)));
        let binding = self.broken_permits.iter().filter(|broken| broken.binds.is_some());
        let broken = self.broken_forbids.iter().chain(binding);
        let broken = broken.map(|broken| (broken.id.as_str(), Weight::DENIES));
        forbids.chain(permits).chain(broken)
    }

    /// Returns the weight of all of them together.
    pub(super) fn weight(&self) -> Weight {
        self.weights().map(|(_, weight)| weight).fold(Weight::default(), Weight::with)
    }

    /// Returns these and those.
    pub(super) fn with(mut self, others: Self) -> Self {
        self.forbids.extend(others.forbids);
        self.permits.extend(others.permits);
        self.broken_forbids.extend(others.broken_forbids);
        self.broken_permits.extend(others.broken_permits);
        self.sort();
        self
    }

    /// Sorts the matches. Cedar's order is that of a hash map; reasons and the audit should not change from run to
    /// run.
    fn sort(&mut self) {
        self.forbids.sort_by_key(|m| m.id);
        self.permits.sort_by_key(|m| m.id);
        self.broken_forbids.sort_by(|a, b| a.id.cmp(&b.id));
        self.broken_permits.sort_by(|a, b| a.id.cmp(&b.id));
    }

    /// Returns what these say of a call that was approved: a `forbid` that holds is switched off by the approval,
    /// so only the others deny.
    fn approved(&self, facts: &AuthorizationRequest<'_>) -> Verdict {
        self.denial().unwrap_or_else(|| self.allow_or_unmatched(facts))
    }

    /// Returns the denial that no approval lifts: by a `forbid` without `@elevate`, by one that may apply but
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

    fn allow_or_unmatched(&self, facts: &AuthorizationRequest<'_>) -> Verdict {
        if !self.permits.is_empty() {
            return Verdict::Allow {
                policies: ids(self.permits.iter()),
                reason: explain("allowed", self.permits.iter()),
                limits: self.permits.iter().filter_map(Match::limit).collect(),
            };
        }
        let mut reason = format!("no policy permits this {} call", facts.effect);
        if let Some((kind, id)) = facts.acts_for() {
            reason.push_str(&format!(
                " for {kind} {id:?}, which is no agent; only one that applies to evaluations alone does, as with \
                 `context has access`"
            ));
        }
        if self.broken_permits.is_empty()
            && let Some(policy) = facts.permit()
        {
            reason.push_str(&format!("; to permit it, add `{policy}` to the policies"));
        }
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

/// Returns ``held by policy `a`: its reason; policy `b` ``.
fn explain<'a>(verb: &str, matches: impl Iterator<Item = &'a Match<'a>>) -> String {
    let mut parts: Vec<String> = matches
        .map(|m| match &m.attributes.reason {
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

pub(super) fn unaskable(problem: &str) -> Verdict {
    Verdict::Deny {
        policies: Vec::new(),
        reason: format!("the policies could not be asked about this call: {problem}"),
    }
}
