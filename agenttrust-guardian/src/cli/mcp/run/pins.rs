//! What the tools of a server were when they were first seen, kept in a file from one run to the next: a line a tool.
//! If a line is taken out, the tool is pinned again, as it is at the next start.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use agenttrust::Effect;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::GuardianError;
use crate::domain::file::read_text_at_most;

/// The longest such file that is read.
const MOST: u64 = 64 << 20;

/// A tool as it was first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Pin {
    pub(super) name: String,
    pub(super) digest: String,
    pub(super) effect_hint: Option<Effect>,
    /// For the person who looks at it.
    pub(super) definition: Value,
}

/// The file.
#[derive(Debug)]
pub(super) struct Pins {
    pub(super) path: PathBuf,
    file: File,
}

impl Pins {
    /// Opens the file and makes it where it is missing; returns what is in it, too.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Pin>), GuardianError> {
        let cannot = |why: &dyn std::fmt::Display| {
            let shown = path.display();
            GuardianError::Invalid(format!(
                "what is pinned of the tools cannot be kept in {shown}: {why}"
            ))
        };
        let mut options = File::options();
        // Other runs may add theirs meanwhile, each a line at its end.
        options.create(true).append(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| cannot(&error))?;
        let text = read_text_at_most(path, MOST).map_err(|error| cannot(&error))?;
        let mut pins = Vec::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let pin = serde_json::from_str(line).map_err(|_| {
                cannot(&format!("its line {} was not written here; take it out", at + 1))
            })?;
            pins.push(pin);
        }
        Ok((Self { path: path.to_owned(), file }, pins))
    }

    /// Adds a tool.
    pub(super) fn keep(&mut self, pin: &Pin) -> io::Result<()> {
        let mut line = serde_json::to_vec(pin)?;
        line.push(b'\n');
        // At once: half a line is one that cannot be read.
        self.file.write_all(&line)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    fn pin(name: &str) -> Pin {
        let definition = json!({ "name": name, "description": "a\nb" });
        let effect_hint = Some(Effect::Destructive);
        Pin { name: name.to_owned(), digest: "d".to_owned(), effect_hint, definition }
    }

    #[test]
    fn what_is_kept_is_there_when_it_is_opened_again_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("at.db.files.pins");
        let (mut one, empty) = Pins::open(&path).unwrap();
        let (mut other, _) = Pins::open(&path).unwrap();
        assert_eq!(empty, []);
        one.keep(&pin("read")).unwrap();
        other.keep(&pin("write")).unwrap();
        one.keep(&pin("list")).unwrap();
        let (_, kept) = Pins::open(&path).unwrap();
        assert_eq!(kept, [pin("read"), pin("write"), pin("list")]);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn line_that_was_not_written_here_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pins");
        std::fs::write(&path, "\n{\"name\":\"read\"").unwrap();
        let error = Pins::open(&path).unwrap_err().to_string();
        assert!(
            error.contains("its line 2 was not written here") && error.contains("take it out"),
            "{error}"
        );
        let error = Pins::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("cannot be kept in"), "{error}");
    }
}
