//! `agenttrust alerts`.

use std::process::ExitCode;

use super::out::show;
use crate::domain::GuardianError;

/// Rules on the metrics of this version.
const RULES: &str = include_str!("../../alerts/agenttrust.rules.yml");

/// Prints the rules.
pub(super) fn print() -> Result<ExitCode, GuardianError> {
    show(RULES)?;
    Ok(ExitCode::SUCCESS)
}
