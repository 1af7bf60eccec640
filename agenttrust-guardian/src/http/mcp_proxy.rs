//! MCP servers behind the Guardian: the callers that come to one, by a key, by an agent's token or by one of an
//! issuer. The answers are made by `crate::mcp`.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::{FromRequest as _, FromRequestParts as _, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use agenttrust::model::schema::Name;

use super::admit::Place;
use super::answers::{NotFound, Unavailable};
use super::auth::{Caller, presented};
use super::base::{base, is_certain};
use super::bearer::{Bearer, admitted, arrived, need_certain};
use super::body::Payload;
use super::json_rpc::Message;
use super::params::{Id, header};
use super::proofs::SentProof;
use super::protected::{Described, ProtectedResource};
use super::{App, need_in_touch};
use crate::domain::{Base, Error, ErrorKind, Permission};
use crate::engine::Engine;
use crate::mcp::{Asked, Proxy, Refusal, Subject, all_of, gateway};
use crate::registry::McpServerEntry;

type OfServers = Extension<Arc<Proxy>>;

/// Sends a message to an MCP server
///
/// MCP over streamable HTTP, up to 2025-11-25 and 2026-07-28; a client that says nothing of MCP may call a tool
/// without initialisation. Each `tools/call` is checked as `NAME/TOOL`, and what was checked is what is handed on. An
/// agent comes with its token (`Authorization: Bearer at_…`) or with one that a federation provider issued for this
/// address, or a key names it in `X-Agent-ID`; `X-Session-ID` may name its session. An error is a message of JSON-RPC.
#[utoipa::path(
    post, path = "/mcp/{server_id}", operation_id = "call_mcp_server", tag = "mcp",
    params(("server_id" = Name, Path, description = "The server")),
    request_body = Message,
    responses(
        (
            status = 200, description = "The answer of the server; a denied call of a tool is a result with `isError`",
            content((Message = "application/json"), (String = "text/event-stream")),
        ),
        (status = 202, description = "What needs no answer was handed on"),
        NotFound, Unavailable,
    ),
)]
pub(super) async fn post(engine: App, proxy: OfServers, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let asked = match asked(&engine, &mut parts).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal.into_response(),
    };
    let request = Request::from_parts(parts, body);
    let Ok(payload) = Payload::from_request(request, &engine).await;
    // What has begun there goes on by itself: a caller that hangs up ends its call.
    match payload.unbegun().raw().await {
        Ok(body) => proxy.post(asked, body).await,
        Err(error) => Refusal::from(error).into_response(),
    }
}

/// Listens to an MCP server
///
/// The stream of a session (MCP up to 2025-11-25), from `Last-Event-ID` on where it broke off.
#[utoipa::path(
    get, path = "/mcp/{server_id}", operation_id = "listen_to_mcp_server", tag = "mcp",
    params(("server_id" = Name, Path, description = "The server")),
    responses(
        (status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"),
        (status = 405, description = "The server has no stream of its own, or no sessions"),
        NotFound, Unavailable,
    ),
)]
pub(super) async fn listen(engine: App, proxy: OfServers, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match asked(&engine, &mut parts).await {
        Ok(asked) => proxy.listen(asked).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Ends a session with an MCP server
#[utoipa::path(
    delete, path = "/mcp/{server_id}", operation_id = "end_mcp_session", tag = "mcp",
    params(("server_id" = Name, Path, description = "The server")),
    responses(
        (status = 200, description = "It is over"),
        (status = 405, description = "The server ends no sessions"),
        NotFound, Unavailable,
    ),
)]
pub(super) async fn end(engine: App, proxy: OfServers, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match asked(&engine, &mut parts).await {
        Ok(asked) => proxy.end(asked).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Describes an MCP server as a protected resource
///
/// For clients of OAuth (RFC 9728), which are pointed here by `WWW-Authenticate`. The federation providers of the
/// server's organisation issue the tokens for it.
#[utoipa::path(
    get, path = "/.well-known/oauth-protected-resource/mcp/{server_id}", operation_id = "describe_mcp_server",
    tag = "mcp", security(()),
    params(("server_id" = Name, Path, description = "The server")),
    responses((status = 200, description = "The description", body = ProtectedResource), NotFound),
)]
pub(super) async fn describe(
    engine: App,
    id: Result<Id, Error>,
    request: Request,
) -> Result<Json<ProtectedResource>, Error> {
    // What could be no server's id is none.
    let Id(id) = id.map_err(|error| Error::not_found(error.message().to_owned()))?;
    let server = server(&engine, None, &id)?;
    let (parts, _) = request.into_parts();
    let base = base(&engine, &parts);
    let row = &server.row;
    let address = base.address(&row.id);
    let (name, scope) = (&*row.name, all_of(&row.name));
    let is_certain = is_certain(&engine, &parts);
    let described = Described { org_id: &row.org_id, address, name, scope, is_certain };
    Ok(Json(ProtectedResource::new(&engine, described)))
}

/// Returns the caller and the server that it asks, with what came along.
async fn asked(engine: &Arc<Engine>, parts: &mut Parts) -> Result<Asked, Refusal> {
    let Id(id) = Id::from_request_parts(parts, engine).await?;
    let base = base(engine, parts);
    let known = subject(engine, parts, &id, &base).await;
    let (server, subject) =
        known.map_err(|error| unauthenticated(engine, &base, (&id, &parts.headers), error))?;
    need_in_touch(engine)?;
    let Ok(place) = Place::from_request_parts(parts, engine).await;
    Ok(Asked { server, subject, base, headers: parts.headers.clone(), place: place.take() })
}

/// Returns the caller, and the server, which is of its organisation.
async fn subject(
    engine: &Arc<Engine>,
    parts: &mut Parts,
    id: &str,
    base: &Base,
) -> Result<(Arc<McpServerEntry>, Subject), Error> {
    if let Some(bearer) = Bearer::of(parts)? {
        Bearer::need_no_session(&parts.headers)?;
        let server = server(engine, None, id)?;
        let subject = with_token(engine, parts, (&server, base), bearer).await?;
        if let Some(named) = header(&parts.headers, "X-Agent-ID")? {
            subject.need_named(named)?;
        }
        return Ok((server, subject));
    }
    let caller = Caller::from_request_parts(parts, engine).await?;
    // A role that may not call learns of no server.
    caller.need(Permission::Check)?;
    let session = header(&parts.headers, "X-Session-ID")?.map(str::to_owned);
    let Caller { key, secret, named } = caller;
    let org_id = key.org_id.clone();
    let subject = Subject::of_key(engine, (Arc::clone(&key), secret), named, session)?;
    let Ok(sent_proof) = SentProof::from_request_parts(parts, engine).await;
    let proof = sent_proof.prove_once(engine, &key, subject.agent_id(), "mcp").await?;
    let subject = subject.with_proof(proof);
    Ok((server(engine, Some(&org_id), id)?, subject))
}

/// Returns the server of this id, of whichever organisation where none is said.
fn server(engine: &Engine, org_id: Option<&str>, id: &str) -> Result<Arc<McpServerEntry>, Error> {
    let found = engine.registry.mcp_servers.get(id);
    let found = found.filter(|server| org_id.is_none_or(|org_id| server.row.org_id == org_id));
    found.ok_or_else(|| Error::unknown("MCP server", id))
}

/// Returns the agent that comes with a token.
async fn with_token(
    engine: &Arc<Engine>,
    parts: &mut Parts,
    (server, base): (&McpServerEntry, &Base),
    bearer: Bearer,
) -> Result<Subject, Error> {
    let address = base.address(&server.row.id);
    match bearer {
        Bearer::Ours(token) => {
            // A place as for a request with a key: until it is known whose the token is, that of the gateway.
            let key = gateway(engine, server)?;
            let subject = Subject::of_token(engine, server, &token, &address);
            let counted = |subject: &Subject| Arc::clone(&subject.counted);
            admitted(engine, parts, &key, subject, counted).await
        }
        Bearer::Signed(token) => {
            need_certain(engine, parts)?;
            let (org_id, server_id) = (&server.row.org_id, &server.row.id);
            arrived(engine, parts, (org_id, &token), (&address, server_id))
                .await
                .map(Subject::from_outside)
        }
    }
}

/// Returns the same error, with where a client of OAuth goes on from a 401.
fn unauthenticated(
    engine: &Engine,
    base: &Base,
    (id, headers): (&str, &HeaderMap),
    error: Error,
) -> Refusal {
    let kind = error.kind();
    let refusal = Refusal::from(error);
    if !matches!(kind, ErrorKind::Unauthenticated | ErrorKind::TokenExpired) {
        return refusal;
    }
    let server = engine.registry.mcp_servers.get(id);
    let name = server.as_ref().map(|server| server.row.name.as_str());
    let came = presented(headers).is_some();
    let challenge = base.unauthenticated(id, name, came.then_some("invalid_token"));
    refusal.challenge(challenge)
}
