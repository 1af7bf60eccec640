//! Opening a database: which one, how careful, and bringing its tables up to date.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use agenttrust::__private::background;
use sqlx::SqlitePool;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::Store;
use super::lock::Lock;
use crate::error::GuardianError;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a statement waits for another writer.
const BUSY: Duration = Duration::from_secs(5);
/// How long a request waits for a free connection.
const ACQUIRE: Duration = Duration::from_secs(5);
/// Connections to a database file: one writes, the others read meanwhile.
const CONNECTIONS: u32 = 4;

const PANICKED: &str = "the task that opened it panicked";

#[cfg(feature = "cli")]
const AUDIT_TABLE: &str =
    "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'audit'";

/// Which database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// SQLite in memory: gone with the Guardian.
    Memory,
    /// An SQLite file, made if it is not there.
    File(PathBuf),
}

impl Database {
    /// Reads `memory`, `sqlite::memory:`, `sqlite://path`, `sqlite:path` or a path.
    pub(crate) fn parse(url: &str) -> Result<Self, GuardianError> {
        if url == "memory" {
            return Ok(Self::Memory);
        }
        if let Some((scheme, _)) = url.split_once("://")
            && scheme != "sqlite"
        {
            let advice = if scheme.starts_with("postgres") {
                "PostgreSQL is not served by this version; use sqlite://PATH"
            } else {
                "use memory or sqlite://PATH"
            };
            return Err(GuardianError::UnsupportedDatabase(format!(
                "the database scheme {scheme:?} is not supported: {advice}"
            )));
        }
        let path =
            url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
        match path {
            "" => Err(GuardianError::UnsupportedDatabase(
                "the database URL names no file: use memory or sqlite://PATH".to_owned(),
            )),
            ":memory:" => Ok(Self::Memory),
            path if path.contains('?') => Err(GuardianError::UnsupportedDatabase(format!(
                "the database URL {url:?} carries options, and none are supported: remove them"
            ))),
            path => Ok(Self::File(PathBuf::from(path))),
        }
    }

    /// Whether another process can write to it as well.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// The file, which must be there.
    #[cfg(feature = "cli")]
    fn existing(&self) -> Result<&Path, GuardianError> {
        match self {
            Self::File(path) if path.is_file() => Ok(path),
            _ => Err(self.refused(
                "there is no such file; name the database that `agenttrust serve` uses".to_owned(),
            )),
        }
    }

    fn refused(&self, reason: String) -> GuardianError {
        GuardianError::Database { url: self.to_string(), reason }
    }

    fn options(
        &self,
        make: bool,
    ) -> Result<(SqlitePoolOptions, SqliteConnectOptions), sqlx::Error> {
        let pool = SqlitePoolOptions::new().acquire_timeout(ACQUIRE);
        Ok(match self {
            // The one connection *is* the database, so it is never given up.
            Self::Memory => (
                pool.max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None),
                "sqlite::memory:".parse::<SqliteConnectOptions>()?.foreign_keys(true),
            ),
            Self::File(path) => (
                pool.max_connections(CONNECTIONS),
                SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(make)
                    .foreign_keys(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    // An answered decision must survive a power cut.
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(BUSY),
            ),
        })
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::File(path) => write!(f, "sqlite://{}", path.display()),
        }
    }
}

impl Store {
    /// Opens `database` for one Guardian, makes it if it is not there, and brings its tables up to
    /// date. A database file is locked until the store is closed.
    pub(crate) async fn open(database: &Database) -> Result<Self, GuardianError> {
        let lock = match database {
            Database::Memory => None,
            Database::File(path) => {
                make_private(path).map_err(|error| database.refused(error.to_string()))?;
                Some(Lock::take(path).map_err(|error| database.refused(error))?)
            }
        };
        let opened = Self::open_or_make(database, true).await?;
        Ok(Self { lock: lock.map(Arc::new), ..opened })
    }

    /// Connections for the writer of the audit: where the database is a file, one of its own, so that
    /// those who read never keep it waiting.
    pub(crate) async fn writer_pool(
        &self,
        database: &Database,
    ) -> Result<SqlitePool, GuardianError> {
        match database {
            Database::Memory => Ok(self.pool()),
            Database::File(_) => SqlitePoolOptions::new()
                .max_connections(1)
                .acquire_timeout(ACQUIRE)
                .connect_with(self.pool.connect_options().as_ref().clone())
                .await
                .map_err(|error| database.refused(error.to_string())),
        }
    }

    /// Opens `database`, which must be there already.
    #[cfg(feature = "cli")]
    pub(crate) async fn open_existing(database: &Database) -> Result<Self, GuardianError> {
        database.existing()?;
        Self::open_or_make(database, false).await
    }

    /// Opens `database`, which must be a Guardian's, and changes nothing in it.
    #[cfg(feature = "cli")]
    pub(crate) async fn open_to_read(database: &Database) -> Result<Self, GuardianError> {
        let options = SqliteConnectOptions::new()
            .filename(database.existing()?)
            .read_only(true)
            .busy_timeout(BUSY);
        let opened = background::spawn(async move {
            let pool = SqlitePoolOptions::new()
                .max_connections(1)
                .acquire_timeout(ACQUIRE)
                .connect_with(options)
                .await?;
            let tables: i64 = sqlx::query_scalar(AUDIT_TABLE).fetch_one(&pool).await?;
            Ok::<_, sqlx::Error>((pool, tables))
        });
        match opened.await {
            Ok(Ok((pool, 1))) => Ok(Self { pool, own_votes: false, lock: None }),
            Ok(Ok(_)) => Err(database.refused(
                "it holds no audit log; name the database that `agenttrust serve` uses".to_owned(),
            )),
            Ok(Err(error)) => Err(database.refused(error.to_string())),
            Err(_) => Err(database.refused(PANICKED.to_owned())),
        }
    }

    async fn open_or_make(database: &Database, make: bool) -> Result<Self, GuardianError> {
        let refused = |reason: String| database.refused(reason);
        let (pool, options) = database.options(make).map_err(|error| refused(error.to_string()))?;
        let opened = background::spawn(async move {
            let pool = pool.connect_with(options).await.map_err(|error| error.to_string())?;
            MIGRATIONS.run(&pool).await.map_err(|error| explain(&error))?;
            Ok(Self { pool, own_votes: false, lock: None })
        });
        match opened.await {
            Ok(opened) => opened.map_err(refused),
            Err(_) => Err(refused(PANICKED.to_owned())),
        }
    }
}

/// Makes the file, if it is not there, so that only its owner can read what people approve. SQLite
/// gives its side files the same permissions.
#[cfg(unix)]
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;

    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map(drop)
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> std::io::Result<()> {
    Ok(())
}

fn explain(error: &MigrateError) -> String {
    match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => format!(
            "it was written by a newer agenttrust (its schema has version {version}); \
             upgrade this program or use another database"
        ),
        MigrateError::VersionMismatch(version) => format!(
            "its schema version {version} is not the one of agenttrust; \
             it belongs to another program or build: use another database"
        ),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_database_is_read() {
        for memory in ["memory", "sqlite::memory:", "sqlite://:memory:", ":memory:"] {
            assert_eq!(Database::parse(memory).unwrap(), Database::Memory, "{memory}");
        }
        for (url, path) in [
            ("sqlite:///var/at.db", "/var/at.db"),
            ("sqlite://at.db", "at.db"),
            ("sqlite:at.db", "at.db"),
            ("data/at.db", "data/at.db"),
        ] {
            assert_eq!(Database::parse(url).unwrap(), Database::File(path.into()), "{url}");
        }
    }

    #[test]
    fn postgres_is_refused_with_the_way_out() {
        for url in ["postgres://localhost/x", "postgresql://localhost/x"] {
            let error = Database::parse(url).unwrap_err().to_string();
            assert!(error.contains("PostgreSQL is not served"), "{error}");
        }
        assert!(Database::parse("mysql://x").is_err());
        assert!(Database::parse("sqlite://").is_err());
        assert!(Database::parse("sqlite://a.db?mode=ro").is_err());
    }
}
