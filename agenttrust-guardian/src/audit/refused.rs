//! A start that is refused because rows of the log were changed or added. It is marked outside of the database, so that
//! undoing the change makes no start succeed either, until an operator has looked.

use super::checkpoint::{self, Checkpoint, CheckpointKind};
use super::error::AuditError;
use super::head::Head;
use super::notary::say_unmarked;
use super::signing::Signing;
use crate::clock::Clock;
use crate::store::Transaction;

/// Marks in the file of checkpoints what this refusal says of a log, if it says that rows were changed or added. A key
/// that ends with its process marks nothing: no operator could accept it.
pub(super) async fn mark(
    transaction: &mut Transaction,
    (log, clock): (&str, &Clock),
    signing: &Signing,
    refusal: &AuditError,
) {
    let Some(file) = signing.file.as_ref().filter(|_| signing.key.is_kept()) else { return };
    let Some(row) = row_of(transaction, log, refusal).await else { return };
    let log_id = checkpoint::log_id(transaction, log).await.ok().flatten();
    let (of, at) = ((log, log_id.as_deref()), format!("{:.6}", clock.now()));
    // Of the row there is no hash to go by: it may be the one that was changed.
    let line = Checkpoint::sign(&signing.key, CheckpointKind::Broken, of, (row, [0; 32]), at);
    if let Err(error) = file.add(&line) {
        say_unmarked(
            file,
            row,
            &error,
            "keep this line and a copy of the database, and make the file writable",
        );
    }
}

/// Returns the row up to which the log was not what was written. That rows are missing from its end is no such thing:
/// an older copy lacks them too, and the newer one may be put back.
async fn row_of(transaction: &mut Transaction, log: &str, refusal: &AuditError) -> Option<i64> {
    match refusal {
        AuditError::Added { first, .. } => Some(first - 1),
        AuditError::Tampered { seq, .. } => i64::try_from(*seq).ok(),
        AuditError::Truncated { seq, .. } => {
            let seq = i64::try_from(*seq).ok()?;
            let head = Head::load(transaction, log).await.ok()?;
            (head.seq >= seq).then_some(seq)
        }
        _ => None,
    }
}
