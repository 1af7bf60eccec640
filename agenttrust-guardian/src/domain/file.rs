//! Files that are read into memory, and only so far: one may be a device that never ends; and files that are made
//! for their owner alone.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The reason why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads a file that is open, of at most so many bytes.
pub(crate) fn read_at_most(file: impl Read, most: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    let read = file.take(most + 1).read_to_end(&mut bytes)?;
    if read as u64 > most { Err(ReadError::TooLarge(most)) } else { Ok(bytes) }
}

/// Reads a file of text, of at most so many bytes.
pub(crate) fn read_text_at_most(path: &Path, most: u64) -> Result<String, ReadError> {
    read_text_of(File::open(path)?, most)
}

/// Reads a file of text that is open, of at most so many bytes.
pub(crate) fn read_text_of(file: impl Read, most: u64) -> Result<String, ReadError> {
    let bytes = read_at_most(file, most)?;
    // As the standard library says it.
    let no_text = |_| io::Error::new(ErrorKind::InvalidData, "stream did not contain valid UTF-8");
    Ok(String::from_utf8(bytes).map_err(no_text)?)
}

/// Makes a file of these bytes for its owner alone, all of it at once. One that is there is left as it is, and is the
/// error `AlreadyExists`.
pub(crate) fn write_once(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Under another name first: whoever sees the file sees it whole.
    let draft = draft_of(path);
    let made = write_new(&draft, bytes).and_then(|()| std::fs::hard_link(&draft, path));
    // A draft that stays is of no use to anybody who may not read the file.
    let _ = std::fs::remove_file(&draft);
    made
}

/// Puts a file of these bytes in the place of one that is there, or of what it is a link to: with these permissions, or
/// for its owner alone. A reader finds the old one or the new one, whole.
pub(crate) fn replace(
    path: &Path,
    bytes: &[u8],
    permissions: Option<Permissions>,
) -> io::Result<()> {
    let path = path.canonicalize()?;
    let draft = draft_of(&path);
    let replaced = write_new(&draft, bytes)
        .and_then(|()| permissions.map_or(Ok(()), |same| std::fs::set_permissions(&draft, same)))
        .and_then(|()| std::fs::rename(&draft, &path));
    if replaced.is_err() {
        // What stays of it is of no use to anybody.
        let _ = std::fs::remove_file(&draft);
    }
    replaced
}

/// Returns a name beside a file that no other process uses.
fn draft_of(path: &Path) -> PathBuf {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.{}", std::process::id(), DRAFTS.fetch_add(1, Ordering::Relaxed)));
    PathBuf::from(draft)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Returns whether others than its owner may read or write a file; `false` for a pipe or a device.
#[cfg(unix)]
pub(crate) fn is_open_to_others(file: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;

    file.is_file() && file.permissions().mode() & 0o077 != 0
}

/// Returns what is assumed where the system does not say who else may read or write.
#[cfg(not(unix))]
pub(crate) fn is_open_to_others(_: &Metadata) -> bool {
    false
}

/// Returns the folder of a file, or of what it is a link to, in which anyone may put another in its place.
#[cfg(unix)]
pub(crate) fn folder_of_all(path: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;

    // In one with the sticky bit, such as /tmp, only the owner of a file may.
    let all_write = |folder: &Path| {
        folder.metadata().is_ok_and(|found| found.permissions().mode() & 0o1002 == 0o002)
    };
    let named = std::path::absolute(path).ok();
    let meant = path.canonicalize().ok();
    let mut folders =
        [named, meant].into_iter().flatten().filter_map(|path| Some(path.parent()?.to_owned()));
    folders.find(|folder| all_write(folder))
}

/// Returns `None`: the system does not say who may write.
#[cfg(not(unix))]
pub(crate) fn folder_of_all(_: &Path) -> Option<PathBuf> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(read_text_at_most(&path, 4).unwrap(), "four");
        let error = read_text_at_most(&path, 3).unwrap_err().to_string();
        assert_eq!(error, "it is larger than 3 bytes");
    }

    #[test]
    #[cfg(unix)]
    fn a_device_that_never_ends_is_left_after_so_many_bytes() {
        let endless = File::open("/dev/zero").unwrap();
        assert!(matches!(read_at_most(endless, 1 << 10), Err(ReadError::TooLarge(1_024))));
    }

    #[test]
    fn what_is_no_text_is_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, b"\xff").unwrap();
        let error = read_text_at_most(&path, 9).unwrap_err().to_string();
        assert_eq!(error, "stream did not contain valid UTF-8");
    }

    #[test]
    #[cfg(unix)]
    fn file_that_others_reach_and_a_folder_that_all_may_write_are_told() {
        use std::fs::{Permissions, create_dir, set_permissions, write};
        use std::os::unix::fs::{PermissionsExt, symlink};

        let folder = tempfile::tempdir().unwrap();
        let (inner, link) = (folder.path().join("inner"), folder.path().join("link"));
        create_dir(&inner).unwrap();
        let path = inner.join("a");
        write(&path, "").unwrap();
        symlink(&path, &link).unwrap();
        let mode = |path: &Path, mode| set_permissions(path, Permissions::from_mode(mode)).unwrap();
        for (file, open) in
            [(0o600, false), (0o400, false), (0o640, true), (0o602, true), (0o610, true)]
        {
            mode(&path, file);
            assert_eq!(is_open_to_others(&link.metadata().unwrap()), open, "{file:o}");
        }
        assert!(!is_open_to_others(&Path::new("/dev/null").metadata().unwrap()));
        for (of_folder, told) in
            [(0o700, false), (0o755, false), (0o1777, false), (0o777, true), (0o702, true)]
        {
            mode(&inner, of_folder);
            let found = told.then(|| inner.canonicalize().unwrap());
            assert_eq!(folder_of_all(&link), found, "{of_folder:o}");
        }
    }
}
