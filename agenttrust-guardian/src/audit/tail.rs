//! The rows at the end of a log behind one that is known: whether they follow it, and whose they are.

use std::collections::HashMap;

use super::chain::Hash;
use super::checkpoint;
use super::error::AuditError;
use super::head::Head;
use super::key::PublicKey;
use super::read::{MAX_PAGE, page};
use crate::store::{Target, Transaction};

/// The rows behind a row.
#[derive(Debug)]
pub(super) struct Tail {
    /// The last row.
    pub(super) head: Head,
    /// The first and the last of those that no command signed.
    pub(super) unsigned: Option<(i64, i64)>,
}

/// Walks along the rows behind this one; returns which of them no command signed by one of these keys for the log of
/// this identity.
///
/// # Errors
///
/// [`AuditError::Tampered`] at the first row that does not follow the one before it, or not its own hash.
pub(super) async fn behind<'t>(
    on: impl Into<Target<'t>>,
    log: &str,
    from: Head,
    (keys, log_id): (&[PublicKey], Option<&str>),
) -> Result<Tail, AuditError> {
    let mut on = on.into();
    let mut tail = Tail { head: from, unsigned: None };
    loop {
        let rows = page(on.again(), log, tail.head.seq, MAX_PAGE, None).await?;
        if rows.is_empty() {
            return Ok(tail);
        }
        let added = checkpoint::added_after(on.again(), log, tail.head.seq, MAX_PAGE).await;
        let added = added.map_err(AuditError::unreadable)?.into_iter();
        let added: HashMap<i64, Option<Hash>> = added
            .filter(|added| added.is_by(keys, log_id))
            .map(|added| (added.seq(), added.hash()))
            .collect();
        for found in rows {
            let tampered = Head { seq: found.seq, ..tail.head }.tampered(log);
            let head = found.row.ok().and_then(|row| tail.head.followed_by(&row));
            tail.head = head.ok_or(tampered)?;
            let Head { seq, hash } = tail.head;
            if added.get(&seq) != Some(&Some(hash)) {
                tail.unsigned = Some((tail.unsigned.map_or(seq, |(first, _)| first), seq));
            }
        }
    }
}

/// Returns whether another Guardian that signs by this key writes into the same log: it signs the first row that it
/// writes behind one of another's.
pub(super) async fn is_shared(
    transaction: &mut Transaction,
    log: &str,
    from: Head,
    (key, log_id): (PublicKey, Option<&str>),
) -> Result<bool, AuditError> {
    let signed = checkpoint::after(&mut *transaction, log, from.seq, MAX_PAGE).await;
    let signed = signed.map_err(AuditError::unreadable)?.into_iter();
    let mut heads = signed.filter(|one| one.is_by(&[key], log_id)).filter_map(|one| one.head());
    match heads.next() {
        Some(head) => head.is_there(transaction, log).await,
        None => Ok(false),
    }
}
