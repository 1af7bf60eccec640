//! The principal that the scope of a policy names, for those who may read about their own policies and no others.

use cedar_policy::Policy;

use super::index::named_principal;

/// The only principals that a policy is about, as far as its scope says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PrincipalScope {
    Agent(String),
    Group(String),
    Organisation(String),
}

impl PrincipalScope {
    /// Returns the principals that the scope of this policy names; `None` where it names none of
    /// its own.
    pub(super) fn of(policy: &Policy) -> Option<Self> {
        let uid = named_principal(policy)?;
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
