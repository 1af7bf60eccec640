//! Opening a database: how careful, and bringing its tables up to date.

use std::sync::Arc;
use std::time::Duration;

use agenttrust::background;
use sqlx::Connection;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

#[cfg(feature = "cli")]
use super::StoreError;
use super::database::Database;
use super::db::Db;
#[cfg(feature = "cli")]
use super::db::query;
use super::lock::Lock;
use super::primary::{ACQUIRE, Primary, Purpose};
use super::wal::Mover;
use super::{Store, migrations, place, pooler, refusal};
use crate::domain::GuardianError;

/// The time that a statement waits for another writer.
const BUSY: Duration = Duration::from_secs(5);
/// Connections to a database file: one writes, the others read meanwhile.
const TO_FILE: u32 = 4;
/// Connections beside those for following, for taking back and for health ...
const FOR_CONTROL: u32 = 3;
/// ... and how long they wait for another writer.
const CONTROL_WAITS: Duration = Duration::from_secs(2);
/// Connections beside those for reading.
const FOR_READING: u32 = 2;

/// The end of the name of a file's write-ahead log.
#[cfg(feature = "cli")]
const WRITE_AHEAD_LOG: &str = "-wal";
/// Whether it holds an audit log.
#[cfg(feature = "cli")]
const AUDIT_THERE: &str = "SELECT log FROM audit LIMIT 1";
/// Whether a file has tables, and no record of ours.
const FOREIGN: &str = "SELECT COUNT(*) > COALESCE(SUM(name = '_sqlx_migrations'), 0) * COUNT(*) \
                       FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'";
/// The statement that moves all of the write-ahead log into the database file and cuts it off.
const EMPTY_LOG: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

impl Store {
    /// Opens `database` for one Guardian, makes it if it is not there, and brings its tables up to
    /// date. A database file is locked until the store is closed.
    pub(crate) async fn open(database: &Database) -> Result<Self, GuardianError> {
        let lock = match database {
            Database::Memory | Database::Postgres(_) => None,
            Database::File(path) => {
                place::make(path).map_err(|why| database.refused(why))?;
                place::warn_of_others(path);
                Some(Lock::take(path).map_err(|error| database.refused(error))?)
            }
        };
        let opened = Self::migrated(database, true).await?;
        opened.begin_log_anew().await;
        let mut mover = None;
        if let (Database::File(_), Db::Sqlite(pool)) = (database, &opened.db) {
            let options = pool.connect_options().as_ref().clone();
            mover = Some(Mover::new(to_file(1).connect_lazy_with(options)));
        }
        Ok(Self { lock: lock.map(Arc::new), mover, ..opened })
    }

    /// Opens `database`, which must be there already.
    #[cfg(feature = "cli")]
    pub(crate) async fn open_existing(database: &Database) -> Result<Self, GuardianError> {
        if !database.has_replicas() {
            database.existing()?;
        }
        Self::migrated(database, false).await
    }

    /// Opens `database`, which must be a Guardian's, and changes nothing in it.
    #[cfg(feature = "cli")]
    pub(crate) async fn open_to_read(database: &Database) -> Result<Self, GuardianError> {
        let db = match database {
            Database::Memory | Database::File(_) => looking(database, false).await?,
            Database::Postgres(options) => {
                keeps_servers(database, options).await?;
                to_primary(database, options, Purpose::Looking).await?
            }
        };
        match Self::with_audit(db).await {
            Ok(store) => Ok(store),
            Err(StoreError::Database(error)) if refusal::wants_to_write(&error) => {
                let db = unchanging(database, &error).await?;
                Self::with_audit(db).await.map_err(|error| database.refused(error.to_string()))
            }
            Err(StoreError::Database(sqlx::Error::Database(error))) => {
                Err(database.refused(format!(
                    "it holds no audit log of this version ({error}); name the database that \
                 `agenttrust serve` uses"
                )))
            }
            Err(error) => Err(database.refused(error.to_string())),
        }
    }

    /// Looks whether a database holds an audit log.
    #[cfg(feature = "cli")]
    async fn with_audit(db: Db) -> Result<Self, StoreError> {
        let store = Self { db, own_votes: false, places: None, lock: None, mover: None };
        let there = |db: Db| async move { query(AUDIT_THERE).fetch_optional(&db).await };
        let _: Option<(String,)> = store.run(there).await?;
        Ok(store)
    }

    /// Opens connections of their own for what must wait for nothing else: following what was changed, storing what
    /// was taken back, and asking how the database is. They give up early, so that none of these waits long for
    /// another. In memory there is one connection for all.
    pub(crate) async fn control(&self, database: &Database) -> Result<Self, GuardianError> {
        let db = match (database, &self.db) {
            (Database::File(_), Db::Sqlite(pool)) => {
                let options = pool.connect_options().as_ref().clone().busy_timeout(CONTROL_WAITS);
                let pool = to_file(FOR_CONTROL);
                connected(database, async { pool.connect_with(options).await.map(Db::Sqlite) })
                    .await?
            }
            (Database::Postgres(options), _) => {
                to_primary(database, options, Purpose::Control).await?
            }
            _ => self.db(),
        };
        Ok(Self { db, own_votes: self.own_votes, places: None, lock: None, mover: None })
    }

    /// Opens connections of their own that only read, for lists, exports and verification: however many of these run,
    /// no decision waits for them. In memory they take turns on the one connection.
    pub(crate) async fn reading(&self, database: &Database) -> Result<Self, GuardianError> {
        let db = match (database, &self.db) {
            (Database::File(path), _) => {
                let options =
                    SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY);
                let pool = to_file(FOR_READING);
                connected(database, async { pool.connect_with(options).await.map(Db::Sqlite) })
                    .await?
            }
            (Database::Postgres(options), _) => {
                to_primary(database, options, Purpose::Reading).await?
            }
            _ => return Ok(self.with_places(FOR_READING as usize)),
        };
        Ok(Self { db, own_votes: self.own_votes, places: None, lock: None, mover: None })
    }

    /// Returns a connection of its own for the writer of the audit, so that neither it nor reads and decisions wait
    /// for a connection of the other. In its pauses the write-ahead log of a file is kept short.
    pub(crate) async fn audit_writer(&self, database: &Database) -> Result<Db, GuardianError> {
        let writer = self.writer(database).await?;
        if let (Database::File(path), Some(mover), Db::Sqlite(pool)) =
            (database, &self.mover, &writer)
        {
            mover.start(path, pool);
        }
        Ok(writer)
    }

    /// Returns the same for the writer of reports.
    pub(crate) async fn writer(&self, database: &Database) -> Result<Db, GuardianError> {
        match (database, &self.db) {
            (Database::File(_), Db::Sqlite(pool)) => {
                let options = pool.connect_options().as_ref().clone();
                let pool = to_file(1);
                connected(database, async { pool.connect_with(options).await.map(Db::Sqlite) })
                    .await
            }
            (Database::Postgres(options), _) => {
                to_primary(database, options, Purpose::Writing).await
            }
            _ => Ok(self.db()),
        }
    }

    /// Empties the write-ahead log that a killed Guardian left behind: it may hold what was dropped since. While
    /// another program reads the file, the log stays as it is.
    async fn begin_log_anew(&self) {
        let emptied = self.run(|db| async move {
            match &db {
                Db::Sqlite(pool) => sqlx::query(EMPTY_LOG).execute(pool).await.map(drop),
                Db::Postgres(_) => Ok(()),
            }
        });
        if let Err(error) = emptied.await {
            tracing::warn!(%error, "the write-ahead log of the database could not be emptied");
        }
    }

    async fn migrated(database: &Database, make: bool) -> Result<Self, GuardianError> {
        let db = match database {
            Database::Memory => {
                // The one connection *is* the database, so it is never given up.
                let pool = SqlitePoolOptions::new()
                    .acquire_timeout(ACQUIRE)
                    .max_connections(1)
                    .min_connections(1)
                    .idle_timeout(None)
                    .max_lifetime(None);
                let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
                connected(database, async { pool.connect_with(options).await.map(Db::Sqlite) })
                    .await?
            }
            Database::File(path) => {
                let pool = to_file(TO_FILE);
                let mut options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(make)
                    .foreign_keys(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    // An input that was disclosed and is dropped must leave nothing behind.
                    .pragma("secure_delete", "ON")
                    // An answered decision must survive a power cut.
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(BUSY);
                if make {
                    // A Guardian that runs has a task for it.
                    options = options.pragma("wal_autocheckpoint", "0");
                }
                connected(database, async { pool.connect_with(options).await.map(Db::Sqlite) })
                    .await?
            }
            Database::Postgres(options) => {
                keeps_servers(database, options).await?;
                to_primary(database, options, Purpose::Deciding).await?
            }
        };
        let migrating = db.clone();
        let migrated = background::spawn(async move {
            let migrated = match &migrating {
                Db::Sqlite(pool) => {
                    // Ours beside theirs would be in the way of both.
                    let foreign: bool = sqlx::query_scalar(FOREIGN).fetch_one(pool).await?;
                    if foreign {
                        return Ok(Err(refusal::FOREIGN.to_owned()));
                    }
                    migrations::for_sqlite().run(pool).await
                }
                Db::Postgres(primary) => migrations::for_postgres().run(&primary.pool()).await,
            };
            Ok::<_, sqlx::Error>(migrated.map_err(|error| refusal::of_tables(&error)))
        });
        match migrated.await {
            Ok(Ok(Ok(()))) => {
                Ok(Self { db, own_votes: false, places: None, lock: None, mover: None })
            }
            Ok(Ok(Err(reason))) => Err(database.refused(reason)),
            Ok(Err(error)) => Err(database.refused(refusal::reason_for(&error))),
            Err(_) => Err(database.refused("the task that opened it panicked".to_owned())),
        }
    }
}

/// Connects to a database file that is there, to look at it. One that is `unchanging` is read without the files that
/// SQLite makes beside it for writers at the same time.
#[cfg(feature = "cli")]
async fn looking(database: &Database, unchanging: bool) -> Result<Db, GuardianError> {
    let options = SqliteConnectOptions::new()
        .filename(database.existing()?)
        .read_only(true)
        .immutable(unchanging)
        .busy_timeout(BUSY);
    let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE);
    connected(database, async { pool.connect_with(options).await.map(Db::Sqlite) }).await
}

/// Connects to a database file in a folder that cannot be written, as that of a back-up. As long as a Guardian runs on
/// it, or where it was killed, a write-ahead log is beside it, without which the end would be missing.
#[cfg(feature = "cli")]
async fn unchanging(database: &Database, error: &sqlx::Error) -> Result<Db, GuardianError> {
    match database.beside(WRITE_AHEAD_LOG).filter(|path| path.exists()) {
        None => looking(database, true).await,
        Some(path) => Err(database.refused(format!(
            "it cannot be read where nothing can be written beside it ({error}), since newer rows are in {}; copy both into a \
             folder that can be written, and name the copy",
            path.display()
        ))),
    }
}

/// Connects on the background runtime, which outlives the caller's.
async fn connected(
    database: &Database,
    connect: impl Future<Output = Result<Db, sqlx::Error>> + Send + 'static,
) -> Result<Db, GuardianError> {
    match background::spawn(connect).await {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(error)) => Err(database.refused(refusal::reason_for(&error))),
        Err(_) => Err(database.refused("the task that opened it panicked".to_owned())),
    }
}

async fn to_primary(
    database: &Database,
    options: &PgConnectOptions,
    purpose: Purpose,
) -> Result<Db, GuardianError> {
    let options = options.clone();
    connected(database, async move { Primary::connect(&options, purpose).await.map(Db::Postgres) })
        .await
}

/// Refuses a pooler that changes the server behind a connection.
async fn keeps_servers(
    database: &Database,
    options: &PgConnectOptions,
) -> Result<(), GuardianError> {
    let options = options.clone();
    let looked = background::spawn(async move { pooler::changes_servers(&options).await });
    match looked.await {
        Ok(Ok(false)) => Ok(()),
        Ok(Ok(true)) => Err(database.refused(pooler::CHANGES_SERVERS.to_owned())),
        Ok(Err(error)) => Err(database.refused(refusal::reason_for(&error))),
        Err(_) => Err(database.refused("the task that opened it panicked".to_owned())),
    }
}

/// Returns options by which a connection is not used again after a full or failing disk. Such a disk ends a
/// transaction by itself, and the connection then takes every later transaction for a part of it.
fn to_file(most: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(most)
        .acquire_timeout(ACQUIRE)
        // A file hangs up on no one.
        .test_before_acquire(false)
        .before_acquire(|connection, _| {
            Box::pin(async move { Ok(!connection.is_in_transaction()) })
        })
}
