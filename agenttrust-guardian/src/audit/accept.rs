//! What an operator says of a log that is not what was written: that it is gone on with all the same.

use agenttrust::Timestamp;

use super::chain::as_it_is;
use super::checkpoint::{self, Checkpoint, CheckpointKind};
use super::checkpoint_file::CheckpointFile;
use super::error::AuditError;
use super::fault::Fault;
use super::head::Head;
use super::key::AuditKey;
use super::noted::Noted;
use super::read;
use super::trust::Trust;
use super::verify::verify;
use crate::store::{Db, Transaction};

/// The state of a log that an operator accepts.
#[derive(Debug)]
pub(crate) struct Acceptance {
    /// The fault of the log, or the one that was seen.
    pub(crate) fault: Fault,
    checkpoint: Checkpoint,
    /// The last row, where every row is whole by itself: what is before it stays as it is.
    reached: Option<Checkpoint>,
}

impl Acceptance {
    /// Finds out what there is to accept of a log, by what is in the database and was noted outside; `None` when that
    /// is nothing. Rows that are whole by themselves go on being proven; else the log begins with its last row.
    ///
    /// # Errors
    ///
    /// [`AuditError::Unreadable`] when the database cannot answer.
    pub(crate) async fn of(
        db: &Db,
        log: &str,
        noted: &[Noted],
        key: &AuditKey,
    ) -> Result<Option<Self>, AuditError> {
        let trust = |noted| Trust { keys: vec![key.public()], noted, ..Trust::default() };
        let Some(fault) = verify(db, log, &trust(noted.to_vec()), None).await?.fault else {
            return Ok(None);
        };
        let bare = noted.iter().filter(|noted| noted.log == log).map(|noted| Noted {
            log_id: None,
            reached: None,
            broken: None,
            ..noted.clone()
        });
        let by_itself = verify(db, log, &trust(bare.collect()), None).await?;
        let mut transaction = db.begin().await.map_err(AuditError::unreadable)?;
        let (head, reached) = match by_itself.fault {
            None => {
                let reached = Head::load(&mut transaction, log).await;
                (Head { seq: 0, hash: [0; 32] }, Some(reached.map_err(AuditError::unreadable)?))
            }
            Some(_) => (last_as_it_is(&mut transaction, log).await?, None),
        };
        let log_id =
            checkpoint::log_id(&mut transaction, log).await.map_err(AuditError::unreadable)?;
        let newest =
            checkpoint::newest(&mut transaction, log).await.map_err(AuditError::unreadable)?;
        // Later than whatever it makes up for, however the clocks were set.
        let noted = noted.iter().filter(|noted| noted.log == log);
        let said = noted.flat_map(|noted| [&noted.reached, &noted.broken]).flatten();
        let said = said.chain(&newest).map(|one| one.at.clone());
        let at = said.max().unwrap_or_default().max(format!("{:.6}", Timestamp::now()));
        let of = (log, log_id.as_deref());
        let sign =
            |says, head: Head| Checkpoint::sign(key, says, of, (head.seq, head.hash), at.clone());
        let checkpoint = sign(CheckpointKind::Accepted, head);
        let reached = reached.filter(|reached| reached.is_row());
        let reached = reached.map(|reached| sign(CheckpointKind::Reached, reached));
        Ok(Some(Self { fault, checkpoint, reached }))
    }

    /// Returns the row up to which the log is accepted as it is; row 0 where every row is whole by itself.
    pub(crate) fn through(&self) -> u64 {
        self.checkpoint.seq
    }

    /// Adds the checkpoint of the acceptance to the file of checkpoints, and that of the row which the log has to have
    /// from then on.
    ///
    /// # Errors
    ///
    /// [`AuditError::CheckpointFile`] when the file cannot be added to.
    pub(crate) fn write_checkpoint(&self, file: &CheckpointFile) -> Result<(), AuditError> {
        for checkpoint in [Some(&self.checkpoint), self.reached.as_ref()].into_iter().flatten() {
            file.add(checkpoint).map_err(|error| AuditError::unusable(file.path(), error))?;
        }
        Ok(())
    }
}

/// Returns the last row, by what is accepted of it: also where its hash is not of what it says.
async fn last_as_it_is(transaction: &mut Transaction, log: &str) -> Result<Head, AuditError> {
    let head = Head::load(&mut *transaction, log).await.map_err(AuditError::unreadable)?;
    let row = read::row(transaction, log, head.seq).await?;
    Ok(row.map_or(head, |row| Head { hash: as_it_is(&row), ..head }))
}
