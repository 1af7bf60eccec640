//! Policies: what a Guardian decides by.

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;
use super::word::wire_words;

wire_words! {
    /// Where the policies in force came from.
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
    /// What a policy does where it applies.
    pub enum PolicyEffect as "effect of a policy" {
        /// It allows.
        Permit = "permit",
        /// It denies, or holds where it elevates.
        Forbid = "forbid",
    }
    default = Unknown;
}

wire_words! {
    /// Whose calls a limit counts together.
    pub enum PolicyLimitPer as "way to count a limit" {
        /// Those of one agent.
        Agent = "agent",
        /// Those of one session.
        Session = "session",
    }
    default = Unknown;
}

/// One file of policies, to be put in force.
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
    /// A file of this name that holds these Cedar policies.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// The policies that a Guardian decides by.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct PoliciesInForce {
    /// Where they came from.
    #[serde(default)]
    pub source: PolicySource,
    /// The folder that they are read from.
    #[serde(default)]
    pub folder: Option<String>,
    /// The digest of the set, in hexadecimal: the same policies have the same.
    #[serde(default)]
    pub sha256: String,
    /// Since when they are in force.
    #[serde(default)]
    pub loaded_at: Option<Timestamp>,
    /// Each of them.
    #[serde(default)]
    pub policies: Vec<Policy>,
    /// Why a newer set is not in force.
    #[serde(default)]
    pub error: Option<UnusablePolicies>,
}

/// One policy, as it is described.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Policy {
    /// Its `@id`, else its file and its number in it.
    pub id: String,
    /// Where it stands: file, line and column.
    #[serde(default)]
    pub place: String,
    /// What it does where it applies.
    #[serde(default)]
    pub effect: PolicyEffect,
    /// What a caller is told where it denies or holds.
    #[serde(default)]
    pub reason: Option<String>,
    /// What an approval takes, where it holds calls instead of deciding them.
    #[serde(default)]
    pub elevate: Option<PolicyElevation>,
    /// How often it permits.
    #[serde(default)]
    pub limit: Option<PolicyLimit>,
    /// Whether it is only tried: what it would decide is counted and recorded, and not done.
    #[serde(default)]
    pub shadow: bool,
    /// How often a shadow policy would have changed a decision, since the Guardian started.
    #[serde(default)]
    pub would_have_changed: Option<u64>,
}

/// What an approval takes, and what it is worth.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PolicyElevation {
    /// How many approvers have to approve.
    #[serde(default = "one")]
    pub quorum: u32,
    /// How long an approval serves, in seconds from the decision.
    #[serde(default)]
    pub window_seconds: u64,
    /// Whether it serves one call only.
    #[serde(default)]
    pub single_use: bool,
}

/// An approval without approvers there is not.
fn one() -> u32 {
    1
}

/// How often a policy permits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PolicyLimit {
    /// So many calls at most.
    #[serde(default)]
    pub most: u32,
    /// Within so many seconds.
    #[serde(default)]
    pub within_seconds: u64,
    /// Whose calls are counted together.
    #[serde(default)]
    pub per: PolicyLimitPer,
}

/// Why a set of policies is not in force.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct UnusablePolicies {
    /// What is wrong, and where.
    #[serde(default)]
    pub message: String,
    /// Since when.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// The file, or the folder where it is none of its files.
    #[serde(default)]
    pub file: String,
    /// The line, from 1.
    #[serde(default)]
    pub line: Option<u64>,
    /// The column, from 1.
    #[serde(default)]
    pub column: Option<u64>,
}
