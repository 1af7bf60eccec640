//! Policies: what a Guardian decides by.

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;
use super::word::wire_words;

wire_words! {
    /// The source of the policies in force.
    pub enum PolicySource as "source of policies" {
        /// The Guardian brought them itself.
        BuiltIn = "built_in",
        /// The program that holds the Guardian gave them.
        Program = "program",
        /// A folder, which the Guardian watches.
        Folder = "folder",
        /// `policies().put`.
        Api = "api",
    }
    default = Unknown;
}

wire_words! {
    /// The effect of a policy where it applies.
    pub enum PolicyEffect as "effect of a policy" {
        /// A policy that allows.
        Permit = "permit",
        /// A policy that denies, or holds where it elevates.
        Forbid = "forbid",
    }
    default = Unknown;
}

wire_words! {
    /// The calls that a limit counts together.
    pub enum PolicyLimitPer as "way to count a limit" {
        /// Calls of one agent.
        Agent = "agent",
        /// Calls of one session.
        Session = "session",
    }
    default = Unknown;
}

/// A file of policies, to be put in force.
///
/// ```
/// use agenttrust::model::PolicyFile;
///
/// let file = PolicyFile::new("tools.cedar", "permit (principal, action, resource);");
/// assert_eq!(file.name, "tools.cedar");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PolicyFile {
    /// A plain name that ends in `.cedar`; errors and policies without an `@id` speak of it.
    pub name: String,
    /// Cedar policies.
    pub text: String,
}

impl PolicyFile {
    /// Creates a file of this name that holds these Cedar policies.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// The policies that a Guardian decides by.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct PoliciesInForce {
    /// The source of the policies.
    #[serde(default)]
    pub source: PolicySource,
    /// The folder that they are read from.
    #[serde(default)]
    pub folder: Option<String>,
    /// The digest of the set, in hexadecimal: the same policies have the same.
    #[serde(default)]
    pub sha256: String,
    /// The time since when the policies are in force.
    #[serde(default)]
    pub loaded_at: Option<Timestamp>,
    /// The policies, each with its description.
    #[serde(default)]
    pub policies: Vec<Policy>,
    /// The reason why a newer set is not in force.
    #[serde(default)]
    pub error: Option<UnusablePolicies>,
}

/// The description of a policy.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Policy {
    /// The policy's `@id`, else its file and its number in it.
    pub id: String,
    /// The policy's place: file, line and column.
    #[serde(default)]
    pub place: String,
    /// The effect of the policy where it applies.
    #[serde(default)]
    pub effect: PolicyEffect,
    /// The reason that a caller is given where the policy denies or holds.
    #[serde(default)]
    pub reason: Option<String>,
    /// The terms of an approval, where the policy holds calls instead of deciding them.
    #[serde(default)]
    pub elevate: Option<PolicyElevation>,
    /// The limit of calls that the policy permits.
    #[serde(default)]
    pub limit: Option<PolicyLimit>,
    /// Whether it is only tried: what it would decide is counted and recorded, and not done.
    #[serde(default)]
    pub shadow: bool,
    /// The number of decisions that a shadow policy would have changed, since the Guardian started.
    #[serde(default)]
    pub would_have_changed: Option<u64>,
}

/// The terms of an approval: what it takes, and what it is worth.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PolicyElevation {
    /// The number of approvers who have to approve.
    #[serde(default = "one")]
    pub quorum: u32,
    /// The time that an approval serves, in seconds from the decision.
    #[serde(default)]
    pub window_seconds: u64,
    /// Whether it serves one call only.
    #[serde(default)]
    pub single_use: bool,
}

/// Returns the fewest approvers that an approval can have.
fn one() -> u32 {
    1
}

/// The limit of calls that a policy permits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PolicyLimit {
    /// The largest number of calls.
    #[serde(default)]
    pub most: u32,
    /// Within so many seconds.
    #[serde(default)]
    pub within_seconds: u64,
    /// The calls that are counted together.
    #[serde(default)]
    pub per: PolicyLimitPer,
}

/// The reason why a set of policies is not in force.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct UnusablePolicies {
    /// The fault, and its place.
    #[serde(default)]
    pub message: String,
    /// The time since when the newer set could not be used.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// The file with the fault, or the folder where no single file has it.
    #[serde(default)]
    pub file: String,
    /// The line, from 1.
    #[serde(default)]
    pub line: Option<u64>,
    /// The column, from 1.
    #[serde(default)]
    pub column: Option<u64>,
}
