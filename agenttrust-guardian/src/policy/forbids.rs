//! Which prohibitions are lost where one set takes the place of another.

use std::collections::HashSet;

use cedar_policy::Policy;
use sha2::{Digest, Sha256};

use super::{About, Inner};

/// What an enforced policy forbids, by whatever name and however it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Forbid {
    digest: [u8; 32],
    /// Whether an approval lifts it.
    elevate: bool,
}

impl Forbid {
    /// Returns what this policy forbids; `None` for one that permits, or that is not enforced.
    pub(super) fn of(policy: &Policy, about: &About) -> Option<Self> {
        if about.permits || about.shadow {
            return None;
        }
        // Without what only names it. What cannot be told in this form is itself.
        let said = policy.to_json().map_or_else(
            |_| policy.to_string(),
            |mut json| {
                if let Some(members) = json.as_object_mut() {
                    members.remove("annotations");
                }
                json.to_string()
            },
        );
        Some(Self { digest: Sha256::digest(said).into(), elevate: about.terms.is_some() })
    }
}

/// The policies of `before` that forbid what none of `after` does.
pub(super) fn lost<'a>(before: &'a Inner, after: &Inner) -> impl Iterator<Item = &'a About> {
    let kept: HashSet<Forbid> = after.forbids.iter().flatten().cloned().collect();
    let forbids = before.listed.iter().zip(&before.forbids);
    forbids.filter_map(move |(about, forbid)| {
        let forbid = forbid.as_ref()?;
        // One that holds whatever is approved takes the place of one that an approval lifts.
        let is_kept = kept.contains(forbid)
            || forbid.elevate && kept.contains(&Forbid { elevate: false, ..forbid.clone() });
        (!is_kept).then_some(about)
    })
}
