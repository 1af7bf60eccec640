//! The tables of SIEM destinations: where events are sent to, how far each of them is, and what became of it.

mod floor;
mod progress;
mod records;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use agenttrust::Timestamp;

use super::db::query;
use super::row::from_row;
use super::{Store, StoreError, Transaction, from_json, from_micros, to_json, unreadable};
use crate::domain::{DestinationKind, EventFormat};

pub(crate) use self::progress::{SiemHold, SiemStanding, SiemStep};
pub(crate) use self::records::{SetAsideRow, SiemDeliveryRow};

/// The largest number of destinations of an organisation.
pub(crate) const DESTINATIONS_MOST: i64 = 20;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, org_id, name, kind, format, endpoint, secret, batch_size, flush_seconds, event_types, \
             is_active, epoch, created_by, created_at, updated_at, next_at, attempts, failing_since, last_error, \
             last_status, dropped FROM siem_destinations ",
            $rest
        )
    };
}

const COUNT: &str = "SELECT COUNT(*) FROM siem_destinations WHERE org_id = $1";
const ID_NAMED: &str = "SELECT id FROM siem_destinations WHERE org_id = $1 AND name = $2";
const INSERT: &str = "INSERT INTO siem_destinations (id, org_id, name, kind, format, endpoint, secret, batch_size, \
                      flush_seconds, event_types, is_active, epoch, created_by, created_at, updated_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
const SET_CURSOR: &str = "INSERT INTO siem_cursors (destination_id, log, seq) VALUES ($1, $2, $3) \
                          ON CONFLICT (destination_id, log) DO UPDATE SET seq = excluded.seq";
// What is owed stays owed: a cursor goes back or stays. A log without one is owed from its first row on.
const SET_BACK: &str =
    "UPDATE siem_cursors SET seq = $3 WHERE destination_id = $1 AND log = $2 AND seq > $3";
const LIST: &str = select!("WHERE org_id = $1 ORDER BY created_at, id");
const ACTIVE: &str =
    "SELECT id, failing_since FROM siem_destinations WHERE is_active ORDER BY created_at, id";
const BY_ID: &str = select!("WHERE id = $1");
// What was changed is tried at once.
const UPDATE: &str = "UPDATE siem_destinations SET name = $3, format = $4, endpoint = $5, secret = $6, batch_size = $7, \
                      flush_seconds = $8, event_types = $9, is_active = $10, updated_at = $11, epoch = epoch + 1, \
                      next_at = 0, attempts = 0 WHERE id = $1 AND epoch = $2 AND (name = $3 OR NOT EXISTS \
                      (SELECT 1 FROM siem_destinations o WHERE o.org_id = siem_destinations.org_id AND o.name = $3))";
const SEND_BACK: &str = "UPDATE siem_destinations SET updated_at = $3, epoch = epoch + 1, next_at = 0, attempts = 0 \
                         WHERE id = $1 AND org_id = $2";
const DELETE: &str = "DELETE FROM siem_destinations WHERE id = $1 AND org_id = $2";

/// A destination as it is kept.
#[derive(Clone)]
pub(crate) struct DestinationRow {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) name: String,
    pub(crate) kind: DestinationKind,
    pub(crate) format: EventFormat,
    pub(crate) endpoint: String,
    /// Sealed.
    pub(crate) secret: Option<String>,
    pub(crate) batch_size: i64,
    pub(crate) flush_seconds: i64,
    /// The words of its filter; an empty list means everything.
    pub(crate) event_types: Vec<String>,
    pub(crate) is_active: bool,
    /// The number that every change of what is above counts up, and every step back.
    pub(crate) epoch: i64,
    /// The key that made it.
    pub(crate) created_by: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// The time when it is tried again.
    pub(crate) next_at: Timestamp,
    /// The number of failures since it last took something.
    pub(crate) attempts: i64,
    pub(crate) failing_since: Option<Timestamp>,
    pub(crate) last_error: Option<String>,
    pub(crate) last_status: Option<i64>,
    /// The number of events that were set aside and are not kept any more.
    pub(crate) dropped: i64,
}

// A path or a query may be as good as a password.
impl fmt::Debug for DestinationRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DestinationRow")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

from_row! {
    struct Raw {
        id: String,
        org_id: String,
        name: String,
        kind: String,
        format: String,
        endpoint: String,
        secret: Option<String>,
        batch_size: i64,
        flush_seconds: i64,
        event_types: String,
        is_active: bool,
        epoch: i64,
        created_by: String,
        created_at: i64,
        updated_at: i64,
        next_at: i64,
        attempts: i64,
        failing_since: Option<i64>,
        last_error: Option<String>,
        last_status: Option<i64>,
        dropped: i64,
    }
}

impl TryFrom<Raw> for DestinationRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        let kind = DestinationKind::from_word(&raw.kind);
        let format = EventFormat::from_word(&raw.format);
        let failing = raw.failing_since.map(|at| from_micros("failing_since", at)).transpose()?;
        Ok(Self {
            kind: kind.ok_or_else(|| unreadable("kind", format!("{:?} is not known", raw.kind)))?,
            format: format
                .ok_or_else(|| unreadable("format", format!("{:?} is not known", raw.format)))?,
            event_types: from_json("event_types", &raw.event_types)?,
            created_at: from_micros("created_at", raw.created_at)?,
            updated_at: from_micros("updated_at", raw.updated_at)?,
            next_at: from_micros("next_at", raw.next_at)?,
            failing_since: failing,
            id: raw.id,
            org_id: raw.org_id,
            name: raw.name,
            endpoint: raw.endpoint,
            secret: raw.secret,
            batch_size: raw.batch_size,
            flush_seconds: raw.flush_seconds,
            is_active: raw.is_active,
            epoch: raw.epoch,
            created_by: raw.created_by,
            attempts: raw.attempts,
            last_error: raw.last_error,
            last_status: raw.last_status,
            dropped: raw.dropped,
        })
    }
}

/// What became of a destination that was to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DestinationInsert {
    Inserted,
    /// Another one of its organisation, whose id this is, has its name.
    NameTaken(String),
    /// Its organisation has as many as it may have.
    TooMany,
}

impl Store {
    /// Keeps a new destination that is owed what comes after these rows of each log. Of a log that is not named it is
    /// owed everything: it began later.
    pub(crate) async fn insert_destination(
        &self,
        row: DestinationRow,
        cursors: BTreeMap<String, i64>,
    ) -> Result<DestinationInsert, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&row.org_id).await?;
            let named = query(ID_NAMED).bind(&row.org_id).bind(&row.name);
            let named: Option<(String,)> = named.fetch_optional(&mut transaction).await?;
            if let Some((id,)) = named {
                return Ok(DestinationInsert::NameTaken(id));
            }
            let (count,): (i64,) =
                query(COUNT).bind(&row.org_id).fetch_one(&mut transaction).await?;
            if count >= DESTINATIONS_MOST {
                return Ok(DestinationInsert::TooMany);
            }
            insert(&mut transaction, &row).await?;
            set_cursors(&mut transaction, &row.id, cursors).await?;
            transaction.commit().await?;
            Ok(DestinationInsert::Inserted)
        })
        .await
    }

    /// Returns the destinations of this organisation, the oldest first.
    pub(crate) async fn destinations(
        &self,
        org_id: String,
    ) -> Result<Vec<DestinationRow>, StoreError> {
        self.run(move |db| async move {
            let rows: Vec<Raw> = query(LIST).bind(org_id).fetch_all(&db).await?;
            rows.into_iter().map(DestinationRow::try_from).collect()
        })
        .await
    }

    /// Returns those of every organisation that are not paused, the oldest first: their ids, and whether they fail. One
    /// that cannot be read is among them, and holds up no other.
    pub(crate) async fn active_destinations(&self) -> Result<Vec<(String, bool)>, StoreError> {
        self.run(|db| async move {
            let rows: Vec<(String, Option<i64>)> = query(ACTIVE).fetch_all(&db).await?;
            Ok(rows.into_iter().map(|(id, failing)| (id, failing.is_some())).collect())
        })
        .await
    }

    /// Returns this destination.
    pub(crate) async fn destination(
        &self,
        id: String,
    ) -> Result<Option<DestinationRow>, StoreError> {
        self.run(move |db| async move {
            let row: Option<Raw> = query(BY_ID).bind(id).fetch_optional(&db).await?;
            row.map(DestinationRow::try_from).transpose()
        })
        .await
    }

    /// Keeps a destination as `row` has it, where nothing of it was changed since `row` was read; `false` where it was,
    /// or where it is gone.
    pub(crate) async fn update_destination(&self, row: DestinationRow) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            // Two of them at once must not get one name.
            transaction.lock(&row.org_id).await?;
            let update = query(UPDATE)
                .bind(row.id)
                .bind(row.epoch)
                .bind(row.name)
                .bind(row.format.as_str())
                .bind(row.endpoint)
                .bind(row.secret)
                .bind(row.batch_size)
                .bind(row.flush_seconds)
                .bind(to_json(&row.event_types))
                .bind(row.is_active)
                .bind(row.updated_at.unix_micros());
            let is_updated = update.execute(&mut transaction).await? == 1;
            transaction.commit().await?;
            Ok(is_updated)
        })
        .await
    }

    /// Sends a destination back: it is owed what comes after these rows of each log, and what it was owed already;
    /// `false` when it is not there.
    pub(crate) async fn replay_destination(
        &self,
        (id, org_id): (String, String),
        cursors: BTreeMap<String, i64>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            let back = query(SEND_BACK).bind(&id).bind(org_id).bind(now.unix_micros());
            if back.execute(&mut transaction).await? == 0 {
                return Ok(false);
            }
            for (log, seq) in cursors {
                let back = query(SET_BACK).bind(&id).bind(log).bind(seq);
                back.execute(&mut transaction).await?;
            }
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Removes a destination with all that is kept of it; `false` when it is not there.
    pub(crate) async fn delete_destination(
        &self,
        id: String,
        org_id: String,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            Ok(query(DELETE).bind(id).bind(org_id).execute(&db).await? == 1)
        })
        .await
    }
}

async fn insert(transaction: &mut Transaction, row: &DestinationRow) -> Result<(), sqlx::Error> {
    query(INSERT)
        .bind(&row.id)
        .bind(&row.org_id)
        .bind(&row.name)
        .bind(row.kind.as_str())
        .bind(row.format.as_str())
        .bind(&row.endpoint)
        .bind(&row.secret)
        .bind(row.batch_size)
        .bind(row.flush_seconds)
        .bind(to_json(&row.event_types))
        .bind(row.is_active)
        .bind(row.epoch)
        .bind(&row.created_by)
        .bind(row.created_at.unix_micros())
        .bind(row.updated_at.unix_micros())
        .execute(transaction)
        .await
        .map(drop)
}

async fn set_cursors(
    transaction: &mut Transaction,
    id: &str,
    cursors: impl IntoIterator<Item = (String, i64)>,
) -> Result<(), sqlx::Error> {
    for (log, seq) in cursors {
        query(SET_CURSOR).bind(id).bind(log).bind(seq).execute(&mut *transaction).await?;
    }
    Ok(())
}
