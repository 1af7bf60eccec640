//! Letting old rows go, so that what remains can still be proven: a signed cut takes their place.

use super::checkpoint::{self, Checkpoint, CheckpointKind};
use super::error::AuditError;
use super::key::AuditKey;
use super::record::{Entry, unhex};
use super::trust::Trust;
use super::verify::verify;
use super::{list, read};
use crate::store::{Db, query};

/// The number of rows that one transaction removes, so that the writer gets its turn.
const AT_ONCE: i64 = 1_000;

const FIRST: &str = "SELECT seq FROM audit WHERE log = $1 ORDER BY seq LIMIT 1";
const FIRST_FROM: &str = "SELECT seq FROM audit WHERE log = $1 AND at >= $2 ORDER BY seq LIMIT 1";
const DELETE: &str = "DELETE FROM audit WHERE log = $1 AND seq <= $2";
const DELETE_ADDED: &str = "DELETE FROM audit_added WHERE log = $1 AND seq <= $2";
const DELETE_CHECKPOINTS: &str = "DELETE FROM audit_checkpoints WHERE log = $1 AND seq <= $2";

/// The rows that are going to be let go: whole rows from the first one on.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    log: String,
    /// The last of them.
    last: Entry,
    /// The number of rows.
    pub(crate) rows: u64,
}

impl Plan {
    /// Returns everything that was written before `before` (RFC 3339 in UTC with six decimals), except for the
    /// newest row of the log; `None` when that is nothing.
    ///
    /// # Errors
    ///
    /// [`AuditError::Broken`] when these rows are not what was written, so that evidence of a change cannot be pruned.
    pub(crate) async fn before(
        db: &Db,
        log: &str,
        before: &str,
        trust: &Trust,
        key: &AuditKey,
    ) -> Result<Option<Self>, AuditError> {
        finish(db, log, key).await?;
        let first: Option<(i64,)> =
            query(FIRST).bind(log).fetch_optional(db).await.map_err(AuditError::unreadable)?;
        let Some((first,)) = first else { return Ok(None) };
        let newest = read::last_seq(db, log).await?;
        let kept: Option<(i64,)> = query(FIRST_FROM)
            .bind(log)
            .bind(before)
            .fetch_optional(db)
            .await
            .map_err(AuditError::unreadable)?;
        let last = kept.map_or(newest, |(kept,)| kept).min(newest).saturating_sub(1);
        if last < first {
            return Ok(None);
        }
        let found = verify(db, log, trust, Some(last)).await?;
        if let Some(fault) = found.fault {
            return Err(AuditError::Broken { log: log.to_owned(), what: fault.what });
        }
        let own = key.public().to_string();
        if !found.keys.is_empty() && !found.keys.contains(&own) {
            // A cut by it would make the log unprovable.
            let what = format!("it is signed by another key than {own}, which is given here");
            return Err(AuditError::Broken { log: log.to_owned(), what });
        }
        let after = u64::try_from(last - 1).unwrap_or(0);
        let row = list(db, log, after, 1, None).await?.pop();
        Ok(row.map(|last| Self { log: log.to_owned(), last, rows: found.rows }))
    }

    /// Returns the number of the last row that goes.
    pub(crate) fn through(&self) -> u64 {
        self.last.seq
    }

    /// Returns that row's hash.
    pub(crate) fn hash(&self) -> &str {
        &self.last.hash
    }

    /// Signs the cut, at `at`, and removes the rows.
    ///
    /// # Errors
    ///
    /// [`AuditError::Unwritable`] when the database refused. Once the cut is signed, the next one that is
    /// planned removes what this one left.
    pub(crate) async fn execute(
        &self,
        db: &Db,
        key: &AuditKey,
        at: String,
    ) -> Result<(), AuditError> {
        let hash = unhex(&self.last.hash).ok_or_else(|| AuditError::Broken {
            log: self.log.clone(),
            what: format!("what row {} has as its hash is not a hash", self.last.seq),
        })?;
        let seq = i64::try_from(self.last.seq).unwrap_or(i64::MAX);
        let mut transaction = db.begin().await.map_err(AuditError::unwritable)?;
        transaction.lock(&self.log).await.map_err(AuditError::unwritable)?;
        let log_id = checkpoint::log_id(&mut transaction, &self.log).await;
        let log_id = log_id.map_err(AuditError::unreadable)?;
        let of = (self.log.as_str(), log_id.as_deref());
        let cut = Checkpoint::sign(key, CheckpointKind::Cut, of, (seq, hash), at);
        cut.keep(&mut transaction).await.map_err(AuditError::unwritable)?;
        transaction.commit().await.map_err(AuditError::unwritable)?;
        finish(db, &self.log, key).await
    }
}

/// Removes what is before the newest cut of a log, if that is signed by this key: a cut that another program put there
/// removes nothing.
async fn finish(db: &Db, log: &str, key: &AuditKey) -> Result<(), AuditError> {
    let cut = checkpoint::cut(db, log).await.map_err(AuditError::unreadable)?;
    let cut = cut.filter(|cut| cut.signer() == Some(key.public()));
    let Some(cut) = cut.map(|cut| cut.seq()) else { return Ok(()) };
    loop {
        let first: Option<(i64,)> =
            query(FIRST).bind(log).fetch_optional(db).await.map_err(AuditError::unreadable)?;
        let Some((first,)) = first.filter(|(first,)| *first <= cut) else { break };
        let through = first.saturating_add(AT_ONCE).min(cut);
        query(DELETE).bind(log).bind(through).execute(db).await.map_err(AuditError::unwritable)?;
    }
    for sql in [DELETE_CHECKPOINTS, DELETE_ADDED] {
        query(sql).bind(log).bind(cut).execute(db).await.map_err(AuditError::unwritable)?;
    }
    Ok(())
}
