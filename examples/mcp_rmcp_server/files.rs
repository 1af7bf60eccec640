//! The server: four tools over one folder, written as if there were no guard.
//!
//! What the guard asks about is read off the annotations, which clients want to see anyway.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::fs;

/// Tools over the files of one folder.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    folder: Arc<Path>,
    /// Removed with the last clone, where it is one that we made.
    _made: Option<Arc<TempDir>>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Named {
    /// The plain name of a file in the folder.
    name: String,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Written {
    /// The plain name of a file in the folder.
    name: String,
    /// The whole new text of it.
    text: String,
}

#[tool_router]
impl Files {
    /// Lists the names of all files in the folder, a line each
    #[tool(annotations(read_only_hint = true))]
    async fn list(&self) -> Result<String, String> {
        self.names().await.map_err(|error| error.to_string())
    }

    /// Returns the text of a file
    #[tool(annotations(read_only_hint = true))]
    async fn read(&self, Parameters(Named { name }): Parameters<Named>) -> Result<String, String> {
        let path = self.path_of(&name)?;
        fs::read_to_string(path).await.map_err(|error| said(&name, &error))
    }

    /// Writes a file; what it held before is lost
    // `destructive_hint = false`, and so `mutating`: this program lets an agent write without asking.
    #[tool(annotations(read_only_hint = false, destructive_hint = false))]
    async fn write(
        &self,
        Parameters(Written { name, text }): Parameters<Written>,
    ) -> Result<String, String> {
        let path = self.path_of(&name)?;
        fs::write(path, text).await.map_err(|error| said(&name, &error))?;
        Ok(format!("{name} is written"))
    }

    /// Deletes a file for good
    #[tool(annotations(read_only_hint = false, destructive_hint = true))]
    async fn delete(
        &self,
        Parameters(Named { name }): Parameters<Named>,
    ) -> Result<String, String> {
        let path = self.path_of(&name)?;
        fs::remove_file(path).await.map_err(|error| said(&name, &error))?;
        Ok(format!("{name} is gone"))
    }
}

#[tool_handler(
    name = "files",
    instructions = "Files of one folder. Deleting one needs a person's approval: the result names it."
)]
impl ServerHandler for Files {}

impl Files {
    /// Returns the files of this folder.
    pub(crate) fn of_folder(folder: PathBuf) -> anyhow::Result<Self> {
        let folder = folder
            .canonicalize()
            .with_context(|| format!("{} is no folder that can be served", folder.display()))?;
        Ok(Self { folder: folder.into(), _made: None })
    }

    /// Creates a temporary folder with something in it.
    pub(crate) fn of_a_new_folder() -> anyhow::Result<Self> {
        let made = TempDir::with_prefix("files-")?;
        let folder = made.path();
        std::fs::write(folder.join("plan.md"), "# Plan for spring\n\n- order shelves\n")?;
        std::fs::write(folder.join("draft.md"), "# Speech (draft, superseded)\n")?;
        eprintln!("serving {}", folder.display());
        Ok(Self { folder: folder.into(), _made: Some(Arc::new(made)) })
    }

    async fn names(&self) -> io::Result<String> {
        let mut names = Vec::new();
        let mut entries = fs::read_dir(&self.folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names.join("\n"))
    }

    /// Returns the path of a file in the folder. A guard says who may call; that `../..` leads out
    /// of the folder is still for us to refuse.
    fn path_of(&self, name: &str) -> Result<PathBuf, String> {
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(format!("{name:?} is not the plain name of a file"));
        }
        Ok(self.folder.join(name))
    }
}

fn said(name: &str, error: &io::Error) -> String {
    format!("{name}: {error}")
}
