//! Opaque agent tokens: issued, looked into, revoked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::model::{AgentStatus, IntrospectionResult, Token};
use axum::Json;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::agents::known;
use super::answers::{Conflict, NotFound, TakenBack, TooMany, Unavailable};
use super::auth::Caller;
use super::body::{Payload, whole};
use super::sessions::open_session;
use super::{ApiError, App};
use crate::audit::Record;
use crate::ids::{self, SESSION_PREFIX};
use crate::names::{check_name, check_names, check_text};
use crate::registry::{AgentEntry, SessionEntry, TokenEntry};
use crate::role::{Access, Permission};
use crate::secret::{Fingerprint, Secret};
use crate::state::State;
use crate::store::TokenRow;
use agenttrust::model::CapabilitySet;
use agenttrust::model::schema::{Capability, Name, NameOrEmpty};

/// The longest life of a token, in seconds.
const TTL_MOST: u64 = 86_400;

/// The body of `POST /api/v1/agent-tokens/issue`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = IssueToken)]
pub(super) struct Issue {
    /// The agent that the token speaks for.
    #[schema(value_type = Name)]
    agent_id: String,
    /// What it may be used for.
    #[serde(default)]
    #[schema(value_type = Vec<Capability>, max_items = 256)]
    scopes: Vec<String>,
    /// Where it may be used; empty means anywhere.
    #[serde(default)]
    #[schema(value_type = Vec<Name>, max_items = 256)]
    audience: Vec<String>,
    /// How long it lives, in seconds.
    #[serde(default = "five_minutes", deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 86400, default = 300)]
    ttl: u64,
    /// A session that it reaches no further than.
    #[serde(default)]
    #[schema(value_type = Option<NameOrEmpty>)]
    session_id: Option<String>,
}

fn five_minutes() -> u64 {
    300
}

/// Issue a token
#[utoipa::path(
    post, path = "/api/v1/agent-tokens/issue", operation_id = "issue_token", tag = "tokens",
    request_body = Issue,
    responses(
        (
            status = 200, description = "The token, shown this once", body = Token,
            links(("introspect" = (operation_id = "introspect_token", request_body = json!({ "token": "$response.body#/token" }))), ("revoke" = (operation_id = "revoke_token", request_body = json!({ "token": "$response.body#/token" }))), ("begin a session" = (operation_id = "init_api_session", request_body = json!({ "token": "$response.body#/token" })))),
        ),
        NotFound, Conflict, TooMany, Unavailable,
    ),
)]
pub(super) async fn issue(
    state: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<Token>, ApiError> {
    caller.need(Permission::IssueTokens)?;
    let body: Issue = payload.json().await?;
    check_name("agent_id", &body.agent_id)?;
    check_names("scopes", &body.scopes)?;
    check_names("audience", &body.audience)?;
    if !(1..=TTL_MOST).contains(&body.ttl) {
        let range = format!("is {}; it is at least 1 and at most {TTL_MOST} seconds", body.ttl);
        return Err(ApiError::invalid("ttl", range));
    }
    caller.need_for(Permission::IssueTokens, &body.agent_id)?;
    let agent = known(&state, &caller, &body.agent_id)?;
    active(&agent)?;
    let scopes = CapabilitySet::parse(&body.scopes)
        .map_err(|error| ApiError::capability("scopes", &error))?;
    if let Some(scope) = agent.capabilities.first_uncovered(&scopes) {
        return Err(ApiError::forbidden(format!(
            "scopes names {scope:?}, which no capability of agent {:?} covers",
            body.agent_id
        )));
    }
    if let Some(scope) = agent.floor.first_uncovered(&scopes) {
        return Err(ApiError::forbidden(format!(
            "scopes names {scope:?}, which is outside the floor of agent {:?}",
            body.agent_id
        )));
    }
    let now = state.clock.now();
    let mut expires_at = now.saturating_add(Duration::from_secs(body.ttl));
    let session_id = body.session_id.filter(|id| !id.is_empty());
    if let Some(id) = &session_id {
        check_name("session_id", id)?;
        if let Some(session) = within_session(&state, &caller, id, &body.agent_id, &scopes)? {
            expires_at = expires_at.min(session.row.expires_at);
        }
    }
    if state.registry.tokens.is_full(&body.agent_id, now) {
        return Err(ApiError::too_many(format!(
            "agent {:?} has as many live tokens as it may have; revoke some or let them expire",
            body.agent_id
        )));
    }
    state.ready_to_change()?;

    let secret = Secret::random("at_")?;
    let row = TokenRow {
        id: ids::new("tok_"),
        hash: secret.fingerprint(),
        org_id: caller.org_id().to_owned(),
        agent_id: body.agent_id,
        scopes: body.scopes.into(),
        audience: body.audience.into(),
        session_id,
        expires_at,
        revoked: false,
    };
    if !state.store.insert_token(row.clone(), now).await? {
        active(&*known(&state, &caller, &row.agent_id)?)?;
        return Err(ApiError::conflict(format!(
            "agent {:?} was suspended or revoked meanwhile; see how it stands and try again",
            row.agent_id
        )));
    }
    state.catch_up().await?;
    // Meanwhile somebody may have revoked the agent, and the token with it.
    if known(&state, &caller, &row.agent_id)?.agent.status == AgentStatus::Revoked {
        return Err(ApiError::agent_revoked(&row.agent_id));
    }
    let about = json!({ "token_id": row.id, "scopes": *row.scopes, "audience": *row.audience, "ttl": body.ttl,
                        "session_id": row.session_id });
    state.note(record(&caller, "token.issued", &row.agent_id, about)).await?;

    let mut token = Token::new(secret.expose(), row.agent_id);
    token.token_id = Some(row.id);
    token.scopes = row.scopes.to_vec();
    token.audience = row.audience.to_vec();
    token.issued_at = Some(now);
    token.expires_at = Some(row.expires_at);
    Ok(Json(token))
}

/// The body of `POST /api/v1/agent-tokens/introspect`.
#[derive(Deserialize, ToSchema)]
#[schema(as = IntrospectToken)]
pub(super) struct Introspect {
    /// The token.
    #[schema(value_type = Name)]
    token: String,
    /// Where it is about to be used; at most 2,000 bytes of UTF-8.
    #[serde(default)]
    #[schema(max_length = 2000, pattern = "^[^\\u0000]*$")]
    target: Option<String>,
    /// The scopes that it must carry to be active.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Name>>, max_items = 256)]
    required_scopes: Option<Vec<String>>,
}

/// Ask what a token is worth now
///
/// A token that does not work is answered the same whether it expired, was revoked, is another
/// agent's or never was.
#[utoipa::path(
    post, path = "/api/v1/agent-tokens/introspect", operation_id = "introspect_token", tag = "tokens",
    request_body = Introspect,
    responses((status = 200, description = "What it is worth", body = IntrospectionResult)),
)]
pub(super) async fn introspect(
    state: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<IntrospectionResult>, ApiError> {
    let begun = Instant::now();
    let access = caller.need(Permission::IntrospectTokens)?;
    let body: Introspect = payload.unbegun().json().await?;
    check_name("token", &body.token)?;
    let required = body.required_scopes.unwrap_or_default();
    check_names("required_scopes", &required)?;
    let target = body.target.filter(|target| !target.is_empty());
    target.as_deref().map_or(Ok(()), |target| check_text("target", target))?;

    let mut result = IntrospectionResult::default();
    result.guard_tier = Some("fast".to_owned());
    let hash = Fingerprint::of(&body.token);
    let found = live(&state, &caller, &hash)
        .filter(|found| access == Access::Any || caller.key.is_bound_to(&found.agent.agent.id));
    match found {
        None => result.reasoning = Some("the token does not work".to_owned()),
        Some(found) => {
            let refused = found.refusal(target.as_deref(), &required);
            result.active = refused.is_none();
            result.reasoning = Some(refused.unwrap_or_else(|| "the token works".to_owned()));
            if result.active {
                result.agent_id = Some(found.token.row.agent_id.clone());
                result.org_id = Some(found.token.row.org_id.clone());
                result.scopes = found.scopes();
                result.expires_at = Some(found.token.row.expires_at);
                result.confidence = Some(1.0);
            }
        }
    }
    result.latency_ms = Some(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
    Ok(Json(result))
}

/// The body of `POST /api/v1/agent-tokens/revoke`.
#[derive(Deserialize, ToSchema)]
#[schema(as = RevokeToken)]
pub(super) struct Revoke {
    /// The token.
    #[schema(value_type = Name)]
    token: String,
    /// Why, for whoever reads the audit; at most 2,000 bytes of UTF-8.
    #[serde(default)]
    #[schema(max_length = 2000, pattern = "^[^\\u0000]*$")]
    reason: String,
}

/// Revoke a token and the sessions made from it
///
/// It is in force at once at the Guardian that answers, also while its database or its disk refuses.
#[utoipa::path(
    post, path = "/api/v1/agent-tokens/revoke", operation_id = "revoke_token", tag = "tokens",
    request_body = Revoke,
    responses((status = 200, description = "It is revoked", body = TakenBack), NotFound),
)]
pub(super) async fn revoke(
    state: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<TakenBack>, ApiError> {
    let access = caller.need(Permission::RevokeTokens)?;
    let body: Revoke = payload.json().await?;
    check_name("token", &body.token)?;
    check_text("reason", &body.reason)?;
    let hash = Fingerprint::of(&body.token);
    let is = |token: &TokenEntry| token.row.hash == hash && token.row.org_id == caller.org_id();
    let token = state
        .registry
        .tokens
        .get(caller.org_id(), &hash)
        .or_else(|| state.taking_token(is))
        .filter(|token| access == Access::Any || caller.key.is_bound_to(&token.row.agent_id))
        .ok_or_else(|| ApiError::not_found("there is no such token that works"))?;
    let about = json!({ "token_id": token.row.id, "reason": body.reason });
    let record = record(&caller, "token.revoked", &token.row.agent_id, about);
    let durable = state.take_token(token, record).await;
    Ok(Json(TakenBack { status: "revoked", durable }))
}

/// A token that works now, with all that narrows it.
struct Working {
    token: Arc<TokenEntry>,
    agent: Arc<AgentEntry>,
    session: Option<Arc<SessionEntry>>,
}

impl Working {
    /// Whether it carries this scope now: the agent's floor may have been lowered since it was issued.
    fn covers(&self, scope: &str) -> bool {
        self.token.scopes.covers(scope)
            && self.agent.capabilities.covers(scope)
            && self.agent.floor.covers(scope)
            && self.session.as_ref().is_none_or(|session| session.limits.covers(scope))
    }

    /// Those of its scopes that it carries in full now.
    fn scopes(&self) -> Vec<String> {
        let in_full = |scope: &&String| {
            CapabilitySet::parse(std::slice::from_ref(*scope)).is_ok_and(|scope| {
                self.agent.capabilities.first_uncovered(&scope).is_none()
                    && self.agent.floor.first_uncovered(&scope).is_none()
                    && self
                        .session
                        .as_ref()
                        .is_none_or(|session| session.limits.first_uncovered(&scope).is_none())
            })
        };
        self.token.row.scopes.iter().filter(in_full).cloned().collect()
    }

    /// Why it does not do for this target and these scopes.
    fn refusal(&self, target: Option<&str>, required: &[String]) -> Option<String> {
        if let Some(target) = target
            && !self.token.is_for(target)
        {
            return Some(format!("the token is not for target {target:?}"));
        }
        let missing = required.iter().find(|scope| !self.covers(scope))?;
        Some(format!("the token does not carry scope {missing:?}"))
    }
}

/// The token with this fingerprint, if it works now.
fn live(state: &State, caller: &Caller, hash: &Fingerprint) -> Option<Working> {
    let token = state.registry.tokens.get(caller.org_id(), hash)?;
    let agent = state.registry.agents.get(caller.org_id(), &token.row.agent_id)?;
    let works = state.registry.works(&token, state.clock.now())
        && agent.agent.status == AgentStatus::Active;
    let session = state.registry.session_of(&token);
    works.then_some(Working { token, agent, session })
}

/// Refuses an agent that is not active.
pub(super) fn active(entry: &AgentEntry) -> Result<(), ApiError> {
    let id = &entry.agent.id;
    match entry.agent.status {
        AgentStatus::Active => Ok(()),
        AgentStatus::Revoked => Err(ApiError::agent_revoked(id)),
        _ => Err(ApiError::forbidden(format!(
            "agent {id:?} is suspended; an operator can reactivate it"
        ))),
    }
}

/// A token asked for inside an issued session, which is returned, reaches no further than it.
fn within_session(
    state: &State,
    caller: &Caller,
    id: &str,
    agent_id: &str,
    scopes: &CapabilitySet,
) -> Result<Option<Arc<SessionEntry>>, ApiError> {
    if !id.starts_with(SESSION_PREFIX) {
        return Ok(None);
    }
    let session = open_session(state, caller.org_id(), id)
        .filter(|session| session.row.agent_id == agent_id)
        .ok_or_else(|| ApiError::invalid("session_id", "is no open session of this agent"))?;
    match session.limits.first_uncovered(scopes) {
        Some(scope) => Err(ApiError::forbidden(format!(
            "scopes names {scope:?}, which is outside the scope ceiling of session {id:?}"
        ))),
        None => Ok(Some(session)),
    }
}

fn record(caller: &Caller, kind: &'static str, agent_id: &str, body: Value) -> Record {
    Record::new(kind, caller.org_id()).agent(agent_id).actor(&caller.key.id).body(body)
}
