//! The table of the keys that sign agent cards. One of them is the newest; those before it end one after the other.

use agenttrust::Timestamp;

use super::changes::{Kind, append_change};
use super::db::query;
use super::row::from_row;
use super::{PRUNED_AT_ONCE, Store, StoreError, Transaction, from_micros};
use crate::domain::DEFAULT_ORG;

/// The largest number of keys that sign at once.
pub(crate) const CARD_KEYS_MOST: i64 = 5;

/// The lock that each change of the keys holds.
const LOCK: &str = "card_keys";

const LIST: &str = "SELECT id, public_key, secret, created_at, ends_at FROM card_keys \
                    ORDER BY CASE WHEN ends_at IS NULL THEN 0 ELSE 1 END, created_at DESC, id";
const COUNT: &str = "SELECT COUNT(*) FROM card_keys";
const COUNT_NEWEST: &str = "SELECT COUNT(*) FROM card_keys WHERE ends_at IS NULL";
const INSERT: &str =
    "INSERT INTO card_keys (id, public_key, secret, created_at) VALUES ($1, $2, $3, $4)";
const END: &str = "UPDATE card_keys SET ends_at = $1 WHERE ends_at IS NULL OR ends_at > $1";
const DELETE_ENDED: &str = "DELETE FROM card_keys WHERE ends_at <= $1";
const PRUNE: &str = "DELETE FROM card_keys WHERE id IN \
                     (SELECT id FROM card_keys WHERE ends_at < $1 ORDER BY ends_at LIMIT $2)";

/// A key that signs cards.
#[derive(Clone)]
pub(crate) struct CardKeyRow {
    /// The id by which signatures name it.
    pub(crate) id: String,
    /// The public half, in base64url.
    pub(crate) public_key: String,
    /// The private half, sealed.
    pub(crate) secret: String,
    pub(crate) created_at: Timestamp,
    /// The time until which it signs; absent for the newest.
    pub(crate) ends_at: Option<Timestamp>,
}

impl std::fmt::Debug for CardKeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CardKeyRow").field("id", &self.id).finish_non_exhaustive()
    }
}

from_row! {
    struct Raw {
        id: String,
        public_key: String,
        secret: String,
        created_at: i64,
        ends_at: Option<i64>,
    }
}

impl TryFrom<Raw> for CardKeyRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: raw.id,
            public_key: raw.public_key,
            secret: raw.secret,
            created_at: from_micros("created_at", raw.created_at)?,
            ends_at: raw.ends_at.map(|at| from_micros("ends_at", at)).transpose()?,
        })
    }
}

impl Store {
    /// Returns the keys, the newest first.
    pub(crate) async fn card_keys(&self) -> Result<Vec<CardKeyRow>, StoreError> {
        self.run(|db| async move {
            let rows: Vec<Raw> = query(LIST).fetch_all(&db).await?;
            rows.into_iter().map(CardKeyRow::try_from).collect()
        })
        .await
    }

    /// Keeps the first key; `false` where there is one already.
    pub(crate) async fn insert_first_card_key(&self, row: CardKeyRow) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(LOCK).await?;
            let (newest,): (i64,) = query(COUNT_NEWEST).fetch_one(&mut transaction).await?;
            if newest > 0 {
                return Ok(false);
            }
            insert(&mut transaction, &row).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Keeps a key that takes the place of the newest, which ends at `ends_at` like every other that would go on for
    /// longer; `false` where as many would sign as may.
    pub(crate) async fn rotate_card_key(
        &self,
        row: CardKeyRow,
        ends_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(LOCK).await?;
            query(END).bind(ends_at.unix_micros()).execute(&mut transaction).await?;
            let now = row.created_at.unix_micros();
            query(DELETE_ENDED).bind(now).execute(&mut transaction).await?;
            let (count,): (i64,) = query(COUNT).fetch_one(&mut transaction).await?;
            if count >= CARD_KEYS_MOST {
                return Ok(false);
            }
            insert(&mut transaction, &row).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Lets keys go that ended before `before`, with their private halves; returns how many.
    pub(crate) async fn prune_card_keys(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.run(move |db| async move {
            query(PRUNE).bind(before.unix_micros()).bind(PRUNED_AT_ONCE).execute(&db).await
        })
        .await
    }
}

async fn insert(transaction: &mut Transaction, row: &CardKeyRow) -> Result<(), sqlx::Error> {
    query(INSERT)
        .bind(&row.id)
        .bind(&row.public_key)
        .bind(&row.secret)
        .bind(row.created_at.unix_micros())
        .execute(&mut *transaction)
        .await?;
    append_change(transaction, Kind::CardKey, DEFAULT_ORG, &row.id, row.created_at).await
}
