//! Which prohibitions are lost where one set takes the place of another.

use std::collections::HashSet;

use cedar_policy::Policy;

use super::nesting::written;
use super::{About, Inner};
use crate::domain::digest_of_parts;

/// The annotations by which a policy holds or limits what it is about.
const BINDING: [&str; 6] = ["elevate", "quorum", "window", "single_use", "pending", "limit"];

/// The calls that an enforced policy forbids, holds or limits, by whatever name and however it is spaced and
/// commented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forbid {
    digest: [u8; 32],
    /// The same where no approval lifts it: that takes its place.
    firm: Option<[u8; 32]>,
}

impl Forbid {
    /// Returns what a policy of this text forbids, holds or limits; `None` for one that does nothing of it, or is not
    /// enforced.
    pub(super) fn of(policy: &Policy, text: &str, about: &About) -> Option<Self> {
        let only_permits = about.permits && about.terms.is_none() && about.limit.is_none();
        if only_permits || about.shadow {
            return None;
        }
        let is_lifted = !about.permits && about.terms.is_some();
        let firm = is_lifted.then(|| digest(policy, text, &[]));
        Some(Self { digest: digest(policy, text, &BINDING), firm })
    }
}

/// Tells a policy from every other, by what it says and by these annotations alone. Its text is enough for that: to
/// parse it into another form once more would cost as much as all else.
fn digest(policy: &Policy, text: &str, annotations: &[&str]) -> [u8; 32] {
    let mut said: Vec<_> =
        policy.annotations().filter(|(name, _)| annotations.contains(name)).collect();
    said.sort_unstable();
    let annotated = said.into_iter().flat_map(|(name, value)| [name, value]);
    // No annotation is named like that, and the value of one is in quotes.
    let body = written(text).skip_while(|word| !matches!(*word, "permit" | "forbid"));
    digest_of_parts(annotated.chain(body).map(str::as_bytes))
}

/// Returns the policies of `before` that forbid, hold or limit what none of `after` does.
pub(super) fn lost<'a>(before: &'a Inner, after: &Inner) -> impl Iterator<Item = &'a About> {
    let kept: HashSet<[u8; 32]> =
        after.forbids.iter().flatten().map(|forbid| forbid.digest).collect();
    let forbids = before.listed.iter().zip(&before.forbids);
    forbids.filter_map(move |(about, forbid)| {
        let forbid = forbid.as_ref()?;
        let is_kept =
            kept.contains(&forbid.digest) || forbid.firm.is_some_and(|firm| kept.contains(&firm));
        (!is_kept).then_some(about)
    })
}

#[cfg(test)]
mod tests {
    use super::super::PolicySet;

    #[test]
    fn what_forbids_holds_or_limits_is_lost_when_it_goes_or_its_terms_change() {
        const OF_PAY: &str = "(principal, action, resource == Tool::\"pay\");";
        let set = |text: &str| PolicySet::parse("a.cedar", text).unwrap();
        let lost = |before: &str, after: &str| {
            let all = "@id(\"all\") permit (principal, action, resource);";
            let of = |policy: &str| set(&format!("{all} {policy}"));
            of(before).forbids_lost_in(&of(after)).count()
        };
        let (forbids, permits) = (format!("forbid {OF_PAY}"), format!("permit {OF_PAY}"));
        let binding = [
            forbids.clone(),
            format!("@elevate {forbids}"),
            format!("@elevate @quorum(\"2\") {forbids}"),
            format!("@elevate {permits}"),
            format!("@elevate @window(\"1h\") {permits}"),
            format!("@limit(\"1/1h\") {permits}"),
        ];
        for before in &binding {
            assert_eq!(lost(before, ""), 1, "{before}");
            assert_eq!(lost(before, &format!("@shadow {forbids}")), 1, "{before}");
            assert_eq!(lost(before, &format!("@reason(\"new\") {before}")), 0, "{before}");
            for after in binding.iter().filter(|after| *after != before) {
                // What no approval lifts takes the place of what one does.
                let is_kept = before.contains("@elevate") && before.contains("forbid");
                let is_kept = is_kept && *after == forbids;
                assert_eq!(lost(before, after), usize::from(!is_kept), "{before} {after}");
            }
        }
        assert_eq!(lost(&permits, ""), 0);
        let spaced = format!("// all\n@elevate( \"\" )\n@reason(\"permit\")@id(\"b\")  {forbids}")
            .replace('(', " ( // here\n")
            .replace("==", " == ");
        assert_eq!(lost(&format!("@elevate {forbids}"), &spaced), 0, "{spaced}");
        let when = |text: &str| format!("forbid (principal, action, resource) when {{ {text} }};");
        let pay = when("resource == Tool::\"pay\"");
        for other in [
            "resource != Tool::\"pay\"",
            "resource == Tool::\"p ay\"",
            "!(resource == Tool::\"pay\")",
        ] {
            assert_eq!(lost(&pay, &when(other)), 1, "{other}");
        }
    }
}
