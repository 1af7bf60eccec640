//! Why a database is not taken, in the words of whoever has to do something about it.

use sqlx::migrate::MigrateError;
use sqlx::sqlite::SqliteError;

/// The low byte of SQLite's codes that somebody can do something about.
const READ_ONLY: i32 = 8;
const IO: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const NO_DATABASE: i32 = 26;

/// What PostgreSQL says of a table that is there already.
const TABLE_THERE: &str = "42P07";

/// What to do about a database that cannot be opened.
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
    let sqlite =
        error.as_database_error().and_then(|error| error.try_downcast_ref::<SqliteError>());
    let code =
        sqlite.and_then(|error| sqlx::error::DatabaseError::code(error)?.parse::<i32>().ok());
    match code.map(|code| code & 0xff) {
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

/// What to do about a database whose tables cannot be brought up to date.
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

/// Said of a server that cannot be reached, and of one that has no connection left.
const NO_ANSWER: &str = "no server took a connection in five seconds; see that it runs at this host and port, and has \
                         connections left";

/// Said of a database that has tables, and none of ours.
pub(super) const FOREIGN: &str =
    "it holds the tables of another program, which are left as they are: use another database";
