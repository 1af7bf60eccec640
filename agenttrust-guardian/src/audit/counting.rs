//! The counts that a decision adds to, in the transaction of its row. So a counter equals the number of rows that it
//! counts, whatever crashes, and a burst of denials is reported by one replica, once.
//!
//! Ten denials of one agent within 60 seconds are a burst, whichever tools and replicas they were of. The
//! tenth makes one `anomaly.denial_burst` row; there is no other until the agent was not denied for five
//! minutes. Times are the Guardian's: a denial with an earlier one than the denial before it counts as
//! made at the same time.

use std::collections::BTreeMap;
use std::time::Duration;

use agenttrust::Timestamp;
use serde_json::json;

use super::error::AuditError;
use super::record::{Record, Row};
use crate::store::denials::{self, Denials};
use crate::store::{Counts, Transaction, counts};

/// The number of denials ...
const BURST: usize = 10;
/// ... within this time are a burst; ...
const WITHIN: Duration = Duration::from_secs(60);
/// ... and after this time without one, the next can begin.
const QUIET: Duration = Duration::from_secs(5 * 60);
/// The number of tools that the row of a burst names.
const TOOLS: usize = 5;

/// The denials of one agent among the rows of a transaction.
struct OfAgent<'a> {
    org_id: &'a str,
    denials: Vec<(Timestamp, &'a str)>,
}

/// Returns whether any of these rows counts towards anything.
pub(super) fn is_needed(rows: &[&Row]) -> bool {
    let counts = |row: &&Row| {
        let counted = row.counted.as_ref();
        counted.is_some_and(|counted| counted.session_id.is_some() || counted.denied.is_some())
    };
    rows.iter().any(counts)
}

/// Counts these rows of `log`; returns rows that tell what came of it.
pub(super) async fn count(
    transaction: &mut Transaction,
    log: &str,
    rows: &[&Row],
    now: Timestamp,
) -> Result<Vec<Row>, AuditError> {
    // In the order of their names, so that two replicas never wait for each other.
    let mut sessions = BTreeMap::<&str, Counts>::new();
    let mut agents = BTreeMap::<&str, OfAgent<'_>>::new();
    for row in rows {
        let Some(counted) = &row.counted else { continue };
        if let Some(id) = &counted.session_id {
            sessions.entry(id).or_insert_with(|| Counts::none(counted.at)).count(
                counted.read,
                counted.denied.is_some(),
                counted.at,
            );
        }
        if let (Some(tool), Some(agent_id)) = (&counted.denied, &row.agent_id) {
            let of = || OfAgent { org_id: &row.org_id, denials: Vec::new() };
            agents.entry(agent_id).or_insert_with(of).denials.push((counted.at, tool));
        }
    }
    for (id, counted) in sessions {
        counts::add(transaction, log, id, &counted).await.map_err(AuditError::unwritable)?;
    }
    let mut told = Vec::new();
    for (agent_id, of) in agents {
        let known = denials::find(transaction, agent_id).await.map_err(AuditError::unwritable)?;
        let (known, bursts) = follow(known, &of.denials);
        denials::keep(transaction, agent_id, &known, now).await.map_err(AuditError::unwritable)?;
        for burst in bursts {
            let record = burst.record(of.org_id, agent_id);
            told.push(Row::try_from(record)?);
        }
    }
    Ok(told)
}

/// The denials of a burst, up to the one that made it one.
#[derive(Debug, PartialEq, Eq)]
struct Burst {
    first_at: Timestamp,
    last_at: Timestamp,
    tools: Vec<String>,
}

impl Burst {
    fn record(self, org_id: &str, agent_id: &str) -> Record {
        let Self { first_at, last_at, tools } = self;
        let body = json!({
            "denials": BURST,
            "first_at": first_at,
            "last_at": last_at,
            "tools": tools,
        });
        Record::new("anomaly.denial_burst", org_id).agent(agent_id).body(body)
    }
}

/// Returns what is known after these denials, and the bursts that they made.
fn follow(mut known: Denials, denied: &[(Timestamp, &str)]) -> (Denials, Vec<Burst>) {
    let mut bursts = Vec::new();
    for (at, tool) in denied {
        let last_at = known.latest.last().map_or(*at, |(last_at, _)| *last_at);
        let at = last_at.max(*at);
        if last_at.until(at) >= QUIET {
            known.told = false;
        }
        if known.latest.len() == BURST {
            known.latest.remove(0);
        }
        known.latest.push((at, (*tool).to_owned()));
        let first_at = known.latest.first().map_or(at, |(first_at, _)| *first_at);
        if !known.told && known.latest.len() == BURST && first_at.until(at) <= WITHIN {
            known.told = true;
            bursts.push(Burst { first_at, last_at: at, tools: tools(&known.latest) });
        }
    }
    (known, bursts)
}

/// Returns some of these tools, each once.
fn tools(latest: &[(Timestamp, String)]) -> Vec<String> {
    let mut tools: Vec<String> = Vec::with_capacity(TOOLS);
    for (_, tool) in latest {
        if tools.len() < TOOLS && !tools.contains(tool) {
            tools.push(tool.clone());
        }
    }
    tools
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_unix_micros(1_700_000_000 * SECOND + micros).unwrap()
    }

    /// Returns how many bursts denials at these seconds make, each in a transaction of its own.
    fn bursts(seconds: impl IntoIterator<Item = i64>) -> usize {
        let mut known = Denials::default();
        let mut made = 0;
        for second in seconds {
            let (now_known, bursts) = follow(known, &[(at(second * SECOND), "t")]);
            made += bursts.len();
            known = now_known;
        }
        made
    }

    #[test]
    fn ten_denials_within_a_minute_are_one_burst_however_many_follow() {
        assert_eq!(bursts([0; 9]), 0);
        assert_eq!(bursts([0; 10]), 1);
        assert_eq!(bursts([0; 50]), 1);
        assert_eq!(bursts([0, 0, 0, 0, 0, 0, 0, 0, 0, 60]), 1);
        assert_eq!(bursts([0, 0, 0, 0, 0, 0, 0, 0, 0, 61]), 0);
        // The first is out of the window, and there are ten without it.
        assert_eq!(bursts([0, 10, 10, 10, 10, 10, 10, 10, 10, 61, 62]), 1);
        // One every seven seconds never has ten within a minute.
        assert_eq!(bursts((0..1_000).map(|n| n * 7)), 0);
    }

    #[test]
    fn after_five_minutes_without_a_denial_the_next_burst_is_told_of_and_no_sooner() {
        let then = |second: i64| [0; 10].into_iter().chain([second; 10]);
        assert_eq!(bursts(then(299)), 1);
        assert_eq!(bursts(then(300)), 2);
        // Denied again and again, it was never quiet.
        assert_eq!(bursts((0..10_000).map(|n| n / 10 * 30)), 1);
    }

    #[test]
    fn a_denial_that_was_made_earlier_than_the_one_before_it_counts_as_made_then() {
        assert_eq!(bursts([100, 0, 0, 0, 0, 0, 0, 0, 0, 160]), 1);
        assert_eq!(bursts([400, 0, 0, 0, 0, 0, 0, 0, 0, 0, 399, 0, 400, 0]), 1);
    }

    #[test]
    fn the_row_names_some_of_the_tools() {
        let names: Vec<String> = (0..10).map(|n| format!("t{}", n / 2)).collect();
        let denied: Vec<_> = names.iter().map(|name| (at(0), name.as_str())).collect();
        let (_, bursts) = follow(Denials::default(), &denied);
        assert_eq!(bursts[0].tools, ["t0", "t1", "t2", "t3", "t4"]);
    }
}
