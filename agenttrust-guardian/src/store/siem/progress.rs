//! Who sends to a destination, and how far it is.

use std::collections::BTreeMap;
use std::time::Duration;

use agenttrust::Timestamp;

use super::super::db::query;
use super::super::{Store, StoreError};
use super::records::{self, SetAsideRow, SiemDeliveryRow};
use super::{BY_ID, DestinationRow, Raw, set_cursors};

/// The time by which the end of a lease may be later than that of the longest lease from now: past that, it was given
/// by a clock that was ahead, and is over.
const CLOCKS_DIFFER: Duration = Duration::from_secs(300);

// The conditions are here and nowhere before: of two replicas that come at once, the second one finds it leased.
const LEASE: &str = "UPDATE siem_destinations SET lease_owner = $2, lease_until = $4 WHERE id = $1 AND is_active \
                     AND (lease_owner IS NULL OR lease_owner = $2 OR lease_until <= $3 OR lease_until > $5)";
const CURSORS: &str = "SELECT log, seq FROM siem_cursors WHERE destination_id = $1";
const STANDS: &str = "UPDATE siem_destinations SET dropped = dropped \
                      WHERE id = $1 AND lease_owner = $2 AND epoch = $3";
const REFUSED: &str = "UPDATE siem_destinations SET last_error = $4, last_status = $5 \
                       WHERE id = $1 AND lease_owner = $2 AND epoch = $3";
const TOOK: &str = "UPDATE siem_destinations SET next_at = 0, attempts = 0, failing_since = NULL, \
                    last_error = $4, last_status = $5 WHERE id = $1 AND lease_owner = $2 AND epoch = $3";
const POSTPONE: &str = "UPDATE siem_destinations SET last_error = $4, last_status = $5, next_at = $6, \
                        attempts = attempts + 1, failing_since = COALESCE(failing_since, $7) \
                        WHERE id = $1 AND lease_owner = $2 AND epoch = $3";

/// A destination as the replica has it that sends to it.
#[derive(Clone, Debug)]
pub(crate) struct SiemHold {
    pub(crate) id: String,
    /// The replica.
    pub(crate) owner: String,
    /// The epoch as it was read.
    pub(crate) epoch: i64,
}

/// The state of a destination after it was sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SiemStanding {
    /// The destination took something.
    Took,
    /// The destination took nothing, and stands as before.
    Refused,
    /// The destination took nothing, fails, and is tried again at this time.
    PutOff(Timestamp),
}

/// The change of what a destination is owed.
#[derive(Debug, Default)]
pub(crate) struct SiemStep {
    /// The rows, by log, up to which nothing is owed any more.
    pub(crate) cursors: Vec<(String, i64)>,
    /// The record of what was sent, if anything was, and the state of the destination after it.
    pub(crate) record: Option<(SiemDeliveryRow, SiemStanding)>,
    /// The events that are not sent any more.
    pub(crate) set_aside: Vec<SetAsideRow>,
}

impl Store {
    /// Takes a destination, or keeps it: this owner's alone until `until`. With it comes up to which row of each log
    /// nothing is owed. `None` while it is another's, and where it is paused or gone.
    pub(crate) async fn lease_destination(
        &self,
        id: String,
        owner: String,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<(DestinationRow, BTreeMap<String, i64>)>, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            let leased = query(LEASE)
                .bind(&id)
                .bind(owner)
                .bind(now.unix_micros())
                .bind(until.unix_micros())
                .bind(until.saturating_add(CLOCKS_DIFFER).unix_micros())
                .execute(&mut transaction)
                .await?;
            if leased == 0 {
                return Ok(None);
            }
            let row: Option<Raw> = query(BY_ID).bind(&id).fetch_optional(&mut transaction).await?;
            let Some(row) = row.map(DestinationRow::try_from).transpose()? else { return Ok(None) };
            let cursors: Vec<(String, i64)> =
                query(CURSORS).bind(id).fetch_all(&mut transaction).await?;
            transaction.commit().await?;
            Ok(Some((row, cursors.into_iter().collect())))
        })
        .await
    }

    /// Keeps that a destination came further, all of it or nothing; `false` where it is another replica's by now, or
    /// was changed.
    pub(crate) async fn advance(&self, hold: SiemHold, step: SiemStep) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let SiemHold { id, owner, epoch } = hold;
            let mut transaction = db.begin().await?;
            let stands = match &step.record {
                None => query(STANDS).bind(&id).bind(owner).bind(epoch),
                Some((record, standing)) => {
                    let sql = match standing {
                        SiemStanding::Took => TOOK,
                        SiemStanding::Refused => REFUSED,
                        SiemStanding::PutOff(_) => POSTPONE,
                    };
                    let stands = query(sql).bind(&id).bind(owner).bind(epoch);
                    let stands = stands.bind(&record.error).bind(record.status_code);
                    match standing {
                        SiemStanding::PutOff(next_at) => stands
                            .bind(next_at.unix_micros())
                            .bind(record.delivered_at.unix_micros()),
                        _ => stands,
                    }
                }
            };
            if stands.execute(&mut transaction).await? == 0 {
                return Ok(false);
            }
            set_cursors(&mut transaction, &id, step.cursors).await?;
            if let Some((record, _)) = step.record {
                records::keep_delivery(&mut transaction, record).await?;
            }
            records::set_aside(&mut transaction, &id, step.set_aside).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }
}
