//! A file of checkpoints that says nothing: what is in its place, and what can no longer be shown without it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agenttrust::background;

/// The time that a Guardian which has just started has for its first line; it promises one within a second.
const FILLED_WITHIN: Duration = Duration::from_secs(3);
/// The pause between two looks at an empty file.
const PAUSE: Duration = Duration::from_millis(100);

/// A file of checkpoints that says nothing of any log.
#[derive(Debug)]
pub(super) struct UnusableFile {
    path: PathBuf,
    is: Is,
}

/// The thing in the place of a file of checkpoints.
#[derive(Debug, PartialEq, Eq)]
enum Is {
    Missing,
    /// A link to what is not there.
    Dangling(PathBuf),
    Empty,
    /// A file of so many lines, none of which is a signed checkpoint.
    Unsigned(usize),
    /// A device, a pipe or a link to one.
    NotRegular,
}

/// What is given to compare with nothing.
const NOTHING: &str = "/dev/null";

impl UnusableFile {
    /// Returns what is in the place of a file that is not there; `None` for one that is.
    pub(super) fn not_there(path: &Path) -> Option<Self> {
        let error = path.metadata().err()?;
        let is = match std::fs::read_link(path) {
            Ok(target) => Is::Dangling(target),
            Err(_) => Is::Missing,
        };
        // What is there and cannot be read is another matter.
        (error.kind() == io::ErrorKind::NotFound).then(|| Self { path: path.to_owned(), is })
    }

    /// Returns what is in the place of a file that never was one of checkpoints; `None` for a regular file.
    pub(super) fn not_regular(path: &Path) -> Option<Self> {
        let found = path.metadata().ok()?;
        // That a folder cannot be read is another matter.
        let is_regular = found.is_file() || found.is_dir();
        (!is_regular).then(|| Self { path: path.to_owned(), is: Is::NotRegular })
    }

    /// Returns what a file is that was read and has no signed line; `None` for `/dev/null`, by that name.
    pub(super) fn without_a_line(path: &Path, unsigned: usize) -> Option<Self> {
        if path == Path::new(NOTHING) {
            return None;
        }
        let is = if unsigned == 0 { Is::Empty } else { Is::Unsigned(unsigned) };
        Self::not_regular(path).or_else(|| Some(Self { path: path.to_owned(), is }))
    }

    /// Waits for the first line of an empty file; returns whether there is one, which a Guardian that has just started
    /// wrote.
    pub(super) async fn is_filled_soon(&self) -> bool {
        let begun = Instant::now();
        while self.is == Is::Empty && begun.elapsed() < FILLED_WITHIN {
            background::sleep(PAUSE).await;
            if self.path.metadata().is_ok_and(|found| found.len() > 0) {
                return true;
            }
        }
        false
    }

    pub(super) fn is_missing(&self) -> bool {
        self.is == Is::Missing
    }
}

impl fmt::Display for UnusableFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "the file of checkpoints {path} ")?;
        match &self.is {
            Is::Missing => f.write_str(
                "is not there: it was deleted or moved, or the Guardian notes its checkpoints elsewhere",
            )?,
            Is::Dangling(target) => write!(
                f,
                "is a link to {}, which is not there: the link was turned, or its target deleted or moved",
                target.display()
            )?,
            Is::Empty => f.write_str(
                "is empty: its lines were removed, or its Guardian was killed within a second of the first row",
            )?,
            Is::NotRegular => f.write_str(
                "is no regular file, which it must be: a device or a pipe keeps no line that is added to it",
            )?,
            Is::Unsigned(lines) => write!(
                f,
                "has {lines} lines and no signed checkpoint among them: they were changed or cut, or it is another file"
            )?,
        }
        f.write_str(
            ". Without it cannot be shown that no rows are missing from the end together with their checkpoints, that \
             those behind the newest checkpoint of the database are the ones that were written, and that no Guardian \
             saw the log changed. So this verification fails; give the file, a copy of it or one of its lines with \
             --checkpoint, or --checkpoint /dev/null to compare with nothing",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_place_of_a_file_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("at.checkpoints");
        let is = || UnusableFile::not_there(&path).map(|unusable| unusable.is);
        assert_eq!(is(), Some(Is::Missing));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("gone", &path).unwrap();
            assert_eq!(is(), Some(Is::Dangling("gone".into())));
            std::fs::remove_file(&path).unwrap();
            assert!(UnusableFile::without_a_line(Path::new(NOTHING), 0).is_none());
            std::os::unix::fs::symlink(NOTHING, &path).unwrap();
            assert_eq!(
                UnusableFile::not_regular(&path).map(|unusable| unusable.is),
                Some(Is::NotRegular)
            );
            let read = UnusableFile::without_a_line(&path, 0).map(|unusable| unusable.is);
            assert_eq!(read, Some(Is::NotRegular));
            std::fs::remove_file(&path).unwrap();
        }
        std::fs::write(&path, "").unwrap();
        assert_eq!(is(), None);
        assert!(UnusableFile::not_regular(&path).is_none());
        for (unsigned, expected) in [(0, Is::Empty), (3, Is::Unsigned(3))] {
            let unusable = UnusableFile::without_a_line(&path, unsigned);
            assert_eq!(unusable.map(|unusable| unusable.is), Some(expected));
        }
    }
}
