//! Whom the scope of a policy names, for those who may read about their own policies and no others.

use cedar_policy::{EntityUid, Policy, PrincipalConstraint};

/// The only principals that a policy is about, as far as its scope says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    Agent(String),
    Group(String),
    Organisation(String),
}

impl Whom {
    /// Returns the principals that the scope of this policy names; `None` where it names none of
    /// its own.
    pub(super) fn of(policy: &Policy) -> Option<Self> {
        let uid: EntityUid = match policy.principal_constraint() {
            PrincipalConstraint::Eq(uid)
            | PrincipalConstraint::In(uid)
            | PrincipalConstraint::IsIn(_, uid) => uid,
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => return None,
        };
        let id = uid.id().unescaped().to_owned();
        match uid.type_name().to_string().as_str() {
            "Agent" => Some(Self::Agent(id)),
            "Group" => Some(Self::Group(id)),
            "Org" => Some(Self::Organisation(id)),
            // The schema has no other kind of principal.
            _ => None,
        }
    }
}
