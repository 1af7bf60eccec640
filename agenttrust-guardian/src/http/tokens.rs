//! Opaque agent tokens: issued, looked into, revoked.

use std::time::Instant;

use agenttrust::Timestamp;
use agenttrust::model::schema::{Capability, Name, NameOrEmpty};
use agenttrust::model::{IntrospectionResult, TakenBack, Token, TokenKind};
use axum::Json;
use axum::http::HeaderName;
use axum::http::header::DATE;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde::Deserialize;
use utoipa::ToSchema;

use super::App;
use super::answers::{Conflict, NotFound, TooMany, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use crate::domain::names::{check_name, check_names, check_text};
use crate::domain::numbers::whole;
use crate::domain::{Error, Permission};
use crate::services::tokens::{self, IntrospectedToken, Issued, NewToken};

/// The longest life of a token, in seconds.
const TTL_MOST: u64 = 86_400;

/// The body of `POST /api/v1/agent-tokens/issue`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = IssueToken)]
pub(super) struct Issue {
    /// The agent that the token speaks for.
    #[schema(value_type = Name)]
    agent_id: String,
    /// The scopes that the token may be used for.
    #[serde(default)]
    #[schema(value_type = Vec<Capability>, max_items = 256)]
    scopes: Vec<String>,
    /// The places where the token may be used; empty means anywhere.
    #[serde(default)]
    #[schema(value_type = Vec<Name>, max_items = 256)]
    audience: Vec<String>,
    /// The time that the token lives, in seconds.
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

/// Issues a token
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
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<Token>, Error> {
    caller.need(Permission::IssueTokens)?;
    let body: Issue = payload.json().await?;
    check_name("agent_id", &body.agent_id)?;
    check_names("scopes", &body.scopes)?;
    check_names("audience", &body.audience)?;
    if !(1..=TTL_MOST).contains(&body.ttl) {
        let range = format!("is {}; it is at least 1 and at most {TTL_MOST} seconds", body.ttl);
        return Err(Error::invalid("ttl", range));
    }
    caller.need_for(Permission::IssueTokens, &body.agent_id)?;
    let new = NewToken {
        agent_id: body.agent_id,
        scopes: body.scopes,
        audience: body.audience,
        ttl: body.ttl,
        session_id: body.session_id.filter(|id| !id.is_empty()),
        kind: TokenKind::Agent,
    };
    let Issued { secret, row, at } = tokens::issue(&engine, &caller.key, new).await?;
    let mut token = Token::new(secret.expose(), row.agent_id);
    token.token_id = Some(row.id);
    token.scopes = row.scopes.to_vec();
    token.audience = row.audience.to_vec();
    token.issued_at = Some(at);
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
    /// The place where the token is about to be used; at most 2,000 bytes of UTF-8.
    #[serde(default)]
    #[schema(max_length = 2000, pattern = "^[^\\u0000]*$")]
    target: Option<String>,
    /// The scopes that it must carry to be active.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Name>>, max_items = 256)]
    required_scopes: Option<Vec<String>>,
}

/// Asks what a token is worth now
///
/// A token that does not work is answered the same whether it expired, was revoked, is another
/// agent's or never was.
#[utoipa::path(
    post, path = "/api/v1/agent-tokens/introspect", operation_id = "introspect_token", tag = "tokens",
    request_body = Introspect,
    responses((status = 200, description = "What it is worth", body = IntrospectionResult)),
)]
pub(super) async fn introspect(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<(Option<Dated>, Json<IntrospectionResult>), Error> {
    let begun = Instant::now();
    let reach = caller.reach(Permission::IntrospectTokens)?;
    let body: Introspect = payload.unbegun().json().await?;
    check_name("token", &body.token)?;
    let required = body.required_scopes.unwrap_or_default();
    check_names("required_scopes", &required)?;
    let target = body.target.filter(|target| !target.is_empty());
    target.as_deref().map_or(Ok(()), |target| check_text("target", target))?;

    let mut result = IntrospectionResult::default();
    result.guard_tier = Some("fast".to_owned());
    let introspected =
        tokens::introspect(&engine, reach, &body.token, target.as_deref(), &required);
    result.active = introspected.is_ok();
    match introspected {
        Err(why) => result.reasoning = Some(why),
        Ok(IntrospectedToken { token, scopes }) => {
            result.reasoning = Some("the token works".to_owned());
            result.agent_id = Some(token.row.agent_id.clone());
            result.org_id = Some(token.row.org_id.clone());
            result.scopes = scopes;
            result.expires_at = Some(token.row.expires_at);
            result.confidence = Some(1.0);
        }
    }
    result.latency_ms = Some(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
    Ok((dated(engine.clock.now()), Json(result)))
}

/// The header that says what time it was here, so that a caller can tell how long it is until a time in the answer. A
/// server of HTTP sends it anyway; a client in the same process gets it too.
type Dated = [(HeaderName, String); 1];

fn dated(now: Timestamp) -> Option<Dated> {
    let now = jiff::Timestamp::from_second(now.unix_seconds()).ok()?;
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok()?;
    Some([(DATE, date)])
}

/// The body of `POST /api/v1/agent-tokens/revoke`.
#[derive(Deserialize, ToSchema)]
#[schema(as = RevokeToken)]
pub(super) struct Revoke {
    /// The token.
    #[schema(value_type = Name)]
    token: String,
    /// The reason, which the audit keeps. At most 2,000 bytes of UTF-8.
    #[serde(default)]
    #[schema(max_length = 2000, pattern = "^[^\\u0000]*$")]
    reason: String,
}

/// Revokes a token and the sessions made from it
///
/// It is in force at once at the Guardian that answers, also while its database or its disk refuses.
#[utoipa::path(
    post, path = "/api/v1/agent-tokens/revoke", operation_id = "revoke_token", tag = "tokens",
    request_body = Revoke,
    responses((status = 200, description = "It is revoked", body = TakenBack), NotFound),
)]
pub(super) async fn revoke(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<TakenBack>, Error> {
    let reach = caller.reach(Permission::RevokeTokens)?;
    let body: Revoke = payload.json().await?;
    check_name("token", &body.token)?;
    check_text("reason", &body.reason)?;
    let Revoke { token, reason } = body;
    let durable = tokens::revoke(&engine, reach, TokenKind::Agent, &token, &reason).await?;
    Ok(Json(TakenBack::new("revoked", durable)))
}
