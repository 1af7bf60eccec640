//! Sessions: begun with a server or from a token, and read.

use std::sync::Arc;

use agenttrust::model::{InitSessionRequest, Session, SessionMode, SessionSource};
use axum::Json;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::agents::{known, open_with_ceiling, restricted_without_ceiling, unknown_mode};
use super::answers::{Conflict, NotFound, TooMany, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::{Id, Params};
use super::tokens::active;
use super::{ApiError, App};
use crate::audit::Record;
use crate::ids::{self, SESSION_PREFIX};
use crate::names::{check_name, check_names};
use crate::registry::{AgentEntry, SessionEntry, show, stricter, strictness};
use crate::role::{Access, Permission};
use crate::secret::Fingerprint;
use crate::state::State;
use crate::store::{Counts, SessionRow};
use agenttrust::model::CapabilitySet;
use agenttrust::model::schema::{Name, NameOrEmpty};

/// Begin a session with a server
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
    state: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<Session>, ApiError> {
    caller.need(Permission::InitSession)?;
    let body: InitSessionRequest = payload.json().await?;
    check_name("agent_id", &body.agent_id)?;
    check_name("server_id", &body.server_id)?;
    check_names("scope_ceiling", body.scope_ceiling.as_deref().unwrap_or_default())?;
    if body.scope_ceiling.as_ref().is_some_and(Vec::is_empty) {
        return Err(ApiError::invalid(
            "scope_ceiling",
            "is empty, which would allow nothing; give it scopes, or leave it out for no ceiling",
        ));
    }
    caller.need_for(Permission::InitSession, &body.agent_id)?;
    let agent = known(&state, &caller, &body.agent_id)?;
    active(&agent)?;
    let (mode, ceiling) = tightened(&agent, body.mode, body.scope_ceiling)?;
    let now = state.clock.now();
    let expires_at = now.saturating_add(state.settings.session_ttl);
    let row = SessionRow {
        id: ids::new(SESSION_PREFIX),
        org_id: caller.org_id().to_owned(),
        agent_id: body.agent_id,
        source: SessionSource::Mcp,
        server_id: body.server_id,
        mode,
        ceiling: ceiling.map(Into::into),
        token_id: None,
        created_at: now,
        expires_at,
        ended: false,
        opened_by: Some(caller.key.id.clone()),
    };
    open(&state, &caller, row).await
}

/// The body of `POST /api/v1/agenttrust/api-sessions/init`.
#[derive(Deserialize, ToSchema)]
#[schema(as = InitApiSession)]
pub(super) struct InitApi {
    /// The token, `at_…`.
    #[schema(value_type = Name)]
    token: String,
    /// A mode to tighten the session to.
    #[serde(default)]
    mode: Option<SessionMode>,
}

/// Begin a session from a token
///
/// It reaches as far and lives as long as the token, and is as strict as the session that the token was
/// issued in.
///
/// Asked again with the same key, it is the session that is open already: a server that asks for each
/// request, or that forgot, must not fill up the agent's sessions.
#[utoipa::path(
    post, path = "/api/v1/agenttrust/api-sessions/init", operation_id = "init_api_session",
    tag = "sessions",
    request_body = InitApi,
    responses(
        (
            status = 200, description = "The session", body = Session,
            links(("read" = (operation_id = "get_session", parameters(("id" = "$response.body#/session_id"))))),
        ),
        NotFound, Conflict, TooMany, Unavailable,
    ),
)]
pub(super) async fn init_api(
    state: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<Session>, ApiError> {
    caller.need(Permission::InitApiSession)?;
    let InitApi { token, mode } = payload.json().await?;
    check_name("token", &token)?;
    if mode == Some(SessionMode::Unknown) {
        return Err(unknown_mode());
    }
    let token = state
        .registry
        .tokens
        .get(caller.org_id(), &Fingerprint::of(&token))
        .ok_or_else(no_such_token)?;
    caller.need_for(Permission::InitApiSession, &token.row.agent_id)?;
    let now = state.clock.now();
    if token.row.expires_at <= now {
        return Err(ApiError::token_expired());
    }
    let agent = known(&state, &caller, &token.row.agent_id)?;
    active(&agent)?;
    if !state.registry.works(&token, now) {
        return Err(no_such_token());
    }
    let mut mode = stricter(mode.unwrap_or(SessionMode::Restricted), SessionMode::Restricted);
    mode = stricter(mode, agent.floor.mode());
    let mut expires_at = token.row.expires_at;
    if let Some(outer) = state.registry.session_of(&token) {
        mode = stricter(mode, outer.limits.mode());
        expires_at = expires_at.min(outer.row.expires_at);
    }
    let opened = state.registry.sessions.opened_from(&token.row.id, &caller.key.id);
    let same = opened.iter().find(|session| {
        session.row.mode == mode
            && session.row.expires_at == expires_at
            && state.registry.is_open(session, now)
    });
    if let Some(session) = same {
        return Ok(Json(shown(&state, session).await?));
    }
    let row = SessionRow {
        id: ids::new(SESSION_PREFIX),
        org_id: caller.org_id().to_owned(),
        agent_id: token.row.agent_id.clone(),
        source: SessionSource::Api,
        server_id: String::new(),
        mode,
        ceiling: Some(Arc::clone(&token.row.scopes)),
        token_id: Some(token.row.id.clone()),
        created_at: now,
        expires_at,
        ended: false,
        opened_by: Some(caller.key.id.clone()),
    };
    open(&state, &caller, row).await
}

/// Read a session
///
/// Of an ad-hoc session `agent_id` says whose, if more than one agent uses the id. The counters of an
/// ad-hoc session are those of the replica that is asked, since its start; all others are exact.
#[utoipa::path(
    get, path = "/mcp/sessions/{id}", operation_id = "get_session", tag = "sessions",
    params(
        ("id" = Name, Path, description = "The session"),
        ("agent_id" = Option<NameOrEmpty>, Query, description = "The agent whose session it is"),
    ),
    responses((status = 200, description = "The session", body = Session), NotFound, Conflict, Unavailable),
)]
pub(super) async fn get(
    state: App,
    caller: Caller,
    Id(id): Id,
    params: Params,
) -> Result<Json<Session>, ApiError> {
    let access = caller.need(Permission::ReadSessions)?;
    let unknown = || ApiError::unknown("session", &id);
    let agent_id = params.name("agent_id")?;
    if id.starts_with(SESSION_PREFIX) {
        let session = open_session(&state, caller.org_id(), &id).ok_or_else(unknown)?;
        // Not "another agent's": an id tells nothing about whose it is.
        if access == Access::Own && !caller.key.is_bound_to(&session.row.agent_id) {
            return Err(unknown());
        }
        return Ok(Json(shown(&state, &session).await?));
    }
    let mut found = state
        .registry
        .agents
        .list(caller.org_id())
        .into_iter()
        .filter(|entry| access == Access::Any || caller.key.is_bound_to(&entry.agent.id))
        .filter(|entry| agent_id.is_none_or(|agent_id| agent_id == entry.agent.id))
        .filter_map(|entry| {
            let session = state.registry.adhoc.get(&entry.agent.id, &id)?;
            Some((entry, session))
        });
    let (entry, session) = found.next().ok_or_else(unknown)?;
    if found.next().is_some() {
        return Err(ApiError::conflict(format!(
            "more than one agent uses session {id:?}; say whose with ?agent_id="
        )));
    }
    let mut shown = Session::default();
    shown.session_id.clone_from(&id);
    shown.agent_id.clone_from(&entry.agent.id);
    shown.org_id.clone_from(&entry.agent.org_id);
    shown.source = SessionSource::Api;
    shown.mode = entry.floor.mode();
    shown.scope_ceiling = entry.floor.ceiling().to_vec();
    shown.created_at = Some(session.created_at);
    show(&session.counts(), &mut shown);
    Ok(Json(shown))
}

/// The session with all that was counted in it up to now.
async fn shown(state: &State, session: &SessionEntry) -> Result<Session, ApiError> {
    // Decisions that were answered may be on their way to the disk.
    state.audit.flush().await;
    let row = &session.row;
    let counts = state.reading_store.session_counts(row.id.clone(), row.created_at).await?;
    Ok(session.show(&counts))
}

/// The session of this id, if it is open now.
pub(super) fn open_session(state: &State, org_id: &str, id: &str) -> Option<Arc<SessionEntry>> {
    let now = state.clock.now();
    state.registry.sessions.get(org_id, id).filter(|session| state.registry.is_open(session, now))
}

/// The mode and ceiling of a new session: what was asked for, if that only tightens the floor.
fn tightened(
    agent: &AgentEntry,
    mode: Option<SessionMode>,
    ceiling: Option<Vec<String>>,
) -> Result<(SessionMode, Option<Vec<String>>), ApiError> {
    let floor = &agent.floor;
    let id = &agent.agent.id;
    let mode = match (mode, &ceiling) {
        (Some(SessionMode::Unknown), _) => return Err(unknown_mode()),
        (Some(SessionMode::Open), _) if strictness(floor.mode()) > 0 => {
            return Err(ApiError::forbidden(format!(
                "mode open is looser than the floor of agent {id:?}, which is {}",
                floor.mode()
            )));
        }
        (Some(SessionMode::Open), Some(_)) => return Err(open_with_ceiling()),
        (Some(SessionMode::Restricted), None) if !floor.has_ceiling() => {
            return Err(restricted_without_ceiling());
        }
        (Some(mode), _) => stricter(mode, floor.mode()),
        (None, Some(_)) => stricter(SessionMode::Restricted, floor.mode()),
        (None, None) => floor.mode(),
    };
    let Some(names) = ceiling else {
        let inherited = floor.has_ceiling().then(|| floor.ceiling().to_vec());
        return Ok((mode, inherited));
    };
    let wanted = CapabilitySet::parse(&names)
        .map_err(|error| ApiError::capability("scope_ceiling", &error))?;
    if let Some(scope) = agent.capabilities.first_uncovered(&wanted) {
        return Err(ApiError::forbidden(format!(
            "scope_ceiling names {scope:?}, which no capability of agent {id:?} covers"
        )));
    }
    if let Some(scope) = floor.first_uncovered(&wanted) {
        return Err(ApiError::forbidden(format!(
            "scope_ceiling names {scope:?}, which is outside the floor of agent {id:?}"
        )));
    }
    Ok((mode, Some(names)))
}

async fn open(state: &State, caller: &Caller, row: SessionRow) -> Result<Json<Session>, ApiError> {
    if state.registry.sessions.is_full(&row.agent_id, row.created_at) {
        return Err(ApiError::too_many(format!(
            "agent {:?} has as many open sessions as it may have; let some expire",
            row.agent_id
        )));
    }
    state.ready_to_change()?;
    if !state.store.insert_session(row.clone()).await? {
        return Err(over(state, caller, &row));
    }
    state.catch_up().await?;
    // Meanwhile somebody may have revoked the agent or the token, and the session with it.
    let entry = state.registry.sessions.get(caller.org_id(), &row.id);
    let open = |entry: &Arc<SessionEntry>| state.registry.is_open(entry, row.created_at);
    let Some(entry) = entry.filter(open) else {
        return Err(over(state, caller, &row));
    };
    let record = Record::new("session.opened", caller.org_id())
        .agent(&row.agent_id)
        .actor(&caller.key.id)
        .body(about(&row));
    state.note(record).await?;
    Ok(Json(entry.show(&Counts::none(row.created_at))))
}

/// Why a session cannot begin whose agent or token was good a moment ago.
fn over(state: &State, caller: &Caller, row: &SessionRow) -> ApiError {
    match known(state, caller, &row.agent_id).and_then(|agent| active(&agent)) {
        Err(error) => error,
        Ok(()) if row.token_id.is_some() => no_such_token(),
        Ok(()) => ApiError::conflict(format!(
            "agent {:?} was suspended or revoked meanwhile; see how it stands and try again",
            row.agent_id
        )),
    }
}

fn no_such_token() -> ApiError {
    ApiError::unauthenticated("the token does not work; have one issued")
}

fn about(row: &SessionRow) -> Value {
    json!({
        "session_id": row.id,
        "source": row.source,
        "server_id": row.server_id,
        "mode": row.mode,
        "scope_ceiling": row.ceiling.as_deref(),
        "token_id": row.token_id,
    })
}
