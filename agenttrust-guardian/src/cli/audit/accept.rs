//! `agenttrust audit accept`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::{KeyFile, refused, work};
use crate::audit;
use crate::audit::{
    AUDIT_CHECKPOINTS, Acceptance, AuditError, AuditKey, AuditLog, CheckpointFile, Noted, Record,
    Signing,
};
use crate::cli::DatabaseArgs;
use crate::cli::out::print;
use crate::cli::records::log_of;
use crate::domain::{DEFAULT_ORG, GuardianError};
use crate::store::{Database, Db};

/// The arguments of `agenttrust audit accept`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Accept {
    /// The reason, which the audit keeps
    #[arg(long, value_name = "WORDS")]
    reason: String,
    /// Only the log of this replica
    #[arg(long, value_name = "NAME")]
    log: Option<String>,
    /// The file of checkpoints of the Guardian that refuses the log [default: beside the database file]
    #[arg(long, value_name = "FILE", env = "AGENTTRUST_AUDIT_CHECKPOINTS")]
    audit_checkpoints: Option<PathBuf>,
    #[command(flatten)]
    key: KeyFile,
    #[command(flatten)]
    place: DatabaseArgs,
}

impl Accept {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        let key = self.key.load_key(&self.place)?;
        let beside = Database::parse(&self.place.database)?.beside(AUDIT_CHECKPOINTS);
        let path = self.audit_checkpoints.clone().or(beside).filter(|path| path.exists());
        let path = path.ok_or_else(|| {
            GuardianError::Invalid(
                "there is no file of checkpoints beside this database; name the one of the Guardian that refuses \
                 the log by --audit-checkpoints"
                    .to_owned(),
            )
        })?;
        let file = CheckpointFile::open(&path).map_err(refused)?;
        let store = self.place.open_existing().await?;
        let db = store.db();
        let noted = file.read(&[key.public()]).map_err(refused)?.logs;
        let says_nothing = noted.is_empty();
        let accepting = Accepting { log: self.log, reason: self.reason, key, file, noted };
        let accepted = work(async move { accepting.accept(&db).await }).await?;
        store.close().await;
        print(|out| {
            for (log, Acceptance { fault, .. }) in &accepted {
                let name = audit::named(log);
                writeln!(out, "the audit log{name} is gone on with, although: {}", fault.what)?;
            }
            match (accepted.is_empty(), says_nothing) {
                (false, _) => writeln!(out, "start its Guardian again"),
                (true, false) => writeln!(out, "there is nothing to accept: every log is whole"),
                (true, true) => writeln!(
                    out,
                    "there is nothing to accept: {} says nothing of any log, so it is not known which rows a log has \
                     to have; put a copy of the file in its place, and see what `agenttrust audit verify` says",
                    path.display()
                ),
            }
        })?;
        Ok(if accepted.is_empty() && says_nothing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

struct Accepting {
    log: Option<String>,
    reason: String,
    key: AuditKey,
    file: CheckpointFile,
    /// What the file says of each log.
    noted: Vec<Noted>,
}

impl Accepting {
    /// Accepts what is wrong with each log; returns what that was.
    async fn accept(self, db: &Db) -> Result<Vec<(String, Acceptance)>, AuditError> {
        let Self { log, reason, key, file, noted } = self;
        let mut logs: Vec<String> = match log {
            Some(log) => vec![log],
            None => noted.iter().map(|noted| noted.log.clone()).collect(),
        };
        // A file that says nothing yet is of the one log that there is.
        if logs.is_empty() && matches!(db, Db::Sqlite(_)) {
            logs.push(log_of(db).to_owned());
        }
        let mut accepted = Vec::new();
        for log in logs {
            if let Some(acceptance) = Acceptance::of(db, &log, &noted, &key).await? {
                acceptance.write_checkpoint(&file)?;
                accepted.push((log, acceptance));
            }
        }
        if accepted.is_empty() {
            return Ok(accepted);
        }
        let signing = match db {
            // It is the log that was accepted, and signed from there on.
            Db::Sqlite(_) => Signing::new(key, Some(file)),
            Db::Postgres(_) => Signing::of_command(key),
        };
        let own = log_of(db).to_owned();
        let said = AuditLog::start(db.clone(), own, Arc::default(), Some(signing)).await?;
        for (log, acceptance) in &accepted {
            let record = Record::new("audit.accepted", DEFAULT_ORG).body(serde_json::json!({
                "log": log, "through": acceptance.through(), "found": acceptance.fault.what,
                "reason": reason, "by": "agenttrust audit accept",
            }));
            said.append(record).await?;
        }
        said.close().await;
        Ok(accepted)
    }
}
