//! Databases that another process keeps busy.

use std::path::Path;
use std::time::Duration;

use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, eventually_within};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor, PgConnection};

use crate::support::{Api, open_with};

/// The most that a test waits for what comes by itself.
pub(crate) const NEVER: Duration = Duration::from_secs(60);

const TABLES: &str = "LOCK TABLE agents, tokens, keys, sessions, approvals, telemetry, settings, changes, \
                      audit, tool_effects, session_counts IN ACCESS EXCLUSIVE MODE";

/// A database of a test's own.
pub(crate) enum Database {
    File(tempfile::TempDir),
    Postgres(Fresh),
}

/// A lock on all of a database, held until it is dropped.
pub(crate) enum Lock {
    File(SqliteConnection),
    Postgres(PgConnection),
}

impl Database {
    /// Returns an SQLite file, and PostgreSQL where there is one.
    pub(crate) fn both() -> Vec<Self> {
        let file = Self::File(tempfile::tempdir().unwrap());
        [Some(file), Fresh::or_skip().map(Self::Postgres)].into_iter().flatten().collect()
    }

    fn path(folder: &tempfile::TempDir) -> std::path::PathBuf {
        folder.path().join("guardian.db")
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::File(folder) => Self::path(folder).to_str().unwrap().to_owned(),
            Self::Postgres(fresh) => fresh.url(),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    pub(crate) async fn guardian(&self) -> Api {
        open_with(|builder| builder.database(self.url())).await
    }

    pub(crate) async fn lock(&self) -> Lock {
        match self {
            Self::File(folder) => {
                let mut connection = file(&Self::path(folder)).await;
                connection.execute("BEGIN EXCLUSIVE").await.unwrap();
                Lock::File(connection)
            }
            Self::Postgres(fresh) => {
                let mut connection = PgConnection::connect(&fresh.url()).await.unwrap();
                connection.execute("BEGIN").await.unwrap();
                connection.execute(TABLES).await.unwrap();
                Lock::Postgres(connection)
            }
        }
    }

    /// Reads a number.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        match self {
            Self::File(folder) => {
                let mut connection = file(&Self::path(folder)).await;
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
            Self::Postgres(fresh) => {
                let mut connection = PgConnection::connect(&fresh.url()).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
        }
    }
}

impl Lock {
    pub(crate) async fn let_go(self) {
        match self {
            Self::File(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}

async fn file(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(NEVER);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Waits until `/health` says `healthy`.
pub(crate) async fn healthy(api: &Api) {
    let look = async || {
        let health = api.get("/health", ADMIN).await;
        if health.body["status"] == "healthy" { Ok(()) } else { Err(health) }
    };
    eventually_within(NEVER, "never healthy", look).await;
}
