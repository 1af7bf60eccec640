//! `agenttrust audit`: looks after the log of a Guardian that may be running.

mod accept;
mod prune;
mod tail;
mod unusable_file;
mod verify;

use std::env;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;

use agenttrust::background;
use clap::{Args, Subcommand};

use super::DatabaseArgs;
use super::out::say;
use crate::audit;
use crate::audit::{AUDIT_KEY, AuditError, AuditKey};
use crate::domain::GuardianError;
use crate::store::Database;

/// The arguments of `agenttrust audit`.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Walk along every log and name the first row that is wrong
    Verify(verify::Verify),
    /// Print the newest rows, and with --follow those that are written from then on
    Tail(tail::Tail),
    /// Print the audit as JSON lines
    Export {
        /// Only the log of this replica
        #[arg(long, value_name = "NAME")]
        log: Option<String>,
        #[command(flatten)]
        place: DatabaseArgs,
    },
    /// Let old rows go, so that the rest can still be proven
    Prune(prune::Prune),
    /// Go on with a log that was changed from outside, once its database and what is noted of it were looked into
    Accept(accept::Accept),
    /// Print the public key by which checkpoints are verified
    Key {
        #[command(flatten)]
        key: KeyFile,
        #[command(flatten)]
        place: DatabaseArgs,
    },
}

/// The key that signs.
#[derive(Clone, Debug, Args)]
pub(super) struct KeyFile {
    /// The key that signs checkpoints [default: beside the database file]
    #[arg(long, value_name = "FILE", env = "AGENTTRUST_AUDIT_KEY")]
    audit_key: Option<PathBuf>,
}

impl KeyFile {
    /// Returns the file, if one is named or there is one beside the database.
    pub(super) fn find(&self, place: &DatabaseArgs) -> Result<Option<PathBuf>, GuardianError> {
        let beside = beside(place, AUDIT_KEY)?;
        Ok(self.audit_key.clone().or(beside))
    }

    /// Returns the key, which must be there.
    fn load_key(&self, place: &DatabaseArgs) -> Result<AuditKey, GuardianError> {
        let path = self.find(place)?.ok_or_else(|| {
            GuardianError::Invalid(
                "there is no audit key beside this database; name the one that `agenttrust serve` \
                 signs with by --audit-key"
                    .to_owned(),
            )
        })?;
        AuditKey::load(&path).map_err(|error| GuardianError::Invalid(error.to_string()))
    }
}

impl Audit {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            Self::Verify(verify) => verify.run().await.map_err(|error| of_file(error, "/verify")),
            Self::Tail(tail) => tail.run().await.map_err(|error| of_file(error, "")),
            Self::Export { log, place } => {
                export(log, &place).await.map_err(|error| of_file(error, "/export"))
            }
            Self::Prune(prune) => prune.run().await,
            Self::Accept(accept) => accept.run().await,
            Self::Key { key, place } => {
                let key = key.load_key(&place)?.public();
                say(&key.to_string())?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Returns the error of a command that only reads, with what it reads; where the environment names a Guardian, also
/// how that is asked, at this address below that of its audit.
fn of_file(error: GuardianError, below: &str) -> GuardianError {
    let GuardianError::Database { url, mut reason } = error else { return error };
    reason.push_str("; this command reads the database itself and asks no Guardian");
    if env::var_os("AGENTTRUST_URL").is_some_and(|url| !url.is_empty()) {
        reason.push_str(&format!(
            ". A Guardian is asked with the key of an auditor: curl -sS \"$AGENTTRUST_URL/api/v1/audit{below}\" \
             -H \"X-API-Key: $AGENTTRUST_API_KEY\""
        ));
    }
    GuardianError::Database { url, reason }
}

async fn export(log: Option<String>, place: &DatabaseArgs) -> Result<ExitCode, GuardianError> {
    let db = place.open_to_read().await?.db();
    let exported = work(async move {
        let logs = match log {
            Some(log) => vec![log],
            None => audit::logs(&db).await?,
        };
        let mut out = BufWriter::new(io::stdout());
        let mut any = false;
        for log in logs {
            any |= audit::last(&db, &log).await?.is_some();
            audit::export(&db, &log, None, &mut out).await?;
        }
        Ok(any)
    });
    if !exported.await? {
        return Err(empty(place));
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a file beside the database file that is there.
fn beside(place: &DatabaseArgs, ending: &str) -> Result<Option<PathBuf>, GuardianError> {
    let database = Database::parse(&place.database)?;
    Ok(database.beside(ending).filter(|path| path.exists()))
}

fn refused(error: AuditError) -> GuardianError {
    GuardianError::Invalid(error.to_string())
}

/// Asks the database on the background runtime.
async fn work<T: Send + 'static>(
    work: impl Future<Output = Result<T, AuditError>> + Send + 'static,
) -> Result<T, GuardianError> {
    background::spawn(work)
        .await
        .map_err(|_| GuardianError::Unavailable("the audit log's task panicked".to_owned()))?
        .map_err(|error| GuardianError::Unavailable(error.to_string()))
}

/// Returns the error for a log without a row. A Guardian's first act is a row, so such a log was emptied, or never was
/// its.
fn empty(place: &DatabaseArgs) -> GuardianError {
    let named = Database::parse(&place.database)
        .map_or_else(|_| "this database".to_owned(), |database| database.to_string());
    GuardianError::Invalid(format!(
        "the audit log in {named} has no rows, and every Guardian writes one when it starts: it was \
         emptied, or this is another database; name the one that `agenttrust serve` uses"
    ))
}
