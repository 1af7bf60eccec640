//! `agenttrust openapi`.

use std::process::ExitCode;

use super::out::say;
use crate::domain::GuardianError;
use crate::guardian::Guardian;

/// Prints the document.
pub(super) fn print() -> Result<ExitCode, GuardianError> {
    say(&Guardian::openapi())?;
    Ok(ExitCode::SUCCESS)
}
