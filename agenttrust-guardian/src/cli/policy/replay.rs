//! Recorded checks, decided again: what another folder of policies would have changed.

use std::collections::{BTreeMap, HashMap};
use std::process::ExitCode;

use agenttrust::Effect;
use agenttrust::background;
use agenttrust::model::{SessionMode, SessionSource};
use serde::Deserialize;

use crate::audit;
use crate::audit::{AuditError, Entry, MAX_PAGE};
use crate::cli::DatabaseArgs;
use crate::cli::out::say;
use crate::domain::GuardianError;
use crate::policy::{AuthorizationRequest, DelegationFacts, PolicySet};

/// The facts that the body of a row has of its check.
#[derive(Debug, Deserialize)]
struct Recorded {
    check_id: String,
    tool: String,
    effect: Effect,
    confidence: f64,
    session_id: Option<String>,
    session_mode: SessionMode,
    scopes: Vec<String>,
    input_chars: Option<u64>,
    /// The verdict of the policies at that time.
    verdict: String,
    /// The policies that decided, if it was they.
    policies: Vec<String>,
    facts: Told,
}

/// The further facts that the policies saw: lists by the rows that have them, in rows of today.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Told {
    ByReference {
        agent: String,
        ceiling: Option<String>,
        delegation: Option<String>,
        session_source: Option<SessionSource>,
        now: i64,
    },
    Whole {
        #[serde(flatten)]
        agent: AgentFacts,
        ceiling: Vec<String>,
        session_source: Option<SessionSource>,
        now: i64,
    },
}

#[derive(Debug, Deserialize)]
struct AgentFacts {
    agent_name: String,
    groups: Vec<String>,
    capabilities: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct CeilingFacts {
    ceiling: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct FactsOfDelegation {
    delegation: DelegationFacts,
}

/// The rows of facts that a log has up to here, by their digests.
#[derive(Debug, Default)]
struct FactsByDigest {
    agents: HashMap<String, AgentFacts>,
    ceilings: HashMap<String, Vec<String>>,
    delegations: HashMap<String, DelegationFacts>,
}

impl FactsByDigest {
    fn learn(&mut self, entry: &Entry) {
        let Some(digest) = entry.body.get("digest").and_then(serde_json::Value::as_str) else {
            return;
        };
        if let Ok(agent) = AgentFacts::deserialize(&entry.body) {
            self.agents.insert(digest.to_owned(), agent);
        } else if let Ok(CeilingFacts { ceiling }) = CeilingFacts::deserialize(&entry.body) {
            self.ceilings.insert(digest.to_owned(), ceiling);
        } else if let Ok(facts) = FactsOfDelegation::deserialize(&entry.body) {
            self.delegations.insert(digest.to_owned(), facts.delegation);
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    same: usize,
    changed: usize,
    /// Decided before the policies were asked.
    before: usize,
    /// Those that cannot be replayed, by the reason.
    untold: BTreeMap<&'static str, usize>,
}

/// An evaluation of AuthZEN, whose facts are not recorded.
const OF_AUTHZEN: &str = "are evaluations of AuthZEN, whose properties are not kept";
/// A check that rests on facts in an earlier row.
const LET_GO: &str = "rest on facts that the retention or `agenttrust audit prune` has let go";
/// A row that has no facts, or others.
const OF_OTHER_FORM: &str = "are rows of a form that this version does not read";

impl Counts {
    fn leave_out(&mut self, why: &'static str) {
        *self.untold.entry(why).or_default() += 1;
    }
}

/// Decides every recorded check again and prints what would change, which fails where that is wanted.
pub(super) async fn replay(
    set: &PolicySet,
    place: &DatabaseArgs,
    fail_on_change: bool,
) -> Result<ExitCode, GuardianError> {
    let db = place.open_to_read().await?.db();
    let mut counts = Counts::default();
    let of = db.clone();
    for log in read_log(async move { audit::logs(&of).await }).await? {
        let (mut after, mut recorded_facts) = (0, FactsByDigest::default());
        loop {
            let (db, log) = (db.clone(), log.clone());
            let page = read_log(async move { audit::list(&db, &log, after, MAX_PAGE, None).await })
                .await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for entry in &page {
                match entry.kind.as_str() {
                    "facts" => recorded_facts.learn(entry),
                    "decision" => weigh(set, entry, &recorded_facts, &mut counts)?,
                    _ => {}
                }
            }
        }
    }
    let Counts { same, changed, before, untold: causes } = counts;
    let untold: usize = causes.values().sum();
    say(&format!(
        "{} decisions: {changed} would change, {same} would not, {before} were made before the \
         policies were asked, {untold} cannot be replayed",
        same + changed + before + untold
    ))?;
    for (why, count) in causes {
        say(&format!("  {count} of these {why}"))?;
    }
    Ok(if fail_on_change && changed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn read_log<T: Send + 'static>(
    reading: impl Future<Output = Result<T, AuditError>> + Send + 'static,
) -> Result<T, GuardianError> {
    background::spawn(reading)
        .await
        .map_err(|_| GuardianError::Unavailable("reading the audit log panicked".to_owned()))?
        .map_err(|error| GuardianError::Unavailable(error.to_string()))
}

fn weigh(
    set: &PolicySet,
    entry: &Entry,
    recorded_facts: &FactsByDigest,
    counts: &mut Counts,
) -> Result<(), GuardianError> {
    // A row says `null` where the policies were not asked, and nothing where it is older than that.
    if entry.body.get("verdict").is_some_and(serde_json::Value::is_null) {
        counts.before += 1;
        return Ok(());
    }
    if entry.body.get("access").is_some() {
        counts.leave_out(OF_AUTHZEN);
        return Ok(());
    }
    let (Some(agent_id), Ok(recorded)) = (&entry.agent_id, Recorded::deserialize(&entry.body))
    else {
        counts.leave_out(OF_OTHER_FORM);
        return Ok(());
    };
    // The row that it refers to may have been let go.
    let Some(facts) = recorded.facts(&entry.org_id, agent_id, recorded_facts) else {
        counts.leave_out(LET_GO);
        return Ok(());
    };
    let verdict = set.decide(&facts);
    if verdict.as_str() == recorded.verdict {
        counts.same += 1;
        return Ok(());
    }
    counts.changed += 1;
    say(&format!(
        "row {} {}: agent {agent_id:?}, tool {:?} ({}): {} by {:?} would be {} by {:?}: {}",
        entry.seq,
        recorded.check_id,
        recorded.tool,
        recorded.effect,
        recorded.verdict,
        recorded.policies,
        verdict.as_str(),
        verdict.policies(),
        verdict.reason(),
    ))
}

impl Recorded {
    fn facts<'a>(
        &'a self,
        org: &'a str,
        agent_id: &'a str,
        recorded_facts: &'a FactsByDigest,
    ) -> Option<AuthorizationRequest<'a>> {
        let mut delegation = None;
        let (agent, ceiling, session_source, now) = match &self.facts {
            Told::ByReference { agent, ceiling, delegation: acts_under, session_source, now } => {
                if let Some(digest) = acts_under {
                    delegation = Some(recorded_facts.delegations.get(digest)?);
                }
                let ceiling = match ceiling {
                    Some(ceiling) => recorded_facts.ceilings.get(ceiling)?.as_slice(),
                    None => &[],
                };
                (recorded_facts.agents.get(agent)?, ceiling, session_source, now)
            }
            Told::Whole { agent, ceiling, session_source, now } => {
                (agent, ceiling.as_slice(), session_source, now)
            }
        };
        Some(AuthorizationRequest {
            org,
            agent_id,
            agent_name: &agent.agent_name,
            groups: &agent.groups,
            capabilities: &agent.capabilities,
            tool: &self.tool,
            effect: self.effect,
            confidence: self.confidence,
            session_id: self.session_id.as_deref(),
            session_source: *session_source,
            session_mode: self.session_mode,
            ceiling,
            delegation,
            scopes: &self.scopes,
            input_chars: self.input_chars,
            now_unix_seconds: *now,
            access: None,
        })
    }
}
