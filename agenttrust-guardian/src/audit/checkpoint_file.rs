//! What is noted of a log outside of its database: the checkpoints, one a line, in a file that is added to.
//!
//! A file that has grown is written again without the checkpoints that newer ones stand for. What was seen of a log,
//! and accepted, stays in it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::checkpoint::{Checkpoint, CheckpointKind};
use super::error::AuditError;
use super::key::PublicKey;
use super::noted::Noted;
use crate::domain::file::replace;

/// A line is shorter than this, whatever the name of its log.
const LINE: u64 = 16 << 10;
/// The largest number of bytes that are read of what is no file: a device may never end.
const OF_A_DEVICE: u64 = 1 << 20;
/// The size from which on a file is written again.
const TIDIED_ABOVE: u64 = 1 << 20;

/// The reason why a device or a pipe is refused: what is added to it is gone.
const NOT_REGULAR: &str = "it must be a regular file, and is a device or a pipe";

/// A file of checkpoints, to be added to.
#[derive(Debug)]
pub(crate) struct CheckpointFile {
    path: PathBuf,
    /// The size above which it is written again. The holder of the lock adds a line.
    tidied_above: Mutex<u64>,
}

impl CheckpointFile {
    /// Finds out that the file is a regular one and can be added to, and makes it when it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, AuditError> {
        open_to_add(path).map_err(|error| AuditError::unusable(path, error))?;
        Ok(Self { path: path.to_owned(), tidied_above: Mutex::new(TIDIED_ABOVE) })
    }

    /// Returns where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line, which is on disk then. It is opened each time: it may have been moved away meanwhile.
    pub(crate) fn add(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let mut line = serde_json::to_vec(checkpoint)?;
        line.push(b'\n');
        // A line that was not written leaves nothing half done here.
        let mut tidied_above = self.tidied_above.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = open_to_add(&self.path)?;
        file.write_all(&line)?;
        file.sync_data()?;
        if file.metadata()?.len() > *tidied_above {
            let left = self.tidy().unwrap_or_else(|error| {
                let path = self.path.display();
                tracing::warn!(%error, %path, "the file of checkpoints grows: it cannot be written again");
                *tidied_above
            });
            *tidied_above = TIDIED_ABOVE.max(left.saturating_mul(2));
        }
        Ok(())
    }

    /// Writes the file again without what newer lines stand for; returns how large it is then.
    fn tidy(&self) -> io::Result<u64> {
        let mut kept: Vec<Checkpoint> = Vec::new();
        each_line(&self.path, |line| {
            let Some(line) = line else { return };
            if says_how_far(&line) {
                kept.retain(|known| {
                    !says_how_far(known)
                        || (&known.log, &known.log_id) != (&line.log, &line.log_id)
                        || known.seq > line.seq
                });
            }
            kept.push(line);
        })?;
        let mut text = Vec::new();
        for line in &kept {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        replace(&self.path, &text, None)?;
        Ok(text.len() as u64)
    }

    /// Returns what it says of each log, where acceptances by these keys count.
    pub(crate) fn read(&self, keys: &[PublicKey]) -> Result<FileContents, AuditError> {
        let mut contents = FileContents::default();
        let FileContents { logs, unsigned } = &mut contents;
        let read = each_line(&self.path, |line| match line {
            Some(line) => Noted::take_all(logs, [line], keys),
            None => *unsigned += 1,
        });
        read.map_err(|error| AuditError::unusable(&self.path, error))?;
        Ok(contents)
    }
}

/// The contents of a file of checkpoints.
#[derive(Debug, Default)]
pub(crate) struct FileContents {
    pub(crate) logs: Vec<Noted>,
    /// The number of lines that are no signed checkpoints.
    pub(crate) unsigned: usize,
}

/// Goes through a file of checkpoints: `None` is a line that is no signed one.
///
/// # Errors
///
/// [`AuditError::CheckpointFile`] when the file cannot be read.
#[cfg(feature = "cli")]
pub(crate) fn each_noted(
    path: &Path,
    take: impl FnMut(Option<Checkpoint>),
) -> Result<(), AuditError> {
    each_line(path, take).map_err(|error| AuditError::unusable(path, error))
}

fn each_line(path: &Path, mut take: impl FnMut(Option<Checkpoint>)) -> io::Result<()> {
    let file = File::open(path)?;
    let most = if file.metadata()?.is_file() { u64::MAX } else { OF_A_DEVICE };
    let mut lines = BufReader::new(file.take(most));
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut lines).take(LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if !line.trim_ascii().is_empty() {
            let found = serde_json::from_slice::<Checkpoint>(&line).ok();
            // An unsigned line must not stand before a signed one.
            take(found.filter(|found| found.signer().is_some()));
        }
    }
}

/// Returns whether a newer line of its kind stands for this line.
fn says_how_far(line: &Checkpoint) -> bool {
    matches!(line.says, CheckpointKind::Reached | CheckpointKind::Closed)
}

fn open_to_add(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(NOT_REGULAR));
    }
    // A crash or a full disk may have left half a line; the next one gets a line of its own.
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::super::key::AuditKey;
    use super::*;

    fn line(key: &AuditKey, says: CheckpointKind, seq: i64) -> Checkpoint {
        let at = format!("2026-01-02T03:04:05.{seq:06}Z");
        Checkpoint::sign(key, says, ("", Some("1d")), (seq, [7; 32]), at)
    }

    #[test]
    fn file_that_has_grown_keeps_the_newest_checkpoint_and_whatever_was_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("at.checkpoints");
        let (key, file) = (AuditKey::random().unwrap(), CheckpointFile::open(&path).unwrap());
        file.add(&line(&key, CheckpointKind::Broken, 1)).unwrap();
        file.add(&line(&key, CheckpointKind::Accepted, 1)).unwrap();
        *file.tidied_above.lock().unwrap() = 4 << 10;
        for seq in 2..50 {
            file.add(&line(&key, CheckpointKind::Reached, seq)).unwrap();
        }
        file.add(&line(&key, CheckpointKind::Broken, 49)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() < 45, "{text}");
        let found = file.read(&[key.public()]).unwrap();
        let [noted] = &found.logs[..] else { panic!("{found:?}") };
        assert_eq!(noted.reached.as_ref().unwrap().seq, 49);
        assert_eq!(noted.broken.as_ref().unwrap().seq, 49);
        assert_eq!(noted.accepted.as_ref().unwrap().seq, 1);
        assert_eq!(found.unsigned, 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn cut_line_costs_no_other_and_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("at.checkpoints");
        let key = AuditKey::random().unwrap();
        let file = CheckpointFile::open(&path).unwrap();
        file.add(&line(&key, CheckpointKind::Reached, 1)).unwrap();
        file.add(&line(&key, CheckpointKind::Reached, 2)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 20]).unwrap();
        file.add(&line(&key, CheckpointKind::Reached, 3)).unwrap();
        let found = file.read(&[]).unwrap();
        assert_eq!((found.logs[0].reached.as_ref().unwrap().seq, found.unsigned), (3, 1));
    }

    #[test]
    #[cfg(unix)]
    fn device_is_not_added_to_by_whatever_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("at.checkpoints");
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        let refused = CheckpointFile::open(&path).unwrap_err().to_string();
        assert!(
            refused.contains("at.checkpoints") && refused.contains("regular file"),
            "{refused}"
        );
    }

    #[test]
    #[cfg(unix)]
    fn device_that_never_ends_is_read_only_so_far() {
        let mut lines = 0;
        each_line(Path::new("/dev/zero"), |line| lines += usize::from(line.is_none())).unwrap();
        assert!(lines > 0);
    }
}
