//! The table of API keys: hashes, never the keys.

use agenttrust::Timestamp;
use sqlx::FromRow;

use super::changes::{Kind, note};
use super::db::query;
use super::{Store, StoreError, from_json, from_micros, to_json, unreadable};
use crate::role::Role;
use crate::secret::Fingerprint;

const INSERT: &str = "INSERT INTO keys (id, org_id, hash, role, agents, created_at) \
                      VALUES ($1, $2, $3, $4, $5, $6)";
const LIST: &str = "SELECT id, org_id, hash, role, agents, created_at, revoked_at FROM keys \
                    ORDER BY created_at, id";
const BY_HASH: &str = "SELECT id, org_id, hash, role, agents, created_at, revoked_at FROM keys \
                       WHERE hash = $1";
const BY_ID: &str = "SELECT id, org_id, hash, role, agents, created_at, revoked_at FROM keys \
                     WHERE id = $1";
const REVOKE: &str = "UPDATE keys SET revoked_at = $3 \
                      WHERE id = $1 AND org_id = $2 AND revoked_at IS NULL";

/// One API key as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct KeyRow {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) hash: Fingerprint,
    pub(crate) role: Role,
    pub(crate) agents: Vec<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) revoked_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Raw {
    id: String,
    org_id: String,
    hash: String,
    role: String,
    agents: String,
    created_at: i64,
    revoked_at: Option<i64>,
}

impl TryFrom<Raw> for KeyRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        Ok(Self {
            hash: Fingerprint::from_hex(&raw.hash)
                .ok_or_else(|| unreadable("hash", "not 64 hexadecimal digits"))?,
            role: raw.role.parse().map_err(|error| unreadable("role", error))?,
            agents: from_json("agents", &raw.agents)?,
            created_at: from_micros("created_at", raw.created_at)?,
            revoked_at: raw.revoked_at.map(|at| from_micros("revoked_at", at)).transpose()?,
            id: raw.id,
            org_id: raw.org_id,
        })
    }
}

impl Store {
    /// Keeps a new key.
    pub(crate) async fn insert_key(&self, key: KeyRow) -> Result<(), StoreError> {
        self.run(|db| async move {
            let mut transaction = db.begin().await?;
            query(INSERT)
                .bind(&key.id)
                .bind(&key.org_id)
                .bind(key.hash.to_hex())
                .bind(key.role.as_str())
                .bind(to_json(&key.agents))
                .bind(key.created_at.unix_micros())
                .execute(&mut transaction)
                .await?;
            note(&mut transaction, Kind::Key, &key.org_id, &key.id, key.created_at).await?;
            transaction.commit().await
        })
        .await
    }

    /// Every key, revoked ones too, oldest first.
    pub(crate) async fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        self.run(|db| async move {
            let rows: Vec<Raw> = query(LIST).fetch_all(&db).await?;
            rows.into_iter().map(KeyRow::try_from).collect()
        })
        .await
    }

    /// The key with this id.
    pub(crate) async fn key(&self, id: String) -> Result<Option<KeyRow>, StoreError> {
        self.run(move |db| async move {
            let row: Option<Raw> = query(BY_ID).bind(id).fetch_optional(&db).await?;
            row.map(KeyRow::try_from).transpose()
        })
        .await
    }

    /// The key with this fingerprint.
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

    /// Revokes a key; `false` when there is no such key that works.
    pub(crate) async fn revoke_key(
        &self,
        id: String,
        org_id: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            let done = query(REVOKE)
                .bind(&id)
                .bind(&org_id)
                .bind(now.unix_micros())
                .execute(&mut transaction)
                .await?;
            if done == 0 {
                return Ok(false);
            }
            note(&mut transaction, Kind::Key, &org_id, &id, now).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }
}
