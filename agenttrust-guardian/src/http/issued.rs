//! What was issued and opened: tokens and sessions, listed page by page, and taken back by their ids.

use agenttrust::model::schema::{Name, NameOrEmpty};
use agenttrust::model::{IssuedToken, Session, SessionState, TakenBack, TokenState};
use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::agents::Reason;
use super::answers::{NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::paging::Paging;
use super::params::{Id, Params};
use crate::domain::ids::SESSION_PREFIX;
use crate::domain::{Error, Permission};
use crate::services::issued;
use crate::store::IssuedFilter;

/// The beginning of every token's id.
const TOKEN_PREFIX: &str = "tok_";

/// The answer of `GET /api/v1/agent-tokens`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IssuedTokens {
    /// The newest first.
    tokens: Vec<IssuedToken>,
    /// The value of `before` that asks for the next page; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// Lists the tokens that the caller may see
///
/// The list never holds the secret of a token, which is shown once, when the token is issued.
#[utoipa::path(
    get, path = "/api/v1/agent-tokens", operation_id = "list_tokens", tag = "tokens",
    params(
        ("agent_id" = Option<NameOrEmpty>, Query, description = "Those of this agent"),
        ("key_id" = Option<NameOrEmpty>, Query, description = "Those that were issued with this key"),
        ("state" = Option<TokenState>, Query, description = "Those that stand so"),
        ("before" = Option<NameOrEmpty>, Query, description = "Go on where an answer said `next`"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "So many at most; 1,000 by default"),
    ),
    responses((status = 200, description = "The tokens", body = IssuedTokens), Unavailable),
)]
pub(super) async fn list_tokens(
    engine: App,
    caller: Caller,
    params: Params,
) -> Result<Json<IssuedTokens>, Error> {
    let reach = caller.reach(Permission::ReadTokens)?;
    let (paging, agent_id) =
        (Paging::from_params(&params, TOKEN_PREFIX)?, params.name("agent_id")?);
    let state = params.text("state").map(str::parse::<TokenState>).transpose();
    let state = state
        .map_err(|_| Error::invalid("state", "is not known; use active, expired or revoked"))?;
    let filter = filter(&params, state, &paging)?;
    let mut tokens = issued::tokens(&engine, reach, agent_id, filter).await?;
    let next = paging.cut(&mut tokens, |token| (token.issued_at, &token.token_id));
    Ok(Json(IssuedTokens { tokens, next }))
}

/// The answer of `GET /api/v1/sessions`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IssuedSessions {
    /// The newest first.
    sessions: Vec<Session>,
    /// The value of `before` that asks for the next page; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// Lists the issued sessions that the caller may see
///
/// A gateway sees the sessions that were opened at it. Ad-hoc sessions are not listed.
#[utoipa::path(
    get, path = "/api/v1/sessions", operation_id = "list_sessions", tag = "sessions",
    params(
        ("agent_id" = Option<NameOrEmpty>, Query, description = "Those of this agent"),
        ("key_id" = Option<NameOrEmpty>, Query, description = "Those that were opened with this key"),
        ("state" = Option<SessionState>, Query, description = "Those that stand so"),
        ("before" = Option<NameOrEmpty>, Query, description = "Go on where an answer said `next`"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "So many at most; 1,000 by default"),
    ),
    responses((status = 200, description = "The sessions", body = IssuedSessions), Unavailable),
)]
pub(super) async fn list_sessions(
    engine: App,
    caller: Caller,
    params: Params,
) -> Result<Json<IssuedSessions>, Error> {
    let reach = caller.reach(Permission::ReadSessions)?;
    let paging = Paging::from_params(&params, SESSION_PREFIX)?;
    let agent_id = params.name("agent_id")?;
    let state = params.text("state").map(str::parse::<SessionState>).transpose();
    let state =
        state.map_err(|_| Error::invalid("state", "is not known; use open, expired or revoked"))?;
    let filter = filter(&params, state, &paging)?;
    let mut sessions = issued::sessions(&engine, reach, agent_id, filter).await?;
    let next = paging.cut(&mut sessions, |session| (session.created_at, &session.session_id));
    Ok(Json(IssuedSessions { sessions, next }))
}

fn filter<S>(params: &Params, state: Option<S>, paging: &Paging) -> Result<IssuedFilter<S>, Error> {
    let key_id = params.name("key_id")?.map(str::to_owned);
    let (after, limit) = (paging.after.clone(), paging.looked_for());
    Ok(IssuedFilter { agent_id: None, key_id, state, after, limit })
}

/// Revokes the token of this id, with all that was made from it
///
/// It is in force at once at the Guardian that answers, also while its database or its disk refuses.
#[utoipa::path(
    post, path = "/api/v1/agent-tokens/{id}/revoke", operation_id = "revoke_token_by_id", tag = "tokens",
    params(("id" = Name, Path, description = "The id of the token, which is not the token itself")),
    request_body = Option<Reason>,
    responses((status = 200, description = "It is revoked", body = TakenBack), NotFound),
)]
pub(super) async fn revoke_token(
    engine: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<TakenBack>, Error> {
    let reach = caller.reach(Permission::RevokeTokens)?;
    let Reason { reason } = payload.json_or_empty().await?;
    let durable = issued::revoke_token(&engine, reach, &id, &reason).await?;
    Ok(Json(TakenBack::new("revoked", durable)))
}

/// Revokes a session, with all that was made from it
///
/// The token that it was opened with goes on working: revoke that too where no other session is to be opened
/// with it. It is in force at once at the Guardian that answers, also while its database or its disk refuses.
#[utoipa::path(
    post, path = "/api/v1/sessions/{id}/revoke", operation_id = "revoke_session", tag = "sessions",
    params(("id" = Name, Path, description = "The session")),
    request_body = Option<Reason>,
    responses((status = 200, description = "It is revoked", body = TakenBack), NotFound),
)]
pub(super) async fn revoke_session(
    engine: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<TakenBack>, Error> {
    let reach = caller.reach(Permission::RevokeSessions)?;
    let Reason { reason } = payload.json_or_empty().await?;
    let durable = issued::revoke_session(&engine, reach, &id, &reason).await?;
    Ok(Json(TakenBack::new("revoked", durable)))
}
