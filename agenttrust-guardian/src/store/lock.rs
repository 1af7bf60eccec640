//! One Guardian to a database file. Each keeps in memory what it decides by, so a second one would go on
//! with what the first has revoked.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The lock that holds a database file for one Guardian, until it is released or dropped, or its process ends.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock of this database, which is a file beside it.
    ///
    /// # Errors
    ///
    /// A sentence for the person who started a second Guardian.
    pub(super) fn take(database: &Path) -> Result<Self, String> {
        let path = beside(database);
        let file = open_lock_file(&path)
            .map_err(|error| format!("its lock {} cannot be made: {error}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(format!(
                "another Guardian is using it and holds {}; stop that one, or give this one a \
                 database of its own",
                path.display()
            )),
            Err(TryLockError::Error(error)) => Err(format!(
                "{} cannot be locked ({error}); put the database on a local disk",
                path.display()
            )),
        }
    }

    /// Lets the next Guardian have the database.
    pub(super) fn release(&self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the lock of the database is kept until this program ends");
        }
    }
}

/// Returns the path of the lock, which is the same by whichever link the database was named.
fn beside(database: &Path) -> PathBuf {
    let mut path = database.canonicalize().unwrap_or_else(|_| database.to_owned()).into_os_string();
    path.push(".lock");
    path.into()
}

fn open_lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
