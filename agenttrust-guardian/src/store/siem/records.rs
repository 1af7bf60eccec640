//! What became of what was sent to a destination: its newest deliveries, and what was set aside.

use agenttrust::Timestamp;

use super::super::db::query;
use super::super::row::from_row;
use super::super::{Store, StoreError, Transaction, from_micros};

/// The number of deliveries that are kept for a destination.
const DELIVERIES_KEPT: i64 = 1_000;
/// The number of events set aside that are kept for a destination.
const SET_ASIDE_KEPT: i64 = 10_000;

const INSERT_DELIVERY: &str = "INSERT INTO siem_deliveries (id, destination_id, batch_size, status, status_code, error, \
                    delivered_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
const PRUNE_DELIVERIES: &str = "DELETE FROM siem_deliveries WHERE destination_id = $1 AND id <= (SELECT id \
                      FROM siem_deliveries WHERE destination_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
const DELIVERIES: &str = "SELECT id, destination_id, batch_size, status, status_code, error, delivered_at \
                          FROM siem_deliveries WHERE destination_id = $1 AND ($2 IS NULL OR id < $2) \
                          ORDER BY id DESC LIMIT $3";
const SET_ASIDE: &str = "INSERT INTO siem_set_aside (id, destination_id, event_id, log, seq, at, kind, status_code, \
                         reason, set_aside_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const DROP: &str = "DELETE FROM siem_set_aside WHERE destination_id = $1 AND id <= (SELECT id \
                    FROM siem_set_aside WHERE destination_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
const DROPPED: &str = "UPDATE siem_destinations SET dropped = dropped + $2 WHERE id = $1";
const ASIDE: &str = "SELECT id, destination_id, event_id, log, seq, at, kind, status_code, reason, set_aside_at \
                     FROM siem_set_aside WHERE destination_id = $1 AND ($2 IS NULL OR id < $2) \
                     ORDER BY id DESC LIMIT $3";

/// The record of one sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SiemDeliveryRow {
    pub(crate) id: String,
    pub(crate) destination_id: String,
    /// The number of events that were sent.
    pub(crate) batch_size: i64,
    /// `success` or `failed`.
    pub(crate) status: String,
    /// The status that the receiver answered, where it answers by HTTP and did.
    pub(crate) status_code: Option<i64>,
    /// The error, if it failed.
    pub(crate) error: Option<String>,
    pub(crate) delivered_at: Timestamp,
}

/// A row of the audit that a destination is not sent any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetAsideRow {
    pub(crate) id: String,
    pub(crate) destination_id: String,
    /// Absent where the row could not become an event.
    pub(crate) event_id: Option<String>,
    pub(crate) log: String,
    pub(crate) seq: i64,
    /// The time when it was written, as the row has it.
    pub(crate) at: String,
    pub(crate) kind: String,
    pub(crate) status_code: Option<i64>,
    /// The reason, in the receiver's words.
    pub(crate) reason: String,
    pub(crate) set_aside_at: Timestamp,
}

from_row! {
    struct RawDelivery {
        id: String,
        destination_id: String,
        batch_size: i64,
        status: String,
        status_code: Option<i64>,
        error: Option<String>,
        delivered_at: i64,
    }
}

from_row! {
    struct RawAside {
        id: String,
        destination_id: String,
        event_id: Option<String>,
        log: String,
        seq: i64,
        at: String,
        kind: String,
        status_code: Option<i64>,
        reason: String,
        set_aside_at: i64,
    }
}

impl TryFrom<RawDelivery> for SiemDeliveryRow {
    type Error = sqlx::Error;

    fn try_from(raw: RawDelivery) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: raw.id,
            destination_id: raw.destination_id,
            batch_size: raw.batch_size,
            status: raw.status,
            status_code: raw.status_code,
            error: raw.error,
            delivered_at: from_micros("delivered_at", raw.delivered_at)?,
        })
    }
}

impl TryFrom<RawAside> for SetAsideRow {
    type Error = sqlx::Error;

    fn try_from(raw: RawAside) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: raw.id,
            destination_id: raw.destination_id,
            event_id: raw.event_id,
            log: raw.log,
            seq: raw.seq,
            at: raw.at,
            kind: raw.kind,
            status_code: raw.status_code,
            reason: raw.reason,
            set_aside_at: from_micros("set_aside_at", raw.set_aside_at)?,
        })
    }
}

impl Store {
    /// Returns up to `limit` deliveries of a destination that came before `before`, the newest
    /// first.
    pub(crate) async fn siem_deliveries(
        &self,
        id: String,
        before: Option<String>,
        limit: i64,
    ) -> Result<Vec<SiemDeliveryRow>, StoreError> {
        self.run(move |db| async move {
            let rows = query(DELIVERIES).bind(id).bind(before).bind(limit);
            let rows: Vec<RawDelivery> = rows.fetch_all(&db).await?;
            rows.into_iter().map(SiemDeliveryRow::try_from).collect()
        })
        .await
    }

    /// Returns up to `limit` rows that were set aside before `before`, the newest first.
    pub(crate) async fn siem_set_aside(
        &self,
        id: String,
        before: Option<String>,
        limit: i64,
    ) -> Result<Vec<SetAsideRow>, StoreError> {
        self.run(move |db| async move {
            let rows = query(ASIDE).bind(id).bind(before).bind(limit);
            let rows: Vec<RawAside> = rows.fetch_all(&db).await?;
            rows.into_iter().map(SetAsideRow::try_from).collect()
        })
        .await
    }
}

/// Keeps a delivery, and removes the oldest ones above [`DELIVERIES_KEPT`].
pub(super) async fn keep_delivery(
    transaction: &mut Transaction,
    row: SiemDeliveryRow,
) -> Result<(), sqlx::Error> {
    query(INSERT_DELIVERY)
        .bind(row.id)
        .bind(&row.destination_id)
        .bind(row.batch_size)
        .bind(row.status)
        .bind(row.status_code)
        .bind(row.error)
        .bind(row.delivered_at.unix_micros())
        .execute(&mut *transaction)
        .await?;
    let forget = query(PRUNE_DELIVERIES).bind(row.destination_id).bind(DELIVERIES_KEPT);
    forget.execute(transaction).await.map(drop)
}

/// Keeps what is set aside, and as much of what was before as is kept; the rest is counted.
pub(super) async fn set_aside(
    transaction: &mut Transaction,
    id: &str,
    rows: Vec<SetAsideRow>,
) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    for row in rows {
        query(SET_ASIDE)
            .bind(row.id)
            .bind(id)
            .bind(row.event_id)
            .bind(row.log)
            .bind(row.seq)
            .bind(row.at)
            .bind(row.kind)
            .bind(row.status_code)
            .bind(row.reason)
            .bind(row.set_aside_at.unix_micros())
            .execute(&mut *transaction)
            .await?;
    }
    let dropped = query(DROP).bind(id).bind(SET_ASIDE_KEPT).execute(&mut *transaction).await?;
    if dropped > 0 {
        let dropped = i64::try_from(dropped).unwrap_or(i64::MAX);
        query(DROPPED).bind(id).bind(dropped).execute(transaction).await?;
    }
    Ok(())
}
