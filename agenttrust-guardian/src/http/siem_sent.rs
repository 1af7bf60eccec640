//! What was sent to SIEM destinations: what became of it, an event for trial, and once more.

use agenttrust::Timestamp;
use agenttrust::model::schema::{Name, NameOrEmpty};
use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answers::{NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::paging::span;
use super::params::{Id, Params};
use super::siem::View;
use crate::domain::ids::{DELIVERY_PREFIX, SET_ASIDE_PREFIX};
use crate::domain::{Error, Permission};
use crate::services::siem;
use crate::store::{SetAsideRow, SiemDeliveryRow};

/// The outcome of one sending.
#[derive(Serialize, ToSchema)]
#[schema(as = SiemDelivery)]
pub(super) struct Delivery {
    /// Its own for each sending.
    id: String,
    destination_id: String,
    /// The number of events that were sent.
    batch_size: i64,
    /// `success` or `failed`.
    status: String,
    /// The status that the receiver answered, where it answers by HTTP and did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status_code: Option<i64>,
    /// The fault of the sending.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error_message: Option<String>,
    delivered_at: Timestamp,
}

impl From<SiemDeliveryRow> for Delivery {
    fn from(row: SiemDeliveryRow) -> Self {
        Self {
            id: row.id,
            destination_id: row.destination_id,
            batch_size: row.batch_size,
            status: row.status,
            status_code: row.status_code,
            error_message: row.error,
            delivered_at: row.delivered_at,
        }
    }
}

/// The answer of `GET /api/v1/siem/destinations/{id}/logs`.
#[derive(Serialize, ToSchema)]
pub(super) struct SiemDeliveries {
    /// The newest first; of each destination the newest 1,000 are kept.
    logs: Vec<Delivery>,
    /// The value of `before` that asks for the next page; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// Lists what a SIEM destination was sent, and whether it took it
#[utoipa::path(
    get, path = "/api/v1/siem/destinations/{id}/logs", operation_id = "list_siem_deliveries", tag = "siem",
    params(
        ("id" = Name, Path, description = "The destination"),
        ("before" = Option<NameOrEmpty>, Query, description = "Go on where an answer said `next`"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 200, description = "So many at most; 200 by default"),
    ),
    responses((status = 200, description = "The sendings", body = SiemDeliveries), NotFound, Unavailable),
)]
pub(super) async fn deliveries(
    engine: App,
    caller: Caller,
    Id(id): Id,
    params: Params,
) -> Result<Json<SiemDeliveries>, Error> {
    caller.need(Permission::ReadSiem)?;
    let span = span(&params, DELIVERY_PREFIX)?;
    let (rows, more) = siem::deliveries(&engine, &caller.key, &id, span).await?;
    let logs: Vec<Delivery> = rows.into_iter().map(Delivery::from).collect();
    let next = logs.last().filter(|_| more).map(|delivery| delivery.id.clone());
    Ok(Json(SiemDeliveries { logs, next }))
}

/// A row of the audit that a destination is not sent any more.
#[derive(Serialize, ToSchema)]
#[schema(as = SiemSetAside)]
pub(super) struct Aside {
    id: String,
    /// The id of the event; absent where the row could not become one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    event_id: Option<String>,
    /// The audit log that it is of, and the number of its row there.
    log: String,
    seq: i64,
    /// The time when the event was written.
    at: String,
    /// The kind of the event, as the audit names it.
    kind: String,
    /// The status that the receiver answered, where it answers by HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status_code: Option<i64>,
    /// The reason, in the receiver's words.
    reason: String,
    set_aside_at: Timestamp,
}

impl From<SetAsideRow> for Aside {
    fn from(row: SetAsideRow) -> Self {
        Self {
            id: row.id,
            event_id: row.event_id,
            log: row.log,
            seq: row.seq,
            at: row.at,
            kind: row.kind,
            status_code: row.status_code,
            reason: row.reason,
            set_aside_at: row.set_aside_at,
        }
    }
}

/// The answer of `GET /api/v1/siem/destinations/{id}/set-aside`.
#[derive(Serialize, ToSchema)]
#[schema(as = SiemSetAsideList)]
pub(super) struct SetAside {
    /// The newest first; of each destination the newest 10,000 are kept.
    set_aside: Vec<Aside>,
    /// The number of events that are no longer kept.
    dropped: i64,
    /// The value of `before` that asks for the next page; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// Lists what a SIEM destination refused for good, or could not be sent
///
/// It is still in the audit.
#[utoipa::path(
    get, path = "/api/v1/siem/destinations/{id}/set-aside", operation_id = "list_siem_set_aside", tag = "siem",
    params(
        ("id" = Name, Path, description = "The destination"),
        ("before" = Option<NameOrEmpty>, Query, description = "Go on where an answer said `next`"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 200, description = "So many at most; 200 by default"),
    ),
    responses((status = 200, description = "What was set aside", body = SetAside), NotFound, Unavailable),
)]
pub(super) async fn set_aside(
    engine: App,
    caller: Caller,
    Id(id): Id,
    params: Params,
) -> Result<Json<SetAside>, Error> {
    caller.need(Permission::ReadSiem)?;
    let span = span(&params, SET_ASIDE_PREFIX)?;
    let found = siem::set_aside(&engine, &caller.key, &id, span).await?;
    let rows: Vec<Aside> = found.rows.into_iter().map(Aside::from).collect();
    let next = rows.last().filter(|_| found.more).map(|row| row.id.clone());
    Ok(Json(SetAside { set_aside: rows, dropped: found.dropped, next }))
}

/// The outcome of sending an event for trial.
#[derive(Serialize, ToSchema)]
#[schema(as = SiemTest)]
pub(super) struct Tried {
    /// Whether the receiver took it.
    success: bool,
    /// The status that it answered, where it answers by HTTP and did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status_code: Option<u16>,
    /// The fault of the sending.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error_message: Option<String>,
}

/// Sends a SIEM destination one event for trial
///
/// The event is sent now, also while the destination is paused. The answer is 200 also where the
/// receiver did not take it.
#[utoipa::path(
    post, path = "/api/v1/siem/destinations/{id}/test", operation_id = "test_siem_destination", tag = "siem",
    params(("id" = Name, Path, description = "The destination")),
    responses((status = 200, description = "What came of it", body = Tried), NotFound, Unavailable),
)]
pub(super) async fn test(engine: App, caller: Caller, Id(id): Id) -> Result<Json<Tried>, Error> {
    caller.need(Permission::ManageSiem)?;
    let tried = siem::test(&engine, &caller.key, &id).await?;
    Ok(Json(Tried {
        success: tried.wrong.is_none(),
        status_code: tried.status,
        error_message: tried.wrong,
    }))
}

/// The body of `POST /api/v1/siem/destinations/{id}/replay`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReplaySiemDestination)]
pub(super) struct Replay {
    /// The time from which on events are sent again, which must be past.
    since: Timestamp,
}

/// Sends a SIEM destination once more what happened since a point in time
///
/// Those events come beside what is not sent yet, and keep their ids.
#[utoipa::path(
    post, path = "/api/v1/siem/destinations/{id}/replay", operation_id = "replay_siem_destination", tag = "siem",
    params(("id" = Name, Path, description = "The destination")),
    request_body = Replay,
    responses((status = 200, description = "The destination as it is now", body = View), NotFound, Unavailable),
)]
pub(super) async fn replay(
    engine: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<View>, Error> {
    caller.need(Permission::ManageSiem)?;
    let Replay { since } = payload.json().await?;
    let sent_back = siem::replay(&engine, &caller.key, &id, since).await;
    let sent_back = sent_back.inspect_err(|error| {
        siem::refused(&engine, &caller.key, error, &[("destination_id", &id)]);
    })?;
    Ok(Json(View::new(sent_back, true)))
}
