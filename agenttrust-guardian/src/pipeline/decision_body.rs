//! What the row of a decision says, written straight in the form in which it is hashed: every decision has one,
//! and half of a check's time would go into it otherwise.

use agenttrust::model::{Binds, BoundTo, SessionMode, SessionSource};
use serde::{Serialize, Serializer};

use super::Asked;
use super::context::DecisionContext;
use super::evaluation::Evaluation;
use crate::domain::{Decision, Trace};
use crate::registry::Chain;

/// The largest number of bytes of policy ids in a row. A row has an end, and one that does not fit is a denial.
const IDS_MAX_BYTES: usize = 8 << 10;

/// The body of a `decision`. Its members stand in the order of their names, as RFC 8785 has it.
#[derive(Debug, Serialize)]
pub(super) struct DecisionBody<'a> {
    /// The subject and the resource of an AuthZEN evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<AccessOfDecision<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_opened: Option<bool>,
    basis: &'static str,
    /// The part of the input that the digest is of, where it is not of the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    binds: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bound_to: Option<BoundTo>,
    check_id: &'a str,
    #[serde(serialize_with = "shortest")]
    confidence: f64,
    decision: &'static str,
    /// The delegations that the call is made under, the first one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    delegations: Vec<String>,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<FactsOfDecision>,
    input_chars: Option<u64>,
    input_digest: Option<&'a str>,
    policies: &'a [String],
    /// The thumbprint of the key that the agent proved to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<&'a str>,
    reason: &'a str,
    scopes: &'a [String],
    session_id: Option<&'a str>,
    session_mode: SessionMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<&'static str>,
    source: &'a str,
    tool: &'a str,
    /// The trace that the caller is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    /// `null` where the policies were not asked.
    verdict: Option<&'static str>,
}

/// The names in an evaluation of AuthZEN. The rest of it is in its digest.
#[derive(Debug, Serialize)]
struct AccessOfDecision<'a> {
    /// The evaluation that was denied, where access is requested after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    denied: Option<&'a str>,
    resource: Party<'a>,
    subject: Party<'a>,
}

#[derive(Debug, Serialize)]
struct Party<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
}

impl<'a> AccessOfDecision<'a> {
    fn new(asked: &'a Asked) -> Self {
        let [subject, resource] = asked.facts.parties().map(|(kind, id)| Party { id, kind });
        Self { denied: asked.denied.as_deref(), resource, subject }
    }
}

/// The facts that policies saw beside those in the row, so that other policies can be asked about the same check
/// later. Lists are named by the rows that have them.
#[derive(Debug, Serialize)]
struct FactsOfDecision {
    agent: String,
    ceiling: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delegation: Option<String>,
    now: i64,
    session_source: Option<SessionSource>,
}

impl<'a> DecisionBody<'a> {
    pub(super) fn new(context: &'a DecisionContext<'a>, decision: &'a Decision) -> Self {
        let check = context.check;
        let Evaluation { session, class, .. } = context.evaluation;
        let (policies, reason) = decision.because();
        let approval = decision.approval();
        let opened = match decision {
            Decision::Held { new, .. } => Some(*new),
            _ => None,
        };
        let shadow = context.said.as_ref().and_then(|said| said.shadow.as_ref());
        Self {
            access: check.access.as_deref().map(AccessOfDecision::new),
            approval_id: approval.map(|approval| approval.id.as_str()),
            approval_opened: opened,
            basis: class.basis.as_str(),
            binds: match &check.access {
                Some(_) => Some(BoundTo::Evaluation.as_str()),
                None => check.binds.map(Binds::as_str),
            },
            bound_to: approval.map(|approval| approval.bound_to),
            check_id: context.check_id(decision),
            confidence: class.confidence,
            decision: decision.kind().as_str(),
            delegations: session.chain().map(Chain::ids).unwrap_or_default(),
            effect: class.effect.as_str(),
            // What an evaluation says is not kept, so others could not be asked about the same.
            facts: (context.said.as_ref().filter(|_| check.access.is_none()))
                .and_then(|_| FactsOfDecision::new(context)),
            input_chars: context.facts.input_chars,
            input_digest: (check.access.as_ref().map(|asked| asked.digest.as_str()))
                .or(check.digest.as_deref()),
            policies: listed(policies),
            proof: check.proof.as_ref().map(|proof| &*proof.thumbprint),
            reason,
            scopes: context.facts.scopes,
            session_id: check.session_id.as_deref(),
            session_mode: session.mode(),
            shadow: shadow.map(|shadow| shadow.verdict.as_str()),
            source: &check.source,
            tool: &check.tool,
            trace_id: check.trace.as_ref().map(Trace::id),
            verdict: context.said.as_ref().map(|said| said.verdict),
        }
    }
}

impl FactsOfDecision {
    /// Returns the facts; `None` where a list is too long for a row, so that none is told in part.
    fn new(context: &DecisionContext<'_>) -> Option<Self> {
        let Evaluation { agent, session, .. } = context.evaluation;
        let ceiling = match session.has_ceiling() {
            true => Some(session.ceiling_facts()?.to_hex()),
            false => None,
        };
        let delegation = match session.delegation() {
            Some(_) => Some(session.delegation_digest()?.to_hex()),
            None => None,
        };
        Some(Self {
            agent: agent.facts?.to_hex(),
            ceiling,
            delegation,
            now: context.facts.now_unix_seconds,
            session_source: context.facts.session_source,
        })
    }
}

/// Returns the first of these ids, as many as a row has room for.
fn listed(ids: &[String]) -> &[String] {
    let mut bytes = 0;
    let fits = ids.iter().take_while(|id| {
        bytes += id.len();
        bytes <= IDS_MAX_BYTES
    });
    ids.get(..fits.count()).unwrap_or_default()
}

/// Returns a share as RFC 8785 writes it: a whole one without a fraction.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn shortest<S: Serializer>(share: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if share.fract() == 0.0 {
        #[expect(clippy::cast_possible_truncation, reason = "0 or 1")]
        serializer.serialize_i64(*share as i64)
    } else {
        serializer.serialize_f64(*share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_is_written_in_the_form_in_which_it_is_hashed() {
        let words = ["z\u{1}\u{8}\n\r\t\u{c}\"\\/é🙂\u{7f}\u{2028}".to_owned(), String::new()];
        for confidence in [1.0, 0.9, 0.6, 0.3, 0.0] {
            for present in [true, false] {
                let party = || Party { id: &words[0], kind: "user" };
                let body = DecisionBody {
                    access: present.then(|| AccessOfDecision {
                        denied: Some("chk_2"),
                        resource: party(),
                        subject: party(),
                    }),
                    approval_id: present.then_some("apr_1"),
                    approval_opened: present.then_some(true),
                    basis: "name",
                    binds: present.then_some("request"),
                    bound_to: present.then_some(BoundTo::Summary),
                    check_id: "chk_1",
                    confidence,
                    decision: "hold",
                    delegations: if present { words.to_vec() } else { Vec::new() },
                    effect: "read",
                    facts: present.then(|| FactsOfDecision {
                        agent: "0f".to_owned(),
                        ceiling: None,
                        delegation: Some("1e".to_owned()),
                        now: i64::from(i32::MIN),
                        session_source: Some(SessionSource::Api),
                    }),
                    input_chars: present.then_some(1_000_000_000),
                    input_digest: present.then_some("ab"),
                    policies: &words,
                    proof: present.then_some("kPrK"),
                    reason: &words[0],
                    scopes: &words,
                    session_id: present.then_some(&words[0]),
                    session_mode: SessionMode::Supervised,
                    shadow: present.then_some("deny"),
                    source: "api",
                    tool: &words[0],
                    trace_id: present.then_some("0af7"),
                    verdict: present.then_some("hold"),
                };
                let written = serde_json::to_string(&body).unwrap();
                let value: serde_json::Value = serde_json::from_str(&written).unwrap();
                assert_eq!(written, serde_json_canonicalizer::to_string(&value).unwrap());
            }
        }
    }
}
