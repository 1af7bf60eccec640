//! What is noted of a log outside of its database: the checkpoints, one a line, in a file that is only
//! ever added to.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::checkpoint::Checkpoint;
use super::error::AuditError;

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

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
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

fn unusable(path: &Path, error: io::Error) -> AuditError {
    AuditError::CheckpointFile { path: path.to_owned(), source: std::sync::Arc::new(error) }
}
