//! `agenttrust policy`: looks after a folder of policies before a Guardian uses it.

mod cases;
mod replay;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use agenttrust::model::ToolManifest;
use clap::Subcommand;

use super::DatabaseArgs;
use super::out::say;
use crate::domain::GuardianError;
use crate::domain::file::{read_text_at_most, replace};
use crate::policy;
use crate::policy::{PolicyError, PolicySet};

/// The largest length of a manifest of tools, in bytes.
const MANIFEST_MOST_BYTES: u64 = 8 << 20;

/// The arguments of `agenttrust policy`.
#[derive(Debug, Subcommand)]
pub(super) enum Policy {
    /// Say whether a folder of policies is valid and where it is not, and warn of names that nothing has
    Check {
        /// The folder
        dir: PathBuf,
        /// A manifest of a program's tools, as `agenttrust::manifest()` writes it, to warn of policies about others;
        /// may be given for each program
        #[arg(long, value_name = "FILE")]
        tools: Vec<PathBuf>,
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
        /// Exit with 1 where a decision would change
        #[arg(long)]
        fail_on_change: bool,
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
            Self::Check { dir, tools } => check(&dir, &tools),
            Self::Test { dir, cases } => match load(&dir) {
                Ok(set) => cases::test(&set, &cases),
                Err(code) => Ok(code),
            },
            Self::Replay { dir, fail_on_change, place } => match load(&dir) {
                Ok(set) => replay::replay(&set, &place, fail_on_change).await,
                Err(code) => Ok(code),
            },
            Self::Fmt { dir, check } => format(&dir, check),
        }
    }
}

fn check(dir: &Path, manifests: &[PathBuf]) -> Result<ExitCode, GuardianError> {
    let tools = (!manifests.is_empty()).then(|| tools_of(manifests)).transpose()?;
    let (set, warnings) = match policy::check_dir(dir, tools.as_ref()) {
        Ok(checked) => checked,
        Err(error) => return Ok(refused(&error)),
    };
    for warning in &warnings {
        eprintln!("{warning}");
    }
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

/// Returns the names of the tools that these manifests have.
fn tools_of(manifests: &[PathBuf]) -> Result<BTreeSet<String>, GuardianError> {
    let mut tools = BTreeSet::new();
    for file in manifests {
        let manifest: ToolManifest = read_text_at_most(file, MANIFEST_MOST_BYTES)
            .map_err(|error| error.to_string())
            .and_then(|text| {
                serde_json::from_str(policy::without_mark(&text)).map_err(|error| error.to_string())
            })
            .map_err(|problem| {
                GuardianError::Invalid(format!(
                    "{} is no manifest of tools ({problem}); write one with agenttrust::manifest()",
                    file.display()
                ))
            })?;
        tools.extend(manifest.tools.into_iter().map(|tool| tool.name));
    }
    Ok(tools)
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
            // Whole or not at all: a disk that is full does not empty it.
            let permissions = path.metadata().map(|file| Some(file.permissions()));
            let written = permissions.and_then(|same| replace(&path, after.as_bytes(), same));
            written.map_err(|error| {
                GuardianError::Unavailable(format!("{} cannot be written: {error}", path.display()))
            })?;
            say(&format!("{} is written again", path.display()))?;
        }
    }
    Ok(code)
}

/// Returns the set of a folder; the faults of an invalid one are printed in the form that editors jump to.
fn load(dir: &Path) -> Result<PolicySet, ExitCode> {
    PolicySet::load_dir(dir).map_err(|error| refused(&error))
}

fn refused(error: &PolicyError) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}
