//! Where the tools work. A tool of rig is a function of what the model says; what else it needs comes
//! with the run, as data in its context.

use std::io;
use std::path::PathBuf;

use agenttrust_examples::Folder;
use rig_core::ContextValue;
use rig_core::tool::{ToolContext, ToolContextError, ToolExecutionError};
use serde::{Deserialize, Serialize};

/// The folder of a run. The model neither sees nor chooses it.
#[derive(Debug, Serialize, Deserialize, ContextValue)]
struct Room {
    path: PathBuf,
}

/// Returns the context of a run in this folder.
pub(crate) fn in_folder(folder: &Folder) -> Result<ToolContext, ToolContextError> {
    let mut context = ToolContext::new();
    context.insert(Room { path: folder.path().to_owned() })?;
    Ok(context)
}

pub(crate) fn folder_of(context: &ToolContext) -> Result<Folder, ToolExecutionError> {
    Ok(Folder::at(context.require::<Room>()?.path))
}

/// Returns what the disk said, as the model reads it.
pub(crate) fn disk(error: io::Error) -> ToolExecutionError {
    ToolExecutionError::other(error.to_string())
}
