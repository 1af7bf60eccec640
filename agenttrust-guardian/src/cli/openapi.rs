//! `agenttrust openapi`.

use std::io::Write;
use std::process::ExitCode;

use crate::error::GuardianError;
use crate::http::openapi;

/// Prints the document.
pub(super) fn print() -> Result<ExitCode, GuardianError> {
    writeln!(std::io::stdout().lock(), "{}", openapi::text()).map_err(|error| {
        GuardianError::Unavailable(format!("standard output is closed: {error}"))
    })?;
    Ok(ExitCode::SUCCESS)
}
