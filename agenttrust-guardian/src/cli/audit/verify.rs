//! `agenttrust audit verify`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::unusable_file::UnusableFile;
use super::{KeyFile, empty, refused, work};
use crate::audit;
use crate::audit::{
    AUDIT_CHECKPOINTS, AuditKey, Checkpoint, Noted, PublicKey, Trust, Verification,
};
use crate::cli::out::print;
use crate::cli::{DatabaseArgs, KEYS_LOG};
use crate::domain::GuardianError;
use crate::store::Database;

/// The arguments of `agenttrust audit verify`.
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
        let mut evidence = self.evidence()?;
        for file in std::mem::take(&mut evidence.unusable) {
            if file.is_filled_soon().await {
                evidence = self.evidence()?;
                break;
            }
            evidence.unusable.push(file);
        }
        let trust = evidence.trust.clone();
        let found = work(async move { audit::verify_all(&db, &trust).await }).await?;
        if found.iter().all(|log| log.rows == 0 && log.fault.is_none()) {
            return Err(empty(&self.place));
        }
        // A Guardian that signs notes it in a file, too, and one is named where it is not beside the database.
        let signs =
            self.key.find(&self.place)?.is_some() || found.iter().any(|log| log.signed.is_some());
        let is_wanted = signs || !self.checkpoints.is_empty();
        let unusable: Vec<_> =
            evidence.unusable.iter().filter(|file| is_wanted || !file.is_missing()).collect();
        print(|out| {
            found.iter().try_for_each(|log| tell(out, log, &evidence))?;
            match evidence.unsigned {
                0 => {}
                lines => writeln!(
                    out,
                    "{lines} lines of what was noted are cut, changed or not signed, and are ignored"
                )?,
            }
            unusable.iter().try_for_each(|file| writeln!(out, "{file}"))
        })?;
        let whole = unusable.is_empty() && found.iter().all(|log| log.fault.is_none());
        Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Returns what is known from outside of the database.
    fn evidence(&self) -> Result<OutsideEvidence, GuardianError> {
        let (keys, by) = self.keys()?;
        let (mut noted, mut unsigned, mut unusable) = (Vec::new(), 0, Vec::new());
        let mut take = |noted: &mut Vec<Noted>, path: &Path| {
            let (lines, says_nothing) = take_file(noted, path, &keys)?;
            unsigned += lines;
            unusable.extend(says_nothing);
            Ok::<_, GuardianError>(())
        };
        for given in &self.checkpoints {
            if given.trim_start().starts_with('{') {
                let one = serde_json::from_str::<Checkpoint>(given).map_err(|error| {
                    GuardianError::Invalid(format!(
                        "--checkpoint is no checkpoint ({error}); give a line of the file as it is"
                    ))
                })?;
                Noted::take_all(&mut noted, [one], &keys);
            } else {
                take(&mut noted, Path::new(given))?;
            }
        }
        if self.checkpoints.is_empty()
            && let Some(path) = Database::parse(&self.place.database)?.beside(AUDIT_CHECKPOINTS)
        {
            // Looked at before it is read: a pipe may never say anything.
            match UnusableFile::not_regular(&path) {
                Some(not_regular) => unusable.push(not_regular),
                None => take(&mut noted, &path)?,
            }
        }
        let trust = Trust { keys, noted, ..Trust::default() };
        Ok(OutsideEvidence { trust, by, unsigned, unusable })
    }

    /// Returns the keys that may have signed, and where they are from.
    fn keys(&self) -> Result<(Vec<PublicKey>, String), GuardianError> {
        let mut keys = self.keys.clone();
        let mut by = "--key".to_owned();
        if let Some(path) = self.key.find(&self.place)?
            && (keys.is_empty() || self.key.audit_key.is_some())
        {
            keys.push(AuditKey::load(&path).map_err(refused)?.public());
            by = path.display().to_string();
        }
        if keys.is_empty() {
            "the log itself, which proves nothing against an attacker who can rewrite all of it"
                .clone_into(&mut by);
        }
        Ok((keys, by))
    }
}

/// The evidence from outside of the database that the audit is verified against.
struct OutsideEvidence {
    trust: Trust,
    /// The source of the keys.
    by: String,
    /// The number of noted lines that are no signed checkpoints.
    unsigned: usize,
    /// The files that say nothing of any log.
    unusable: Vec<UnusableFile>,
}

/// Takes over what a file says; returns how many of its lines are no signed checkpoints, and the kind of file if no
/// line is one.
fn take_file(
    noted: &mut Vec<Noted>,
    path: &Path,
    keys: &[PublicKey],
) -> Result<(usize, Option<UnusableFile>), GuardianError> {
    if let Some(missing) = UnusableFile::not_there(path) {
        return Ok((0, Some(missing)));
    }
    let (mut signed, mut unsigned) = (0, 0);
    audit::each_noted(path, |line| match line {
        Some(line) => {
            signed += 1;
            Noted::take_all(noted, [line], keys);
        }
        None => unsigned += 1,
    })
    .map_err(refused)?;
    let unusable = (signed == 0).then(|| UnusableFile::without_a_line(path, unsigned)).flatten();
    Ok((unsigned, unusable))
}

fn tell(
    out: &mut impl Write,
    found: &Verification,
    evidence: &OutsideEvidence,
) -> std::io::Result<()> {
    let Verification { log, rows, head, cut, accepted, signed, keys, fault } = found;
    let name = audit::named(log);
    if let Some(fault) = fault {
        return writeln!(out, "the audit log{name} is broken at row {}: {}", fault.seq, fault.what);
    }
    writeln!(out, "the audit log{name} is whole: {rows} rows, head {head}")?;
    if let Some(cut) = cut {
        writeln!(out, "  it begins after row {cut}, as a signed cut says")?;
    }
    match accepted {
        Some(0) => writeln!(
            out,
            "  a change that was seen was accepted: its audit.accepted row says which"
        )?,
        Some(through) => writeln!(
            out,
            "  its rows up to {through} were accepted as they are, and nothing before that is proven: its \
             audit.accepted row says why"
        )?,
        None => {}
    }
    match signed {
        Some(signed) => writeln!(
            out,
            "  signed up to row {signed} by {}; the key is known from {}",
            keys.join(" and then "),
            evidence.by
        )?,
        None if log == KEYS_LOG => writeln!(
            out,
            "  no checkpoint vouches for its end: commands write this log and sign each row by itself, which does not \
             show that rows are missing behind it; keep an export of it elsewhere"
        )?,
        None => writeln!(out, "  no checkpoint vouches for its end")?,
    }
    let mut noted = evidence.trust.noted.iter().filter(|noted| noted.log == *log);
    let reached = noted.find_map(|noted| noted.reached.as_ref()).map(|reached| reached.seq);
    match (reached, signed) {
        (None, _) => writeln!(
            out,
            "  compared with no checkpoint from outside of the database: give --checkpoint to see \
             whether its end is missing together with its checkpoints"
        ),
        (Some(reached), Some(signed)) if reached < *signed => writeln!(
            out,
            "  what was noted outside ends at row {reached}: lines are missing, unless its Guardian wrote row {signed} \
             within the last second (verify again) or was killed within a second of it"
        ),
        (Some(_), _) => Ok(()),
    }
}
