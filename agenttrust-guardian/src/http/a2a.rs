//! Agents behind the Guardian: who asks one of them. What is answered is `crate::a2a`'s.

use std::sync::Arc;

use axum::extract::{FromRequest as _, FromRequestParts as _, Request};
use axum::http::request::Parts;
use axum::response::Response;

use agenttrust::model::schema::Name;

use super::App;
use super::admit::Place;
use super::answers::{NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::ignored::Ignored;
use super::json_rpc::Message;
use super::params::{Id, Params, header};
use crate::a2a::{self, Came, Skipped};
use crate::domain::Error;
use crate::engine::Engine;

/// Says the version of A2A, in a header or as a parameter.
const VERSION: &str = "A2A-Version";

/// Send a task to an agent, or ask after one
///
/// A2A over JSON-RPC, 1.0 and 0.3: which of them the header `A2A-Version` says, and 0.3 where it is absent. Each message is
/// checked as `a2a/{id}` before it is handed on; while it waits for an approval its task is `auth-required`. The sender is
/// the key's only agent, or the one that `X-Agent-ID` names, or the key itself. An error of the protocol is a message of
/// JSON-RPC with status 200.
#[utoipa::path(
    post, path = "/a2a/agents/{id}", operation_id = "call_agent", tag = "a2a",
    params(
        ("id" = Name, Path, description = "The agent that is asked"),
        ("A2A-Version" = Option<String>, Header, description = "The version of A2A: 1.0, or 0.3, which is meant if it is absent"),
        ("A2A-Version" = Option<String>, Query, description = "The same, where the header does not say it"),
    ),
    request_body = Message,
    responses(
        (
            status = 200, description = "What was answered; an error of the protocol too",
            content((Message = "application/json"), (String = "text/event-stream")),
        ),
        NotFound, Unavailable,
    ),
)]
pub(super) async fn to_agent(engine: App, request: Request) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let Id(target) = Id::from_request_parts(&mut parts, &engine).await?;
    let came = came(&engine, &mut parts).await?;
    let said = version(&engine, &mut parts).await?;
    let ignored = parts.extensions.get::<Ignored>().cloned().unwrap_or_default();
    let body = raw(&engine, Request::from_parts(parts, body)).await?;
    let mut response = a2a::to_agent(&engine, came, (&target, said.as_deref()), body).await?;
    if let Some(Skipped(names)) = response.extensions_mut().remove() {
        ignored.add(names);
    }
    Ok(response)
}

/// Send a task from one agent to another, or ask after one
///
/// The SDK guide's own methods over JSON-RPC, which are no version of A2A: `tasks/send`, `tasks/get`, `tasks/cancel` and
/// `tasks/list`. The `status` of a task is a word.
#[utoipa::path(
    post, path = "/a2a", operation_id = "dispatch_task", tag = "a2a",
    request_body = Message,
    responses((status = 200, description = "What was answered", body = Message), NotFound, Unavailable),
)]
pub(super) async fn dispatch(engine: App, request: Request) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let came = came(&engine, &mut parts).await?;
    let body = raw(&engine, Request::from_parts(parts, body)).await?;
    a2a::to_all(&engine, came, body).await
}

/// Who comes, and what came along.
async fn came(engine: &Arc<Engine>, parts: &mut Parts) -> Result<Came, Error> {
    let Caller { key, secret, named } = Caller::from_request_parts(parts, engine).await?;
    let session_id = header(&parts.headers, "X-Session-ID")?.map(str::to_owned);
    Came::check_session(session_id.as_deref())?;
    let Ok(place) = Place::from_request_parts(parts, engine).await;
    Ok(Came { key, secret, named, session_id, place: place.take() })
}

/// The version that is said.
async fn version(engine: &Arc<Engine>, parts: &mut Parts) -> Result<Option<String>, Error> {
    let params = Params::from_request_parts(parts, engine).await?;
    let in_header = header(&parts.headers, VERSION)?;
    match (in_header, params.text(VERSION)) {
        (Some(one), Some(other)) if one != other => {
            let problem = "is another one in the header than in the query; say it once";
            Err(Error::invalid(VERSION, problem))
        }
        (one, other) => Ok(one.or(other).map(str::to_owned)),
    }
}

/// The body. What has begun goes on by itself: a sender that hangs up does not undo what it sent.
async fn raw(engine: &Arc<Engine>, request: Request) -> Result<bytes::Bytes, Error> {
    let Ok(payload) = Payload::from_request(request, engine).await;
    payload.unbegun().raw().await
}
