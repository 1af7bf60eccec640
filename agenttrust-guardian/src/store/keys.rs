//! The table of API keys: hashes, never the keys.

use agenttrust::Timestamp;

use super::changes::{Kind, append_change};
use super::db::query;
use super::issued::{self, Gone};
use super::row::from_row;
use super::{Store, StoreError, Transaction, from_json, from_micros, to_json, unreadable};
use crate::domain::{Fingerprint, Role};

const INSERT: &str = "INSERT INTO keys (id, org_id, hash, role, agents, created_at, gateway, made_by, \
                      owner) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
// Those that its maker comes from, and the maker.
const ADD_MAKERS: &str = "INSERT INTO key_makers (key_id, maker_id) \
                          SELECT $1, maker_id FROM key_makers WHERE key_id = $2";
const ADD_MAKER: &str = "INSERT INTO key_makers (key_id, maker_id) VALUES ($1, $2)";
#[cfg(feature = "cli")]
const COUNT_ADMINS: &str =
    "SELECT COUNT(*) FROM keys WHERE org_id = $1 AND role = 'admin' AND revoked_at IS NULL";
const COUNT_MAKERS: &str = "SELECT COUNT(*) FROM key_makers WHERE key_id = $1";
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, org_id, hash, role, agents, created_at, revoked_at, old_hash, old_until, \
             rotated_at, last_used_at, gateway, took_issued, made_by, owner FROM keys ",
            $rest
        )
    };
}

const LIST: &str = select!("ORDER BY created_at, id");
const BY_HASH: &str = select!("WHERE hash = $1 OR old_hash = $1");
const BY_ID: &str = select!("WHERE id = $1");
// Once more where what it issued is to go too, and did not: the first time says when and why.
const REVOKE: &str = "UPDATE keys SET revoked_at = COALESCE(revoked_at, $3), \
                      revoked_for = COALESCE(revoked_for, $4), took_issued = $5 OR took_issued \
                      WHERE id = $1 AND org_id = $2 \
                      AND (revoked_at IS NULL OR ($5 AND NOT took_issued))";
const ROTATE: &str = "UPDATE keys SET old_hash = hash, old_until = $4, hash = $3, rotated_at = $5 \
                      WHERE id = $1 AND org_id = $2 AND revoked_at IS NULL";
const REVOKED: &str = "SELECT COUNT(*) FROM keys WHERE id = $1 AND revoked_at IS NOT NULL";
const USED: &str = "UPDATE keys SET last_used_at = $2 \
                    WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";

/// The number of keys whose last use one transaction keeps.
const USED_AT_ONCE: usize = 200;

/// An API key as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct KeyRow {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) hash: Fingerprint,
    pub(crate) role: Role,
    pub(crate) agents: Vec<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) revoked_at: Option<Timestamp>,
    /// The secret before this one, and how long it works.
    pub(crate) old: Option<(Fingerprint, Timestamp)>,
    pub(crate) rotated_at: Option<Timestamp>,
    /// The time of its last use, up to a minute behind.
    pub(crate) last_used_at: Option<Timestamp>,
    /// The gateway that it is of; keys of one name are one gateway.
    pub(crate) gateway: Option<String>,
    /// Whether what was issued with it was taken back with it.
    pub(crate) took_issued: bool,
    /// The key that it was made with; absent where the program made it.
    pub(crate) made_by: Option<String>,
    /// The person or program that it is of.
    pub(crate) owner: Option<String>,
}

/// The end of a key.
#[derive(Clone, Debug)]
pub(crate) struct KeyEnd {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) reason: String,
    /// Whether what was issued with it goes too.
    pub(crate) take_issued: bool,
    pub(crate) now: Timestamp,
}

/// A secret for a key instead of the one that it has.
#[derive(Clone, Debug)]
pub(crate) struct Rotation {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) hash: Fingerprint,
    /// The time until which the secret before works.
    pub(crate) old_until: Timestamp,
    pub(crate) now: Timestamp,
}

from_row! {
    struct Raw {
        id: String,
        org_id: String,
        hash: String,
        role: String,
        agents: String,
        created_at: i64,
        revoked_at: Option<i64>,
        old_hash: Option<String>,
        old_until: Option<i64>,
        rotated_at: Option<i64>,
        last_used_at: Option<i64>,
        gateway: Option<String>,
        took_issued: bool,
        made_by: Option<String>,
        owner: Option<String>,
    }
}

impl TryFrom<Raw> for KeyRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        let hash = |column: &str, hex: &str| {
            Fingerprint::from_hex(hex)
                .ok_or_else(|| unreadable(column, "not 64 hexadecimal digits"))
        };
        let time = |column: &str, at: Option<i64>| at.map(|at| from_micros(column, at)).transpose();
        let old_until = time("old_until", raw.old_until)?;
        let old = match (raw.old_hash, old_until) {
            (Some(old), Some(until)) => Some((hash("old_hash", &old)?, until)),
            _ => None,
        };
        Ok(Self {
            hash: hash("hash", &raw.hash)?,
            old,
            rotated_at: time("rotated_at", raw.rotated_at)?,
            last_used_at: time("last_used_at", raw.last_used_at)?,
            role: raw.role.parse().map_err(|error| unreadable("role", error))?,
            agents: from_json("agents", &raw.agents)?,
            created_at: from_micros("created_at", raw.created_at)?,
            revoked_at: time("revoked_at", raw.revoked_at)?,
            gateway: raw.gateway,
            took_issued: raw.took_issued,
            made_by: raw.made_by,
            owner: raw.owner,
            id: raw.id,
            org_id: raw.org_id,
        })
    }
}

impl Store {
    /// Keeps a new key, and every key that it comes from.
    pub(crate) async fn insert_key(&self, key: KeyRow) -> Result<(), StoreError> {
        self.run(|db| async move {
            let mut transaction = db.begin().await?;
            insert(&mut transaction, &key).await?;
            append_change(&mut transaction, Kind::Key, &key.org_id, &key.id, key.created_at)
                .await?;
            transaction.commit().await
        })
        .await
    }

    /// Keeps a new key, unless there is one with its secret: then returns that one. Of replicas that start at once, the
    /// first keeps it.
    pub(crate) async fn insert_key_once(&self, key: KeyRow) -> Result<Option<KeyRow>, StoreError> {
        self.run(|db| async move {
            let hash = key.hash.to_hex();
            let mut transaction = db.begin().await?;
            transaction.lock(&hash).await?;
            let there: Option<Raw> =
                query(BY_HASH).bind(hash).fetch_optional(&mut transaction).await?;
            if let Some(row) = there {
                return KeyRow::try_from(row).map(Some);
            }
            insert(&mut transaction, &key).await?;
            append_change(&mut transaction, Kind::Key, &key.org_id, &key.id, key.created_at)
                .await?;
            transaction.commit().await?;
            Ok(None)
        })
        .await
    }

    /// Keeps the first admin key of its organisation, and returns whether it did: where one is there that works, none is
    /// made. Of replicas that start at once, the first makes it.
    #[cfg(feature = "cli")]
    pub(crate) async fn insert_first_admin(&self, key: KeyRow) -> Result<bool, StoreError> {
        self.run(|db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&format!("first admin key of {}", key.org_id)).await?;
            let (admins,): (i64,) =
                query(COUNT_ADMINS).bind(&key.org_id).fetch_one(&mut transaction).await?;
            if admins > 0 {
                return Ok(false);
            }
            insert(&mut transaction, &key).await?;
            append_change(&mut transaction, Kind::Key, &key.org_id, &key.id, key.created_at)
                .await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Returns how many keys this one comes from: its maker, the maker of that, and so on.
    pub(crate) async fn count_makers(&self, id: String) -> Result<i64, StoreError> {
        self.run(move |db| async move {
            let (makers,): (i64,) = query(COUNT_MAKERS).bind(id).fetch_one(&db).await?;
            Ok(makers)
        })
        .await
    }

    /// Returns every key, revoked ones too, oldest first.
    pub(crate) async fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        self.run(|db| async move {
            let rows: Vec<Raw> = query(LIST).fetch_all(&db).await?;
            rows.into_iter().map(KeyRow::try_from).collect()
        })
        .await
    }

    /// Returns the key with this id.
    pub(crate) async fn key(&self, id: String) -> Result<Option<KeyRow>, StoreError> {
        self.run(move |db| async move {
            let row: Option<Raw> = query(BY_ID).bind(id).fetch_optional(&db).await?;
            row.map(KeyRow::try_from).transpose()
        })
        .await
    }

    /// Returns the key with this fingerprint.
    pub(crate) async fn key_by_hash(
        &self,
        hash: Fingerprint,
    ) -> Result<Option<KeyRow>, StoreError> {
        self.run(move |db| async move {
            let row: Option<Raw> = query(BY_HASH).bind(hash.to_hex()).fetch_optional(&db).await?;
            row.map(KeyRow::try_from).transpose()
        })
        .await
    }

    /// Revokes a key, and what was issued with it where that is to go too; `None` when there is no such key
    /// that works.
    pub(crate) async fn revoke_key(&self, end: KeyEnd) -> Result<Option<Gone>, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            let Some(gone) = revoke(&mut transaction, &end).await? else { return Ok(None) };
            append_change(&mut transaction, Kind::Key, &end.org_id, &end.id, end.now).await?;
            transaction.commit().await?;
            Ok(Some(gone))
        })
        .await
    }

    /// Gives a key another secret; `false` when there is no such key that works.
    pub(crate) async fn rotate_key(&self, rotation: Rotation) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let Rotation { id, org_id, hash, old_until, now } = rotation;
            let mut transaction = db.begin().await?;
            let done = query(ROTATE)
                .bind(&id)
                .bind(&org_id)
                .bind(hash.to_hex())
                .bind(old_until.unix_micros())
                .bind(now.unix_micros())
                .execute(&mut transaction)
                .await?;
            if done == 0 {
                return Ok(false);
            }
            append_change(&mut transaction, Kind::Key, &org_id, &id, now).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Keeps when these keys were last used.
    pub(crate) async fn keys_used(&self, used: Vec<(String, Timestamp)>) -> Result<(), StoreError> {
        self.run(move |db| async move {
            for used in used.chunks(USED_AT_ONCE) {
                let mut transaction = db.begin().await?;
                for (id, at) in used {
                    query(USED).bind(id).bind(at.unix_micros()).execute(&mut transaction).await?;
                }
                transaction.commit().await?;
            }
            Ok(())
        })
        .await
    }
}

/// Keeps a new key, and every key that it comes from; it is noted by the caller.
pub(super) async fn insert(transaction: &mut Transaction, key: &KeyRow) -> Result<(), sqlx::Error> {
    query(INSERT)
        .bind(&key.id)
        .bind(&key.org_id)
        .bind(key.hash.to_hex())
        .bind(key.role.as_str())
        .bind(to_json(&key.agents))
        .bind(key.created_at.unix_micros())
        .bind(&key.gateway)
        .bind(&key.made_by)
        .bind(&key.owner)
        .execute(&mut *transaction)
        .await?;
    if let Some(maker) = &key.made_by {
        query(ADD_MAKERS).bind(&key.id).bind(maker).execute(&mut *transaction).await?;
        query(ADD_MAKER).bind(&key.id).bind(maker).execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Returns whether this key was revoked.
pub(super) async fn is_revoked(
    transaction: &mut Transaction,
    id: &str,
) -> Result<bool, sqlx::Error> {
    let (revoked,): (i64,) = query(REVOKED).bind(id).fetch_one(transaction).await?;
    Ok(revoked > 0)
}

/// Revokes a key, and what was issued with it where that is to go too; `None` when there is no such key that works.
/// It is noted by the caller.
pub(super) async fn revoke(
    transaction: &mut Transaction,
    end: &KeyEnd,
) -> Result<Option<Gone>, sqlx::Error> {
    // Who issues something with it holds the same lock: it comes before, and goes too, or after, and is refused.
    transaction.lock(&end.id).await?;
    let done = query(REVOKE)
        .bind(&end.id)
        .bind(&end.org_id)
        .bind(end.now.unix_micros())
        .bind(&end.reason)
        .bind(end.take_issued)
        .execute(&mut *transaction)
        .await?;
    if done == 0 {
        return Ok(None);
    }
    let mut gone = Gone::default();
    if end.take_issued {
        gone = issued::take_issued(transaction, &end.id, end.now).await?;
    }
    Ok(Some(gone))
}
