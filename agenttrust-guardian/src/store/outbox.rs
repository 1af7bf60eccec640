//! The table of deliveries: what webhooks are to be told, written together with what happened and
//! crossed out once it was told.

use agenttrust::Timestamp;
use agenttrust::model::Approval;

use super::db::query;
use super::row::from_row;
use super::{PRUNED_AT_ONCE, Store, StoreError, Transaction, from_json, from_micros};
use crate::domain::{Event, ids};

const LISTENING: &str =
    "SELECT id, events FROM webhooks WHERE org_id = $1 AND disabled_at IS NULL ORDER BY id";
const ADD: &str = "INSERT INTO webhook_deliveries (id, webhook_id, event, body, status, next_at, \
                   created_at) VALUES ($1, $2, $3, $4, 'waiting', $5, $5)";
const DUE: &str = "SELECT webhook_id FROM webhook_deliveries WHERE status = 'waiting' \
                   AND next_at <= $1 GROUP BY webhook_id ORDER BY MIN(next_at) LIMIT 256";
// The conditions are repeated on purpose: of two replicas that see the same row, the second one finds
// it leased once it gets to it.
const LEASE: &str = "UPDATE webhook_deliveries SET attempts = attempts + 1, next_at = $3 \
                     WHERE id = (SELECT MIN(id) FROM webhook_deliveries WHERE webhook_id = $1 \
                     AND status = 'waiting' AND next_at <= $2) \
                     AND status = 'waiting' AND next_at <= $2 \
                     RETURNING id, body, attempts, created_at";
// Only by whom it is leased to: each lease is one more attempt.
const AGAIN: &str = "UPDATE webhook_deliveries SET next_at = $3, last_status = $4, last_error = $5 \
                     WHERE id = $1 AND attempts = $2 AND status = 'waiting'";
const END: &str = "UPDATE webhook_deliveries SET status = $3, ended_at = $4, last_status = $5, \
                   last_error = $6 WHERE id = $1 AND attempts = $2 AND status = 'waiting'";
const LIST: &str = "SELECT id, event, status, attempts, created_at, next_at, ended_at, last_status, \
                    last_error FROM webhook_deliveries WHERE webhook_id = $1 \
                    AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";
const PRUNE: &str = "DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries \
                     WHERE created_at < $1 ORDER BY created_at LIMIT $2)";

/// A delivery that is this replica's to send, for a while.
#[derive(Clone, Debug)]
pub(crate) struct Leased {
    pub(crate) id: String,
    pub(crate) body: String,
    /// The number of attempts, this one included.
    pub(crate) attempts: i64,
    pub(crate) created_at: Timestamp,
}

/// The end of a delivery.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The receiver took it.
    Delivered { status: u16 },
    /// The delivery is not tried again; with the receiver's last answer, if it gave one, and what was wrong.
    GivenUp { status: Option<u16>, error: String },
}

/// A delivery, as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct DeliveryRow {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) status: String,
    pub(crate) attempts: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) next_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) last_status: Option<i64>,
    pub(crate) last_error: Option<String>,
}

from_row! {
    struct Raw {
        id: String,
        event: String,
        status: String,
        attempts: i64,
        created_at: i64,
        next_at: i64,
        ended_at: Option<i64>,
        last_status: Option<i64>,
        last_error: Option<String>,
    }
}

impl TryFrom<Raw> for DeliveryRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: raw.id,
            event: raw.event,
            status: raw.status,
            attempts: raw.attempts,
            created_at: from_micros("created_at", raw.created_at)?,
            next_at: from_micros("next_at", raw.next_at)?,
            ended_at: raw.ended_at.map(|at| from_micros("ended_at", at)).transpose()?,
            last_status: raw.last_status,
            last_error: raw.last_error,
        })
    }
}

/// Stores a message about `event` for every webhook that listens for it. It is part of the transaction that makes the
/// event true.
pub(super) async fn enqueue(
    transaction: &mut Transaction,
    event: Event,
    approval: &Approval,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let listening: Vec<(String, String)> =
        query(LISTENING).bind(&approval.org_id).fetch_all(&mut *transaction).await?;
    for (webhook_id, events) in listening {
        let events: Vec<Event> = from_json("events", &events)?;
        if events.contains(&event) {
            query(ADD)
                .bind(ids::new(ids::MESSAGE_PREFIX))
                .bind(webhook_id)
                .bind(event.as_str())
                .bind(event.body(approval, now))
                .bind(now.unix_micros())
                .execute(&mut *transaction)
                .await?;
        }
    }
    Ok(())
}

impl Store {
    /// Returns the webhooks that something is due to, the longest overdue first.
    pub(crate) async fn webhooks_with_due(
        &self,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        self.run(move |db| async move {
            let due: Vec<(String,)> = query(DUE).bind(now.unix_micros()).fetch_all(&db).await?;
            Ok(due.into_iter().map(|(id,)| id).collect())
        })
        .await
    }

    /// Returns the oldest delivery that is due to this webhook: the caller's alone until `until`.
    pub(crate) async fn lease(
        &self,
        webhook_id: String,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Leased>, StoreError> {
        self.run(move |db| async move {
            let row: Option<(String, String, i64, i64)> = query(LEASE)
                .bind(webhook_id)
                .bind(now.unix_micros())
                .bind(until.unix_micros())
                .fetch_optional(&db)
                .await?;
            row.map(|(id, body, attempts, created_at)| {
                let created_at = from_micros("created_at", created_at)?;
                Ok(Leased { id, body, attempts, created_at })
            })
            .transpose()
        })
        .await
    }

    /// Gives a delivery back, to be tried again at `next`.
    pub(crate) async fn try_delivery_again(
        &self,
        leased: Leased,
        next: Timestamp,
        status: Option<u16>,
        error: String,
    ) -> Result<(), StoreError> {
        self.run(move |db| async move {
            let again = query(AGAIN)
                .bind(leased.id)
                .bind(leased.attempts)
                .bind(next.unix_micros())
                .bind(status.map(i64::from))
                .bind(error);
            again.execute(&db).await.map(drop)
        })
        .await
    }

    /// Ends a delivery.
    pub(crate) async fn end_delivery(
        &self,
        leased: Leased,
        ended: Ended,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (word, status, error) = match ended {
            Ended::Delivered { status } => ("delivered", Some(status), None),
            Ended::GivenUp { status, error } => ("given_up", status, Some(error)),
        };
        self.run(move |db| async move {
            let end = query(END)
                .bind(leased.id)
                .bind(leased.attempts)
                .bind(word)
                .bind(now.unix_micros())
                .bind(status.map(i64::from))
                .bind(error);
            end.execute(&db).await.map(drop)
        })
        .await
    }

    /// Returns up to `limit` deliveries to this webhook that are older than the one of id `before`, newest first.
    pub(crate) async fn deliveries(
        &self,
        webhook_id: String,
        before: Option<String>,
        limit: i64,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        self.run(move |db| async move {
            let list = query(LIST).bind(webhook_id).bind(before).bind(limit);
            let rows: Vec<Raw> = list.fetch_all(&db).await?;
            rows.into_iter().map(DeliveryRow::try_from).collect()
        })
        .await
    }

    /// Forgets deliveries that were begun before `before`, one step; returns how many.
    pub(crate) async fn prune_deliveries(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.run(move |db| async move {
            query(PRUNE).bind(before.unix_micros()).bind(PRUNED_AT_ONCE).execute(&db).await
        })
        .await
    }
}
