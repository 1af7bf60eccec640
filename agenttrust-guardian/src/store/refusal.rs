//! The reasons why a database is not taken, in the words of the operator who has to act on them.

use sqlx::migrate::MigrateError;
use sqlx::sqlite::SqliteError;

/// The low byte of those SQLite codes that an operator can do something about.
const READ_ONLY: i32 = 8;
const IO: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const NO_DATABASE: i32 = 26;

/// The code by which PostgreSQL says that a table is there already.
const TABLE_THERE: &str = "42P07";

/// Returns the low byte of the code by which SQLite says what is wrong.
fn code_of(error: &sqlx::Error) -> Option<i32> {
    let error = error.as_database_error()?.try_downcast_ref::<SqliteError>()?;
    Some(sqlx::error::DatabaseError::code(error)?.parse::<i32>().ok()? & 0xff)
}

/// Returns whether a file was not read because nothing can be written beside it.
#[cfg(feature = "cli")]
pub(super) fn wants_to_write(error: &sqlx::Error) -> bool {
    matches!(code_of(error), Some(READ_ONLY | CANNOT_OPEN))
}

/// Returns what to do about a database that cannot be opened.
pub(super) fn reason_for(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::PoolTimedOut => return NO_ANSWER.to_owned(),
        sqlx::Error::Io(error) => return error.to_string(),
        _ => {}
    }
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.as_deref() == Some(TABLE_THERE) {
        return FOREIGN.to_owned();
    }
    match code_of(error) {
        Some(NO_DATABASE) => {
            "it is no SQLite database; name another file, or one that is not there yet".to_owned()
        }
        Some(CORRUPT) => format!("it is damaged ({error}); restore a backup, or name another file"),
        Some(FULL) => format!("its disk is full ({error}); make room on it"),
        Some(READ_ONLY | CANNOT_OPEN) => {
            format!("it cannot be written ({error}); see who may write to it and to its folder")
        }
        Some(IO) => format!("its disk refuses ({error}); see whether it is full or failing"),
        _ => error.to_string(),
    }
}

/// Returns what to do about a database whose tables cannot be brought up to date.
pub(super) fn of_tables(error: &MigrateError) -> String {
    match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => format!(
            "it was written by a newer agenttrust (its schema has version {version}); \
             upgrade this program or use another database"
        ),
        MigrateError::VersionMismatch(version) => format!(
            "its schema version {version} is not the one of agenttrust; \
             it belongs to another program or build: use another database"
        ),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            reason_for(error)
        }
        other => other.to_string(),
    }
}

/// The message about a server that cannot be reached, and about one that has no connection left.
const NO_ANSWER: &str = "no server took a connection in five seconds; see that it runs at this host and port, and has \
                         connections left";

/// The message about a database that has tables, and none of ours.
pub(super) const FOREIGN: &str =
    "it holds the tables of another program, which are left as they are: use another database";
