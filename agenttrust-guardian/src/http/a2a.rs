//! Agents behind the Guardian: the callers that ask one of them, from inside or from outside. The answers are made by
//! `crate::a2a`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest as _, FromRequestParts as _, Request};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};

use agenttrust::model::schema::Name;

use super::App;
use super::admit::Place;
use super::answers::{NotFound, Unavailable};
use super::auth::{Caller, presented};
use super::base::{base, is_certain};
use super::bearer::{Bearer, arrived, need_certain};
use super::body::Payload;
use super::ignored::Ignored;
use super::json_rpc::Message;
use super::params::{Id, Params, header, trace};
use super::protected::{Described, ProtectedResource};
use crate::a2a::{self, RequestContext, Skipped, asking};
use crate::domain::{Base, Error, ErrorKind};
use crate::engine::Engine;
use crate::services::cards;
use crate::services::federation::{self, Arrived};

/// The header or parameter that says the version of A2A.
const VERSION: &str = "A2A-Version";

/// Sends a task to an agent, or asks after one
///
/// A2A over JSON-RPC, 1.0 and 0.3: which of them the header `A2A-Version` says, and 0.3 where it is absent. Each
/// message is checked as `a2a/{id}` before it is handed on; while it waits for an approval its task is
/// `auth-required`. The sender is the key's only agent, or the one that `X-Agent-ID` names, or the key itself; one
/// from outside comes with a token that a federation provider issued for this address (`Authorization: Bearer …`). An
/// error of the protocol is a message of JSON-RPC with status 200.
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
    let base = base(&engine, &parts);
    let context = match context_to(&engine, &mut parts, (&target, &base)).await {
        Ok(context) => context,
        Err(error) => return Ok(refused(&engine, (&target, &base, &parts.headers), error)),
    };
    let said = version(&engine, &mut parts).await?;
    let ignored = parts.extensions.get::<Ignored>().cloned().unwrap_or_default();
    let body = raw(&engine, Request::from_parts(parts, body)).await?;
    let mut response = a2a::to_agent(&engine, context, (&target, said.as_deref()), body).await?;
    if let Some(Skipped(names)) = response.extensions_mut().remove() {
        ignored.add(names);
    }
    Ok(response)
}

/// Sends a task from one agent to another, or asks after one
///
/// The SDK guide's own methods over JSON-RPC, which are no version of A2A: `tasks/send`, `tasks/get`, `tasks/cancel`
/// and `tasks/list`. The `status` of a task is a word.
#[utoipa::path(
    post, path = "/a2a", operation_id = "dispatch_task", tag = "a2a",
    request_body = Message,
    responses((status = 200, description = "What was answered", body = Message), NotFound, Unavailable),
)]
pub(super) async fn dispatch(engine: App, request: Request) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let context = context_of(&engine, &mut parts).await?;
    let body = raw(&engine, Request::from_parts(parts, body)).await?;
    a2a::to_all(&engine, context, body).await
}

/// Describes an agent as a protected resource
///
/// For clients of OAuth (RFC 9728), which are pointed here by `WWW-Authenticate`. The federation providers of the
/// agent's organisation issue the tokens for it. The description is there while the card of the agent is published.
#[utoipa::path(
    get, path = "/.well-known/oauth-protected-resource/a2a/agents/{id}", operation_id = "describe_agent", tag = "a2a",
    security(()),
    params(("id" = Name, Path, description = "The agent")),
    responses((status = 200, description = "The description", body = ProtectedResource), NotFound),
)]
pub(super) async fn describe(
    engine: App,
    id: Result<Id, Error>,
    request: Request,
) -> Result<Json<ProtectedResource>, Error> {
    // What could be no agent's id is none.
    let Id(id) = id.map_err(|error| Error::not_found(error.message().to_owned()))?;
    let entry = cards::known_to_all(&engine, &id)?;
    let (parts, _) = request.into_parts();
    let base = base(&engine, &parts);
    let (org_id, name) = (&*entry.agent.org_id, &*entry.agent.name);
    let (address, scope) = (base.agent_address(&id), asking(&id));
    let is_certain = is_certain(&engine, &parts);
    let described = Described { org_id, address, name, scope, is_certain };
    Ok(Json(ProtectedResource::new(&engine, described)))
}

/// Returns the caller that comes to an agent: with a key, or from outside with a token that an issuer of the agent's
/// organisation has signed for its address.
async fn context_to(
    engine: &Arc<Engine>,
    parts: &mut Parts,
    (target, base): (&str, &Base),
) -> Result<RequestContext, Error> {
    let Some(token) = Bearer::signed(parts)? else { return context_of(engine, parts).await };
    Bearer::need_no_session(&parts.headers)?;
    need_certain(engine, parts)?;
    // Whoever is not known learns of no agent.
    let target_entry = engine.registry.agents.of_any_org(target);
    let target_entry = target_entry.ok_or_else(federation::nowhere)?;
    let (org_id, address) = (&target_entry.agent.org_id, base.agent_address(target));
    let arrived = arrived(engine, parts, (org_id, &token), (&address, "")).await?;
    let Arrived { key, counted, agent_id, session_id, .. } = arrived;
    if let Some(named) = header(&parts.headers, "X-Agent-ID")?.filter(|named| *named != agent_id) {
        return Err(Error::not_named(named, &agent_id));
    }
    let Ok(place) = Place::from_request_parts(parts, engine).await;
    let (named, session_id) = (Some(agent_id), Some(session_id));
    let (trace, place) = (trace(&parts.headers), place.take());
    Ok(RequestContext { key, counted, secret: None, named, session_id, trace, place })
}

/// Returns the answer to a caller that is not let in. A 401 says where a client of OAuth goes on.
fn refused(
    engine: &Engine,
    (target, base, headers): (&str, &Base, &HeaderMap),
    error: Error,
) -> Response {
    let kind = error.kind();
    let mut response = error.into_response();
    if matches!(kind, ErrorKind::Unauthenticated | ErrorKind::TokenExpired) {
        let error = presented(headers).map(|_| "invalid_token");
        let is_described = cards::known_to_all(engine, target).is_ok();
        let challenge = base.not_let_to_agent(target, error, is_described);
        // What cannot be in a header is not in it: ids are escaped, and scopes looked at.
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
    }
    response
}

/// Returns the caller, with what came along.
async fn context_of(engine: &Arc<Engine>, parts: &mut Parts) -> Result<RequestContext, Error> {
    let Caller { key, secret, named } = Caller::from_request_parts(parts, engine).await?;
    let session_id = header(&parts.headers, "X-Session-ID")?.map(str::to_owned);
    RequestContext::check_session(session_id.as_deref())?;
    let Ok(place) = Place::from_request_parts(parts, engine).await;
    let (counted, secret) = (Arc::clone(&key), Some(secret));
    let (trace, place) = (trace(&parts.headers), place.take());
    Ok(RequestContext { key, counted, secret, named, session_id, trace, place })
}

/// Returns the version that is said.
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

/// Returns the body. What has begun goes on by itself: a sender that hangs up does not undo what it sent.
async fn raw(engine: &Arc<Engine>, request: Request) -> Result<bytes::Bytes, Error> {
    let Ok(payload) = Payload::from_request(request, engine).await;
    payload.unbegun().raw().await
}
