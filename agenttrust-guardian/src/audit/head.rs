//! The end of the chain, and whether it is still what it was.

use super::chain::{Hash, genesis};
use super::checkpoint::{self, Checkpoint};
use super::error::AuditError;
use super::key::PublicKey;
use crate::store::{Transaction, from_row, query};

const TAIL: &str = "SELECT seq, hash FROM audit WHERE log = $1 ORDER BY seq DESC LIMIT 1";
/// Whether a database with one log ends with the row of this hash.
pub(super) const ENDS_WITH: &str = "(SELECT hash FROM audit ORDER BY seq DESC LIMIT 1) = ?";
const HASH_AT: &str = "SELECT seq, hash FROM audit WHERE log = $1 AND seq = $2";

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) hash: Hash,
}

impl Head {
    pub(super) async fn load(
        transaction: &mut Transaction,
        log: &str,
    ) -> Result<Self, sqlx::Error> {
        match query(TAIL).bind(log).fetch_optional::<Raw>(transaction).await? {
            None => Ok(Self { seq: 0, hash: genesis(log) }),
            Some(row) => Ok(Self { seq: row.seq, hash: row.hash()? }),
        }
    }

    /// Whether there is a row at all.
    pub(super) fn is_row(self) -> bool {
        self.seq > 0
    }

    /// What a checkpoint says; `None` when that cannot be a row.
    pub(super) fn from_checkpoint(checkpoint: &Checkpoint) -> Option<Self> {
        Some(Self { seq: checkpoint.seq(), hash: checkpoint.hash()? })
    }

    /// Whether the log has this row.
    pub(super) async fn is_there(
        self,
        transaction: &mut Transaction,
        log: &str,
    ) -> Result<bool, sqlx::Error> {
        let row: Option<Raw> =
            query(HASH_AT).bind(log).bind(self.seq).fetch_optional(transaction).await?;
        Ok(row.as_ref().map(Raw::hash).transpose()? == Some(self.hash))
    }

    /// Whether the log has this row, or began after it by a cut that `key` signed for the log of this identity.
    pub(super) async fn still_stands(
        self,
        transaction: &mut Transaction,
        log: &str,
        (key, log_id): (Option<PublicKey>, Option<&str>),
    ) -> Result<(), AuditError> {
        if self.seq == 0 || self.is_there(transaction, log).await.map_err(AuditError::unwritable)? {
            return Ok(());
        }
        let cut = checkpoint::cut(transaction, log).await.map_err(AuditError::unwritable)?;
        let signed = |cut: &Checkpoint| {
            let signer = cut.signer();
            cut.seq() >= self.seq
                && signer.is_some()
                && (key.is_none() || signer == key)
                && (log_id.is_none() || cut.log_id.as_deref() == log_id)
        };
        if cut.as_ref().is_some_and(signed) {
            return Ok(());
        }
        Err(self.tampered(log))
    }

    /// The log does not have this row.
    pub(super) fn tampered(self, log: &str) -> AuditError {
        AuditError::Tampered { log: log.to_owned(), seq: u64::try_from(self.seq).unwrap_or(0) }
    }
}

from_row! {
    struct Raw {
        seq: i64,
        hash: Vec<u8>,
    }
}

impl Raw {
    fn hash(&self) -> Result<Hash, sqlx::Error> {
        Hash::try_from(self.hash.as_slice()).map_err(|error| sqlx::Error::Decode(error.into()))
    }
}
