//! Golden cases: what a set of policies is to say of known calls.
//!
//! ```toml
//! [[case]]
//! name = "nobody deletes at night without a second pair of eyes"
//! tool = "db_delete"
//! groups = ["night shift"]
//! [case.expect]
//! decision = "hold"
//! policies = ["two-at-night"]
//! reason = "second pair of eyes"
//! quorum = 2
//! ```
//!
//! Only the policies are asked: capabilities and ceilings are facts that they may look at.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use agenttrust::Effect;
use agenttrust::model::{SessionMode, SessionSource};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::cli::out::say;
use crate::domain::file::read_text_at_most;
use crate::domain::{DEFAULT_ORG, GuardianError};
use crate::manifest::ToolFacts;
use crate::policy;
use crate::policy::{AuthorizationRequest, DelegationFacts, PolicySet, Verdict};

/// The largest length of a file of cases, in bytes.
const FILE_MOST_BYTES: u64 = 16 << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

/// A call, and what is to come of it. What is left out is as it is for a plain agent that names no
/// session.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    tool: String,
    /// Left out: what the tool's name says.
    effect: Option<Effect>,
    /// From 0 to 1, as an answer tells it.
    #[serde(default, deserialize_with = "share")]
    confidence: Option<f64>,
    #[serde(default = "agent_id")]
    agent: String,
    #[serde(default)]
    agent_name: String,
    #[serde(default = "org")]
    org: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    capabilities: Vec<String>,
    session: Option<String>,
    /// Left out: the session is one that the caller named itself.
    session_source: Option<SessionSource>,
    #[serde(default = "open_mode")]
    session_mode: SessionMode,
    #[serde(default)]
    ceiling: Vec<String>,
    /// Left out: the agent acts for itself.
    delegation: Option<DelegationFacts>,
    #[serde(default)]
    scopes: Vec<String>,
    input_chars: Option<u64>,
    /// The time of the call, in seconds since 1970.
    #[serde(default)]
    now: i64,
    expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    decision: DecisionKind,
    /// The policies that decide, in any order; left out: whichever.
    policies: Option<Vec<String>>,
    /// A part of the reason.
    reason: Option<String>,
    /// The number of approvers that it takes.
    quorum: Option<u32>,
}

/// A decision, in the word of policies or in that of an answer.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DecisionKind {
    #[serde(alias = "allowed")]
    Allow,
    #[serde(alias = "denied")]
    Deny,
    #[serde(alias = "held")]
    Hold,
}

fn agent_id() -> String {
    "agt_example".to_owned()
}

fn org() -> String {
    DEFAULT_ORG.to_owned()
}

const fn open_mode() -> SessionMode {
    SessionMode::Open
}

/// Asks the set about every case and prints what differs.
pub(super) fn test(set: &PolicySet, place: &Path) -> Result<ExitCode, GuardianError> {
    let mut count = 0_usize;
    let mut failed = 0_usize;
    for file in files(place)? {
        for case in read_cases(&file)?.case {
            count += 1;
            let verdict = case.decide(set);
            let differences = case.expect.differences(&verdict);
            if differences.is_empty() {
                continue;
            }
            failed += 1;
            say(&format!("{}: {:?} came out otherwise", file.display(), case.name))?;
            for (what, expected, actual) in differences {
                say(&format!("  {what}: expected {expected}, and it is {actual}"))?;
            }
        }
    }
    if count == 0 {
        return Err(GuardianError::Invalid(format!(
            "{} holds no case, so nothing was tested; write one",
            place.display()
        )));
    }
    say(&format!("{count} cases, {failed} of them came out otherwise than expected"))?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns a share from 0 to 1; policies see percent, which is easily mistaken for it.
fn share<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    let share = f64::deserialize(from)?;
    match (0.0..=1.0).contains(&share) {
        true => Ok(Some(share)),
        false => Err(D::Error::custom(format!(
            "confidence is {share}; write it from 0 to 1, such as 0.6, which policies see as 60"
        ))),
    }
}

impl Case {
    fn decide(&self, set: &PolicySet) -> Verdict {
        let named = ToolFacts::default().classify(&self.tool, &self.agent, self.effect);
        set.decide(&AuthorizationRequest {
            org: &self.org,
            agent_id: &self.agent,
            agent_name: &self.agent_name,
            groups: &self.groups,
            capabilities: &self.capabilities,
            tool: &self.tool,
            effect: self.effect.unwrap_or(named.effect),
            confidence: self.confidence.unwrap_or(named.confidence),
            session_id: self.session.as_deref(),
            session_source: self.session_source,
            session_mode: self.session_mode,
            ceiling: &self.ceiling,
            delegation: self.delegation.as_ref(),
            scopes: &self.scopes,
            input_chars: self.input_chars,
            now_unix_seconds: self.now,
            access: None,
        })
    }
}

impl Expect {
    /// Returns what, as expected, as it is.
    fn differences(&self, verdict: &Verdict) -> Vec<(&'static str, String, String)> {
        let mut differences = Vec::new();
        let decision = match self.decision {
            DecisionKind::Allow => "allow",
            DecisionKind::Deny => "deny",
            DecisionKind::Hold => "hold",
        };
        if decision != verdict.as_str() {
            let actual = format!("{}: {}", verdict.as_str(), verdict.reason());
            differences.push(("decision", decision.to_owned(), actual));
        }
        if let Some(policies) = &self.policies {
            let mut policies = policies.clone();
            policies.sort();
            if policies != verdict.policies() {
                let actual = format!("{:?}", verdict.policies());
                differences.push(("policies", format!("{policies:?}"), actual));
            }
        }
        if let Some(reason) = &self.reason
            && !verdict.reason().contains(reason.as_str())
        {
            let actual = format!("{:?}", verdict.reason());
            differences.push(("reason", format!("a text with {reason:?}"), actual));
        }
        if let Some(quorum) = self.quorum {
            let actual = match verdict {
                Verdict::Hold { terms, .. } => Some(terms.quorum),
                Verdict::Allow { .. } | Verdict::Deny { .. } => None,
            };
            if actual != Some(quorum) {
                let actual = actual.map_or("none".to_owned(), |quorum| quorum.to_string());
                differences.push(("quorum", quorum.to_string(), actual));
            }
        }
        differences
    }
}

fn files(place: &Path) -> Result<Vec<PathBuf>, GuardianError> {
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(place).map_err(|error| unreadable(place, &error))? {
        let path = entry.map_err(|error| unreadable(place, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "toml" || extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_cases(file: &Path) -> Result<Cases, GuardianError> {
    let text =
        read_text_at_most(file, FILE_MOST_BYTES).map_err(|error| unreadable(file, &error))?;
    let text = policy::without_mark(&text);
    let cases = if file.extension().is_some_and(|extension| extension == "json") {
        serde_json::from_str(text).map_err(|error| error.to_string())
    } else {
        toml::from_str(text).map_err(|error| error.to_string())
    };
    cases.map_err(|problem| GuardianError::Invalid(format!("{}: {problem}", file.display())))
}

fn unreadable(place: &Path, error: &impl std::fmt::Display) -> GuardianError {
    GuardianError::Invalid(format!(
        "{} cannot be read ({error}); name a TOML or JSON file of cases, or a folder of such files",
        place.display()
    ))
}
