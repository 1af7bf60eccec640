//! `agenttrust audit tail`.

use std::collections::HashMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{empty, work};
use crate::audit;
use crate::audit::{AuditError, Entry, MAX_PAGE};
use crate::cli::DatabaseArgs;
use crate::cli::out::{harmless_json, print};
use crate::domain::GuardianError;
use crate::store::Db;

/// The time between two looks at the log for more.
const LOOK: Duration = Duration::from_millis(250);

/// The arguments of `agenttrust audit tail`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Tail {
    /// The number of rows, of all logs together
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(0..=1_000))]
    lines: u32,
    /// Go on with the rows that are written from now on
    #[arg(short, long)]
    follow: bool,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
    /// Only the log of this replica
    #[arg(long, value_name = "NAME")]
    log: Option<String>,
    #[command(flatten)]
    place: DatabaseArgs,
}

impl Tail {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        let db = self.place.open_to_read().await?.db();
        let mut seen = HashMap::new();
        let (of, log, lines) = (db.clone(), self.log.clone(), self.lines);
        let (ends, newest) = work(async move { newest(&of, log, lines).await }).await?;
        if ends.values().all(|seq| *seq == 0) && !self.follow {
            return Err(empty(&self.place));
        }
        seen.extend(ends);
        self.print(&newest)?;
        if !self.follow {
            return Ok(ExitCode::SUCCESS);
        }
        loop {
            tokio::time::sleep(LOOK).await;
            let (of, log, before) = (db.clone(), self.log.clone(), seen.clone());
            let more = work(async move { more(&of, log, &before).await }).await?;
            for entry in &more {
                seen.insert(entry.log.clone(), entry.seq);
            }
            self.print(&more)?;
        }
    }

    fn print(&self, entries: &[Entry]) -> Result<(), GuardianError> {
        print(|out| entries.iter().try_for_each(|entry| line(out, entry, self.json)))
    }
}

async fn names(db: &Db, log: Option<String>) -> Result<Vec<String>, AuditError> {
    match log {
        Some(log) => Ok(vec![log]),
        None => audit::logs(db).await,
    }
}

/// Returns how far each log has come, and the newest rows of all of them.
async fn newest(
    db: &Db,
    log: Option<String>,
    lines: u32,
) -> Result<(HashMap<String, u64>, Vec<Entry>), AuditError> {
    let (mut ends, mut newest) = (HashMap::new(), Vec::new());
    for log in names(db, log).await? {
        // One more than is shown at the least: where it ends has to be known.
        let rows = audit::newest(db, &log, lines.max(1)).await?;
        ends.insert(log, rows.last().map_or(0, |last| last.seq));
        newest.extend(rows);
    }
    in_order(&mut newest);
    let shown = newest.len().saturating_sub(usize::try_from(lines).unwrap_or(usize::MAX));
    Ok((ends, newest.split_off(shown)))
}

/// Returns the rows that were written since.
async fn more(
    db: &Db,
    log: Option<String>,
    seen: &HashMap<String, u64>,
) -> Result<Vec<Entry>, AuditError> {
    let mut more = Vec::new();
    for log in names(db, log).await? {
        let after = seen.get(&log).copied().unwrap_or(0);
        more.extend(audit::list(db, &log, after, MAX_PAGE, None).await?);
    }
    in_order(&mut more);
    Ok(more)
}

/// Sorts entries by their times, with rows of one log in their order: their times never go back.
fn in_order(entries: &mut [Entry]) {
    entries.sort_by(|one, other| {
        (&one.at, &one.log, one.seq).cmp(&(&other.at, &other.log, other.seq))
    });
}

fn line(out: &mut impl Write, entry: &Entry, json: bool) -> io::Result<()> {
    if json {
        return writeln!(out, "{}", harmless_json(&serde_json::to_string(entry)?));
    }
    let Entry { log, seq, at, kind, org_id, agent_id, actor, body, .. } = entry;
    write!(out, "{at} ")?;
    if !log.is_empty() {
        write!(out, "{log:?} ")?;
    }
    // Names come from outside, and none may end the line or steer the terminal.
    write!(out, "{seq} {kind} org={}", org_id.escape_debug())?;
    for (what, value) in [("agent", agent_id), ("by", actor)] {
        if let Some(value) = value {
            write!(out, " {what}={}", value.escape_debug())?;
        }
    }
    writeln!(out, " {}", harmless_json(&body.to_string()))
}
