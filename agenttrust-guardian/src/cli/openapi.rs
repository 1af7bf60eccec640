//! `agenttrust openapi`.

use std::io::Write;
use std::process::ExitCode;

use crate::domain::GuardianError;
use crate::guardian::Guardian;

/// Prints the document.
pub(super) fn print() -> Result<ExitCode, GuardianError> {
    writeln!(std::io::stdout().lock(), "{}", Guardian::openapi()).map_err(|error| {
        GuardianError::Unavailable(format!("standard output is closed: {error}"))
    })?;
    Ok(ExitCode::SUCCESS)
}
