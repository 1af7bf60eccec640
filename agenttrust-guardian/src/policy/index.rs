//! Which policies can matter to a call, found by what their scopes name, so that a thousand policies
//! about other tools cost nothing.
//!
//! Cedar evaluates every policy that it is given. A policy whose scope (the head, before `when`) does not
//! match cannot match, and cannot fail to be evaluated either, so it may be left out. Every policy is
//! put under the actions, the tool and the agent, group or organisation that its scope names, and a call
//! looks only under its own. What names none is always looked at, and so is whatever a scope says that is
//! not understood here: to look at one too many is safe.
//!
//! A policy without a condition matches every call that finds it, where finding it takes all that its scope
//! says. Cedar is not asked about such a one.

use std::collections::{BTreeMap, HashMap};

use agenttrust::Effect;
use cedar_policy::{
    ActionConstraint, EntityUid, Policy, PolicyId, PolicySet, PrincipalConstraint,
    ResourceConstraint,
};

/// Policies of one kind, by the actions, the resource and the principal of their scope.
#[derive(Default)]
pub(super) struct Index {
    by_action: BTreeMap<Effect, Split<Split<Candidates>>>,
}

/// Policies that a call finds.
#[derive(Default)]
pub(super) struct Candidates {
    /// The policies that match the name.
    pub(super) certain: Vec<PolicyId>,
    /// The policies that Cedar is to be asked about.
    pub(super) open: PolicySet,
}

impl Candidates {
    fn is_empty(&self) -> bool {
        self.certain.is_empty() && self.open.is_empty()
    }

    #[cfg(test)]
    pub(super) fn ids(&self) -> impl Iterator<Item = String> {
        let open = self.open.policies().map(|policy| policy.id().to_string());
        self.certain.iter().map(ToString::to_string).chain(open)
    }
}

/// The values that were put under a name, and those under none.
#[derive(Default)]
struct Split<T> {
    unnamed: T,
    named: HashMap<EntityUid, T>,
}

impl Index {
    /// Puts a policy where every call that it can match will find it.
    ///
    /// # Errors
    ///
    /// What Cedar says of an id that is there already.
    pub(super) fn add(&mut self, policy: &Policy) -> Result<(), String> {
        let (principal, resource) = (named_principal(policy), named_resource(policy));
        let certain = matches_by_scope(policy);
        for effect in effects(&policy.action_constraint()) {
            let shelf = self.by_action.entry(effect).or_default();
            let policies = shelf.under(resource.as_ref()).under(principal.as_ref());
            if certain {
                policies.certain.push(policy.id().clone());
            } else {
                policies.open.add(policy.clone()).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    /// Returns the policies that can match a call of `resource` with this effect by a principal that is, or is in,
    /// these `principals`: no policy twice.
    pub(super) fn candidates<'a>(
        &'a self,
        effect: Effect,
        resource: &'a EntityUid,
        principals: &'a [EntityUid],
    ) -> impl Iterator<Item = &'a Candidates> {
        let shelf = self.by_action.get(&effect);
        shelf
            .into_iter()
            .flat_map(move |shelf| shelf.matching(std::slice::from_ref(resource)))
            .flat_map(move |shelf| shelf.matching(principals))
            .filter(|policies| !policies.is_empty())
    }
}

impl<T: Default> Split<T> {
    fn under(&mut self, name: Option<&EntityUid>) -> &mut T {
        match name {
            None => &mut self.unnamed,
            Some(name) => self.named.entry(name.clone()).or_default(),
        }
    }

    fn matching<'a>(&'a self, names: &'a [EntityUid]) -> impl Iterator<Item = &'a T> {
        let named = names.iter().filter_map(|name| self.named.get(name));
        std::iter::once(&self.unnamed).chain(named)
    }
}

/// Returns the agent, group or organisation that the scope of a policy names as its principal.
pub(super) fn named_principal(policy: &Policy) -> Option<EntityUid> {
    match policy.principal_constraint() {
        PrincipalConstraint::Eq(uid)
        | PrincipalConstraint::In(uid)
        | PrincipalConstraint::IsIn(_, uid) => Some(uid),
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
    }
}

/// Returns the tool that the scope of a policy names as its resource.
pub(super) fn named_resource(policy: &Policy) -> Option<EntityUid> {
    match policy.resource_constraint() {
        ResourceConstraint::Eq(uid)
        | ResourceConstraint::In(uid)
        | ResourceConstraint::IsIn(_, uid) => Some(uid),
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
    }
}

/// Returns whether the policy matches every call that finds it.
fn matches_by_scope(policy: &Policy) -> bool {
    // An agent, its groups and its organisation are looked up alike, and it is none of the latter two.
    let is_agent = |uid: &EntityUid| uid.type_name().to_string() == "Agent";
    let principal = match policy.principal_constraint() {
        PrincipalConstraint::Any | PrincipalConstraint::In(_) => true,
        PrincipalConstraint::Eq(uid) => is_agent(&uid),
        PrincipalConstraint::Is(_) | PrincipalConstraint::IsIn(..) => false,
    };
    let resource = match policy.resource_constraint() {
        ResourceConstraint::Any | ResourceConstraint::Eq(_) | ResourceConstraint::In(_) => true,
        ResourceConstraint::Is(_) | ResourceConstraint::IsIn(..) => false,
    };
    let action = match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => effect_of(&uid).is_some(),
        ActionConstraint::In(uids) => uids.iter().all(|uid| effect_of(uid).is_some()),
    };
    policy.is_static() && !policy.has_non_scope_constraint() && principal && resource && action
}

/// Returns the effect that this is the action of.
fn effect_of(uid: &EntityUid) -> Option<Effect> {
    let word: &str = uid.id().as_ref();
    let effect = Effect::ALL.into_iter().find(|effect| effect.as_str() == word)?;
    (uid.type_name().to_string() == "Action").then_some(effect)
}

/// Returns the effects that the action of a scope stands for; all of them where that is not certain.
pub(super) fn effects(action: &ActionConstraint) -> Vec<Effect> {
    let named = match action {
        ActionConstraint::Any => return Effect::ALL.to_vec(),
        ActionConstraint::Eq(uid) => std::slice::from_ref(uid),
        ActionConstraint::In(uids) => uids,
    };
    let mut effects: Vec<Effect> = named
        .iter()
        .map(effect_of)
        .collect::<Option<Vec<_>>>()
        .unwrap_or_else(|| Effect::ALL.to_vec());
    effects.sort_unstable();
    effects.dedup();
    effects
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn uid(text: &str) -> EntityUid {
        EntityUid::from_str(text).unwrap()
    }

    fn found(text: &str, effect: Effect, resource: &str, principals: &[&str]) -> Vec<String> {
        let mut index = Index::default();
        for policy in PolicySet::from_str(text).unwrap().policies() {
            let id = policy.annotation("id").unwrap();
            index.add(&policy.new_id(cedar_policy::PolicyId::new(id))).unwrap();
        }
        let principals: Vec<EntityUid> = principals.iter().map(|text| uid(text)).collect();
        let resource = uid(resource);
        let mut ids: Vec<String> =
            index.candidates(effect, &resource, &principals).flat_map(Candidates::ids).collect();
        ids.sort();
        ids
    }

    #[test]
    fn cedar_is_asked_about_every_policy_whose_place_does_not_say_it_all() {
        let text = r#"
            @id("all") permit (principal, action, resource);
            @id("read") permit (principal, action == Action::"read", resource);
            @id("agent") permit (principal == Agent::"1", action, resource);
            @id("group") permit (principal in Group::"g", action, resource);
            @id("tool") permit (principal, action, resource == Tool::"a");
            @id("when") permit (principal, action, resource) when { context.approved };
            @id("unless") permit (principal, action, resource) unless { context.approved };
            @id("true") permit (principal, action, resource) when { true };
            @id("is") permit (principal is Agent, action, resource);
            @id("is-in") permit (principal is Agent in Group::"g", action, resource);
            @id("is-tool") permit (principal, action, resource is Tool);
            @id("equals-group") permit (principal == Group::"g", action, resource);
            @id("equals-org") permit (principal == Org::"o", action, resource);
            @id("newer") permit (principal, action == Action::"newer", resource);
            @id("other") permit (principal, action == Other::Action::"read", resource);
            @id("foreign") permit (principal == Other::Agent::"1", action, resource);
        "#;
        let mut certain = Vec::new();
        for policy in PolicySet::from_str(text).unwrap().policies() {
            if matches_by_scope(policy) {
                certain.push(policy.annotation("id").unwrap().to_owned());
            }
        }
        certain.sort();
        assert_eq!(certain, ["agent", "all", "group", "read", "tool"]);
    }

    #[test]
    fn a_policy_is_found_by_every_call_that_its_scope_matches_and_by_no_other() {
        let text = r#"
            @id("all") permit (principal, action, resource);
            @id("is") permit (principal is Agent, action, resource is Tool);
            @id("read") permit (principal, action == Action::"read", resource);
            @id("in-read") permit (principal, action in Action::"read", resource);
            @id("two") permit (principal, action in [Action::"read", Action::"admin"], resource);
            @id("twice") permit (principal, action in [Action::"read", Action::"read"], resource);
            @id("admin") permit (principal, action in [Action::"admin"], resource);
            @id("tool") permit (principal, action, resource == Tool::"a");
            @id("in-tool") permit (principal, action, resource in Tool::"a");
            @id("is-tool") permit (principal, action, resource is Tool in Tool::"a");
            @id("other-tool") permit (principal, action, resource == Tool::"b");
            @id("agent") permit (principal == Agent::"1", action, resource);
            @id("group") permit (principal in Group::"g", action, resource);
            @id("org") permit (principal is Agent in Org::"o", action, resource);
            @id("both") permit (principal in Group::"g", action == Action::"read", resource == Tool::"a");
            @id("named-alike") permit (principal in Group::"1", action, resource);
        "#;
        let everywhere = ["all", "is"];
        let of_the_action = ["in-read", "read", "twice", "two"];
        let of_the_tool = ["in-tool", "is-tool", "tool"];
        let of_the_agent = ["agent", "group", "org"];
        let expect = |lists: &[&[&str]]| {
            let mut ids: Vec<String> =
                lists.iter().flat_map(|list| list.iter()).map(ToString::to_string).collect();
            ids.sort();
            ids
        };
        let agent = [r#"Agent::"1""#, r#"Org::"o""#, r#"Group::"g""#];
        assert_eq!(
            found(text, Effect::Read, r#"Tool::"a""#, &agent),
            expect(&[&everywhere, &of_the_action, &of_the_tool, &of_the_agent, &["both"]]),
        );
        assert_eq!(
            found(text, Effect::Admin, r#"Tool::"c""#, &[r#"Agent::"2""#]),
            expect(&[&everywhere, &["admin", "two"]]),
        );
    }

    #[test]
    fn an_action_that_is_not_known_here_is_looked_at_for_all() {
        let text = r#"@id("new") permit (principal, action == Action::"newer", resource);"#;
        for effect in Effect::ALL {
            assert_eq!(found(text, effect, r#"Tool::"a""#, &[]), ["new"]);
        }
    }
}
