//! Reports of what ran. A report is verified if it is the first one of a check that was allowed to the same key, agent,
//! session and tool. Any other is kept as unverified, as far as the agent's quota goes, and counts for nothing.

use agenttrust::Timestamp;
use agenttrust::model::TelemetryReceipt;
use agenttrust::model::headers::CHECK_IDS;
use agenttrust::model::schema::{Name, NameOrEmpty};
use axum::Json;
use axum::http::HeaderMap;
use serde::{Deserialize, Deserializer};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::answers::{NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::{described_header as documented, header};
use crate::domain::Error;
use crate::domain::Permission;
use crate::domain::names::check_name;
use crate::domain::numbers::whole;
use crate::services::telemetry::{self, Event};
use crate::store::ReportStage;

/// The largest number of events in one batch.
const EVENTS_MOST: usize = 1_000;

/// The body of `POST /api/v1/telemetry/report`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TelemetryReport)]
pub(super) struct Report {
    /// The agent whose calls these were.
    #[schema(value_type = Name)]
    agent_id: String,
    /// The session that they ran in.
    #[serde(default)]
    #[schema(value_type = Option<NameOrEmpty>)]
    session_id: Option<String>,
    /// The events, oldest first.
    #[schema(max_items = 1000)]
    events: Vec<ReportedEvent>,
}

/// A reported event. The published clients report more kinds than the protocol lists, some of them without a tool.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TelemetryEvent)]
pub(super) struct ReportedEvent {
    /// `tool_start`, `tool_end`, `tool_error`, or any other word.
    #[schema(value_type = Name)]
    event_type: String,
    /// The tool; must be there with the three words above.
    #[serde(default)]
    #[schema(value_type = NameOrEmpty)]
    tool_name: String,
    /// The time that the call ran, in milliseconds.
    #[serde(default, deserialize_with = "milliseconds")]
    duration_ms: u64,
    /// Whether it worked.
    #[serde(default)]
    success: bool,
    /// The type of the error, never its message.
    #[serde(default)]
    #[schema(value_type = Option<NameOrEmpty>)]
    error_type: Option<String>,
    /// The time when the call ended.
    #[serde(default)]
    timestamp: Option<Timestamp>,
}

/// Returns as much as the database can keep.
fn milliseconds<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    whole(from).map(i64::unsigned_abs)
}

impl ReportedEvent {
    fn stage(&self) -> Option<ReportStage> {
        match self.event_type.as_str() {
            "tool_start" => Some(ReportStage::Start),
            "tool_end" | "tool_error" => Some(ReportStage::End),
            _ => None,
        }
    }

    fn check(&self, place: usize) -> Result<(), Error> {
        let field = |name: &str| format!("events[{place}].{name}");
        check_name(&field("event_type"), &self.event_type)?;
        if self.stage().is_some() || !self.tool_name.is_empty() {
            check_name(&field("tool_name"), &self.tool_name)?;
        }
        match self.error_type.as_deref() {
            Some(error_type) if !error_type.is_empty() => {
                check_name(&field("error_type"), error_type)
            }
            _ => Ok(()),
        }
    }
}

/// The headers that a report may have.
struct ReportHeaders;

impl IntoParams for ReportHeaders {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let said = "One check id for each event, `-` for none, separated by commas";
        vec![documented(CHECK_IDS, said, ObjectBuilder::new().schema_type(Type::String))]
    }
}

/// Reports what ran
///
/// What no `check_id` vouches for counts for nothing. Of that, an agent has 10,000 events an hour and 100,000 in
/// all kept; the receipt says how many of those that were sent are.
#[utoipa::path(
    post, path = "/api/v1/telemetry/report", operation_id = "report_telemetry", tag = "telemetry",
    params(ReportHeaders),
    request_body = Report,
    responses((status = 200, description = "The receipt", body = TelemetryReceipt), NotFound, Unavailable),
)]
pub(super) async fn report(
    engine: App,
    caller: Caller,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Json<TelemetryReceipt>, Error> {
    caller.need(Permission::Report)?;
    let body: Report = payload.json().await?;
    check_name("agent_id", &body.agent_id)?;
    let session_id = body.session_id.filter(|id| !id.is_empty());
    session_id.as_deref().map_or(Ok(()), |id| check_name("session_id", id))?;
    let session_id = session_id.unwrap_or_default();
    if body.events.len() > EVENTS_MOST {
        let many = format!("has {} entries; {EVENTS_MOST} is the most", body.events.len());
        return Err(Error::invalid("events", many));
    }
    for (place, event) in body.events.iter().enumerate() {
        event.check(place)?;
    }
    let check_ids = check_ids(&headers, body.events.len())?;
    caller.need_for(Permission::Report, &body.agent_id)?;
    let events = body.events.into_iter().zip(check_ids).map(|(event, check_id)| Event {
        stage: event.stage(),
        event_type: event.event_type,
        tool: event.tool_name,
        duration_ms: event.duration_ms,
        success: event.success,
        error_type: event.error_type,
        happened_at: event.timestamp,
        check_id,
    });
    let kept = telemetry::keep(&engine, &caller.key, &body.agent_id, &session_id, events).await?;
    Ok(Json(TelemetryReceipt::accepted(kept)))
}

/// Returns one check id for each event, `-` for none; without the header, none at all.
fn check_ids(headers: &HeaderMap, events: usize) -> Result<Vec<Option<String>>, Error> {
    let Some(list) = header(headers, CHECK_IDS)? else {
        return Ok(vec![None; events]);
    };
    let ids: Vec<Option<String>> = list
        .split(',')
        .map(str::trim)
        .map(|id| Some(id.to_owned()).filter(|id| id != "-" && !id.is_empty()))
        .collect();
    if ids.len() != events {
        return Err(Error::invalid(
            CHECK_IDS,
            format!("has {} entries for {events} events; send one for each, - for none", ids.len()),
        ));
    }
    for id in ids.iter().flatten() {
        check_name(CHECK_IDS, id)?;
    }
    Ok(ids)
}
