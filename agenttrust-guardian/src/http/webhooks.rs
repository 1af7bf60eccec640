//! Webhooks: registered by an admin, their secret shown once, their deliveries listed.

use agenttrust::Timestamp;
use agenttrust::model::schema::{Name, NameOrEmpty};
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::answers::{Done, NotFound, TooMany, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::{Id, Params};
use super::{ApiError, App};
use crate::audit::Record;
use crate::ids;
use crate::outbound;
use crate::role::Permission;
use crate::store::{DeliveryRow, WEBHOOKS_MOST, WebhookRow};
use crate::webhooks::{Event, new_secret};

/// How many deliveries one answer lists at most, and unless another number is asked for.
const LISTED_MOST: usize = 200;

/// The body of `POST /api/v1/webhooks`.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CreateWebhook {
    /// Where to tell: https, at a public address.
    #[schema(max_length = 2000)]
    url: String,
    /// What to tell of.
    #[schema(value_type = Vec<Event>, min_items = 1, max_items = 3)]
    events: Vec<String>,
}

/// A webhook as callers see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(super) struct WebhookView {
    id: String,
    org_id: String,
    /// Without its path for those who may not change it.
    url: String,
    events: Vec<Event>,
    /// The id of the key that registered it.
    created_by: String,
    created_at: Timestamp,
    /// Since when it is told nothing any more.
    #[schema(required = true)]
    disabled_at: Option<Timestamp>,
    /// Why.
    #[schema(required = true)]
    disabled_for: Option<String>,
    /// What its messages are signed with, in the one answer that shows it.
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

/// Register a webhook
#[utoipa::path(
    post, path = "/api/v1/webhooks", operation_id = "create_webhook", tag = "webhooks",
    request_body = CreateWebhook,
    responses(
        (status = 201, description = "The webhook, its secret shown this once", body = WebhookView),
        TooMany, Unavailable,
    ),
)]
pub(super) async fn create(
    state: App,
    caller: Caller,
    payload: Payload,
) -> Result<(StatusCode, Json<WebhookView>), ApiError> {
    caller.need(Permission::ManageWebhooks)?;
    let CreateWebhook { url, events } = payload.json().await?;
    let target = state.outbound.target(&url).map_err(|error| match error {
        outbound::Error::Refused(why) => ApiError::invalid("url", why),
        outbound::Error::NoAnswer(why) => {
            ApiError::invalid("url", format!("cannot be used: {why}"))
        }
    })?;
    let events = read_events(&events)?;
    state.ready_to_change()?;
    let row = WebhookRow {
        id: ids::new("whk_"),
        org_id: caller.org_id().to_owned(),
        url,
        events,
        secret: new_secret()?,
        created_by: caller.key.id.clone(),
        created_at: state.clock.now(),
        disabled_at: None,
        disabled_for: None,
    };
    if !state.store.insert_webhook(row.clone()).await? {
        return Err(ApiError::too_many(format!(
            "this organisation has {WEBHOOKS_MOST} webhooks, which is the most; remove one first"
        )));
    }
    // Not the path: it may be as good as a password.
    let record = Record::new("webhook.created", &row.org_id).actor(&caller.key.id).body(json!({
        "webhook_id": row.id,
        "origin": target.origin().ascii_serialization(),
        "events": row.events,
    }));
    state.note(record).await?;
    let secret = Some(row.secret.expose().to_owned());
    let view = WebhookView { secret, ..WebhookView::from(row) };
    Ok((StatusCode::CREATED, Json(view)))
}

fn read_events(words: &[String]) -> Result<Vec<Event>, ApiError> {
    let mut events = Vec::new();
    for (place, word) in words.iter().enumerate().take(Event::ALL.len() + 1) {
        let event = Event::from_word(word).ok_or_else(|| {
            ApiError::invalid(
                &format!("events[{place}]"),
                "is not known; use approval.pending, approval.approved or approval.denied",
            )
        })?;
        if events.contains(&event) {
            return Err(ApiError::invalid(&format!("events[{place}]"), "is there twice"));
        }
        events.push(event);
    }
    if events.is_empty() {
        return Err(ApiError::invalid("events", "is empty; name at least approval.pending"));
    }
    Ok(events)
}

/// The answer of `GET /api/v1/webhooks`.
#[derive(Serialize, ToSchema)]
pub(super) struct Webhooks {
    /// The oldest first.
    webhooks: Vec<WebhookView>,
}

/// List the webhooks of the organisation
#[utoipa::path(
    get, path = "/api/v1/webhooks", operation_id = "list_webhooks", tag = "webhooks",
    responses((status = 200, description = "The webhooks, without their secrets", body = Webhooks), Unavailable),
)]
pub(super) async fn list(state: App, caller: Caller) -> Result<Json<Webhooks>, ApiError> {
    caller.need(Permission::ReadWebhooks)?;
    let mut rows = state.reading_store.webhooks(caller.org_id().to_owned()).await?;
    if caller.need(Permission::ManageWebhooks).is_err() {
        rows.iter_mut().for_each(|row| row.url = origin(&row.url));
    }
    Ok(Json(Webhooks { webhooks: rows.into_iter().map(WebhookView::from).collect() }))
}

/// A URL without what may be as good as a password: who knows the path of an incoming hook may post there.
fn origin(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            format!("{scheme}://{host}/…")
        }
        None => "…".to_owned(),
    }
}

/// Remove a webhook
///
/// What it was not told yet, it is not told any more.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/{id}", operation_id = "delete_webhook", tag = "webhooks",
    params(("id" = Name, Path, description = "The webhook")),
    responses((status = 200, description = "It is removed", body = Done), NotFound, Unavailable),
)]
pub(super) async fn remove(state: App, caller: Caller, Id(id): Id) -> Result<Json<Done>, ApiError> {
    caller.need(Permission::ManageWebhooks)?;
    state.ready_to_change()?;
    if !state.store.delete_webhook(id.clone(), caller.org_id().to_owned()).await? {
        return Err(ApiError::unknown("webhook", &id));
    }
    let record = Record::new("webhook.removed", caller.org_id())
        .actor(&caller.key.id)
        .body(json!({ "webhook_id": id }));
    state.note(record).await?;
    Ok(Json(Done { status: "removed" }))
}

/// Whether a message has arrived.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub(super) struct Delivery {
    /// What the receiver sees as `webhook-id`, each time that it is sent.
    id: String,
    #[schema(value_type = Event)]
    event: String,
    /// `waiting`, `delivered` or `given_up`.
    status: String,
    /// How often it was sent.
    attempts: i64,
    created_at: Timestamp,
    /// When it is sent, or sent again; null once it is over.
    #[schema(required = true)]
    next_attempt_at: Option<Timestamp>,
    /// When it arrived or was given up.
    #[schema(required = true)]
    ended_at: Option<Timestamp>,
    /// The status that the receiver answered last.
    #[schema(required = true)]
    last_status: Option<i64>,
    /// What was wrong last.
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
    /// What to send as `before` for those that come after these; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// List what a webhook was told, and whether it arrived
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/deliveries", operation_id = "list_webhook_deliveries", tag = "webhooks",
    params(
        ("id" = Name, Path, description = "The webhook"),
        ("before" = Option<NameOrEmpty>, Query, description = "Go on where an answer said `next`"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 200, description = "So many at most; 200 unless it is said"),
    ),
    responses((status = 200, description = "The deliveries", body = Deliveries), NotFound, Unavailable),
)]
pub(super) async fn deliveries(
    state: App,
    caller: Caller,
    Id(id): Id,
    params: Params,
) -> Result<Json<Deliveries>, ApiError> {
    caller.need(Permission::ReadWebhooks)?;
    let before = params.name("before")?.map(str::to_owned);
    let limit = match params.number("limit")?.unwrap_or(LISTED_MOST) {
        limit @ 1..=LISTED_MOST => limit,
        other => {
            return Err(ApiError::invalid("limit", format!("is {other}; use 1 to {LISTED_MOST}")));
        }
    };
    let webhook = state.reading_store.webhook(id.clone()).await?;
    if webhook.is_none_or(|webhook| webhook.org_id != caller.org_id()) {
        return Err(ApiError::unknown("webhook", &id));
    }
    // One more tells whether there are more.
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let rows = state.reading_store.deliveries(id, before, one_more).await?;
    let more = rows.len() > limit;
    let deliveries: Vec<Delivery> = rows.into_iter().take(limit).map(Delivery::from).collect();
    let next = deliveries.last().filter(|_| more).map(|delivery| delivery.id.clone());
    Ok(Json(Deliveries { deliveries, next }))
}
