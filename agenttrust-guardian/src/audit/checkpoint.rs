//! Checkpoints: signed statements of how far a log had come, of where it begins now, or of what became of it.

use agenttrust::internal::hex;
use serde::{Deserialize, Serialize};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::chain::Hash;
use super::head::Head;
use super::key::{AuditKey, PublicKey};
use super::record::unhex;
use crate::store::{Target, Transaction, query};

/// The domain of a log without an identity, as earlier versions signed ...
const DOMAIN: &[u8] = b"agenttrust.audit.checkpoint.v1";
/// ... and of one that has one.
const DOMAIN_OF_ONE: &[u8] = b"agenttrust.audit.checkpoint.v2";

macro_rules! of {
    ($table:literal, $what:literal) => {
        // Whatever columns there are: a database that no Guardian of this version has opened lacks one.
        concat!("SELECT * FROM ", $table, " WHERE log = $1", $what)
    };
}

const NEWEST: &str = of!("audit_checkpoints", " ORDER BY seq DESC LIMIT 1");
const NEWEST_FIRST: &str = of!("audit_checkpoints", " AND seq < $2 ORDER BY seq DESC LIMIT $3");
const OLDEST_FIRST: &str = of!("audit_checkpoints", " AND seq > $2 ORDER BY seq LIMIT $3");
const CUT: &str = of!("audit_cuts", " ORDER BY seq DESC LIMIT 1");
const INSERT: &str = "INSERT INTO audit_checkpoints (log, seq, hash, at, key, signature, log_id) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
const ADDED_AFTER: &str = of!("audit_added", " AND seq > $2 ORDER BY seq LIMIT $3");
const INSERT_ADDED: &str = "INSERT INTO audit_added (log, seq, hash, at, key, signature, log_id) \
                            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
const INSERT_CUT: &str = "INSERT INTO audit_cuts (log, seq, hash, at, key, signature, log_id) \
                          VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// The kind of statement that is signed, so that one cannot be taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AuditCheckpointSays)]
pub(crate) enum CheckpointKind {
    /// The log had come to this row.
    Reached,
    /// The rows up to this one were let go.
    Cut,
    /// A Guardian saw that the log was not what it had written up to this row.
    Broken,
    /// The note that an operator accepted what was seen, and the rows up to this one as they are; row 0 where no row
    /// was wrong.
    Accepted,
    /// The log ended with this row when its Guardian closed.
    Closed,
    /// A command wrote this row, whatever is before it.
    Added,
}

/// A signed statement about a log; how its bytes are laid out is documented in the module above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AuditCheckpoint)]
pub(crate) struct Checkpoint {
    /// The name of the log.
    pub(crate) log: String,
    /// The identity of that log; absent in a checkpoint of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) log_id: Option<String>,
    /// The kind of its statement.
    pub(crate) says: CheckpointKind,
    /// The number of the row.
    pub(crate) seq: u64,
    /// The hash of that row, in hexadecimal.
    pub(crate) hash: String,
    /// The time when it was signed, in RFC 3339.
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
        (log, log_id): (&str, Option<&str>),
        (seq, hash): (i64, Hash),
        at: String,
    ) -> Self {
        let mut checkpoint = Self {
            log: log.to_owned(),
            log_id: log_id.map(str::to_owned),
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

    /// Returns the key that signed it; `None` when it is not signed, or was changed since.
    pub(super) fn signer(&self) -> Option<PublicKey> {
        let key: PublicKey = self.key.parse().ok()?;
        let hash = self.hash()?;
        key.signed(&self.bytes(&hash), &self.signature).then_some(key)
    }

    /// Returns whether it still says something of the log after this acceptance of rows that were otherwise.
    pub(super) fn outlasts(&self, accepted: &Self) -> bool {
        accepted.seq == 0 || self.at > accepted.at
    }

    /// Returns whether one of `keys` signed it for the log of this identity, or for one that was not named.
    pub(super) fn is_by(&self, keys: &[PublicKey], log_id: Option<&str>) -> bool {
        let is_of_it = |own: &str| log_id.is_none_or(|log_id| log_id == own);
        self.log_id.as_deref().is_none_or(is_of_it)
            && self.signer().is_some_and(|signer| keys.contains(&signer))
    }

    pub(super) fn hash(&self) -> Option<Hash> {
        unhex(&self.hash)
    }

    /// Returns the row that it is of; `None` when that cannot be one.
    pub(super) fn head(&self) -> Option<Head> {
        Some(Head { seq: self.seq(), hash: self.hash()? })
    }

    pub(super) fn seq(&self) -> i64 {
        i64::try_from(self.seq).unwrap_or(i64::MAX)
    }

    fn bytes(&self, hash: &Hash) -> Vec<u8> {
        let domain = if self.log_id.is_some() { DOMAIN_OF_ONE } else { DOMAIN };
        let mut bytes = domain.to_vec();
        bytes.push(match self.says {
            CheckpointKind::Reached => 1,
            CheckpointKind::Cut => 2,
            CheckpointKind::Broken => 3,
            CheckpointKind::Accepted => 4,
            CheckpointKind::Closed => 5,
            CheckpointKind::Added => 6,
        });
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(hash);
        for text in [&self.log, &self.at].into_iter().chain(&self.log_id) {
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes
    }

    /// Keeps it in the database.
    pub(super) async fn keep(&self, transaction: &mut Transaction) -> Result<(), sqlx::Error> {
        let insert = match self.says {
            CheckpointKind::Cut => INSERT_CUT,
            CheckpointKind::Added => INSERT_ADDED,
            CheckpointKind::Reached
            | CheckpointKind::Broken
            | CheckpointKind::Accepted
            | CheckpointKind::Closed => INSERT,
        };
        query(insert)
            .bind(&self.log)
            .bind(self.seq())
            .bind(&self.hash)
            .bind(&self.at)
            .bind(&self.key)
            .bind(&self.signature)
            .bind(&self.log_id)
            .execute(transaction)
            .await
            .map(drop)
    }
}

/// Returns the newest one of a log.
pub(super) async fn newest<'t>(
    on: impl Into<Target<'t>>,
    log: &str,
) -> Result<Option<Checkpoint>, sqlx::Error> {
    let row: Option<Kept> = query(NEWEST).bind(log).fetch_optional(on).await?;
    Ok(row.map(|row| row.saying(CheckpointKind::Reached)))
}

/// Returns where a log begins now, if rows were let go.
pub(crate) async fn cut<'t>(
    on: impl Into<Target<'t>>,
    log: &str,
) -> Result<Option<Checkpoint>, sqlx::Error> {
    let row: Option<Kept> = query(CUT).bind(log).fetch_optional(on).await?;
    Ok(row.map(|row| row.saying(CheckpointKind::Cut)))
}

/// Returns the identity of a log, as its newest checkpoint or else its cut says it.
pub(super) async fn log_id<'t>(
    on: impl Into<Target<'t>>,
    log: &str,
) -> Result<Option<String>, sqlx::Error> {
    let mut on = on.into();
    let newest = newest(on.again(), log).await?;
    let cut = cut(on, log).await?;
    let signed = newest.into_iter().chain(cut).filter(|one| one.signer().is_some());
    Ok(signed.filter_map(|one| one.log_id).next())
}

/// Returns those before row `before`, the newest first.
pub(crate) async fn before<'t>(
    on: impl Into<Target<'t>>,
    log: &str,
    before: i64,
    limit: u32,
) -> Result<Vec<Checkpoint>, sqlx::Error> {
    page((NEWEST_FIRST, CheckpointKind::Reached), on, log, before, limit).await
}

/// Returns those after row `after`, in their order.
pub(super) async fn after<'t>(
    on: impl Into<Target<'t>>,
    log: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<Checkpoint>, sqlx::Error> {
    page((OLDEST_FIRST, CheckpointKind::Reached), on, log, after, limit).await
}

/// Returns what commands signed of rows after row `after`, in their order.
pub(super) async fn added_after<'t>(
    on: impl Into<Target<'t>>,
    log: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<Checkpoint>, sqlx::Error> {
    page((ADDED_AFTER, CheckpointKind::Added), on, log, after, limit).await
}

async fn page<'t>(
    (sql, says): (&'static str, CheckpointKind),
    on: impl Into<Target<'t>>,
    log: &str,
    from: i64,
    limit: u32,
) -> Result<Vec<Checkpoint>, sqlx::Error> {
    let rows: Vec<Kept> =
        query(sql).bind(log).bind(from).bind(i64::from(limit)).fetch_all(on).await?;
    Ok(rows.into_iter().map(|row| row.saying(says)).collect())
}

/// A checkpoint as a table keeps it: which table says what it says.
struct Kept(Checkpoint);

impl Kept {
    fn saying(self, says: CheckpointKind) -> Checkpoint {
        Checkpoint { says, ..self.0 }
    }
}

impl<'r, R: Row> FromRow<'r, R> for Kept
where
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let seq: i64 = row.try_get("seq")?;
        Ok(Self(Checkpoint {
            log: row.try_get("log")?,
            // Absent in a table of an earlier version.
            log_id: row.try_get::<Option<String>, _>("log_id").ok().flatten(),
            says: CheckpointKind::Reached,
            // A number below 0 was never signed, and neither was a checkpoint of row 0.
            seq: u64::try_from(seq).unwrap_or(0),
            hash: row.try_get("hash")?,
            at: row.try_get("at")?,
            key: row.try_get("key")?,
            signature: row.try_get("signature")?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_bytes_are_the_documented_ones() {
        let key = AuditKey::random().unwrap();
        let at = "2026-01-02T03:04:05.000006Z".to_owned();
        let sign =
            |id| Checkpoint::sign(&key, CheckpointKind::Cut, ("one", id), (7, [9; 32]), at.clone());
        let (signed, earlier) = (sign(Some("1d")), sign(None));
        // Made from the documented layout alone.
        let mut bytes = b"agenttrust.audit.checkpoint.v1".to_vec();
        bytes.push(2);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 7]);
        bytes.extend([9; 32]);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 3]);
        bytes.extend(b"one");
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 27]);
        bytes.extend(b"2026-01-02T03:04:05.000006Z");
        assert!(key.public().signed(&bytes, &earlier.signature));
        bytes[29] = b'2';
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 2]);
        bytes.extend(b"1d");
        assert!(key.public().signed(&bytes, &signed.signature));
        assert_eq!([signed.signer(), earlier.signer()], [Some(key.public()); 2]);
    }

    #[test]
    fn checkpoint_of_which_anything_was_changed_is_signed_by_nobody() {
        let key = AuditKey::random().unwrap();
        let at = "2026-01-02T03:04:05.000006Z".to_owned();
        let of = ("one", Some("1d"));
        let signed = Checkpoint::sign(&key, CheckpointKind::Reached, of, (7, [9; 32]), at);
        let other = AuditKey::random().unwrap().public().to_string();
        let same = signed.clone();
        for changed in [
            Checkpoint { log: "two".to_owned(), ..same.clone() },
            Checkpoint { log_id: Some("2d".to_owned()), ..same.clone() },
            Checkpoint { log_id: None, ..same.clone() },
            Checkpoint { says: CheckpointKind::Cut, ..same.clone() },
            Checkpoint { says: CheckpointKind::Broken, ..same.clone() },
            Checkpoint { says: CheckpointKind::Accepted, ..same.clone() },
            Checkpoint { says: CheckpointKind::Closed, ..same.clone() },
            Checkpoint { says: CheckpointKind::Added, ..same.clone() },
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
