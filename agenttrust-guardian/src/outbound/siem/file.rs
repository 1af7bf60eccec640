//! A file of JSON lines, in a folder that an operator opened.
//!
//! It is opened for each batch, so that one that was moved away is simply made again. Lines are whole: all of a batch
//! is written at once, is on the disk before it counts, and begins on a line of its own wherever an earlier write
//! ended.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use agenttrust::background;
use reqwest::Url;

use super::super::{Error, Outbound, cut};
use super::{Batch, Delivery};

/// Files that are written to at this moment: a disk that does not answer holds one thread for each and no more.
#[derive(Clone, Debug, Default)]
pub(in crate::outbound) struct FilesInUse(Arc<Mutex<HashSet<PathBuf>>>);

/// A file that is in use; it is free again once this is dropped.
pub(super) struct InUse {
    files: FilesInUse,
    path: PathBuf,
}

impl FilesInUse {
    pub(super) fn take(&self, path: &Path) -> Option<InUse> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = files.insert(path.to_owned());
        is_free.then(|| InUse { files: self.clone(), path: path.to_owned() })
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut files = self.files.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.remove(&self.path);
    }
}

/// Reads the URL of a file, and refuses one that is in none of these folders.
pub(super) fn place(text: &str, folders: &[PathBuf]) -> Result<PathBuf, Error> {
    const NO_FILE: Error = Error::Refused(
        "is not that of a file; write file:// and an absolute path, such as file:///var/log/agenttrust/events.jsonl",
    );
    let url = Url::parse(text).map_err(|_| NO_FILE)?;
    if url.scheme() != "file" || url.host_str().is_some_and(|host| !host.is_empty()) {
        return Err(NO_FILE);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Error::Refused(
            "holds a ? or a #; write %3F or %23 where the file's name has it",
        ));
    }
    if url.path().ends_with('/') {
        return Err(Error::Refused(
            "ends with a /, as a folder does; write the file's name at its end, such as events.jsonl",
        ));
    }
    let path = url.to_file_path().map_err(|()| NO_FILE)?;
    // No name of a file holds it, and none that is read from a log should.
    if path.file_name().is_none() || path.to_string_lossy().contains(char::is_control) {
        return Err(NO_FILE);
    }
    check(&path, folders)?;
    Ok(path)
}

/// The endings of a file of events. A folder may hold other things of the machine: a database and its keys, policies,
/// manifests, certificates.
const ENDINGS: [&str; 3] = ["jsonl", "ndjson", "log"];

/// Returns whether a file has the name of one of events.
pub(crate) fn is_named_for_events(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ending = path.extension().and_then(OsStr::to_str);
    !name.starts_with('.') && ending.is_some_and(|ending| ENDINGS.contains(&ending))
}

/// Refuses a name that no file of events has.
fn ensure_name(path: &Path) -> Result<(), Error> {
    if is_named_for_events(path) {
        return Ok(());
    }
    Err(Error::Refused(
        "names a file that is not one of events; its name ends with .jsonl, .ndjson or .log and begins with no dot",
    ))
}

/// Refuses a file that is in none of these folders, or has no name of a file of events. One in a folder below is in
/// another folder, in which others may be able to put a link in its place.
fn check(path: &Path, folders: &[PathBuf]) -> Result<(), Error> {
    let is_plain = !path.components().any(|part| part == Component::ParentDir);
    if is_plain && folders.iter().any(|folder| path.parent() == Some(folder)) {
        return ensure_name(path);
    }
    Err(Error::Refused(
        "names a file in a folder that was not opened; an operator opens the folder that it is in by starting \
         `agenttrust serve` with `--siem-files` and that folder, such as `--siem-files /var/log/agenttrust`",
    ))
}

/// Writes a batch.
pub(super) async fn deliver(outbound: &Outbound, path: &Path, batch: &Batch<'_>) -> Delivery {
    if let Err(error) = check(path, &outbound.folders) {
        return Delivery::later(error);
    }
    let Some(in_use) = outbound.files.take(path) else {
        return Delivery::later("the file is still being written to by an earlier attempt");
    };
    let mut lines = String::new();
    for event in batch.events {
        push_line(&event.json, &mut lines);
    }
    let writing = background::handle().spawn_blocking(move || {
        let written = write(&in_use.path, lines.as_bytes());
        drop(in_use);
        written
    });
    let delivery_timeouts = outbound.delivery_timeouts.answer;
    match background::timeout(delivery_timeouts, writing).await {
        Ok(Ok(Ok(()))) => Delivery::taken(None),
        Ok(Ok(Err(error))) => {
            Delivery::later(cut(&format!("the file cannot be written to: {error}")))
        }
        Ok(Err(_)) => Delivery::later("writing to the file ended early"),
        Err(_) => Delivery::later(format!("the disk took longer than {delivery_timeouts:?}")),
    }
}

/// Writes JSON as one line for every reader: some end a line where Unicode does, too, and what such a character stood
/// in would be another event to them. Only texts in it hold one, and there it may be escaped.
fn push_line(json: &str, lines: &mut String) {
    for piece in json.split_inclusive(['\u{85}', '\u{2028}', '\u{2029}']) {
        let (text, escaped) = match piece.char_indices().next_back() {
            Some((at, '\u{85}')) => (piece.get(..at), "\\u0085"),
            Some((at, '\u{2028}')) => (piece.get(..at), "\\u2028"),
            Some((at, '\u{2029}')) => (piece.get(..at), "\\u2029"),
            _ => (Some(piece), ""),
        };
        lines.push_str(text.unwrap_or_default());
        lines.push_str(escaped);
    }
    lines.push('\n');
}

/// Appends lines, and returns once they are on the disk, in the file that has this name.
fn write(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut file = open(path)?;
    ensure_own(&file.metadata()?)?;
    ensure_events(&mut file)?;
    if !ends_a_line(&mut file)? {
        // What was torn is no event, and becomes a line by itself.
        file.write_all(b"\n")?;
    }
    file.write_all(lines)?;
    file.sync_all()?;
    // A new file is only there once its folder is.
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    // Moved away meanwhile, it may have been read to its end before, and be gone in a moment.
    if !is_same(&file.metadata()?, path) {
        return Err(io::Error::other("it was moved away while it was written to"));
    }
    Ok(())
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    // A pipe that is not read would be waited for.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600).custom_flags(flags);
    options.open(path).map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => io::Error::other("it is a link, and links are not followed"),
        _ => error,
    })
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    if path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
        return Err(io::Error::other("it is a link, and links are not followed"));
    }
    OpenOptions::new().read(true).append(true).create(true).open(path)
}

/// Refuses what is no file, or has another name elsewhere.
fn ensure_own(found: &Metadata) -> io::Result<()> {
    if !found.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::nlink(found) > 1 {
        return Err(io::Error::other(
            "it has a second name, so it may be another file; remove one",
        ));
    }
    Ok(())
}

/// Refuses a file that holds something else: a line of events begins with a brace.
fn ensure_events(file: &mut File) -> io::Result<()> {
    let mut first = [0];
    file.seek(SeekFrom::Start(0))?;
    if file.read(&mut first)? == 0 || first == *b"{" {
        return Ok(());
    }
    Err(io::Error::other(
        "it holds something other than events; name another file, or move it away",
    ))
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Syncs nothing, because a folder cannot be opened as a file here.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn is_same(file: &Metadata, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    path.symlink_metadata()
        .is_ok_and(|named| (named.dev(), named.ino()) == (file.dev(), file.ino()))
}

/// Returns whether there is a file, because nothing tells one file from another here.
#[cfg(not(unix))]
fn is_same(_: &Metadata, path: &Path) -> bool {
    path.is_file()
}
