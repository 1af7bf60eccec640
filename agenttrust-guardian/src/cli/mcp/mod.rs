//! `agenttrust mcp`: tools of MCP servers behind a Guardian.

mod difference;
#[cfg(unix)]
mod run;
mod servers;
mod tools;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::remote::Remote;
use crate::domain::GuardianError;

/// The arguments of `agenttrust mcp`.
#[derive(Debug, Subcommand)]
pub(super) enum Mcp {
    /// Register an MCP server, and print where to point MCP clients at
    Add {
        #[command(flatten)]
        new: servers::New,
        #[command(flatten)]
        remote: Remote,
    },
    /// List the MCP servers
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// List what is pinned of the tools of an MCP server, with what differs in those that are others by now
    Tools {
        /// The id of the server, mcp_…, or its name
        server: String,
        /// A tool of the server, to show all that is pinned of it
        tool: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show what a tool is changed to, and accept it, so that it may be called as it is now
    Accept {
        /// The id of the server, mcp_…, or its name
        server: String,
        /// The tool, by its name at the server
        tool: String,
        /// Accept it without asking
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        remote: Remote,
    },
    /// Remove an MCP server: none of its tools is called from then on
    Remove {
        /// The id of the server, mcp_…, or its name
        server: String,
        #[command(flatten)]
        remote: Remote,
    },
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
    /// Returns what is logged, unless the environment says.
    pub(super) fn log(&self) -> &'static str {
        match self {
            #[cfg(unix)]
            Self::Run(_) => "warn,agenttrust_guardian::cli=info",
            _ => "error",
        }
    }

    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            Self::Add { new, remote } => new.run(&remote).await?,
            Self::List { remote } => servers::list(&remote).await?,
            Self::Tools { server, tool, remote } => {
                tools::show(&server, tool.as_deref(), &remote).await?;
            }
            Self::Accept { server, tool, yes, remote } => {
                return tools::accept((&server, &tool), yes, &remote).await;
            }
            Self::Remove { server, remote } => servers::remove(&server, &remote).await?,
            #[cfg(unix)]
            Self::Run(run) => return run.run().await,
            #[cfg(unix)]
            Self::Supervise { parent, command } => return run::supervise(parent, &command).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}
