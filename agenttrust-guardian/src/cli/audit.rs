//! `agenttrust audit`: reads the log of a Guardian that may be running.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use agenttrust::__private::background;
use clap::Subcommand;

use super::Where;
use crate::audit::{self, AuditError};
use crate::error::GuardianError;

/// What `agenttrust audit` is told.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Walk the hash chain and name the first row that is wrong
    Verify {
        #[command(flatten)]
        place: Where,
    },
    /// Print the log as JSON lines
    Export {
        #[command(flatten)]
        place: Where,
    },
}

impl Audit {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            Self::Verify { place } => verify(&place).await,
            Self::Export { place } => export(&place).await,
        }
    }
}

async fn verify(place: &Where) -> Result<ExitCode, GuardianError> {
    let db = place.open_to_read().await?.db();
    let found = background::spawn(async move { audit::verify(&db, "").await })
        .await
        .map_err(|_| GuardianError::Unavailable("verifying the audit log panicked".to_owned()))?
        .map_err(|error| GuardianError::Unavailable(error.to_string()))?;
    if found.rows == 0 && found.fault.is_none() {
        return Err(empty(place));
    }
    let mut out = io::stdout().lock();
    let (code, said) = match &found.fault {
        None => (
            ExitCode::SUCCESS,
            writeln!(out, "the audit log is whole: {} rows, head {}", found.rows, found.head),
        ),
        Some(fault) => (
            ExitCode::FAILURE,
            writeln!(out, "the audit log is broken at row {}: {}", fault.seq, fault.what),
        ),
    };
    said.and_then(|()| out.flush()).map_err(|error| {
        GuardianError::Unavailable(format!("standard output is closed: {error}"))
    })?;
    Ok(code)
}

async fn export(place: &Where) -> Result<ExitCode, GuardianError> {
    let db = place.open_to_read().await?.db();
    let exported = background::spawn(async move {
        let rows = audit::list(&db, "", 0, 1, None).await?.len();
        audit::export(&db, "", BufWriter::new(io::stdout())).await?;
        Ok::<_, AuditError>(rows)
    });
    let rows = exported
        .await
        .map_err(|_| GuardianError::Unavailable("exporting the audit log panicked".to_owned()))?
        .map_err(|error| GuardianError::Unavailable(error.to_string()))?;
    if rows == 0 {
        return Err(empty(place));
    }
    Ok(ExitCode::SUCCESS)
}

/// A Guardian's first act is a row, so a log without one was emptied, or never was its.
fn empty(place: &Where) -> GuardianError {
    GuardianError::Invalid(format!(
        "the audit log in {} has no rows, and every Guardian writes one when it starts: it was \
         emptied, or this is another database; name the one that `agenttrust serve` uses",
        place.database
    ))
}
