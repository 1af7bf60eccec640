//! Where a database file is: made there for its owner alone, or what is in the way.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::domain::file::{folder_of_all, is_open_to_others};

/// Makes the file, if it is not there, so that only its owner can read what people approve. SQLite gives its side
/// files the same permissions.
///
/// # Errors
///
/// A sentence for the person who named the file.
pub(super) fn make(path: &Path) -> Result<(), String> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|error| reason_for(path, &error))
}

fn reason_for(path: &Path, error: &io::Error) -> String {
    if path.is_dir() {
        return "it is a folder; name a file in it".to_owned();
    }
    match path.parent() {
        Some(folder) if error.kind() == ErrorKind::NotFound && !is_there(folder) => format!(
            "there is no folder {folder}; make it with `mkdir -p {word}`, or name a file elsewhere",
            folder = folder.display(),
            word = as_word(folder),
        ),
        Some(folder) if error.kind() == ErrorKind::NotADirectory => {
            format!("{} is no folder; name a file elsewhere", folder.display())
        }
        Some(_) if error.kind() == ErrorKind::NotFound && path.is_symlink() => {
            "it is a link to a file in a folder that is not there; make that folder, or name the file itself".to_owned()
        }
        _ => error.to_string(),
    }
}

fn is_there(folder: &Path) -> bool {
    folder.as_os_str().is_empty() || folder.exists()
}

/// Returns a path as a shell takes it.
fn as_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |at: char| at.is_alphanumeric() || "/._-".contains(at);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Warns where others can read what people approve, or put another file in its place.
pub(super) fn warn_of_others(path: &Path) {
    if path.metadata().is_ok_and(|found| is_open_to_others(&found)) {
        tracing::warn!(
            path = %path.display(),
            "others than its owner may read or write the database: take their permissions away with `chmod 600 {}`",
            as_word(path)
        );
    }
    if let Some(folder) = folder_of_all(path) {
        tracing::warn!(
            path = %path.display(),
            "anyone may put another file in the place of the database: take the permission away with `chmod o-w {}`",
            as_word(&folder)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_of_a_file_is_said_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        make(&at("at.db")).unwrap();
        let wrong = |name: &str| make(&at(name)).unwrap_err();
        let missing = at("not/there");
        let missing = missing.display();
        assert_eq!(
            wrong("not/there/at.db"),
            format!(
                "there is no folder {missing}; make it with `mkdir -p {missing}`, or name a file elsewhere"
            )
        );
        assert!(wrong("no, it's/at.db").contains(r"/no, it'\''s'`"), "{}", wrong("no, it's/at.db"));
        assert!(wrong("at.db/at.db").ends_with("at.db is no folder; name a file elsewhere"));
        assert!(wrong("").contains("it is a folder; name a file in it"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;

            std::os::unix::fs::symlink(at("not/there/at.db"), at("link.db")).unwrap();
            assert!(
                wrong("link.db")
                    .starts_with("it is a link to a file in a folder that is not there")
            );
            assert_eq!(at("at.db").metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
