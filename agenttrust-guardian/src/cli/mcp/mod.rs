//! `agenttrust mcp`: tools of MCP servers behind a Guardian.

#[cfg(unix)]
mod run;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Subcommand;

use crate::domain::GuardianError;

/// What `agenttrust mcp` is told.
#[derive(Debug, Subcommand)]
pub(super) enum Mcp {
    /// Run a local MCP server behind a guard, in its place
    #[cfg(unix)]
    #[command(after_help = run::EXAMPLES)]
    Run(run::Run),
    /// Run a command that ends with the process that started this one
    #[cfg(unix)]
    #[command(hide = true)]
    Supervise {
        /// That process
        parent: u32,
        /// The command
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

impl Mcp {
    /// What is logged, unless the environment says.
    pub(super) fn log(&self) -> &'static str {
        match self {
            #[cfg(unix)]
            Self::Run(_) => "warn,agenttrust_guardian::cli=info",
            _ => "error",
        }
    }

    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            #[cfg(unix)]
            Self::Run(run) => run.run().await,
            #[cfg(unix)]
            Self::Supervise { parent, command } => run::supervise(parent, &command).await,
        }
    }
}
