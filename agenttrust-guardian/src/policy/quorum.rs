//! Which policies ask for several approvers, by what their scopes name: what must not be got around by one person who
//! calls a tool weaker or lets an agent do more.
//!
//! Conditions are not looked at, so a policy may be found that would not have held a call: to ask one too many is safe.

use agenttrust::Effect;
use cedar_policy::{EntityUid, Policy};

use super::index::{effects, named_principal, named_resource};
use super::verdict::ApprovalRequirements;

/// A policy that asks for several approvers.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    id: String,
    terms: ApprovalRequirements,
    effects: Vec<Effect>,
    resource: Option<EntityUid>,
    principal: Option<EntityUid>,
}

/// The hold that is to be loosened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hold<'a> {
    /// Calls of this tool that count as this, by whichever agent of the organisation.
    Tool { org: &'a str, tool: &'a str, effect: Effect },
    /// Every call of this agent.
    Agent { org: &'a str, id: &'a str, groups: &'a [String] },
}

/// The requirements of several policies that ask for several approvers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demanded {
    /// The requirements of an approval, with a quorum of at least 2, where there is any policy.
    pub(crate) terms: ApprovalRequirements,
    /// The ids of the policies, sorted.
    pub(crate) policies: Vec<String>,
}

impl Demanded {
    /// Takes in what others take.
    pub(crate) fn join(&mut self, other: Self) {
        self.terms = self.terms.strictest(other.terms);
        self.policies.extend(other.policies);
        self.policies.sort_unstable();
        self.policies.dedup();
    }
}

impl Demand {
    /// Returns what this policy asks for, if it asks for several approvers.
    pub(super) fn of(policy: &Policy, terms: Option<ApprovalRequirements>) -> Option<Self> {
        let terms = terms.filter(|terms| terms.quorum > 1)?;
        let (principal, resource) = (named_principal(policy), named_resource(policy));
        let effects = effects(&policy.action_constraint());
        Some(Self { id: policy.id().to_string(), terms, effects, resource, principal })
    }

    /// Returns what it takes to loosen this, if the policy may hold it.
    pub(super) fn on(&self, hold: Hold<'_>) -> Option<Demanded> {
        let may_hold = match hold {
            Hold::Tool { org, tool, effect } => {
                let about = self.resource.as_ref().is_none_or(|uid| is(uid, "Tool", tool));
                // An agent or a group may be of this organisation.
                let who = |uid: &EntityUid| kind(uid) != "Org" || is(uid, "Org", org);
                self.effects.contains(&effect) && about && self.principal.as_ref().is_none_or(who)
            }
            Hold::Agent { org, id, groups } => self.principal.as_ref().is_none_or(|uid| {
                let group = |group: &String| is(uid, "Group", group);
                is(uid, "Agent", id) || is(uid, "Org", org) || groups.iter().any(group)
            }),
        };
        may_hold.then(|| Demanded { terms: self.terms, policies: vec![self.id.clone()] })
    }
}

fn kind(uid: &EntityUid) -> String {
    uid.type_name().to_string()
}

fn is(uid: &EntityUid, of: &str, id: &str) -> bool {
    let word: &str = uid.id().as_ref();
    kind(uid) == of && word == id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicySet;

    const POLICIES: &str = r#"
        @id("one") @elevate permit (principal, action == Action::"destructive", resource);
        @id("shadow") @shadow @elevate @quorum("9") permit (principal, action, resource);
        @id("two") @elevate @quorum("2") permit (principal, action == Action::"destructive", resource);
        @id("three") @elevate @quorum("3") @pending("2h")
        forbid (principal in Group::"ops", action, resource == Tool::"pay") when { context.now > 7 };
        @id("other") @elevate @quorum("4") forbid (principal in Org::"other", action, resource);
    "#;

    fn found(hold: Hold<'_>) -> Option<(u32, Vec<String>)> {
        let set = PolicySet::parse("test.cedar", POLICIES).unwrap();
        set.demanded(hold).map(|found| (found.terms.quorum, found.policies))
    }

    #[test]
    fn a_policy_that_asks_for_several_is_found_by_its_scope_whatever_its_condition() {
        let tool = |tool, effect| found(Hold::Tool { org: "org", tool, effect });
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(tool("pay", Effect::Destructive), Some((3, ids(&["three", "two"]))));
        assert_eq!(tool("pay", Effect::Read), Some((3, ids(&["three"]))));
        assert_eq!(tool("drop", Effect::Destructive), Some((2, ids(&["two"]))));
        assert_eq!(tool("drop", Effect::Admin), None);
        let elsewhere = Hold::Tool { org: "other", tool: "drop", effect: Effect::Read };
        assert_eq!(found(elsewhere), Some((4, ids(&["other"]))));
    }

    #[test]
    fn a_policy_about_other_agents_is_none_of_this_agents() {
        let groups = ["ops".to_owned()];
        let of = |groups: &[String]| found(Hold::Agent { org: "org", id: "agt_1", groups });
        assert_eq!(of(&groups).unwrap().0, 3);
        assert_eq!(of(&[]).unwrap().1, ["two"]);
    }
}
