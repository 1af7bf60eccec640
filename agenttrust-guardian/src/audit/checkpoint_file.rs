//! What is noted of a log outside of its database: the checkpoints, one a line, in a file that is only
//! ever added to.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::checkpoint::{self, Checkpoint};
use super::error::AuditError;
use super::head::Head;
use super::signing::Signing;
use crate::store::Transaction;

/// A line is shorter than this, whatever the name of its log.
const LINE: u64 = 16 << 10;

/// The file, open to be added to.
#[derive(Debug)]
pub(crate) struct CheckpointFile {
    path: PathBuf,
    file: File,
    /// Whether the last line could not be written, so that it is said once.
    failing: bool,
}

impl CheckpointFile {
    /// Opens the file, and makes it when it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, AuditError> {
        let open = || {
            let mut options = OpenOptions::new();
            options.read(true).append(true).create(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path)?;
            // A crash may have left half a line; the next one gets a line of its own.
            if file.seek(SeekFrom::End(0))? > 0 {
                file.seek(SeekFrom::End(-1))?;
                let mut last = [0];
                file.read_exact(&mut last)?;
                if last != *b"\n" {
                    file.write_all(b"\n")?;
                }
            }
            Ok(file)
        };
        let file = open().map_err(|error| unusable(path, error))?;
        Ok(Self { path: path.to_owned(), file, failing: false })
    }

    /// Adds a line. That it cannot be written stops nobody: the database holds the checkpoint, too.
    pub(super) fn add(&mut self, checkpoint: &Checkpoint) {
        let written =
            serde_json::to_vec(checkpoint).map_err(io::Error::from).and_then(|mut line| {
                line.push(b'\n');
                if self.failing {
                    // Half a line may be there from before.
                    line.insert(0, b'\n');
                }
                self.file.write_all(&line)?;
                self.file.sync_data()
            });
        match written {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                tracing::error!(
                    %error, path = %self.path.display(),
                    "a checkpoint of the audit could not be noted outside of the database"
                );
                self.failing = true;
            }
            Err(_) => {}
        }
    }
}

/// The newest checkpoint of each log in this file. Lines that are none are passed over.
pub(crate) fn newest(path: &Path) -> Result<Vec<Checkpoint>, AuditError> {
    let file = File::open(path).map_err(|error| unusable(path, error))?;
    let mut lines = BufReader::new(file);
    let mut newest: Vec<Checkpoint> = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut lines).take(LINE).read_until(b'\n', &mut line);
        if read.map_err(|error| unusable(path, error))? == 0 {
            return Ok(newest);
        }
        let Ok(found) = serde_json::from_slice::<Checkpoint>(&line) else { continue };
        if found.signer().is_none() {
            // Nobody's word must not stand before somebody's.
            continue;
        }
        match newest.iter_mut().find(|known| known.log == found.log) {
            Some(known) if known.seq <= found.seq => *known = found,
            Some(_) => {}
            None => newest.push(found),
        }
    }
}

/// Whether the log still has what checkpoints say that it had: the newest in the database that is by the
/// same key, and the newest that was noted outside.
pub(super) async fn compare(
    transaction: &mut Transaction,
    log: &str,
    signing: &Signing,
) -> Result<(), AuditError> {
    let own = Some(signing.key.public());
    let kept = checkpoint::newest(&mut *transaction, log).await.map_err(AuditError::unreadable)?;
    let kept = kept.filter(|kept| kept.signer() == own).map(|kept| (kept, "the database".into()));
    let noted = match &signing.notes {
        None => None,
        Some(notes) => {
            let noted = newest(&notes.path)?.into_iter().find(|noted| noted.log == log);
            noted.map(|noted| (noted, notes.path.display().to_string()))
        }
    };
    for (checkpoint, place) in kept.into_iter().chain(noted) {
        let Some(said) =
            Head::from_checkpoint(&checkpoint).filter(|_| checkpoint.signer().is_some())
        else {
            tracing::error!(
                %place, seq = checkpoint.seq,
                "a checkpoint of the audit is signed by nobody and not gone by"
            );
            continue;
        };
        match said.still_stands(transaction, log, own).await {
            Err(AuditError::Tampered { log, seq }) => {
                return Err(AuditError::Truncated { log, seq, at: checkpoint.at, place });
            }
            stands => stands?,
        }
    }
    Ok(())
}

fn unusable(path: &Path, error: io::Error) -> AuditError {
    AuditError::CheckpointFile { path: path.to_owned(), source: std::sync::Arc::new(error) }
}
