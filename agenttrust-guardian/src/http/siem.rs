//! SIEM destinations: where the audit's events are sent, and what became of them there.

use agenttrust::Timestamp;
use agenttrust::model::schema::Name;
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answers::{Conflict, Done, NotFound, TooMany, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::Id;
use crate::domain::numbers::whole_if_any;
use crate::domain::{DestinationKind, Error, EventFormat, Permission, Secret};
use crate::services::siem::{self, Destination, DestinationUpdate, Given, NewDestination};

/// The body of `POST /api/v1/siem/destinations`.
#[derive(Deserialize, ToSchema)]
#[schema(as = CreateSiemDestination)]
pub(super) struct Create {
    /// Its name, for people: no other destination of the organisation has it.
    #[schema(value_type = Name)]
    name: String,
    /// The kind of receiver.
    #[schema(value_type = DestinationKind)]
    destination_type: String,
    /// The address of the receiver: https, for syslog `syslog+tls://host:6514` or `syslog+tcp://host:601`, at a public
    /// address, or at one that was opened; for a file `file:///absolute/path`, in a folder that was opened.
    #[schema(max_length = 2000)]
    endpoint_url: String,
    /// The token by which the receiver lets in, which Splunk and Datadog need; of a webhook, the `whsec_` secret that
    /// messages are signed with, and without which they are not signed. No answer shows it.
    #[serde(default)]
    #[schema(max_length = 4096)]
    auth_token: Option<String>,
    /// The number of events that are sent at once; 100 by default.
    #[serde(default, deserialize_with = "whole_if_any")]
    #[schema(minimum = 1, maximum = 1000)]
    batch_size: Option<u64>,
    /// The longest time that an event waits for others to go with it, in seconds; 30 by default.
    #[serde(default, deserialize_with = "whole_if_any")]
    #[schema(minimum = 1, maximum = 3600)]
    flush_interval_seconds: Option<u64>,
    /// The events to send: kinds of the audit as `decision`, families as `approval.*`, and `decision.allowed`,
    /// `decision.denied` and `decision.held`; all events by default.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Name>>, max_items = 256)]
    filter_event_types: Option<Vec<String>>,
    /// The format of the events; `ocsf` by default.
    #[serde(default)]
    #[schema(value_type = Option<EventFormat>)]
    format: Option<String>,
}

/// The body of `PUT /api/v1/siem/destinations/{id}`; what it says nothing of stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpdateSiemDestination)]
pub(super) struct Update {
    /// Its name, for people.
    #[serde(default)]
    #[schema(value_type = Option<Name>)]
    name: Option<String>,
    /// The kind of receiver, which does not change.
    #[serde(default)]
    #[schema(value_type = Option<DestinationKind>)]
    destination_type: Option<String>,
    /// The address of the receiver. With another host, the token must be given again where there is one.
    #[serde(default)]
    #[schema(max_length = 2000)]
    endpoint_url: Option<String>,
    /// The token by which the receiver lets in; of a webhook, the `whsec_` secret that messages are signed with.
    #[serde(default)]
    #[schema(max_length = 4096)]
    auth_token: Option<String>,
    /// Whether anything is sent. What happens while it is false is sent later.
    #[serde(default)]
    is_active: Option<bool>,
    /// The number of events that are sent at once.
    #[serde(default, deserialize_with = "whole_if_any")]
    #[schema(minimum = 1, maximum = 1000)]
    batch_size: Option<u64>,
    /// The longest time that an event waits for others to go with it, in seconds.
    #[serde(default, deserialize_with = "whole_if_any")]
    #[schema(minimum = 1, maximum = 3600)]
    flush_interval_seconds: Option<u64>,
    /// The events to send; all events where the list is empty.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Name>>, max_items = 256)]
    filter_event_types: Option<Vec<String>>,
    /// The format of the events.
    #[serde(default)]
    #[schema(value_type = Option<EventFormat>)]
    format: Option<String>,
}

/// A destination as callers see it.
#[derive(Serialize, ToSchema)]
#[schema(as = SiemDestination)]
pub(super) struct View {
    id: String,
    org_id: String,
    name: String,
    destination_type: DestinationKind,
    /// The address of the receiver, without its path for keys that may not change it.
    endpoint_url: String,
    /// Whether anything is sent.
    is_active: bool,
    batch_size: i64,
    flush_interval_seconds: i64,
    /// The events that are sent; empty where all are.
    filter_event_types: Vec<String>,
    format: EventFormat,
    /// The age of the oldest event that is not sent yet, or of a row of the audit that was not read for it yet and may
    /// be one, in seconds; null where this replica does not send to it.
    #[schema(required = true)]
    lag_seconds: Option<u64>,
    /// The time since which it takes nothing; null where it does.
    #[schema(required = true)]
    failing_since: Option<Timestamp>,
    /// The last fault; null once it took something.
    #[schema(required = true)]
    last_error: Option<String>,
    /// The status that the receiver answered last, where it answers by HTTP and did.
    #[schema(required = true)]
    last_status: Option<i64>,
    /// What is weak about it: that it has no secret, so that what it is sent is unsigned; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
    /// The id of the key that made it.
    created_by: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl View {
    pub(super) fn new(destination: Destination, whole: bool) -> Self {
        let Destination { row, lag } = destination;
        let warning = siem::warning(&row);
        let endpoint = if whole { row.endpoint } else { siem::origin(row.kind, &row.endpoint) };
        Self {
            id: row.id,
            org_id: row.org_id,
            name: row.name,
            destination_type: row.kind,
            endpoint_url: endpoint,
            is_active: row.is_active,
            batch_size: row.batch_size,
            flush_interval_seconds: row.flush_seconds,
            filter_event_types: row.event_types,
            format: row.format,
            lag_seconds: lag.map(|lag| lag.as_secs()),
            failing_since: row.failing_since,
            last_error: row.last_error,
            last_status: row.last_status,
            warning,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

fn kind(word: &str) -> Result<DestinationKind, Error> {
    DestinationKind::from_word(word).ok_or_else(|| {
        let known = DestinationKind::ALL.map(DestinationKind::as_str).join(", ");
        Error::invalid("destination_type", format!("is not known; use one of {known}"))
    })
}

fn format(word: &str) -> Result<EventFormat, Error> {
    EventFormat::from_word(word)
        .ok_or_else(|| Error::invalid("format", "is not known; use ocsf or raw"))
}

/// Makes a SIEM destination
///
/// It is sent what the audit says from then on: at least once, in order, each event with an id of its own.
#[utoipa::path(
    post, path = "/api/v1/siem/destinations", operation_id = "create_siem_destination", tag = "siem",
    request_body = Create,
    responses(
        (
            status = 201, description = "The destination", body = View,
            links(
                ("read" = (operation_id = "get_siem_destination", parameters(("id" = "$response.body#/id")))),
                ("change" = (operation_id = "update_siem_destination", parameters(("id" = "$response.body#/id")))),
                ("remove" = (operation_id = "delete_siem_destination", parameters(("id" = "$response.body#/id")))),
            ),
        ),
        Conflict, TooMany, Unavailable,
    ),
)]
pub(super) async fn create(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<(StatusCode, Json<View>), Error> {
    caller.need(Permission::ManageSiem)?;
    let body: Create = payload.json().await?;
    let name = body.name.clone();
    let made = async {
        let new = NewDestination {
            kind: kind(&body.destination_type)?,
            name: body.name,
            endpoint: body.endpoint_url,
            given: Given {
                secret: body.auth_token.map(Secret::from),
                batch_size: body.batch_size,
                flush_seconds: body.flush_interval_seconds,
                event_types: body.filter_event_types,
                format: body.format.as_deref().map(format).transpose()?,
            },
        };
        siem::create(&engine, &caller.key, new).await
    };
    let made = made.await.inspect_err(|error| {
        siem::refused(&engine, &caller.key, error, &[("name", &name)]);
    })?;
    Ok((StatusCode::CREATED, Json(View::new(made, true))))
}

/// The answer of `GET /api/v1/siem/destinations`.
#[derive(Serialize, ToSchema)]
pub(super) struct SiemDestinations {
    /// The oldest first.
    destinations: Vec<View>,
}

/// Lists the SIEM destinations of the organisation
#[utoipa::path(
    get, path = "/api/v1/siem/destinations", operation_id = "list_siem_destinations", tag = "siem",
    responses((status = 200, description = "The destinations, without their tokens", body = SiemDestinations), Unavailable),
)]
pub(super) async fn list(engine: App, caller: Caller) -> Result<Json<SiemDestinations>, Error> {
    caller.need(Permission::ReadSiem)?;
    let whole = caller.need(Permission::ManageSiem).is_ok();
    let rows = siem::list(&engine, &caller.key).await?;
    let destinations = rows.into_iter().map(|row| View::new(row, whole)).collect();
    Ok(Json(SiemDestinations { destinations }))
}

/// Reads a SIEM destination
#[utoipa::path(
    get, path = "/api/v1/siem/destinations/{id}", operation_id = "get_siem_destination", tag = "siem",
    params(("id" = Name, Path, description = "The destination")),
    responses((status = 200, description = "The destination, without its token", body = View), NotFound, Unavailable),
)]
pub(super) async fn get(engine: App, caller: Caller, Id(id): Id) -> Result<Json<View>, Error> {
    caller.need(Permission::ReadSiem)?;
    let whole = caller.need(Permission::ManageSiem).is_ok();
    Ok(Json(View::new(siem::get(&engine, &caller.key, &id).await?, whole)))
}

/// Changes a SIEM destination
///
/// It is still sent what was left: a change of the filter counts for what was not sent yet.
#[utoipa::path(
    put, path = "/api/v1/siem/destinations/{id}", operation_id = "update_siem_destination", tag = "siem",
    params(("id" = Name, Path, description = "The destination")),
    request_body = Update,
    responses((status = 200, description = "The destination as it is now", body = View), NotFound, Conflict, Unavailable),
)]
pub(super) async fn change(
    engine: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<View>, Error> {
    caller.need(Permission::ManageSiem)?;
    let body: Update = payload.json().await?;
    let changed = async {
        let wanted = DestinationUpdate {
            kind: body.destination_type.as_deref().map(kind).transpose()?,
            name: body.name,
            endpoint: body.endpoint_url,
            is_active: body.is_active,
            given: Given {
                secret: body.auth_token.map(Secret::from),
                batch_size: body.batch_size,
                flush_seconds: body.flush_interval_seconds,
                event_types: body.filter_event_types,
                format: body.format.as_deref().map(format).transpose()?,
            },
        };
        siem::change(&engine, &caller.key, &id, wanted).await
    };
    let changed = changed.await.inspect_err(|error| {
        siem::refused(&engine, &caller.key, error, &[("destination_id", &id)]);
    })?;
    Ok(Json(View::new(changed, true)))
}

/// Removes a SIEM destination
///
/// Events that it was not sent yet are not sent any more.
#[utoipa::path(
    delete, path = "/api/v1/siem/destinations/{id}", operation_id = "delete_siem_destination", tag = "siem",
    params(("id" = Name, Path, description = "The destination")),
    responses((status = 200, description = "It is removed", body = Done), NotFound, Unavailable),
)]
pub(super) async fn remove(engine: App, caller: Caller, Id(id): Id) -> Result<Json<Done>, Error> {
    caller.need(Permission::ManageSiem)?;
    siem::remove(&engine, &caller.key, &id).await.inspect_err(|error| {
        siem::refused(&engine, &caller.key, error, &[("destination_id", &id)]);
    })?;
    Ok(Json(Done { status: "removed" }))
}
