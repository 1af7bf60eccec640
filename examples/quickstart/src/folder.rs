//! The folder that the examples are about: real documents on the disk, and what can be done with them.
//!
//! Nothing in here knows of guards. The examples guard it: as an agent's tools, as a website.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::ensure;
use tempfile::TempDir;
use tokio::fs;

const DOCUMENTS: [(&str, &str); 5] = [
    ("plan.md", "# Plan for spring\n\n- ship the reading room\n- order shelves\n"),
    ("draft.md", "# Speech (draft, superseded)\n\nDear all,\n"),
    ("invoice-2026-03.csv", "item,amount\nshelves,1200.00\nlamps,240.00\n"),
    ("contract.txt", "Lease of the reading room, signed 2026-01-15. Keep for ten years.\n"),
    ("visitors.log", "2026-03-02 14 visitors\n2026-03-03 9 visitors\n"),
];

/// A folder full of documents.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// A temporary one is removed with its last clone.
    _temporary: Option<Arc<TempDir>>,
}

impl Folder {
    /// Creates a temporary folder with the five documents of the story.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn with_documents() -> io::Result<Self> {
        let directory = TempDir::with_prefix("reading-room-")?;
        fill(directory.path())?;
        Ok(Self { path: directory.path().to_owned(), _temporary: Some(Arc::new(directory)) })
    }

    /// Returns the empty folder that is this program's first argument, with the documents put into it, to be
    /// looked at afterwards; else a temporary one.
    ///
    /// # Errors
    ///
    /// When the argument is no empty folder: an agent is about to delete things in it.
    pub fn of_argument() -> anyhow::Result<Self> {
        let Some(path) = std::env::args_os().nth(1) else { return Ok(Self::with_documents()?) };
        let path = PathBuf::from(path);
        let empty = std::fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none());
        ensure!(empty, "{} is not an empty folder; name one to work in", path.display());
        fill(&path)?;
        Ok(Self::at(path))
    }

    /// Returns the folder at `path`, as it is.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), _temporary: None }
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the names in it, sorted.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub async fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        let mut entries = fs::read_dir(&self.path).await?;
        while let Some(entry) = entries.next_entry().await? {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Returns the text of a document.
    ///
    /// # Errors
    ///
    /// What the disk says, and that `name` is not a plain name; so of everything below.
    pub async fn read(&self, name: &str) -> io::Result<String> {
        fs::read_to_string(self.path_of(name)?).await
    }

    /// Writes a document, new or over the one of that name.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub async fn write(&self, name: &str, text: &str) -> io::Result<()> {
        fs::write(self.path_of(name)?, text).await
    }

    /// Deletes a document for good.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub async fn delete(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path_of(name)?).await
    }

    /// Puts a document where the world can read it: a copy called `published-…`.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub async fn publish(&self, name: &str) -> io::Result<()> {
        let text = self.read(name).await?;
        self.write(&published(name), &text).await
    }

    /// Returns whether the document lies on the disk right now.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        self.path_of(name).is_ok_and(|path| path.is_file())
    }

    /// Returns whether the world can read it right now.
    #[must_use]
    pub fn has_published(&self, name: &str) -> bool {
        self.holds(&published(name))
    }

    /// Returns the path of a file in the folder. A guard says who may call; that `../..` leads out of the folder is
    /// still for us to refuse.
    fn path_of(&self, name: &str) -> io::Result<PathBuf> {
        if Path::new(name).file_name() != Some(name.as_ref()) {
            let problem = format!("{name:?} is not the plain name of a file");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        Ok(self.path.join(name))
    }
}

fn fill(folder: &Path) -> io::Result<()> {
    DOCUMENTS.iter().try_for_each(|(name, text)| std::fs::write(folder.join(name), text))
}

fn published(name: &str) -> String {
    format!("published-{name}")
}
