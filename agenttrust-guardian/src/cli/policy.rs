//! `agenttrust policy`: looks after a folder of policies before a Guardian uses it.

mod cases;
mod replay;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::DatabaseArgs;
use super::out::say;
use crate::domain::GuardianError;
use crate::policy;
use crate::policy::{PolicyError, PolicySet};

/// What `agenttrust policy` is told.
#[derive(Debug, Subcommand)]
pub(super) enum Policy {
    /// Say whether a folder of policies is valid, and where it is not
    Check {
        /// The folder
        dir: PathBuf,
    },
    /// Ask a folder of policies about known cases, and compare its answers with theirs
    Test {
        /// The folder of policies
        dir: PathBuf,
        /// A TOML or JSON file of cases, or a folder of such files
        cases: PathBuf,
    },
    /// Decide every recorded check again, and print what a folder of policies would change
    Replay {
        /// The folder of policies
        dir: PathBuf,
        #[command(flatten)]
        place: DatabaseArgs,
    },
    /// Write a folder of policies in the one usual form
    Fmt {
        /// The folder
        dir: PathBuf,
        /// Change nothing; fail when a file is not in that form
        #[arg(long)]
        check: bool,
    },
}

impl Policy {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            Self::Check { dir } => check(&dir),
            Self::Test { dir, cases } => match load(&dir) {
                Ok(set) => cases::test(&set, &cases),
                Err(code) => Ok(code),
            },
            Self::Replay { dir, place } => match load(&dir) {
                Ok(set) => replay::replay(&set, &place).await,
                Err(code) => Ok(code),
            },
            Self::Fmt { dir, check } => format(&dir, check),
        }
    }
}

fn check(dir: &Path) -> Result<ExitCode, GuardianError> {
    let set = match load(dir) {
        Ok(set) => set,
        Err(code) => return Ok(code),
    };
    let written = set.written();
    let shadow = written.iter().filter(|about| about.shadow).count();
    say(&format!(
        "{}: {} policies are valid, {shadow} of them shadow; sha256 {}",
        dir.display(),
        written.len(),
        set.sha256()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn format(dir: &Path, check: bool) -> Result<ExitCode, GuardianError> {
    // One that is not valid is mended first: nobody knows what its author meant.
    if let Err(code) = load(dir) {
        return Ok(code);
    }
    let files = match policy::format_dir(dir) {
        Ok(files) => files,
        Err(error) => return Ok(refused(&error)),
    };
    let mut code = ExitCode::SUCCESS;
    for policy::Formatted { path, before, after } in files {
        if before == after {
            continue;
        }
        if check {
            code = ExitCode::FAILURE;
            say(&format!(
                "{} is not in the usual form; run agenttrust policy fmt",
                path.display()
            ))?;
        } else {
            std::fs::write(&path, after).map_err(|error| {
                GuardianError::Unavailable(format!("{} cannot be written: {error}", path.display()))
            })?;
            say(&format!("{} is written anew", path.display()))?;
        }
    }
    Ok(code)
}

/// The set of a folder; one that is not valid is told in the form that editors jump to.
fn load(dir: &Path) -> Result<PolicySet, ExitCode> {
    PolicySet::load_dir(dir).map_err(|error| refused(&error))
}

fn refused(error: &PolicyError) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}
