//! The table of webhooks: whom to tell, of what, and signed with what.

use std::fmt;

use agenttrust::Timestamp;

use super::db::query;
use super::row::from_row;
use super::{Store, StoreError, from_json, from_micros, to_json};
use crate::domain::Event;

/// The largest number of webhooks of an organisation.
pub(crate) const WEBHOOKS_MOST: i64 = 20;

macro_rules! columns {
    () => {
        "id, org_id, url, events, secret, created_by, created_at, disabled_at, disabled_for"
    };
}

const COUNT: &str = "SELECT COUNT(*) FROM webhooks WHERE org_id = $1";
const INSERT: &str = "INSERT INTO webhooks (id, org_id, url, events, secret, created_by, created_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7)";
const BY_ID: &str = concat!("SELECT ", columns!(), " FROM webhooks WHERE id = $1");
const LIST: &str =
    concat!("SELECT ", columns!(), " FROM webhooks WHERE org_id = $1 ORDER BY created_at, id");
const DELETE: &str = "DELETE FROM webhooks WHERE id = $1 AND org_id = $2";
const DELETE_DELIVERIES: &str = "DELETE FROM webhook_deliveries WHERE webhook_id = $1";
const DISABLE: &str = "UPDATE webhooks SET disabled_at = $2, disabled_for = $3 \
                       WHERE id = $1 AND disabled_at IS NULL";

/// A webhook as it is kept.
#[derive(Clone)]
pub(crate) struct WebhookRow {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) url: String,
    pub(crate) events: Vec<Event>,
    /// Sealed; or in clear, from before secrets were.
    pub(crate) secret: String,
    pub(crate) created_by: String,
    pub(crate) created_at: Timestamp,
    pub(crate) disabled_at: Option<Timestamp>,
    pub(crate) disabled_for: Option<String>,
}

// A path or a query may be as good as a password.
impl fmt::Debug for WebhookRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookRow").field("id", &self.id).finish_non_exhaustive()
    }
}

from_row! {
    struct Raw {
        id: String,
        org_id: String,
        url: String,
        events: String,
        secret: String,
        created_by: String,
        created_at: i64,
        disabled_at: Option<i64>,
        disabled_for: Option<String>,
    }
}

impl TryFrom<Raw> for WebhookRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        let disabled_at = raw.disabled_at.map(|at| from_micros("disabled_at", at)).transpose()?;
        Ok(Self {
            id: raw.id,
            org_id: raw.org_id,
            url: raw.url,
            events: from_json("events", &raw.events)?,
            secret: raw.secret,
            created_by: raw.created_by,
            created_at: from_micros("created_at", raw.created_at)?,
            disabled_at,
            disabled_for: raw.disabled_for,
        })
    }
}

impl Store {
    /// Keeps a new webhook; `false` when its organisation has as many as it may have.
    pub(crate) async fn insert_webhook(&self, row: WebhookRow) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&row.org_id).await?;
            let (count,): (i64,) =
                query(COUNT).bind(&row.org_id).fetch_one(&mut transaction).await?;
            if count >= WEBHOOKS_MOST {
                return Ok(false);
            }
            query(INSERT)
                .bind(row.id)
                .bind(row.org_id)
                .bind(row.url)
                .bind(to_json(&row.events))
                .bind(row.secret)
                .bind(row.created_by)
                .bind(row.created_at.unix_micros())
                .execute(&mut transaction)
                .await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Returns this webhook.
    pub(crate) async fn webhook(&self, id: String) -> Result<Option<WebhookRow>, StoreError> {
        self.run(move |db| async move {
            let row: Option<Raw> = query(BY_ID).bind(id).fetch_optional(&db).await?;
            row.map(WebhookRow::try_from).transpose()
        })
        .await
    }

    /// Returns the webhooks of this organisation, oldest first.
    pub(crate) async fn webhooks(&self, org_id: String) -> Result<Vec<WebhookRow>, StoreError> {
        self.run(move |db| async move {
            let rows: Vec<Raw> = query(LIST).bind(org_id).fetch_all(&db).await?;
            rows.into_iter().map(WebhookRow::try_from).collect()
        })
        .await
    }

    /// Removes a webhook, and with it the events that were not sent to it yet; `false` when there
    /// is no such webhook.
    pub(crate) async fn delete_webhook(
        &self,
        id: String,
        org_id: String,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            let done = query(DELETE).bind(&id).bind(org_id).execute(&mut transaction).await?;
            if done == 1 {
                query(DELETE_DELIVERIES).bind(id).execute(&mut transaction).await?;
            }
            transaction.commit().await?;
            Ok(done == 1)
        })
        .await
    }

    /// Switches a webhook off for good.
    pub(crate) async fn disable_webhook(
        &self,
        id: String,
        reason: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(move |db| async move {
            let disable = query(DISABLE).bind(id).bind(now.unix_micros()).bind(reason);
            disable.execute(&db).await.map(drop)
        })
        .await
    }
}
