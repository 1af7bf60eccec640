//! A pooler before PostgreSQL. A Guardian changes settings, prepares statements and listens on a connection. So it
//! needs one that leads to the same server process for as long as it lasts, and not to another one with each
//! transaction.

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Executor, Row};

use super::primary::{ACQUIRE, bare};

/// The message about a pooler that changes it.
pub(super) const CHANGES_SERVERS: &str = "PgBouncer in transaction mode (or another pooler that changes the server behind a \
                                          connection) is in front of it; use the pooler's session mode, or connect to \
                                          PostgreSQL directly";

/// The statement that asks which process of the server is behind a connection. It is sent as text: a statement that is
/// prepared takes two steps, between which the process might change.
const PROCESS: &str = "SELECT pg_backend_pid()";
/// The number of looks. Others may use the pooler meanwhile, so that one look could miss it.
const LOOKS: usize = 3;

/// Returns whether the server behind a connection changes while it lasts. Two connections are made for it and nothing
/// is set on them: with such a pooler, another program would have it next.
pub(super) async fn changes_servers(options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(ACQUIRE);
    let pool = pool.connect_with(bare(options)).await?;
    let (mut one, mut other) = (pool.acquire().await?, pool.acquire().await?);
    let mut changes = Ok(false);
    for _ in 0..LOOKS {
        if matches!(changes, Ok(false)) {
            changes = changes_once(&mut one, &mut other).await;
        }
    }
    drop((one, other));
    pool.close().await;
    changes
}

/// Returns whether the process behind one of two connections changes. A pooler hands out either the process that was
/// given back last or the one that waits longest: the first is seen by two connections that have the same process, the
/// second by a connection that lost its process. A transaction keeps one from the other.
async fn changes_once(
    one: &mut PgConnection,
    other: &mut PgConnection,
) -> Result<bool, sqlx::Error> {
    let own = process_of(one).await?;
    if process_of(one).await? != own || process_of(other).await? == own {
        return Ok(true);
    }
    other.execute("BEGIN").await?;
    let shared = process_of(other).await? == own || process_of(one).await? != own;
    other.execute("ROLLBACK").await?;
    Ok(shared)
}

async fn process_of(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    connection.fetch_one(PROCESS).await?.try_get(0)
}
