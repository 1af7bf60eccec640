//! What comes of a batch that was sent: it is crossed out, set aside or put off, as the receiver has it.

use std::time::{Duration, Instant};

use agenttrust::Timestamp;

use super::backlog::Unsendable;
use super::job::Trouble;
use super::leased::LeasedDestination;
use crate::background::backoff;
use crate::domain::ids;
use crate::engine::Engine;
use crate::metrics::SiemResult;
use crate::outbound::siem::Delivery;
use crate::store::{SetAsideRow, SiemDeliveryRow, SiemHold, SiemStanding, SiemStep, StoreError};

/// The longest time that a receiver that refuses everything is left alone. An agent may know how to have an event
/// refused: such an event holds up those behind it no longer than this.
const REFUSED_PAUSE_MOST: Duration = Duration::from_secs(30);
/// The number of characters that are kept of what a receiver says.
const REASON_MOST: usize = 500;

/// The outcome of a batch.
#[derive(Debug)]
pub(super) enum Verdict {
    /// A batch of which some was taken.
    Took,
    /// A batch of which nothing was taken, and which is not sent any more: it is set aside.
    SetAside,
    /// A batch of so many events that was refused for good, of which one may be why.
    TooMany { count: usize },
    /// A batch that is to be sent again, after a while.
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
    leased: &mut LeasedDestination,
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
                return put_off(engine, leased, count, (status, None, reason)).await;
            }
            cross_out(engine, leased, (went, status), refused.collect()).await
        }
        Delivery::Refused { status, reason } if count > 1 => {
            too_many(engine, leased, count, (status, reason)).await
        }
        Delivery::Refused { status, reason } => {
            let status = Some(status);
            let refused = vec![Refused { place: 0, status, reason }];
            cross_out(engine, leased, (count, status), refused).await
        }
        Delivery::Later { status, retry_after, reason } => {
            put_off(engine, leased, count, (status, retry_after, reason)).await
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
    leased: &mut LeasedDestination,
) -> Result<Verdict, Trouble> {
    cross_out(engine, leased, (0, None), Vec::new()).await
}

/// Returns a batch that was refused for good: smaller ones are tried, until it is a single event.
async fn too_many(
    engine: &Engine,
    leased: &LeasedDestination,
    count: usize,
    (status, reason): (u16, String),
) -> Result<Verdict, Trouble> {
    engine.metrics.siem.batch(SiemResult::Refused);
    let record = record(leased, (count, Some(status)), Some(&reason), engine.clock.now());
    let record = Some((record, SiemStanding::Refused));
    let is_kept = keep(engine, leased, SiemStep { record, ..SiemStep::default() }).await?;
    Ok(if is_kept { Verdict::TooMany { count } } else { Verdict::Lost })
}

/// Crosses out the first `count` events, of which these were refused, with the row after them that cannot be sent.
async fn cross_out(
    engine: &Engine,
    leased: &mut LeasedDestination,
    (count, status): (usize, Option<u16>),
    refused: Vec<Refused>,
) -> Result<Verdict, Trouble> {
    let now = engine.clock.now();
    let (refusals, standing) = (refused.len(), standing(leased, count, refused.len(), now));
    let record = standing.map(|standing| {
        let first = refused.first().filter(|_| standing != SiemStanding::Took);
        let error = first.map(|refused| refused.reason.as_str());
        (record(leased, (count, status), error, now), standing)
    });
    let mut aside: Vec<_> =
        refused.into_iter().filter_map(|refused| set_aside(leased, refused, now)).collect();
    if count == leased.backlog.events().len() {
        aside.extend(leased.backlog.unsendable().map(|row| unsendable_aside(leased, row, now)));
    }
    let (aside_count, first) = (aside.len(), aside.first().map(|aside| aside.reason.clone()));
    let cursors = leased.backlog.cursors_after(count);
    let step = SiemStep { cursors: cursors.clone(), record, set_aside: aside };
    if !keep(engine, leased, step).await? {
        return Ok(Verdict::Lost);
    }
    engine.metrics.siem.events(count.saturating_sub(refusals), aside_count);
    if let Some(reason) = first {
        tell(leased, standing, aside_count, &reason);
    }
    leased.backlog.sent(count, cursors, now);
    leased.refused = leased.refused.saturating_add(refusals);
    (leased.backlog_since, leased.kept_at) = (None, now);
    let Some(standing) = standing else { return Ok(Verdict::SetAside) };
    let fails = leased.row.failing_since.is_some();
    leased.stands_as(standing, now);
    let took = standing == SiemStanding::Took;
    if took && fails {
        tracing::info!(destination_id = leased.row.id, "a destination takes events again");
    }
    let (result, verdict) = match took {
        true => (SiemResult::Taken, Verdict::Took),
        false => (SiemResult::Refused, Verdict::SetAside),
    };
    engine.metrics.siem.batch(result);
    Ok(verdict)
}

/// Returns how a destination stands that refused so many of `count` events for good; `None` where none was sent.
fn standing(
    leased: &LeasedDestination,
    count: usize,
    refused: usize,
    now: Timestamp,
) -> Option<SiemStanding> {
    match count {
        0 => None,
        _ if refused < count => Some(SiemStanding::Took),
        // Who takes nothing is not asked at full speed until everything is set aside.
        _ if leased.refuses_all(refused) => {
            let pause = backoff::pause(leased.row.attempts.saturating_add(1), None);
            Some(SiemStanding::PutOff(now.saturating_add(pause.min(REFUSED_PAUSE_MOST))))
        }
        _ => Some(SiemStanding::Refused),
    }
}

/// Tells the log that events are set aside, and once it is seen that the receiver takes none.
fn tell(
    leased: &mut LeasedDestination,
    standing: Option<SiemStanding>,
    events: usize,
    reason: &str,
) {
    let id = &leased.row.id;
    if let Some(SiemStanding::PutOff(_)) = standing {
        if leased.row.failing_since.is_none() {
            tracing::warn!(
                destination_id = id,
                reason,
                "a destination refuses every event for good; it is sent one at a time, after a pause, until it takes one"
            );
        }
    } else if let Some(events) = leased.set_aside_lines.count(events, Instant::now()) {
        tracing::warn!(
            destination_id = id,
            events,
            reason,
            "events are set aside that a destination does not take; the rest goes on"
        );
    }
}

fn unsendable_aside(leased: &LeasedDestination, row: &Unsendable, now: Timestamp) -> SetAsideRow {
    SetAsideRow {
        id: ids::new(ids::SET_ASIDE_PREFIX),
        destination_id: leased.row.id.clone(),
        event_id: None,
        log: row.place.log.clone(),
        seq: row.place.seq,
        at: row.at.clone(),
        kind: row.kind.clone(),
        status_code: None,
        reason: row.reason.clone(),
        set_aside_at: now,
    }
}

fn set_aside(leased: &LeasedDestination, refused: Refused, now: Timestamp) -> Option<SetAsideRow> {
    let Refused { place, status, reason } = refused;
    let (event, row) = (leased.backlog.events().get(place)?, leased.backlog.places().get(place)?);
    Some(SetAsideRow {
        id: ids::new(ids::SET_ASIDE_PREFIX),
        destination_id: leased.row.id.clone(),
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
pub(super) async fn keep(
    engine: &Engine,
    leased: &LeasedDestination,
    step: SiemStep,
) -> Result<bool, StoreError> {
    let (id, owner) = (leased.row.id.clone(), engine.siem.owner());
    let hold = SiemHold { id, owner, epoch: leased.row.epoch };
    engine.background_store.advance(hold, step).await
}

/// Puts it off, for longer each time.
pub(super) async fn put_off(
    engine: &Engine,
    leased: &mut LeasedDestination,
    count: usize,
    (status, asked_for, reason): (Option<u16>, Option<Duration>, String),
) -> Result<Verdict, Trouble> {
    engine.metrics.siem.batch(SiemResult::Later);
    let now = engine.clock.now();
    let attempts = leased.row.attempts.saturating_add(1);
    let next = now.saturating_add(backoff::pause(attempts, asked_for));
    if leased.row.failing_since.is_none() {
        let id = &leased.row.id;
        tracing::warn!(destination_id = id, reason, "events are not taken; they are sent again");
    }
    let standing = SiemStanding::PutOff(next);
    let record = Some((record(leased, (count, status), Some(&reason), now), standing));
    if !keep(engine, leased, SiemStep { record, ..SiemStep::default() }).await? {
        return Ok(Verdict::Lost);
    }
    leased.stands_as(standing, now);
    Ok(Verdict::PutOff)
}

fn record(
    leased: &LeasedDestination,
    (count, status): (usize, Option<u16>),
    error: Option<&str>,
    now: Timestamp,
) -> SiemDeliveryRow {
    SiemDeliveryRow {
        id: ids::new(ids::DELIVERY_PREFIX),
        destination_id: leased.row.id.clone(),
        batch_size: i64::try_from(count).unwrap_or(i64::MAX),
        status: if error.is_none() { "success" } else { "failed" }.to_owned(),
        status_code: status.map(i64::from),
        error: error.map(short),
        delivered_at: now,
    }
}

/// Returns as much of it as is kept.
fn short(reason: &str) -> String {
    reason.chars().take(REASON_MOST).collect()
}
