//! What comes of a batch that was sent: it is crossed out, set aside or put off, as the receiver has it.

use std::time::Duration;

use agenttrust::Timestamp;

use super::held::Held;
use super::job::Trouble;
use crate::background::backoff;
use crate::domain::ids;
use crate::engine::Engine;
use crate::metrics::SiemResult;
use crate::outbound::siem::Delivery;
use crate::store::{SetAsideRow, SiemDeliveryRow, SiemHold, SiemStep, StoreError};

/// How much of what a receiver says is kept, in characters.
const REASON_MOST: usize = 500;

/// What came of it.
#[derive(Debug)]
pub(super) enum Verdict {
    /// What was sent need not be sent any more: it was taken, or set aside.
    Went,
    /// So many at once were refused for good, and one of them may be why.
    TooMany { count: usize },
    /// It is to be sent again, after a while.
    PutOff,
    /// The destination is not this replica's any more, or was changed.
    Lost,
}

/// An event that is not sent any more: its place in the batch, and why.
struct Refused {
    place: usize,
    status: Option<u16>,
    reason: String,
}

/// Keeps what came of sending the first `count` events.
///
/// # Errors
///
/// Those of the database. The events are sent again then, with the same ids.
pub(super) async fn settle(
    engine: &Engine,
    held: &mut Held,
    count: usize,
    delivery: Delivery,
) -> Result<Verdict, Trouble> {
    match delivery {
        Delivery::Taken { status, refused, later } => {
            let went = later.into_iter().min().unwrap_or(count).min(count);
            let refused = refused.into_iter().filter(|(place, _)| *place < went);
            let refused = refused.map(|(place, reason)| Refused { place, status, reason });
            if went == 0 {
                let reason = "the receiver took none of it, and wants it again".to_owned();
                return put_off(engine, held, count, (status, None, reason)).await;
            }
            engine.metrics.siem.batch(SiemResult::Taken);
            let record = record(held, went, status, None, engine.clock.now());
            cross_out(engine, held, went, Some(record), refused.collect()).await
        }
        Delivery::Refused { status, reason } => {
            engine.metrics.siem.batch(SiemResult::Refused);
            refused_whole(engine, held, count, (status, reason)).await
        }
        Delivery::Later { status, retry_after, reason } => {
            put_off(engine, held, count, (status, retry_after, reason)).await
        }
    }
}

/// Sets aside the row that is next and cannot be sent.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn set_unsendable_aside(
    engine: &Engine,
    held: &mut Held,
) -> Result<Verdict, Trouble> {
    cross_out(engine, held, 0, None, Vec::new()).await
}

/// A batch that was refused for good: smaller ones are tried, until it is a single event.
async fn refused_whole(
    engine: &Engine,
    held: &mut Held,
    count: usize,
    (status, reason): (u16, String),
) -> Result<Verdict, Trouble> {
    let record = record(held, count, Some(status), Some(&reason), engine.clock.now());
    if count > 1 {
        let step = SiemStep { cursors: Vec::new(), record: Some(record), set_aside: Vec::new() };
        let is_kept = keep(engine, held, step).await?;
        return Ok(if is_kept { Verdict::TooMany { count } } else { Verdict::Lost });
    }
    let refused = Refused { place: 0, status: Some(status), reason };
    cross_out(engine, held, 1, Some(record), vec![refused]).await
}

/// Crosses out the first `count` events, of which these were refused, with the row after them that cannot be sent.
async fn cross_out(
    engine: &Engine,
    held: &mut Held,
    count: usize,
    record: Option<SiemDeliveryRow>,
    refused: Vec<Refused>,
) -> Result<Verdict, Trouble> {
    let now = engine.clock.now();
    let mut aside: Vec<_> =
        refused.into_iter().filter_map(|refused| set_aside(held, refused, now)).collect();
    let taken = count.saturating_sub(aside.len());
    if count == held.backlog.events().len() {
        aside.extend(held.backlog.unsendable().map(|row| SetAsideRow {
            id: ids::new(ids::SET_ASIDE_PREFIX),
            destination_id: held.row.id.clone(),
            event_id: None,
            log: row.place.log.clone(),
            seq: row.place.seq,
            at: row.at.clone(),
            kind: row.kind.clone(),
            status_code: None,
            reason: row.reason.clone(),
            set_aside_at: now,
        }));
    }
    let (aside_count, first) = (aside.len(), aside.first().map(|aside| aside.reason.clone()));
    let cursors = held.backlog.cursors_after(count);
    let step = SiemStep { cursors: cursors.clone(), record, set_aside: aside };
    if !keep(engine, held, step).await? {
        return Ok(Verdict::Lost);
    }
    held.backlog.sent(count, cursors, now);
    engine.metrics.siem.events(taken, aside_count);
    if let Some(reason) = first {
        tracing::warn!(
            destination_id = held.row.id,
            events = aside_count,
            reason,
            "events are set aside that a destination does not take; the rest goes on"
        );
    }
    Ok(Verdict::Went)
}

fn set_aside(held: &Held, refused: Refused, now: Timestamp) -> Option<SetAsideRow> {
    let Refused { place, status, reason } = refused;
    let (event, row) = (held.backlog.events().get(place)?, held.backlog.places().get(place)?);
    Some(SetAsideRow {
        id: ids::new(ids::SET_ASIDE_PREFIX),
        destination_id: held.row.id.clone(),
        event_id: Some(event.id.clone()),
        log: row.log.clone(),
        seq: row.seq,
        at: event.at.to_string(),
        kind: event.kind.clone(),
        status_code: status.map(i64::from),
        reason: short(&reason),
        set_aside_at: now,
    })
}

/// Keeps it, where the destination is still this replica's and as it was.
pub(super) async fn keep(engine: &Engine, held: &Held, step: SiemStep) -> Result<bool, StoreError> {
    engine.background_store.advance(hold(engine, held), step).await
}

fn hold(engine: &Engine, held: &Held) -> SiemHold {
    let (id, owner) = (held.row.id.clone(), engine.siem.owner());
    SiemHold { id, owner, epoch: held.row.epoch }
}

/// Puts it off, for longer each time.
pub(super) async fn put_off(
    engine: &Engine,
    held: &mut Held,
    count: usize,
    (status, asked_for, reason): (Option<u16>, Option<Duration>, String),
) -> Result<Verdict, Trouble> {
    engine.metrics.siem.batch(SiemResult::Later);
    let now = engine.clock.now();
    let attempts = held.row.attempts.saturating_add(1);
    let next = now.saturating_add(backoff::pause(attempts, asked_for));
    if held.row.failing_since.is_none() {
        let id = &held.row.id;
        tracing::warn!(destination_id = id, reason, "events are not taken; they are sent again");
    }
    let record = record(held, count, status, Some(&reason), now);
    let hold = hold(engine, held);
    if !engine.background_store.postpone(hold, next, record).await? {
        return Ok(Verdict::Lost);
    }
    held.row.attempts = attempts;
    held.row.failing_since.get_or_insert(now);
    held.put_off(next);
    Ok(Verdict::PutOff)
}

fn record(
    held: &Held,
    count: usize,
    status: Option<u16>,
    error: Option<&str>,
    now: Timestamp,
) -> SiemDeliveryRow {
    SiemDeliveryRow {
        id: ids::new(ids::DELIVERY_PREFIX),
        destination_id: held.row.id.clone(),
        batch_size: i64::try_from(count).unwrap_or(i64::MAX),
        status: if error.is_none() { "success" } else { "failed" }.to_owned(),
        status_code: status.map(i64::from),
        error: error.map(short),
        delivered_at: now,
    }
}

/// As much of it as is kept.
fn short(reason: &str) -> String {
    reason.chars().take(REASON_MOST).collect()
}
