//! `agenttrust audit verify`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::{KeyFile, beside, empty, work};
use crate::audit;
use crate::audit::{AUDIT_CHECKPOINTS, AuditKey, Checkpoint, PublicKey, Trust, Verification};
use crate::cli::DatabaseArgs;
use crate::cli::out::print;
use crate::domain::GuardianError;

/// What `agenttrust audit verify` is told.
#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// A public key that may have signed, as `agenttrust audit key` prints it; may be given several times.
    /// Without one: that of the audit key, else those that the log names itself
    #[arg(long = "key", value_name = "HEX")]
    keys: Vec<PublicKey>,
    #[command(flatten)]
    key: KeyFile,
    /// A file of checkpoints that were noted outside of the database, or one of its lines; may be given
    /// several times [default: the file beside the database file]
    #[arg(long = "checkpoint", value_name = "FILE|JSON")]
    checkpoints: Vec<String>,
    #[command(flatten)]
    place: DatabaseArgs,
}

impl Verify {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        let db = self.place.open_to_read().await?.db();
        // Before the rows: what is noted is in the database already.
        let (trust, by) = self.trust()?;
        let asked = trust.clone();
        let found = work(async move { audit::verify_all(&db, &asked).await }).await?;
        if found.iter().all(|log| log.rows == 0 && log.fault.is_none()) {
            return Err(empty(&self.place));
        }
        print(|out| found.iter().try_for_each(|log| tell(out, log, &trust, &by)))?;
        let whole = found.iter().all(|log| log.fault.is_none());
        Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// What is known from outside, and where the keys are from.
    fn trust(&self) -> Result<(Trust, String), GuardianError> {
        let refused = |error: audit::AuditError| GuardianError::Invalid(error.to_string());
        let mut noted = Vec::new();
        for given in &self.checkpoints {
            if given.trim_start().starts_with('{') {
                let one = serde_json::from_str::<Checkpoint>(given).map_err(|error| {
                    GuardianError::Invalid(format!(
                        "--checkpoint is no checkpoint ({error}); give a line of the file as it is"
                    ))
                })?;
                noted.push(one);
            } else {
                noted.extend(audit::noted(Path::new(given)).map_err(refused)?);
            }
        }
        if self.checkpoints.is_empty()
            && let Some(path) = beside(&self.place, AUDIT_CHECKPOINTS)?
        {
            noted.extend(audit::noted(&path).map_err(refused)?);
        }
        let mut keys = self.keys.clone();
        let mut by = "--key".to_owned();
        if let Some(path) = self.key.find(&self.place)?
            && (keys.is_empty() || self.key.audit_key.is_some())
        {
            keys.push(AuditKey::load(&path).map_err(refused)?.public());
            by = path.display().to_string();
        }
        if keys.is_empty() {
            "the log itself, which proves nothing against whoever can rewrite all of it"
                .clone_into(&mut by);
        }
        Ok((Trust { keys, noted, ..Trust::default() }, by))
    }
}

fn tell(
    out: &mut impl Write,
    found: &Verification,
    trust: &Trust,
    by: &str,
) -> std::io::Result<()> {
    let Verification { log, rows, head, cut, signed, keys, fault } = found;
    let name = if log.is_empty() { String::new() } else { format!(" {log:?}") };
    if let Some(fault) = fault {
        return writeln!(out, "the audit log{name} is broken at row {}: {}", fault.seq, fault.what);
    }
    writeln!(out, "the audit log{name} is whole: {rows} rows, head {head}")?;
    if let Some(cut) = cut {
        writeln!(out, "  it begins after row {cut}, as a signed cut says")?;
    }
    match signed {
        Some(signed) => writeln!(
            out,
            "  signed up to row {signed} by {}; the key is known from {by}",
            keys.join(" and then ")
        )?,
        None => writeln!(out, "  no checkpoint vouches for its end")?,
    }
    if trust.noted.iter().all(|noted| noted.log != *log) {
        writeln!(
            out,
            "  compared with no checkpoint from outside of the database: give --checkpoint to see \
             whether its end is missing together with its checkpoints"
        )?;
    }
    Ok(())
}
