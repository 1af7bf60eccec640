//! The move of what SQLite wrote ahead into the database file, beside decisions and not in their way.
//!
//! SQLite does it by itself in whichever commit makes the write-ahead log a thousand pages long, and that commit then
//! takes ten times as long as the others. Here a connection of its own moves pages while others go on writing. Under a
//! load that never pauses the log would only grow. So once it is long, the writer of the audit pauses until the few
//! pages that are left are moved. Its next transaction begins the log from the start.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use agenttrust::background;
use sqlx::sqlite::SqlitePool;
use sqlx::{Executor, Row};

/// The time between two looks whether there is something to move, while nothing is written ...
const IDLE: Duration = Duration::from_millis(200);
/// ... and while something is: few pages at a time, because commits wait meanwhile for the same disk.
const BUSY: Duration = Duration::from_millis(20);
/// The number of bytes from which on pages are moved beside the writers ...
const MOVE_FROM: u64 = 256 << 10;
/// The number of pages from which on the log begins again at its start: 64 MiB.
const RESTART_FROM: i64 = 16_384;

/// The number of passes that move pages before the writer has to pause for the last ones.
const PASSES: usize = 3;

const MOVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// The mover of pages: a connection of its own, and that of the audit's writer.
#[derive(Debug)]
pub(super) struct Mover {
    pool: SqlitePool,
    writer: OnceLock<SqlitePool>,
}

impl Mover {
    pub(super) fn new(pool: SqlitePool) -> Arc<Self> {
        Arc::new(Self { pool, writer: OnceLock::new() })
    }

    /// Starts moving pages of the database at `path`, until this is closed or let go. `writer` has the one
    /// connection of the audit's writer.
    pub(super) fn start(self: &Arc<Self>, path: &Path, writer: &SqlitePool) {
        if self.writer.set(writer.clone()).is_ok() {
            let mut log = path.as_os_str().to_owned();
            log.push("-wal");
            background::spawn(keep_short(PathBuf::from(log), Arc::downgrade(self)));
        }
    }

    /// Closes both connections: of a database without any, SQLite moves all that is left.
    pub(super) async fn close(&self) {
        self.pool.close().await;
        if let Some(writer) = self.writer.get() {
            writer.close().await;
        }
    }

    /// Moves the pages that there are; where they are many, also those that came meanwhile.
    async fn pages(&self, moved: &mut i64) -> Result<(), sqlx::Error> {
        let mut pages: i64 = self.pool.fetch_one(MOVE).await?.try_get(1)?;
        if pages >= RESTART_FROM && pages != *moved {
            // Each time fewer came meanwhile.
            for _ in 0..PASSES {
                pages = self.pool.fetch_one(MOVE).await?.try_get(1)?;
            }
            if let Some(writer) = self.writer.get() {
                // While this has the writer's connection, next to nothing is written.
                writer.fetch_one(MOVE).await?;
            }
        }
        *moved = pages;
        Ok(())
    }
}

async fn keep_short(log: PathBuf, mover: Weak<Mover>) {
    let (mut troubled, mut moved, mut seen, mut pause) = (false, 0, None, IDLE);
    loop {
        background::sleep(pause).await;
        let Some(mover) = mover.upgrade().filter(|mover| !mover.pool.is_closed()) else { return };
        // The file keeps its length when the log begins anew, so its time counts as well.
        let found = tokio::fs::metadata(&log).await.ok();
        let found = found.map(|found| (found.len(), found.modified().ok()));
        let is_long = found.is_some_and(|(length, _)| length >= MOVE_FROM);
        if !is_long || found == seen {
            pause = IDLE;
            continue;
        }
        (seen, pause) = (found, BUSY);
        match mover.pages(&mut moved).await {
            Ok(()) => troubled = false,
            Err(_) if mover.pool.is_closed() => return,
            Err(error) => {
                // Once a trouble, not five times a second.
                if !troubled {
                    tracing::warn!(%error, "the write-ahead log of the database cannot be moved into it; trying again");
                }
                (troubled, seen, pause) = (true, None, IDLE);
            }
        }
    }
}
