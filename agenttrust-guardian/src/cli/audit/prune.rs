//! `agenttrust audit prune`.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use agenttrust::Timestamp;
use clap::Args;

use super::{KeyFile, refused, work};
use crate::audit;
use crate::audit::{
    AUDIT_CHECKPOINTS, AuditError, AuditKey, AuditLog, CheckpointFile, Plan, Record, Signing, Trust,
};
use crate::cli::out::print;
use crate::cli::records::log_of;
use crate::cli::{DatabaseArgs, config};
use crate::clock::before;
use crate::domain::{DEFAULT_ORG, GuardianError};
use crate::store::{Database, Db};

/// The arguments of `agenttrust audit prune`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("how old").required(true).args(["before", "keep"])))]
pub(in crate::cli) struct Prune {
    /// Let go what was written before this day or time, such as 2026-01-31 or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "DATE", value_parser = date)]
    before: Option<Timestamp>,
    /// Let go what is older than this, such as 90d
    #[arg(long, value_name = "TIME", value_parser = span)]
    keep: Option<Duration>,
    /// Only the log of this replica
    #[arg(long, value_name = "NAME")]
    log: Option<String>,
    /// A new file to write the rows to, as JSON lines, before they go
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    #[command(flatten)]
    key: KeyFile,
    #[command(flatten)]
    place: DatabaseArgs,
}

impl Prune {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        let key = self.key.load_key(&self.place)?;
        let now = Timestamp::now();
        let older = self.before.or_else(|| self.keep.map(|keep| before(now, keep)));
        let older = format!("{:.6}", older.unwrap_or(now));
        let store = self.place.open_existing().await?;
        let database = Database::parse(&self.place.database)?;
        let notes = database.beside(AUDIT_CHECKPOINTS);
        let notes = notes.map(|path| CheckpointFile::open(&path)).transpose().map_err(refused)?;
        let out = self.export.as_deref().map(new_file).transpose()?;
        let noted = notes.as_ref().map(|notes| notes.read(&[key.public()])).transpose();
        let noted = noted.map_err(refused)?.unwrap_or_default().logs;
        let (db, signing) = (store.db(), Signing::of_command(key.clone()));
        // A cut by anybody else is not to be signed over.
        let trust = Trust { noted, cut_by: Some(key.public()), ..Trust::default() };
        let cut = Cut { log: self.log, key, older, trust, out };
        let pruned = work(async move { cut.make(&db, signing).await }).await?;
        store.close().await;
        print(|out| {
            for (log, plan) in &pruned {
                let name = audit::named(log);
                writeln!(
                    out,
                    "the audit log{name} begins after row {} now: {} rows were let go",
                    plan.through(),
                    plan.rows
                )?;
            }
            if pruned.is_empty() { writeln!(out, "no row is that old") } else { Ok(()) }
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The rows that are let go, and what is to be there afterwards.
struct Cut {
    /// The name of the log; without it every log is cut.
    log: Option<String>,
    key: AuditKey,
    /// The time before which rows are let go.
    older: String,
    /// The facts that are known of the logs from outside.
    trust: Trust,
    /// The file where the rows are written first.
    out: Option<File>,
}

impl Cut {
    /// Lets rows go in each log; returns what went.
    async fn make(self, db: &Db, signing: Signing) -> Result<Vec<(String, Plan)>, AuditError> {
        let Self { log, key, older, trust, out } = self;
        let logs = match log {
            Some(log) => vec![log],
            None => audit::logs(db).await?,
        };
        let mut plans = Vec::new();
        for log in logs {
            if let Some(plan) = Plan::before(db, &log, &older, &trust, &key).await? {
                plans.push((log, plan));
            }
        }
        if plans.is_empty() {
            return Ok(plans);
        }
        if let Some(file) = out {
            let unwritten = |error| AuditError::Export(Arc::new(error));
            let mut out = BufWriter::new(file);
            for (log, plan) in &plans {
                let through = i64::try_from(plan.through()).unwrap_or(i64::MAX);
                audit::export(db, log, Some(through), &mut out).await?;
            }
            // What is let go afterwards is nowhere else.
            let file = out.into_inner().map_err(|error| unwritten(error.into_error()))?;
            file.sync_all().map_err(unwritten)?;
        }
        let own = log_of(db).to_owned();
        let said = AuditLog::start(db.clone(), own, Arc::default(), Some(signing)).await?;
        for (log, plan) in &plans {
            plan.execute(db, &key, format!("{:.6}", Timestamp::now())).await?;
            let record = Record::new("audit.pruned", DEFAULT_ORG).body(serde_json::json!({
                "log": log, "through": plan.through(), "hash": plan.hash(), "rows": plan.rows,
                "before": older, "by": "agenttrust audit prune",
            }));
            said.append(record).await?;
        }
        said.close().await;
        Ok(plans)
    }
}

fn new_file(path: &std::path::Path) -> Result<File, GuardianError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| {
        GuardianError::Invalid(format!(
            "{} cannot be made ({error}); name a file that is not there yet",
            path.display()
        ))
    })
}

fn date(text: &str) -> Result<Timestamp, String> {
    let midnight = format!("{text}T00:00:00Z");
    text.parse().or_else(|_| midnight.parse()).map_err(
        |_: <Timestamp as std::str::FromStr>::Err| {
            "write a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z".to_owned()
        },
    )
}

fn span(text: &str) -> Result<Duration, String> {
    config::duration::parse(text).ok_or_else(|| {
        "write a whole number above 0 and s, m, h or d, such as 90d, up to 365d".to_owned()
    })
}
