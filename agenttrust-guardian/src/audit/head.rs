//! The end of the chain, and whether it is still what it was.

use super::chain::{Hash, Link, genesis};
use super::checkpoint::{self, Checkpoint};
use super::error::AuditError;
use super::key::PublicKey;
use super::read;
use super::record::Stored;
use crate::store::{Transaction, from_row, query};

const TAIL: &str = "SELECT seq, hash FROM audit WHERE log = $1 ORDER BY seq DESC LIMIT 1";
/// Whether the one log of a database file ends with the row of this hash.
pub(super) const ENDS_WITH: &str =
    "(SELECT hash FROM audit WHERE log = '' ORDER BY seq DESC LIMIT 1) = ?";

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

    /// Returns whether there is a row at all.
    pub(super) fn is_row(self) -> bool {
        self.seq > 0
    }

    /// Returns the row that follows this one, if this is such a row and its hash is of what it says.
    pub(super) fn followed_by(self, row: &Stored) -> Option<Self> {
        let hash = Link::from(row).hash();
        let follows = row.seq == self.seq + 1 && row.prev_hash == self.hash && row.hash == hash;
        follows.then_some(Self { seq: row.seq, hash })
    }

    /// Returns whether the log has this row, with this hash of what it says.
    pub(super) async fn is_there(
        self,
        transaction: &mut Transaction,
        log: &str,
    ) -> Result<bool, AuditError> {
        let row = read::row(transaction, log, self.seq).await?;
        Ok(row.is_some_and(|row| row.hash == self.hash && Link::from(&row).hash() == self.hash))
    }

    /// Returns this row if the log has it, or the row up to which the log was let go by a cut that `key` signed for the
    /// log of this identity.
    pub(super) async fn still_stands(
        self,
        transaction: &mut Transaction,
        log: &str,
        (key, log_id): (Option<PublicKey>, Option<&str>),
    ) -> Result<Self, AuditError> {
        if self.seq == 0 || self.is_there(transaction, log).await? {
            return Ok(self);
        }
        let cut = checkpoint::cut(transaction, log).await.map_err(AuditError::unwritable)?;
        let signed = |cut: &Checkpoint| {
            let signer = cut.signer();
            cut.seq() >= self.seq
                && signer.is_some()
                && (key.is_none() || signer == key)
                && (log_id.is_none() || cut.log_id.as_deref() == log_id)
        };
        cut.filter(signed).and_then(|cut| cut.head()).ok_or_else(|| self.tampered(log))
    }

    /// Returns the error for a log that does not have this row.
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
