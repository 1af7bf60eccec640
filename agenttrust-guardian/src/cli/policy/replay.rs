//! Recorded checks, decided again: what another folder of policies would have changed.

use std::process::ExitCode;

use agenttrust::__private::background;
use agenttrust::Effect;
use agenttrust::model::{SessionMode, SessionSource};
use serde::Deserialize;

use super::super::Where;
use super::say;
use crate::audit::{self, AuditError, Entry, MAX_PAGE};
use crate::error::GuardianError;
use crate::policy::{Facts, PolicySet};

/// What the body of a row tells of its check.
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
    /// What the policies said then.
    verdict: String,
    /// Those that decided, if it was they.
    policies: Vec<String>,
    facts: Told,
}

#[derive(Debug, Deserialize)]
struct Told {
    agent_name: String,
    groups: Vec<String>,
    capabilities: Vec<String>,
    ceiling: Vec<String>,
    session_source: Option<SessionSource>,
    now: i64,
}

#[derive(Debug, Default)]
struct Counts {
    same: usize,
    changed: usize,
    /// Decided before the policies were asked.
    before: usize,
    /// Without what it takes.
    untold: usize,
}

/// Decides every recorded check again and prints what would change.
pub(super) async fn replay(set: &PolicySet, place: &Where) -> Result<ExitCode, GuardianError> {
    let db = place.open_to_read().await?.db();
    let mut counts = Counts::default();
    let of = db.clone();
    for log in read(async move { audit::logs(&of).await }).await? {
        let mut after = 0;
        loop {
            let (db, log) = (db.clone(), log.clone());
            let page =
                read(async move { audit::list(&db, &log, after, MAX_PAGE, None).await }).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for entry in page.iter().filter(|entry| entry.kind == "decision") {
                weigh(set, entry, &mut counts)?;
            }
        }
    }
    let Counts { same, changed, before, untold } = counts;
    say(&format!(
        "{} decisions: {changed} would change, {same} would not, {before} were made before the \
         policies were asked, {untold} cannot be replayed",
        same + changed + before + untold
    ))?;
    Ok(ExitCode::SUCCESS)
}

async fn read<T: Send + 'static>(
    reading: impl Future<Output = Result<T, AuditError>> + Send + 'static,
) -> Result<T, GuardianError> {
    background::spawn(reading)
        .await
        .map_err(|_| GuardianError::Unavailable("reading the audit log panicked".to_owned()))?
        .map_err(|error| GuardianError::Unavailable(error.to_string()))
}

fn weigh(set: &PolicySet, entry: &Entry, counts: &mut Counts) -> Result<(), GuardianError> {
    // A row says `null` where the policies were not asked, and nothing where it is older than that.
    if entry.body.get("verdict").is_some_and(serde_json::Value::is_null) {
        counts.before += 1;
        return Ok(());
    }
    let (Some(agent_id), Ok(recorded)) = (&entry.agent_id, Recorded::deserialize(&entry.body))
    else {
        counts.untold += 1;
        return Ok(());
    };
    let verdict = set.decide(&recorded.facts(&entry.org_id, agent_id));
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
    fn facts<'a>(&'a self, org: &'a str, agent_id: &'a str) -> Facts<'a> {
        Facts {
            org,
            agent_id,
            agent_name: &self.facts.agent_name,
            groups: &self.facts.groups,
            capabilities: &self.facts.capabilities,
            tool: &self.tool,
            effect: self.effect,
            confidence: self.confidence,
            session_id: self.session_id.as_deref(),
            session_source: self.facts.session_source,
            session_mode: self.session_mode,
            ceiling: &self.facts.ceiling,
            scopes: &self.scopes,
            input_chars: self.input_chars,
            now_unix_seconds: self.facts.now,
        }
    }
}
