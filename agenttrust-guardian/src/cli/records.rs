//! What a command did to a database, in the audit.

use std::sync::Arc;

use super::KEYS_LOG;
use super::audit::KeyFile;
use crate::audit;
use crate::audit::{AuditError, AuditKey, AuditLog, Signing};
use crate::cli::DatabaseArgs;
use crate::domain::GuardianError;
use crate::store::{Db, Store};

/// Opens the audit log for the rows of a command, each of which is signed by the key of the audit: without that, the
/// Guardian could not tell them from rows that were added by anyone else.
///
/// # Errors
///
/// Invalid where the log is signed and the key is not given, or is another one.
pub(super) async fn open(
    store: &Store,
    key: &KeyFile,
    place: &DatabaseArgs,
) -> Result<AuditLog, GuardianError> {
    let refused = |error: AuditError| GuardianError::Invalid(error.to_string());
    let path = key.find(place)?;
    let key = path.map(|path| AuditKey::load(&path)).transpose().map_err(refused)?;
    let db = store.db();
    let log = log_of(&db);
    if key.is_none() && matches!(db, Db::Sqlite(_)) && is_signed(&db, log).await? {
        return Err(GuardianError::Invalid(
            "the audit log of this database is signed by a key that is not beside it: name its file with --audit-key, or \
             ask the Guardian that is served (AGENTTRUST_URL)"
                .to_owned(),
        ));
    }
    let signing = key.map(Signing::of_command);
    AuditLog::start(db, log.to_owned(), Arc::default(), signing).await.map_err(refused)
}

/// Returns the log that a command writes: the one of a database file, else one of its own.
pub(super) fn log_of(db: &Db) -> &'static str {
    match db {
        Db::Sqlite(_) => "",
        Db::Postgres(_) => KEYS_LOG,
    }
}

async fn is_signed(db: &Db, log: &str) -> Result<bool, GuardianError> {
    let newest = audit::checkpoints(db, log, i64::MAX, 1).await;
    let newest = newest.map_err(|error| GuardianError::Unavailable(error.to_string()))?;
    Ok(!newest.is_empty())
}
