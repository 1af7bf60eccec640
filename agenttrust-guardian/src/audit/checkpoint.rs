//! Checkpoints: signed statements of how far a log had come, or of where it begins now.

use agenttrust::internal::hex;
use serde::{Deserialize, Serialize};

use super::chain::Hash;
use super::key::{AuditKey, PublicKey};
use super::record::unhex;
use crate::store::{Target, Transaction, from_row, query};

const DOMAIN: &[u8] = b"agenttrust.audit.checkpoint.v1";

macro_rules! of {
    ($table:literal, $what:literal) => {
        concat!("SELECT log, seq, hash, at, key, signature FROM ", $table, " WHERE log = $1", $what)
    };
}

const NEWEST: &str = of!("audit_checkpoints", " ORDER BY seq DESC LIMIT 1");
const NEWEST_FIRST: &str = of!("audit_checkpoints", " AND seq < $2 ORDER BY seq DESC LIMIT $3");
const OLDEST_FIRST: &str = of!("audit_checkpoints", " AND seq > $2 ORDER BY seq LIMIT $3");
const CUT: &str = of!("audit_cuts", " ORDER BY seq DESC LIMIT 1");
const INSERT: &str = "INSERT INTO audit_checkpoints (log, seq, hash, at, key, signature) \
                      VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
const INSERT_CUT: &str = "INSERT INTO audit_cuts (log, seq, hash, at, key, signature) \
                          VALUES ($1, $2, $3, $4, $5, $6)";

/// What is signed, so that one cannot be taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AuditCheckpointSays)]
pub(crate) enum CheckpointKind {
    /// The log had come to this row.
    Reached,
    /// The rows up to this one were let go.
    Cut,
}

/// A signed statement about a log; how its bytes are laid out is documented in the module above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AuditCheckpoint)]
pub(crate) struct Checkpoint {
    /// Which log.
    pub(crate) log: String,
    /// What it says.
    pub(crate) says: CheckpointKind,
    /// Which row.
    pub(crate) seq: u64,
    /// That row's hash, in hexadecimal.
    pub(crate) hash: String,
    /// When it was signed, in RFC 3339.
    pub(crate) at: String,
    /// The public key, in hexadecimal.
    pub(crate) key: String,
    /// The Ed25519 signature, in hexadecimal.
    pub(crate) signature: String,
}

impl Checkpoint {
    pub(super) fn sign(
        key: &AuditKey,
        says: CheckpointKind,
        log: &str,
        (seq, hash): (i64, Hash),
        at: String,
    ) -> Self {
        let mut checkpoint = Self {
            log: log.to_owned(),
            says,
            seq: u64::try_from(seq).unwrap_or(0),
            hash: hex::encode(&hash),
            at,
            key: key.public().to_string(),
            signature: String::new(),
        };
        checkpoint.signature = hex::encode(&key.sign(&checkpoint.bytes(&hash)));
        checkpoint
    }

    /// Who signed it; `None` when nobody did, or it was changed since.
    pub(super) fn signer(&self) -> Option<PublicKey> {
        let key: PublicKey = self.key.parse().ok()?;
        let hash = self.hash()?;
        key.signed(&self.bytes(&hash), &self.signature).then_some(key)
    }

    pub(super) fn hash(&self) -> Option<Hash> {
        unhex(&self.hash)
    }

    pub(super) fn seq(&self) -> i64 {
        i64::try_from(self.seq).unwrap_or(i64::MAX)
    }

    fn bytes(&self, hash: &Hash) -> Vec<u8> {
        let mut bytes = DOMAIN.to_vec();
        bytes.push(match self.says {
            CheckpointKind::Reached => 1,
            CheckpointKind::Cut => 2,
        });
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(hash);
        for text in [&self.log, &self.at] {
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes
    }

    /// Keeps it in the database.
    pub(super) async fn keep(&self, transaction: &mut Transaction) -> Result<(), sqlx::Error> {
        let insert = match self.says {
            CheckpointKind::Reached => INSERT,
            CheckpointKind::Cut => INSERT_CUT,
        };
        query(insert)
            .bind(&self.log)
            .bind(self.seq())
            .bind(&self.hash)
            .bind(&self.at)
            .bind(&self.key)
            .bind(&self.signature)
            .execute(transaction)
            .await
            .map(drop)
    }
}

/// The newest one of a log.
pub(super) async fn newest<'t>(
    on: impl Into<Target<'t>>,
    log: &str,
) -> Result<Option<Checkpoint>, sqlx::Error> {
    let row: Option<Row> = query(NEWEST).bind(log).fetch_optional(on).await?;
    Ok(row.map(|row| row.into_checkpoint(CheckpointKind::Reached)))
}

/// Where a log begins now, if rows were let go.
pub(crate) async fn cut<'t>(
    on: impl Into<Target<'t>>,
    log: &str,
) -> Result<Option<Checkpoint>, sqlx::Error> {
    let row: Option<Row> = query(CUT).bind(log).fetch_optional(on).await?;
    Ok(row.map(|row| row.into_checkpoint(CheckpointKind::Cut)))
}

/// Those before row `before`, the newest first.
pub(crate) async fn before<'t>(
    on: impl Into<Target<'t>>,
    log: &str,
    before: i64,
    limit: u32,
) -> Result<Vec<Checkpoint>, sqlx::Error> {
    page(NEWEST_FIRST, on, log, before, limit).await
}

/// Those after row `after`, in their order.
pub(super) async fn after<'t>(
    on: impl Into<Target<'t>>,
    log: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<Checkpoint>, sqlx::Error> {
    page(OLDEST_FIRST, on, log, after, limit).await
}

async fn page<'t>(
    sql: &'static str,
    on: impl Into<Target<'t>>,
    log: &str,
    from: i64,
    limit: u32,
) -> Result<Vec<Checkpoint>, sqlx::Error> {
    let rows: Vec<Row> =
        query(sql).bind(log).bind(from).bind(i64::from(limit)).fetch_all(on).await?;
    Ok(rows.into_iter().map(|row| row.into_checkpoint(CheckpointKind::Reached)).collect())
}

from_row! {
    struct Row {
        log: String,
        seq: i64,
        hash: String,
        at: String,
        key: String,
        signature: String,
    }
}

impl Row {
    fn into_checkpoint(self, says: CheckpointKind) -> Checkpoint {
        let Self { log, seq, hash, at, key, signature } = self;
        // A number below 0 was never signed, and neither was a checkpoint of row 0.
        let seq = u64::try_from(seq).unwrap_or(0);
        Checkpoint { log, says, seq, hash, at, key, signature }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_bytes_are_the_documented_ones() {
        let key = AuditKey::random().unwrap();
        let at = "2026-01-02T03:04:05.000006Z".to_owned();
        let signed = Checkpoint::sign(&key, CheckpointKind::Cut, "one", (7, [9; 32]), at);
        // Made from the documented layout alone.
        let mut bytes = b"agenttrust.audit.checkpoint.v1".to_vec();
        bytes.push(2);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 7]);
        bytes.extend([9; 32]);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 3]);
        bytes.extend(b"one");
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 27]);
        bytes.extend(b"2026-01-02T03:04:05.000006Z");
        assert!(key.public().signed(&bytes, &signed.signature));
        assert_eq!(signed.signer(), Some(key.public()));
    }

    #[test]
    fn checkpoint_of_which_anything_was_changed_is_signed_by_nobody() {
        let key = AuditKey::random().unwrap();
        let at = "2026-01-02T03:04:05.000006Z".to_owned();
        let signed = Checkpoint::sign(&key, CheckpointKind::Reached, "one", (7, [9; 32]), at);
        let other = AuditKey::random().unwrap().public().to_string();
        let same = signed.clone();
        for changed in [
            Checkpoint { log: "two".to_owned(), ..same.clone() },
            Checkpoint { says: CheckpointKind::Cut, ..same.clone() },
            Checkpoint { seq: 8, ..same.clone() },
            Checkpoint { hash: "8".repeat(64), ..same.clone() },
            Checkpoint { hash: String::new(), ..same.clone() },
            Checkpoint { at: "2026-01-02T03:04:05.000007Z".to_owned(), ..same.clone() },
            Checkpoint { key: other, ..same.clone() },
            Checkpoint { key: "é".repeat(32), ..same.clone() },
            Checkpoint { signature: "0".repeat(128), ..same.clone() },
            Checkpoint { signature: String::new(), ..same },
        ] {
            assert_eq!(changed.signer(), None, "{changed:?}");
        }
    }
}
