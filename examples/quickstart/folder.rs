//! The folder that the story is about: real documents on the disk, and what can be done with them.
//!
//! Nothing in here knows of guards. `tools.rs` guards it as an agent's tools, `web.rs` as a website.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::fs;

const DOCUMENTS: [(&str, &str); 5] = [
    ("plan.md", "# Plan for spring\n\n- ship the reading room\n- order shelves\n"),
    ("draft.md", "# Speech (draft, superseded)\n\nDear all,\n"),
    ("invoice-2026-03.csv", "item,amount\nshelves,1200.00\nlamps,240.00\n"),
    ("contract.txt", "Lease of the reading room, signed 2026-01-15. Keep for ten years.\n"),
    ("visitors.log", "2026-03-02 14 visitors\n2026-03-03 9 visitors\n"),
];

/// A temporary folder full of documents. It is removed with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    directory: Arc<TempDir>,
}

impl Folder {
    pub(crate) fn with_documents() -> io::Result<Self> {
        let directory = TempDir::with_prefix("reading-room-")?;
        for (name, text) in DOCUMENTS {
            std::fs::write(directory.path().join(name), text)?;
        }
        Ok(Self { directory: Arc::new(directory) })
    }

    pub(crate) async fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        let mut entries = fs::read_dir(self.directory.path()).await?;
        while let Some(entry) = entries.next_entry().await? {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    pub(crate) async fn read(&self, name: &str) -> io::Result<String> {
        fs::read_to_string(self.path_of(name)?).await
    }

    pub(crate) async fn write(&self, name: &str, text: &str) -> io::Result<()> {
        fs::write(self.path_of(name)?, text).await
    }

    pub(crate) async fn delete(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path_of(name)?).await
    }

    /// Whether the file lies on the disk right now.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.path_of(name).is_ok_and(|path| path.is_file())
    }

    /// A guard says who may call; that `../..` leads out of the folder is still for us to refuse.
    fn path_of(&self, name: &str) -> io::Result<PathBuf> {
        if Path::new(name).file_name() != Some(name.as_ref()) {
            let problem = format!("{name:?} is not the plain name of a file");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        Ok(self.directory.path().join(name))
    }
}
