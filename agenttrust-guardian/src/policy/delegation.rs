//! The facts that policies see of the delegation that a call is made under.

use serde::{Deserialize, Serialize};

use super::facts::AuthorizationRequest;
use super::verdict::{Limit, Verdict};

/// The facts about an agent that gave a delegation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AgentFacts {
    /// The agent's id.
    pub agent_id: String,
    /// The agent's name.
    #[serde(default)]
    pub agent_name: String,
    /// The groups that the agent was registered in.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The agent's capabilities, as registered.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

impl AgentFacts {
    /// Returns what is known of the agent of this id, name, groups and capabilities.
    #[must_use]
    pub fn new(
        agent_id: impl Into<String>,
        agent_name: impl Into<String>,
        groups: &[String],
        capabilities: &[String],
    ) -> Self {
        Self {
            agent_id: agent_id.into(),
            agent_name: agent_name.into(),
            groups: groups.to_vec(),
            capabilities: capabilities.to_vec(),
        }
    }
}

/// The facts about the delegation that a call is made under: `context.delegation` of the policies.
///
/// ```
/// use agenttrust::Effect;
/// use agenttrust_guardian::policy::{AgentFacts, AuthorizationRequest, DelegationFacts, PolicySet};
///
/// let scope = ["refund".to_owned()];
/// let buyer = AgentFacts::new("agt_2", "buyer-7", &[], &scope);
/// let delegation = DelegationFacts::new("dlg_1", &scope, vec![buyer]);
/// let mut request = AuthorizationRequest::new("org_1", "agt_1", "refund", Effect::Read, 1_800_000_000);
/// request.delegation = Some(&delegation);
/// assert_eq!(PolicySet::default_set().decide(&request).as_str(), "allow");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DelegationFacts {
    /// The delegation's id.
    pub id: String,
    /// The scopes that it gives.
    pub scope: Vec<String>,
    /// The agents that gave: the one that the chain begins with first, the one that gave this one last.
    pub givers: Vec<AgentFacts>,
}

impl DelegationFacts {
    /// Returns what is known of the delegation of this id and scope, which these agents gave, one to the next.
    #[must_use]
    pub fn new(id: impl Into<String>, scope: &[String], givers: Vec<AgentFacts>) -> Self {
        Self { id: id.into(), scope: scope.to_vec(), givers }
    }
}

impl<'a> AuthorizationRequest<'a> {
    /// Returns the same call as each agent would make it itself that gave the delegation.
    pub(crate) fn of_givers(&self) -> impl Iterator<Item = AuthorizationRequest<'a>> {
        let request = *self;
        let givers = request.delegation.into_iter().flat_map(|delegation| &delegation.givers);
        givers.map(move |giver| AuthorizationRequest {
            agent_id: &giver.agent_id,
            agent_name: &giver.agent_name,
            groups: &giver.groups,
            capabilities: &giver.capabilities,
            delegation: None,
            ..request
        })
    }
}

/// Returns what the policies say of a call that may be made under a delegation: it may do no more than each agent could
/// that gave, so the strictest of what is said of it and of each of them, and the limits of all.
pub(super) fn strictest(
    facts: &AuthorizationRequest<'_>,
    mut decide: impl FnMut(&AuthorizationRequest<'_>) -> Verdict,
) -> Verdict {
    let own = decide(facts);
    facts.of_givers().fold(own, |all, giver| and(all, decide(&giver), &giver))
}

fn and(all: Verdict, verdict: Verdict, giver: &AuthorizationRequest<'_>) -> Verdict {
    let said =
        |reason: String| format!("{reason} (for agent {:?}, for which it acts)", giver.agent_name);
    let both = |mut all: Vec<Limit>, more: Vec<Limit>| {
        let giver = Some(giver.agent_id.to_owned());
        all.extend(more.into_iter().map(|limit| Limit { giver: giver.clone(), ..limit }));
        all
    };
    match (all, verdict) {
        (all @ Verdict::Deny { .. }, _) => all,
        (_, Verdict::Deny { policies, reason }) => Verdict::Deny { policies, reason: said(reason) },
        (Verdict::Allow { policies, reason, limits }, Verdict::Allow { limits: more, .. }) => {
            Verdict::Allow { policies, reason, limits: both(limits, more) }
        }
        (
            Verdict::Hold { terms, policies, reason, limits },
            Verdict::Allow { limits: more, .. },
        ) => Verdict::Hold { terms, policies, reason, limits: both(limits, more) },
        (
            Verdict::Allow { limits, .. },
            Verdict::Hold { terms, policies, reason, limits: more },
        ) => Verdict::Hold { terms, policies, reason: said(reason), limits: both(limits, more) },
        (
            Verdict::Hold { terms, policies: mut all, reason, limits },
            Verdict::Hold { terms: more_terms, policies, limits: more, .. },
        ) => {
            all.extend(policies);
            all.sort_unstable();
            all.dedup();
            let (terms, limits) = (terms.strictest(more_terms), both(limits, more));
            Verdict::Hold { terms, policies: all, reason, limits }
        }
    }
}
