//! Policies: Cedar decides, annotations say what a decision means here.
//!
//! A policy is Cedar text, validated strictly against the published [`SCHEMA`]. The action is the call's
//! effect, the principal the agent, the resource the tool. Beyond Cedar, annotations:
//!
//! | annotation | meaning |
//! |---|---|
//! | `@id("name")` | the policy's name in reasons and in the audit; unique in the set. Without it: `file#n` |
//! | `@reason("text")` | shown to each caller that is denied, held or allowed by it |
//! | `@elevate` | on a `permit`: permits only after approval; on a `forbid`: forbids until approval |
//! | `@quorum("2")` | with `@elevate`: how many approvers it takes |
//! | `@window("10m")` | with `@elevate`: an approval stands this long, for more than one use |
//! | `@single_use` | with `@elevate`: an approval serves one call, whatever the window |
//! | `@pending("2h")` | with `@elevate`: the call may wait this long for its approval, instead of the Guardian's `--approval-ttl` |
//! | `@limit("60/1m")` | on a `permit`: it permits this many calls in this time, for each agent; `"60/1m per session"` for each session |
//! | `@shadow` | never enforced; [`PolicySet::shadow`] tells what would change |
//!
//! Any other annotation is refused: one with a typo would silently guard nothing.
//!
//! # How a decision is made
//!
//! Deny beats elevate beats allow.
//!
//! 1. A matching `forbid` without `@elevate` denies. So does any `forbid` that cannot be evaluated (an overflow, say),
//!    which Cedar alone would skip. So does a permit with `@elevate` or `@limit` that cannot be: skipping it would lift
//!    its hold or its limit.
//! 2. A matching `forbid` or `permit` with `@elevate` holds the call, if the same call with
//!    `context.approved` would be allowed; otherwise it is denied, because no approver is asked to approve the
//!    impossible. Several merge to the strictest [`ApprovalRequirements`].
//! 3. A matching `permit` allows, within the `@limit` of every one that matches. A plain `permit` that cannot be
//!    evaluated permits nothing.
//! 4. No match denies.
//!
//! An approved call is decided once more by [`PolicySet::decide_approved`]: `@elevate` forbids are
//! switched off, everything else holds. An author may write `unless { context.approved }` too, but
//! need not.
//!
//! # What a decision costs
//!
//! A call is put only to policies whose scope (the head, before `when`) names its effect, its tool, its
//! agent or what that is in, or nothing. So a thousand policies about other tools cost nothing, and a
//! condition such as `resource.name like "github/*"` costs every call.
//!
//! The rule for supervised sessions (`policies/supervised.cedar`) is part of every set.
//!
//! # Evaluations of AuthZEN
//!
//! An evaluation is a check of the tool that its action names, and [`context.access`](AccessFacts) is what it says
//! beside. Its subject is the agent itself, or another one for which the agent acts. For such a one, only a `permit`
//! that applies to evaluations alone, as with `context has access`, permits or holds anything: every other one was
//! written for the agent. A `forbid` forbids in any case.
//!
//! # A recipe: no guesses
//!
//! A tool that declares no effect is decided by what its name sounds like. Beside policies that permit, such as
//! those of the default set, this one holds such calls, or denies them without its `@elevate`:
//!
//! ```cedar
#![doc = include_str!("../../policies/recipes/guessed-effects.cedar")]
//! ```
//!
//! ```
//! use agenttrust::Effect;
//! use agenttrust_guardian::policy::{AuthorizationRequest, PolicySet};
//!
//! # let default_set = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/policies/default.cedar"));
//! # let recipe =
//! #     include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/policies/recipes/guessed-effects.cedar"));
//! let set = PolicySet::of_files(vec![
//!     ("default.cedar".to_owned(), default_set.to_owned()),
//!     ("guessed-effects.cedar".to_owned(), recipe.to_owned()),
//! ])?;
//! let mut call = AuthorizationRequest::new("org_1", "agt_1", "list_files", Effect::Read, 1_800_000_000);
//! call.confidence = 0.9;
//! assert_eq!(set.decide(&call).as_str(), "allow");
//! call.confidence = 0.6;
//! assert_eq!(set.decide(&call).as_str(), "hold");
//! # Ok::<(), agenttrust_guardian::policy::PolicyError>(())
//! ```

mod access;
#[cfg(feature = "cli")]
mod advice;
mod annotations;
mod decide;
mod delegation;
mod error;
mod facts;
mod files;
mod forbids;
#[cfg(feature = "cli")]
mod format;
mod index;
mod load;
mod nesting;
mod principal;
mod quorum;
mod shadow;
mod verdict;
mod watch;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub use self::access::{AccessFacts, AccessFactsError};
pub use self::delegation::{AgentFacts, DelegationFacts};
pub use self::error::PolicyError;
pub use self::facts::{AuthorizationRequest, SCHEMA};
pub use self::shadow::Shadow;
pub use self::verdict::{ApprovalRequirements, DEFAULT_WINDOW, Limit, Per, Verdict};

pub(crate) use self::access::{ACTOR, is_told};
#[cfg(feature = "cli")]
pub(crate) use self::advice::check_dir;
use self::decide::Rules;
use self::forbids::Forbid;
#[cfg(feature = "cli")]
pub(crate) use self::format::{Formatted, format_dir};
#[cfg(feature = "cli")]
pub(crate) use self::load::without_mark;
pub(crate) use self::principal::PrincipalScope;
pub(crate) use self::quorum::{Demanded, Hold};
pub(crate) use self::watch::Look;

/// A validated set of policies, ready to decide. Cloning shares it.
///
/// ```
/// use agenttrust_guardian::policy::PolicySet;
///
/// let set = PolicySet::parse(
///     "night.cedar",
///     r#"
///         @id("reads") permit (principal, action == Action::"read", resource);
///         @id("no-secrets") @reason("secrets stay where they are")
///         forbid (principal, action, resource) when { resource.name like "*secret*" };
///     "#,
/// )?;
/// assert!(set.ids().any(|id| id == "no-secrets"));
///
/// let error = PolicySet::parse("typo.cedar", "permit (principal, action, resorce);").unwrap_err();
/// assert!(error.to_string().starts_with("typo.cedar:1:28:"), "{error}");
/// # Ok::<(), agenttrust_guardian::policy::PolicyError>(())
/// ```
#[derive(Clone)]
pub struct PolicySet {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    enforced: Rules,
    /// The `@shadow` policies; absent when there are none.
    shadow: Option<Rules>,
    /// All of them, in the order of the files.
    listed: Vec<About>,
    /// The principals that each policy is about, in the same order.
    principals: Vec<Option<PrincipalScope>>,
    /// The calls that each policy forbids, in the same order.
    forbids: Vec<Option<Forbid>>,
    /// The number of policies that are built in. They are the first.
    built_in: usize,
    sha256: String,
}

/// The description of one policy of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct About {
    /// Its `@id`, else `file#n`.
    pub id: String,
    /// The place where it begins, as `file:line:column`.
    pub place: String,
    /// Whether it is a `permit`; else it is a `forbid`.
    pub permits: bool,
    /// Its `@reason`.
    pub reason: Option<String>,
    /// The requirements of an approval, when it is `@elevate`.
    pub terms: Option<ApprovalRequirements>,
    /// Its `@limit`.
    pub limit: Option<Limit>,
    /// Whether it is `@shadow`, and so not enforced.
    pub shadow: bool,
}

impl PolicySet {
    /// Returns the documented default set: read and mutating allowed, destructive and admin held.
    #[must_use]
    pub fn default_set() -> Self {
        let text = include_str!("../../policies/default.cedar");
        Self::parse("default.cedar", text).unwrap_or_else(|error| {
            // Tests keep this from happening. If it did, a set without policies denies everything.
            tracing::error!(%error, "the built-in default policies are broken, everything is denied");
            Self { inner: Arc::default() }
        })
    }

    /// Reads every `*.cedar` file of the folder, in the order of their names: all or nothing. Those whose
    /// names begin with a dot are left alone.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] naming file, line and column: for a folder that is missing, unreadable or without
    /// policies, and for the first file that is not valid.
    pub fn load_dir(folder: &Path) -> Result<Self, PolicyError> {
        load::folder(folder).map(Self::new)
    }

    /// Reads a set from `text`; `name` is the file that errors and unnamed policies speak of.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] naming line and column, when the text is not valid or holds no policy.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        load::texts(&[(name.to_owned(), text.to_owned())]).map(Self::new)
    }

    /// Reads a set from files with these names and texts, as if they were in a folder: all or nothing.
    ///
    /// # Errors
    ///
    /// As for [`load_dir`](Self::load_dir).
    pub fn of_files(mut files: Vec<(String, String)>) -> Result<Self, PolicyError> {
        files.sort();
        load::texts(&files).map(Self::new)
    }

    /// Decides a call that has not been approved. One under a [delegation](field@AuthorizationRequest::delegation) may
    /// do no more than each agent could that gave it.
    #[must_use]
    pub fn decide(&self, facts: &AuthorizationRequest<'_>) -> Verdict {
        delegation::strictest(facts, |facts| self.inner.enforced.decide(facts))
    }

    /// Decides the same call as if it had been approved; never answers [`Verdict::Hold`].
    #[must_use]
    pub fn decide_approved(&self, facts: &AuthorizationRequest<'_>) -> Verdict {
        delegation::strictest(facts, |facts| self.inner.enforced.decide_approved(facts))
    }

    /// Returns what [`decide`](Self::decide) would answer if `@shadow` policies were enforced, and which of them
    /// change it; `None` when there are none.
    #[must_use]
    pub fn shadow(&self, facts: &AuthorizationRequest<'_>) -> Option<Shadow> {
        let shadow = self.inner.shadow.as_ref()?;
        Some(shadow::shadow(&self.inner.enforced, shadow, facts))
    }

    /// Returns the ids of the enforced policies, sorted; the built-in `supervised-hold` is among them.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.inner.enforced.ids()
    }

    /// Returns the requirements of the enforced policies that ask for several approvers and may hold this; `None`
    /// without such policies.
    pub(crate) fn demanded(&self, hold: Hold<'_>) -> Option<Demanded> {
        self.inner.enforced.demanded(hold)
    }

    /// Returns every policy, `@shadow` ones included, in the order of the files; the built-in one is the first.
    pub fn list(&self) -> &[About] {
        &self.inner.listed
    }

    /// Returns the policies of [`list`](Self::list), with the principals that each names.
    pub(crate) fn list_with_principals(
        &self,
    ) -> impl Iterator<Item = (&About, Option<&PrincipalScope>)> {
        self.inner.listed.iter().zip(self.inner.principals.iter().map(Option::as_ref))
    }

    /// Returns the policies of [`list`](Self::list) without the built-in one, `@shadow` ones included. A number of
    /// policies is the number of these.
    pub(crate) fn written(&self) -> &[About] {
        self.inner.listed.get(self.inner.built_in..).unwrap_or_default()
    }

    /// Returns the enforced policies that forbid, hold or limit what no policy of `next` does.
    pub(crate) fn forbids_lost_in(&self, next: &Self) -> impl Iterator<Item = &About> {
        forbids::lost(&self.inner, &next.inner)
    }

    /// Returns how many of the [`written`](Self::written) policies are enforced.
    pub(crate) fn enforced(&self) -> usize {
        self.written().iter().filter(|about| !about.shadow).count()
    }

    /// Returns the SHA-256 of the names and texts of all files, in hexadecimal: two sets that are the same have
    /// the same one.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.inner.sha256
    }

    /// Returns the [`sha256`](Self::sha256) of a set of these files, which need not be valid.
    pub(crate) fn sha256_of(files: &[(String, String)]) -> String {
        let mut files: Vec<_> = files.iter().collect();
        files.sort();
        load::sha256_of(files)
    }

    fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }
}

impl fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PolicySet").field(&self.ids().collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests;
