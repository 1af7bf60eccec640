//! The files of a policy folder: which there are, and what is in them.

use std::path::{Path, PathBuf};

use super::error::PolicyError;
use super::load::MOST_POLICIES;
use crate::domain::file::{ReadError, read_at_most};

/// The largest length of a policy file, in bytes ...
const FILE_MOST_BYTES: u64 = 1 << 20;
/// ... and all of a folder together.
const FOLDER_MOST_BYTES: usize = 4 << 20;

/// Reads every `*.cedar` file of a folder, sorted by name: their names and texts.
pub(super) fn read_folder(folder: &Path) -> Result<Vec<(String, String)>, PolicyError> {
    let mut files = Vec::new();
    let mut bytes = 0;
    for path in paths(folder)? {
        let (name, text) = read_file(&path)?;
        bytes += text.len();
        if bytes > FOLDER_MOST_BYTES {
            let problem = format!(
                "up to this file the folder has more than {FOLDER_MOST_BYTES} bytes of policies, which is the most; \
                 take some out of it"
            );
            return Err(PolicyError::in_file(&name, problem));
        }
        files.push((name, text));
    }
    Ok(files)
}

/// Returns the `*.cedar` files of a folder, sorted by name.
pub(super) fn paths(folder: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    let name = folder.display().to_string();
    let unreadable = |error: std::io::Error| {
        PolicyError::in_file(
            &name,
            format!("the policy folder cannot be read ({error}); name a readable folder"),
        )
    };
    let (mut paths, mut count) = (Vec::new(), 0_usize);
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if is_policy_file(&path) {
            count += 1;
            if count <= MOST_POLICIES {
                paths.push(path);
            }
        }
    }
    // Each has a policy, so that is no set either.
    if count > MOST_POLICIES {
        let problem = format!(
            "the policy folder has {count} *.cedar files, and {MOST_POLICIES} policies is the most of a set; put several \
             policies into one file, and take some out"
        );
        return Err(PolicyError::in_file(&name, problem));
    }
    if paths.is_empty() {
        return Err(PolicyError::in_file(
            &name,
            "the policy folder holds no *.cedar file, so everything would be denied; put one there",
        ));
    }
    paths.sort();
    Ok(paths)
}

/// Returns whether this is one of `*.cedar`: like a shell, without what begins with a dot, where editors keep what
/// is not saved yet.
pub(super) fn is_policy_file(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "cedar")
}

/// Returns the name and the text of a policy file.
pub(super) fn read_file(path: &Path) -> Result<(String, String), PolicyError> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| {
        PolicyError::in_file(
            &name,
            format!("the file cannot be read ({error}); mend it or remove it"),
        )
    };
    // Looked at before it is opened, which may be enough to set a device going ...
    only_a_file(&name, &std::fs::metadata(path).map_err(unreadable)?)?;
    let file = open_nonblocking(path).map_err(unreadable)?;
    // ... and once more, because it may be another one by now.
    only_a_file(&name, &file.metadata().map_err(unreadable)?)?;
    let bytes = read_at_most(file, FILE_MOST_BYTES).map_err(|error| match error {
        ReadError::TooLarge(most) => {
            PolicyError::in_file(&name, format!("the file is longer than {most} bytes; split it"))
        }
        ReadError::Io(error) => unreadable(error),
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            let valid = String::from_utf8_lossy(error.as_bytes());
            let at = error.utf8_error().valid_up_to();
            Err(PolicyError::at(
                &name,
                &valid,
                at,
                "the file is not UTF-8 text here; save it as UTF-8",
            ))
        }
    }
}

/// Refuses what may never end, or never begin.
fn only_a_file(name: &str, about: &std::fs::Metadata) -> Result<(), PolicyError> {
    if about.is_file() {
        return Ok(());
    }
    let what = if about.is_dir() { "a folder" } else { "a pipe, a device or a socket" };
    let problem = format!(
        "this is {what} and no file of policies; move it out of the policy folder, or name it without \
         `.cedar`"
    );
    Err(PolicyError::in_file(name, problem))
}

/// Opens a file to read it; a pipe without a writer is opened at once as well.
fn open_nonblocking(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options.open(path)
}
