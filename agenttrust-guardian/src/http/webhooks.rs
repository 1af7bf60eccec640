//! Webhooks: registered by an admin, their secret shown once, their deliveries listed.

use agenttrust::Timestamp;
use agenttrust::model::schema::{Name, NameOrEmpty};
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answers::{Done, NotFound, TooMany, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::paging::span;
use super::params::{Id, Params};
use crate::domain::ids::MESSAGE_PREFIX;
use crate::domain::{Error, Event, Permission};
use crate::services::webhooks;
use crate::store::{DeliveryRow, WebhookRow};

/// The body of `POST /api/v1/webhooks`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateWebhook {
    /// The address that messages are sent to: https, at a public address, or at one that was
    /// opened.
    #[schema(max_length = 2000)]
    url: String,
    /// The events that messages are sent for.
    #[schema(value_type = Vec<Event>, min_items = 1, max_items = 3)]
    events: Vec<String>,
}

/// A webhook as callers see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(super) struct WebhookView {
    id: String,
    org_id: String,
    /// The address that messages are sent to, without its path for keys that may not change it.
    url: String,
    events: Vec<Event>,
    /// The id of the key that registered it.
    created_by: String,
    created_at: Timestamp,
    /// The time since which it is not told anything any more.
    #[schema(required = true)]
    disabled_at: Option<Timestamp>,
    /// The reason why it is disabled.
    #[schema(required = true)]
    disabled_for: Option<String>,
    /// The secret that its messages are signed with, in the one answer that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    secret: Option<String>,
}

impl From<WebhookRow> for WebhookView {
    fn from(row: WebhookRow) -> Self {
        Self {
            id: row.id,
            org_id: row.org_id,
            url: row.url,
            events: row.events,
            created_by: row.created_by,
            created_at: row.created_at,
            disabled_at: row.disabled_at,
            disabled_for: row.disabled_for,
            secret: None,
        }
    }
}

/// Registers a webhook
#[utoipa::path(
    post, path = "/api/v1/webhooks", operation_id = "create_webhook", tag = "webhooks",
    request_body = CreateWebhook,
    responses(
        (status = 201, description = "The webhook, its secret shown this once", body = WebhookView),
        TooMany, Unavailable,
    ),
)]
pub(super) async fn create(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<(StatusCode, Json<WebhookView>), Error> {
    caller.need(Permission::ManageWebhooks)?;
    let CreateWebhook { url, events } = payload.json().await?;
    let (row, secret) = webhooks::create(&engine, &caller.key, url, &events).await?;
    let secret = Some(secret.expose().to_owned());
    let view = WebhookView { secret, ..WebhookView::from(row) };
    Ok((StatusCode::CREATED, Json(view)))
}

/// The answer of `GET /api/v1/webhooks`.
#[derive(Serialize, ToSchema)]
pub(super) struct Webhooks {
    /// The oldest first.
    webhooks: Vec<WebhookView>,
}

/// Lists the webhooks of the organisation
#[utoipa::path(
    get, path = "/api/v1/webhooks", operation_id = "list_webhooks", tag = "webhooks",
    responses((status = 200, description = "The webhooks, without their secrets", body = Webhooks), Unavailable),
)]
pub(super) async fn list(engine: App, caller: Caller) -> Result<Json<Webhooks>, Error> {
    caller.need(Permission::ReadWebhooks)?;
    let whole = caller.need(Permission::ManageWebhooks).is_ok();
    let rows = webhooks::list(&engine, &caller.key, whole).await?;
    Ok(Json(Webhooks { webhooks: rows.into_iter().map(WebhookView::from).collect() }))
}

/// Removes a webhook
///
/// Messages that were not sent yet are not sent any more.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/{id}", operation_id = "delete_webhook", tag = "webhooks",
    params(("id" = Name, Path, description = "The webhook")),
    responses((status = 200, description = "It is removed", body = Done), NotFound, Unavailable),
)]
pub(super) async fn remove(engine: App, caller: Caller, Id(id): Id) -> Result<Json<Done>, Error> {
    caller.need(Permission::ManageWebhooks)?;
    webhooks::remove(&engine, &caller.key, &id).await?;
    Ok(Json(Done { status: "removed" }))
}

/// Whether a message has arrived.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub(super) struct Delivery {
    /// The id that the receiver sees as `webhook-id`, each time that the message is sent.
    id: String,
    #[schema(value_type = Event)]
    event: String,
    /// `waiting`, `delivered` or `given_up`.
    status: String,
    /// The number of times that it was sent.
    attempts: i64,
    created_at: Timestamp,
    /// The time when it is sent, or sent again; null once it is over.
    #[schema(required = true)]
    next_attempt_at: Option<Timestamp>,
    /// The time when it arrived or was given up.
    #[schema(required = true)]
    ended_at: Option<Timestamp>,
    /// The status that the receiver answered last.
    #[schema(required = true)]
    last_status: Option<i64>,
    /// The last fault.
    #[schema(required = true)]
    last_error: Option<String>,
}

impl From<DeliveryRow> for Delivery {
    fn from(row: DeliveryRow) -> Self {
        let next = row.ended_at.is_none().then_some(row.next_at);
        Self {
            id: row.id,
            event: row.event,
            status: row.status,
            attempts: row.attempts,
            created_at: row.created_at,
            next_attempt_at: next,
            ended_at: row.ended_at,
            last_status: row.last_status,
            last_error: row.last_error,
        }
    }
}

/// The answer of `GET /api/v1/webhooks/{id}/deliveries`.
#[derive(Serialize, ToSchema)]
pub(super) struct Deliveries {
    /// The newest first; those of the last 30 days.
    deliveries: Vec<Delivery>,
    /// The value of `before` that asks for the next page; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// Lists what a webhook was told, and whether it arrived
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/deliveries", operation_id = "list_webhook_deliveries", tag = "webhooks",
    params(
        ("id" = Name, Path, description = "The webhook"),
        ("before" = Option<NameOrEmpty>, Query, description = "Go on where an answer said `next`"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 200, description = "So many at most; 200 by default"),
    ),
    responses((status = 200, description = "The deliveries", body = Deliveries), NotFound, Unavailable),
)]
pub(super) async fn deliveries(
    engine: App,
    caller: Caller,
    Id(id): Id,
    params: Params,
) -> Result<Json<Deliveries>, Error> {
    caller.need(Permission::ReadWebhooks)?;
    let span = span(&params, MESSAGE_PREFIX)?;
    let (rows, more) = webhooks::deliveries(&engine, &caller.key, &id, &span).await?;
    let deliveries: Vec<Delivery> = rows.into_iter().map(Delivery::from).collect();
    let next = deliveries.last().filter(|_| more).map(|delivery| delivery.id.clone());
    Ok(Json(Deliveries { deliveries, next }))
}
