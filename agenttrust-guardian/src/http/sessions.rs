//! Sessions: begun with a server or from a token, and read.

use agenttrust::model::headers::{
    FORWARDED_DPOP, FORWARDED_DPOP_METHOD, FORWARDED_DPOP_URL, KEY_THUMBPRINT,
};
use agenttrust::model::schema::{AnyToken, Name, NameOrEmpty};
use agenttrust::model::{InitSessionRequest, Session, SessionMode};
use axum::Json;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::answers::{Conflict, NotFound, TooMany, Unavailable};
use super::auth::{Caller, is_signed};
use super::body::Payload;
use super::params::{Id, Params, Target, described_header, text_header};
use super::proofs::tell;
use super::workload::check_token;
use crate::domain::names::{check_name, check_names};
use crate::domain::{Error, Permission};
use crate::engine::Engine;
use crate::services::agents::unknown_mode;
use crate::services::sessions::{self, NewSession};
use crate::services::workload::{self, Presented};

/// Begins a session with a server
///
/// A mode and a ceiling only tighten the floor of the agent. A ceiling alone means restricted;
/// restricted needs one, and open takes none.
#[utoipa::path(
    post, path = "/mcp/sessions/init", operation_id = "init_session", tag = "sessions",
    request_body = InitSessionRequest,
    responses(
        (
            status = 200, description = "The session", body = Session,
            links(("read" = (operation_id = "get_session", parameters(("id" = "$response.body#/session_id"))))),
        ),
        NotFound, Conflict, TooMany, Unavailable,
    ),
)]
pub(super) async fn init(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<Session>, Error> {
    caller.need(Permission::InitSession)?;
    let body: InitSessionRequest = payload.json().await?;
    check_name("agent_id", &body.agent_id)?;
    check_name("server_id", &body.server_id)?;
    check_names("scope_ceiling", body.scope_ceiling.as_deref().unwrap_or_default())?;
    if body.scope_ceiling.as_ref().is_some_and(Vec::is_empty) {
        return Err(Error::invalid(
            "scope_ceiling",
            "is empty, which would allow nothing; give it scopes, or leave it out for no ceiling",
        ));
    }
    caller.need_for(Permission::InitSession, &body.agent_id)?;
    let new = NewSession {
        agent_id: body.agent_id,
        server_id: body.server_id,
        mode: body.mode,
        ceiling: body.scope_ceiling,
    };
    sessions::begin(&engine, &caller.key, new).await.map(Json)
}

/// The body of `POST /api/v1/agenttrust/api-sessions/init`.
#[derive(Deserialize, ToSchema)]
#[schema(as = InitApiSession)]
pub(super) struct InitApi {
    /// The token, `at_…` or that of a workload.
    #[schema(value_type = AnyToken)]
    token: String,
    /// A mode to tighten the session to.
    #[serde(default)]
    mode: Option<SessionMode>,
}

/// The headers that a request to open a session from a token may have.
struct SessionHeaders;

impl IntoParams for SessionHeaders {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        vec![
            described_header(
                FORWARDED_DPOP,
                "Of a workload token: the proof (RFC 9449) that came with it",
                text(),
            ),
            described_header(
                FORWARDED_DPOP_METHOD,
                "The method of the request that the proof came with",
                text(),
            ),
            described_header(
                FORWARDED_DPOP_URL,
                "The URL of the request that the proof came with",
                text(),
            ),
        ]
    }
}

/// Begins a session from a token
///
/// It reaches as far and lives as long as the token, and is as strict as the session that the token was
/// issued in.
///
/// Asked again with the same key, it is the session that is open already: a server that asks for each
/// request, or that forgot, must not fill up the agent's sessions.
///
/// A workload token needs the proof that came with it. `AgentTrust-Key-Thumbprint` says by which key every further
/// proof is made, which is then for the server to see to.
#[utoipa::path(
    post, path = "/api/v1/agenttrust/api-sessions/init", operation_id = "init_api_session",
    tag = "sessions",
    params(Target, SessionHeaders),
    request_body = InitApi,
    responses(
        (
            status = 200, description = "The session", body = Session,
            headers(
                ("agenttrust-key-thumbprint" = String, description = "Of a workload token: the thumbprint of the key that it is bound to"),
            ),
            links(("read" = (operation_id = "get_session", parameters(("id" = "$response.body#/session_id"))))),
        ),
        NotFound, Conflict, TooMany, Unavailable,
    ),
)]
pub(super) async fn init_api(
    engine: App,
    caller: Caller,
    headers: HeaderMap,
    payload: Payload,
) -> Result<(Option<[(&'static str, String); 1]>, Json<Session>), Error> {
    caller.need(Permission::InitApiSession)?;
    let target = Target::of(&headers)?;
    let InitApi { token, mode } = payload.json().await?;
    if mode == Some(SessionMode::Unknown) {
        return Err(unknown_mode());
    }
    if is_signed(&token) {
        check_token("token", &token)?;
        let (session, thumbprint) =
            init_workload(&engine, &caller, (&token, &headers), target, mode).await?;
        return Ok((Some([(KEY_THUMBPRINT, thumbprint)]), Json(session)));
    }
    // Whatever could be a token is looked up, and is unknown if it is none.
    if check_token("token", &token).is_err() {
        check_name("token", &token)?;
    }
    let token = sessions::token(&engine, &caller.key, &token)?;
    caller.need_for(Permission::InitApiSession, &token.row.agent_id)?;
    let session = sessions::begin_from_token(&engine, &caller.key, &token, target, mode).await?;
    Ok((None, Json(session)))
}

/// Begins a session from a workload token, with the proof that came with it to the server that asks.
async fn init_workload(
    engine: &Engine,
    caller: &Caller,
    (token, headers): (&str, &HeaderMap),
    target: Option<&str>,
    mode: Option<SessionMode>,
) -> Result<(Session, String), Error> {
    let reach = caller.reach(Permission::InitApiSession)?;
    let began = async {
        let said = |name| text_header(headers, name);
        let (proof, method) = (said(FORWARDED_DPOP)?, said(FORWARDED_DPOP_METHOD)?);
        let (Some(proof), Some(method), Some(url)) = (proof, method, said(FORWARDED_DPOP_URL)?)
        else {
            return Err(Error::proof(
                "the workload token came without the proof that came with it; send that in AgentTrust-DPoP, and what it \
                 was sent to in AgentTrust-DPoP-Method and AgentTrust-DPoP-URL",
            ));
        };
        let urls = [url.to_owned()];
        let presented = Presented { token, proof, method, urls: &urls };
        workload::begin(engine, reach, presented, target, mode).await
    };
    let began = began.await;
    began.inspect_err(|error| tell(engine, &caller.key, "init_session", "", error))
}

/// Reads a session
///
/// For an ad-hoc session, `agent_id` says whose, if more than one agent uses the id. The counters of an ad-hoc session
/// are those of the replica that is asked, since its start; all others are exact.
#[utoipa::path(
    get, path = "/mcp/sessions/{id}", operation_id = "get_session", tag = "sessions",
    params(
        ("id" = Name, Path, description = "The session"),
        ("agent_id" = Option<NameOrEmpty>, Query, description = "The agent whose session it is"),
    ),
    responses((status = 200, description = "The session", body = Session), NotFound, Conflict, Unavailable),
)]
pub(super) async fn get(
    engine: App,
    caller: Caller,
    Id(id): Id,
    params: Params,
) -> Result<Json<Session>, Error> {
    let reach = caller.reach(Permission::ReadSessions)?;
    sessions::get(&engine, reach, &id, params.name("agent_id")?).await.map(Json)
}
