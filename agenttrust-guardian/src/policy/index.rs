//! Which policies can matter to a call, found by what their scopes name, so that a thousand policies
//! about other tools cost nothing.
//!
//! Cedar evaluates every policy that it is given. A policy whose scope (the head, before `when`) does not
//! match cannot match, and cannot fail to be evaluated either, so it may be left out. Every policy is
//! put under the actions, the tool and the agent, group or organisation that its scope names, and a call
//! looks only under its own. What names none is always looked at, and so is whatever a scope says that is
//! not understood here: to look at one too many is safe.

use std::collections::{BTreeMap, HashMap};

use agenttrust::Effect;
use cedar_policy::{
    ActionConstraint, EntityUid, Policy, PolicySet, PrincipalConstraint, ResourceConstraint,
};

/// Policies of one kind, by the actions, the resource and the principal of their scope.
#[derive(Default)]
pub(super) struct Index {
    by_action: BTreeMap<Effect, Split<Split<PolicySet>>>,
}

/// What was put under a name, and what under none.
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
        let principal = match policy.principal_constraint() {
            PrincipalConstraint::Eq(uid)
            | PrincipalConstraint::In(uid)
            | PrincipalConstraint::IsIn(_, uid) => Some(uid),
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
        };
        let resource = match policy.resource_constraint() {
            ResourceConstraint::Eq(uid)
            | ResourceConstraint::In(uid)
            | ResourceConstraint::IsIn(_, uid) => Some(uid),
            ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
        };
        for effect in effects(&policy.action_constraint()) {
            let shelf = self.by_action.entry(effect).or_default();
            let policies = shelf.under(resource.as_ref()).under(principal.as_ref());
            policies.add(policy.clone()).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// The policies that can match a call of `resource` with this effect by somebody who is, or is in,
    /// these `principals`: no policy twice.
    pub(super) fn candidates<'a>(
        &'a self,
        effect: Effect,
        resource: &'a EntityUid,
        principals: &'a [EntityUid],
    ) -> impl Iterator<Item = &'a PolicySet> {
        let shelf = self.by_action.get(&effect);
        shelf
            .into_iter()
            .flat_map(move |shelf| shelf.of(std::slice::from_ref(resource)))
            .flat_map(move |shelf| shelf.of(principals))
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

    fn of<'a>(&'a self, names: &'a [EntityUid]) -> impl Iterator<Item = &'a T> {
        let named = names.iter().filter_map(|name| self.named.get(name));
        std::iter::once(&self.unnamed).chain(named)
    }
}

/// The effects that the action of a scope stands for; all of them where that is not certain.
fn effects(action: &ActionConstraint) -> Vec<Effect> {
    let named = match action {
        ActionConstraint::Any => return Effect::ALL.to_vec(),
        ActionConstraint::Eq(uid) => std::slice::from_ref(uid),
        ActionConstraint::In(uids) => uids,
    };
    let effect = |uid: &EntityUid| {
        let word: &str = uid.id().as_ref();
        Effect::ALL.into_iter().find(|effect| effect.as_str() == word)
    };
    let mut effects: Vec<Effect> = named
        .iter()
        .map(effect)
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
        let mut ids: Vec<String> = index
            .candidates(effect, &resource, &principals)
            .flat_map(|policies| policies.policies().map(|policy| policy.id().to_string()))
            .collect();
        ids.sort();
        ids
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
