//! The agent's four tools. Each asks before it runs and reports after it ran: that is `#[guarded]`.
//!
//! Which guard is asked is the caller's business: `guard.scope(tools.read("plan.md"))`.

use std::io;

use agenttrust::{AgentTrustError, guarded};
use anyhow::{Context as _, bail};

use crate::Folder;

/// A folder as an agent may use it.
#[derive(Debug)]
pub(crate) struct Tools {
    folder: Folder,
}

impl Tools {
    pub(crate) fn new(folder: Folder) -> Self {
        Self { folder }
    }

    #[guarded(tool = "files_list", effect = "read")]
    pub(crate) async fn list(&self) -> Result<Vec<String>, ToolError> {
        Ok(self.folder.list().await?)
    }

    #[guarded(tool = "files_read", effect = "read")]
    pub(crate) async fn read(&self, name: &str) -> Result<String, ToolError> {
        Ok(self.folder.read(name).await?)
    }

    #[guarded(tool = "files_write", effect = "mutating")]
    pub(crate) async fn write(&self, name: &str, text: &str) -> Result<(), ToolError> {
        Ok(self.folder.write(name, text).await?)
    }

    #[guarded(tool = "files_delete", effect = "destructive", skip(self))]
    pub(crate) async fn delete(&self, name: &str) -> Result<(), ToolError> {
        Ok(self.folder.delete(name).await?)
    }
}

/// The reason why a tool did not do its work. `From<AgentTrustError>` is all that a guarded
/// function needs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    /// The tool was not allowed to run, and did not.
    #[error(transparent)]
    Blocked(#[from] AgentTrustError),
    /// The tool ran, and the disk said no.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// Returns the denial of a call that must not have run.
pub(crate) fn denial<T>(outcome: Result<T, ToolError>) -> anyhow::Result<AgentTrustError> {
    match outcome {
        Err(ToolError::Blocked(denial)) => Ok(denial),
        Err(error) => Err(error).context("the call was not blocked; it ran and went wrong"),
        Ok(_) => bail!("the call was not blocked; it ran"),
    }
}

/// Returns the approval that a held call waits for, and the message that came with it.
pub(crate) fn held<T>(outcome: Result<T, ToolError>) -> anyhow::Result<(String, String)> {
    match denial(outcome)? {
        AgentTrustError::ElevationRequired { approval_id, message } => Ok((approval_id, message)),
        other => Err(other).context("the call was not held for approval"),
    }
}
