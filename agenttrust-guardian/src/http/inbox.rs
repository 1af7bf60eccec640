//! The inbox of an agent without an endpoint: what it fetches, and what becomes of that.

use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::model::schema::{Name, NameOrEmpty};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::App;
use super::admit::Place;
use super::answers::{Conflict, NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::{Id, Ids, Params};
use super::proofs::SentProof;
use crate::domain::numbers::whole;
use crate::domain::task::{Artifact, Message, Part, Task};
use crate::domain::{Error, Permission};
use crate::services::tasks::inbox::{self, LEASES, Lease, Outcome};

/// The longest that a request may wait, in seconds.
const WAIT_MOST: u64 = 60;

/// The body of `POST /api/v1/agents/{id}/inbox/next`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FetchTask)]
pub(super) struct Fetch {
    /// The time that the task is the caller's alone, in seconds; 60 by default.
    #[serde(default = "one_minute", deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 3600, default = 60)]
    lease_seconds: u64,
}

/// A task that was fetched.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FetchedTask)]
pub(super) struct Fetched {
    /// The task, as A2A 1.0 has it.
    #[schema(value_type = Object)]
    task: Task,
    /// The message to act upon, as A2A 1.0 has it.
    #[schema(value_type = Object)]
    message: Message,
    /// The agent that asks; `null` where a key asks for itself.
    #[schema(value_type = Option<Name>, required = true)]
    source_agent_id: Option<String>,
    /// The id of the lease, by which the task is completed, failed and extended.
    #[schema(value_type = Name)]
    lease_id: String,
    /// The time when the lease ends, unless it is extended: then the task is there for the next worker that asks.
    lease_expires_at: Timestamp,
}

/// Fetches the next task of an agent
///
/// The oldest one that waits in its inbox, for the caller alone until its lease ends. An agent has an inbox where its
/// card names no interface. With `wait`, one is waited for as many seconds.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/inbox/next", operation_id = "fetch_task", tag = "tasks",
    params(
        ("id" = Name, Path, description = "The agent"),
        ("wait" = Option<u64>, Query, maximum = 60, description = "How long to wait for a task, in seconds"),
    ),
    request_body = Option<Fetch>,
    responses(
        (status = 200, description = "The task", body = Fetched),
        (status = 204, description = "No task waits"),
        NotFound, Unavailable,
    ),
)]
pub(super) async fn next(
    engine: App,
    caller: Caller,
    Id(id): Id,
    waits: (Params, Place, SentProof),
    payload: Payload,
) -> Result<Response, Error> {
    let (params, place, sent_proof) = waits;
    caller.need_for(Permission::WorkInbox, &id)?;
    sent_proof.need_once(&engine, &caller.key, &id, "inbox").await?;
    let wait: u64 = params.number("wait")?.unwrap_or(0);
    if wait > WAIT_MOST {
        return Err(Error::invalid("wait", format!("is {wait}; {WAIT_MOST} seconds is the most")));
    }
    let Fetch { lease_seconds } = payload.unbegun().json_or_empty().await?;
    let lease = lease_of(lease_seconds)?;
    let wait = Duration::from_secs(wait);
    let of = (&*caller.key, id.as_str());
    let Some(fetched) = inbox::next(&engine, of, lease, wait, || place.wait()).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let inbox::Fetched { task, message, source_agent_id, lease_id, lease_expires_at } = fetched;
    let shown = Fetched { task, message, source_agent_id, lease_id, lease_expires_at };
    Ok(Json(shown).into_response())
}

/// Returns how long a task is its worker's unless it says otherwise, in seconds.
const fn one_minute() -> u64 {
    60
}

fn lease_of(seconds: u64) -> Result<Duration, Error> {
    let lease = Duration::from_secs(seconds);
    if LEASES.contains(&lease) {
        return Ok(lease);
    }
    let (least, most) = (LEASES.start().as_secs(), LEASES.end().as_secs());
    Err(Error::invalid("lease_seconds", format!("is {seconds}; use {least} to {most}")))
}

/// The body of `POST /api/v1/agents/{id}/inbox/{task_id}/complete`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CompleteTask)]
pub(super) struct Complete {
    /// The lease by which the caller has the task.
    #[schema(value_type = Name)]
    lease_id: String,
    /// The artifacts that came of the task, as A2A 1.0 has them.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>, max_items = 64, nullable = false)]
    artifacts: Option<Vec<Value>>,
    /// The same as text, in place of `artifacts`.
    #[serde(default)]
    #[schema(nullable = false)]
    text: Option<String>,
}

impl Complete {
    /// Returns what came of the task.
    fn artifacts(self) -> Result<Vec<Artifact>, Error> {
        match (self.artifacts, self.text) {
            (Some(_), Some(_)) => {
                Err(Error::invalid("text", "is there beside artifacts; send one of both"))
            }
            (Some(artifacts), None) => {
                let read = |(place, artifact): (usize, Value)| {
                    let field = format!("artifacts[{place}]");
                    serde_json::from_value(artifact)
                        .map_err(|error| Error::invalid(&field, format!("cannot be read: {error}")))
                };
                artifacts.into_iter().enumerate().map(read).collect()
            }
            (None, Some(text)) => Ok(vec![Artifact {
                artifact_id: "result".to_owned(),
                name: None,
                description: None,
                parts: vec![Part::text(text)],
                metadata: serde_json::Map::new(),
                extensions: Vec::new(),
            }]),
            (None, None) => Ok(Vec::new()),
        }
    }
}

/// Completes a task of an inbox
///
/// A call that comes again with the same lease is answered as the first time.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/inbox/{task_id}/complete", operation_id = "complete_task", tag = "tasks",
    params(("id" = Name, Path, description = "The agent"), ("task_id" = Name, Path, description = "The task")),
    request_body = Complete,
    responses(
        (status = 200, description = "The task, as A2A 1.0 has it", body = Object), NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn complete(
    engine: App,
    caller: Caller,
    Ids(id, task_id): Ids,
    sent_proof: SentProof,
    payload: Payload,
) -> Result<Json<Value>, Error> {
    caller.need_for(Permission::WorkInbox, &id)?;
    sent_proof.need_once(&engine, &caller.key, &id, "inbox").await?;
    let body: Complete = payload.json().await?;
    let lease_id = body.lease_id.clone();
    let lease = Lease { agent_id: &id, task_id: &task_id, lease_id: &lease_id };
    let outcome = Outcome::Completed(body.artifacts()?);
    inbox::end(&engine, &caller.key, lease, outcome).await.map(|task| Json(json!(task)))
}

/// The body of `POST /api/v1/agents/{id}/inbox/{task_id}/fail`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FailTask)]
pub(super) struct Fail {
    /// The lease by which the caller has the task.
    #[schema(value_type = Name)]
    lease_id: String,
    /// The reason why the task could not be done, which its sender reads. At most 2,000 bytes.
    #[schema(value_type = NameOrEmpty)]
    reason: String,
}

/// Fails a task of an inbox
///
/// A call that comes again with the same lease is answered as the first time.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/inbox/{task_id}/fail", operation_id = "fail_task", tag = "tasks",
    params(("id" = Name, Path, description = "The agent"), ("task_id" = Name, Path, description = "The task")),
    request_body = Fail,
    responses(
        (status = 200, description = "The task, as A2A 1.0 has it", body = Object), NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn fail(
    engine: App,
    caller: Caller,
    Ids(id, task_id): Ids,
    sent_proof: SentProof,
    payload: Payload,
) -> Result<Json<Value>, Error> {
    caller.need_for(Permission::WorkInbox, &id)?;
    sent_proof.need_once(&engine, &caller.key, &id, "inbox").await?;
    let Fail { lease_id, reason } = payload.json().await?;
    let lease = Lease { agent_id: &id, task_id: &task_id, lease_id: &lease_id };
    let outcome = Outcome::Failed(reason);
    inbox::end(&engine, &caller.key, lease, outcome).await.map(|task| Json(json!(task)))
}

/// The body of `POST /api/v1/agents/{id}/inbox/{task_id}/extend`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ExtendLease)]
pub(super) struct Extend {
    /// The lease by which the caller has the task.
    #[schema(value_type = Name)]
    lease_id: String,
    /// The time that the lease runs from now on, in seconds; 60 by default.
    #[serde(default = "one_minute", deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 3600, default = 60)]
    lease_seconds: u64,
}

/// The new end of a lease.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExtendedLease)]
pub(super) struct Extended {
    /// The time when the lease ends now.
    lease_expires_at: Timestamp,
}

/// Extends the lease of a task
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/inbox/{task_id}/extend", operation_id = "extend_task", tag = "tasks",
    params(("id" = Name, Path, description = "The agent"), ("task_id" = Name, Path, description = "The task")),
    request_body = Extend,
    responses(
        (status = 200, description = "Until when it runs", body = Extended), NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn extend(
    engine: App,
    caller: Caller,
    Ids(id, task_id): Ids,
    sent_proof: SentProof,
    payload: Payload,
) -> Result<Json<Extended>, Error> {
    caller.need_for(Permission::WorkInbox, &id)?;
    sent_proof.need_once(&engine, &caller.key, &id, "inbox").await?;
    let Extend { lease_id, lease_seconds } = payload.json().await?;
    let lease = Lease { agent_id: &id, task_id: &task_id, lease_id: &lease_id };
    let by = lease_of(lease_seconds)?;
    let lease_expires_at = inbox::extend(&engine, &caller.key, lease, by).await?;
    Ok(Json(Extended { lease_expires_at }))
}
