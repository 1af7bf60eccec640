//! Federated tokens: those of other issuers looked into and good for a session, and opaque ones of ours beside them.

use agenttrust::model::headers::TARGET;
use agenttrust::model::schema::{Capability, Name, NameOrEmpty};
use agenttrust::model::{
    FederatedIntrospection, FederatedToken, FederationTest, Session, TakenBack, TokenKind,
};
use axum::Json;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::App;
use super::answers::{Conflict, NotFound, TooMany, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::{described_header, text_header};
use crate::domain::names::{check_name, check_names, check_text};
use crate::domain::numbers::whole;
use crate::domain::{Error, ErrorKind, Permission, Reach};
use crate::engine::Engine;
use crate::services::federation::tokens::{self, NewFederatedToken, TOKEN_PREFIX};
use crate::services::federation::{self, Audiences, NotVerified, Verified, no_rule, refused};
use crate::services::tokens::{IntrospectedToken, revoke as revoke_token};

/// The longest life of a token, in seconds.
const TTL_MOST: u64 = 86_400;

/// The body of what asks about a token.
#[derive(Deserialize, ToSchema)]
#[schema(as = VerifyFederatedToken)]
pub(super) struct Asked {
    /// The token: a JWT of a registered provider, or `fed_…`.
    #[schema(min_length = 1)]
    token: String,
    /// The issuer that it must be of, where the caller knows.
    #[serde(default)]
    #[schema(max_length = 2000, pattern = "^[^\\u0000]*$")]
    issuer_hint: Option<String>,
}

impl Asked {
    async fn read(payload: Payload) -> Result<Self, Error> {
        let asked: Self = payload.json().await?;
        asked.check()?;
        Ok(asked)
    }

    fn check(&self) -> Result<(), Error> {
        // Anything else is no token that works, and is answered like one.
        if self.token.is_empty() {
            return Err(Error::invalid("token", "is empty; send the token"));
        }
        self.hint().map_or(Ok(()), |hint| check_text("issuer_hint", hint))
    }

    fn hint(&self) -> Option<&str> {
        self.issuer_hint.as_deref().filter(|hint| !hint.is_empty())
    }

    fn is_ours(&self) -> bool {
        self.token.starts_with(TOKEN_PREFIX)
    }
}

/// The headers that a request about a token may have.
struct TokenHeaders;

impl IntoParams for TokenHeaders {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let said =
            "Where a token of ours is used: of one that has an audience, it must name this. UTF-8";
        vec![described_header(TARGET, said, NameOrEmpty::schema())]
    }
}

fn target(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let target = text_header(headers, TARGET)?;
    target.map_or(Ok(()), |target| check_name(TARGET, target))?;
    Ok(target)
}

/// A token that works: one that was issued here, or one of another issuer.
enum ResolvedToken {
    Ours(IntrospectedToken),
    Others(Box<Verified>),
}

/// Looks into a token that a caller sent for `operation`. The reason why it is refused is in the audit, and nowhere
/// else.
async fn known(
    engine: &Engine,
    reach: Reach<'_>,
    (asked, target): (&Asked, Option<&str>),
    operation: &'static str,
) -> Result<ResolvedToken, Error> {
    let key = reach.key;
    if asked.is_ours() {
        let introspected = tokens::introspect(engine, reach, &asked.token, target);
        return introspected.map(ResolvedToken::Ours).map_err(|not| {
            refused(engine, key, operation, None, &not);
            not.into()
        });
    }
    let audiences = Audiences::OfProvider;
    let verified =
        federation::verify(engine, &key.org_id, &asked.token, asked.hint(), audiences).await;
    verified.map(|verified| ResolvedToken::Others(Box::new(verified))).map_err(
        |not: NotVerified| {
            refused(engine, key, operation, not.provider_id.as_deref(), &not);
            not.told_to(reach)
        },
    )
}

/// Verifies a federated token
///
/// A token that does not work is answered the same whatever is wrong with it, but for one that was right in all else
/// and has expired. Why it was refused is in the audit.
#[utoipa::path(
    post, path = "/api/v1/federation/tokens/verify", operation_id = "verify_federated_token", tag = "federation",
    params(TokenHeaders),
    request_body = Asked,
    responses((status = 200, description = "What it is worth", body = FederatedIntrospection), Unavailable),
)]
pub(super) async fn verify(
    engine: App,
    caller: Caller,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Json<FederatedIntrospection>, Error> {
    introspection(&engine, &caller, &headers, payload, "verify").await
}

/// Asks what a federated token is worth now
///
/// It does the same as verifying it, under its other name.
#[utoipa::path(
    post, path = "/api/v1/federation/tokens/introspect", operation_id = "introspect_federated_token",
    tag = "federation",
    params(TokenHeaders),
    request_body = Asked,
    responses((status = 200, description = "What it is worth", body = FederatedIntrospection), Unavailable),
)]
pub(super) async fn introspect(
    engine: App,
    caller: Caller,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Json<FederatedIntrospection>, Error> {
    introspection(&engine, &caller, &headers, payload, "introspect").await
}

async fn introspection(
    engine: &Engine,
    caller: &Caller,
    headers: &HeaderMap,
    payload: Payload,
    operation: &'static str,
) -> Result<Json<FederatedIntrospection>, Error> {
    let reach = caller.reach(Permission::IntrospectTokens)?;
    let target = target(headers)?;
    let asked = Asked::read(payload.unbegun()).await?;
    let shown = match known(engine, reach, (&asked, target), operation).await {
        Ok(ResolvedToken::Ours(introspected)) => Ok(of_ours(engine, introspected)),
        Ok(ResolvedToken::Others(verified)) => federation::introspect(engine, reach, &verified)
            .inspect_err(|why| {
                refused(engine, reach.key, operation, Some(&verified.provider_id), why)
            })
            .map_err(|_| Error::unauthenticated(federation::NO_SUCH_TOKEN)),
        Err(error) => Err(error),
    };
    match shown {
        Ok(shown) => Ok(Json(shown)),
        Err(error) => not_valid(error).map(Json),
    }
}

fn of_ours(engine: &Engine, introspected: IntrospectedToken) -> FederatedIntrospection {
    let mut shown = FederatedIntrospection::default();
    let row = &introspected.token.row;
    (shown.valid, shown.active) = (true, true);
    shown.agent_id = Some(row.agent_id.clone());
    shown.issuer = engine.settings.public_url().map(str::to_owned);
    shown.expires_at = Some(row.expires_at);
    shown.scopes = introspected.scopes;
    shown.audience = row.audience.to_vec();
    shown
}

/// Returns what is said of a token that does not work. That nothing could be decided is no such answer.
fn not_valid(error: Error) -> Result<FederatedIntrospection, Error> {
    let code = match error.kind() {
        ErrorKind::TokenExpired => "TOKEN_EXPIRED",
        ErrorKind::Unauthenticated => "AUTH_FAILED",
        _ => return Err(error),
    };
    let mut shown = FederatedIntrospection::default();
    shown.error = Some(format!("{code}: {}", error.message()));
    Ok(shown)
}

/// Begins a session from a federated token
///
/// The agent is the one that the first fitting rule of its provider names; how far the session goes says the provider's
/// trust level. It ends with the token. Asked again with the same key, it is the session that is open already.
#[utoipa::path(
    post, path = "/api/v1/federation/sessions/init", operation_id = "init_federated_session", tag = "federation",
    params(TokenHeaders),
    request_body = Asked,
    responses(
        (
            status = 200, description = "The session", body = Session,
            links(("read" = (operation_id = "get_session", parameters(("id" = "$response.body#/session_id"))))),
        ),
        NotFound, Conflict, TooMany, Unavailable,
    ),
)]
pub(super) async fn init_session(
    engine: App,
    caller: Caller,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Json<Session>, Error> {
    const OPERATION: &str = "init_session";
    // A token is looked at before it is known whose it is.
    let reach = caller.reach(Permission::InitApiSession)?;
    let target = target(&headers)?;
    let asked = Asked::read(payload).await?;
    match known(&engine, reach, (&asked, target), OPERATION).await? {
        ResolvedToken::Ours(introspected) => {
            caller.need_for(Permission::InitApiSession, &introspected.token.row.agent_id)?;
            let begun = tokens::begin(&engine, &caller.key, &introspected, target).await;
            let begun = begun.inspect_err(|error| {
                refused(&engine, &caller.key, OPERATION, None, &error.message());
            });
            begun.map(Json)
        }
        ResolvedToken::Others(verified) => {
            let begun = async {
                let agent_id = verified.agent_id.as_deref();
                let agent_id = agent_id.ok_or_else(|| no_rule(&verified.provider))?;
                caller.need_for(Permission::InitApiSession, agent_id)?;
                federation::begin(&engine, &caller.key, &verified, "").await
            };
            let begun = begun.await.inspect_err(|error| {
                let why = error.message();
                refused(&engine, &caller.key, OPERATION, Some(&verified.provider_id), &why);
            });
            begun.map(Json)
        }
    }
}

/// The body of `POST /api/v1/federation/test`.
#[derive(Deserialize, ToSchema)]
#[schema(as = TestFederatedToken)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    /// The token: a JWT of a registered provider, or `fed_…`.
    #[schema(min_length = 1)]
    token: String,
    /// The issuer that it must be of, where the caller knows.
    #[serde(default)]
    #[schema(max_length = 2000, pattern = "^[^\\u0000]*$")]
    issuer_hint: Option<String>,
}

/// Tells what a federated token would do, step by step
///
/// Each step says why the token is good or not. It opens no session, and the audit records only that it was asked.
#[utoipa::path(
    post, path = "/api/v1/federation/test", operation_id = "test_federated_token", tag = "federation",
    request_body = Test,
    responses((status = 200, description = "The steps, up to the first that failed", body = FederationTest)),
)]
pub(super) async fn test(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<FederationTest>, Error> {
    let reach = caller.reach(Permission::ReadFederation)?;
    let Test { token, issuer_hint } = payload.unbegun().json().await?;
    let asked = Asked { token, issuer_hint };
    asked.check()?;
    let told = federation::test(&engine, &caller.key, reach, (&asked.token, asked.hint())).await;
    Ok(Json(told))
}

/// The body of `POST /api/v1/federation/tokens/issue`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = IssueFederatedToken)]
pub(super) struct Issue {
    /// The agent that the token speaks for.
    #[schema(value_type = Name)]
    agent_id: String,
    /// The place where the token may be used; absent and empty mean anywhere.
    #[serde(default)]
    #[schema(value_type = Option<NameOrEmpty>)]
    audience: Option<String>,
    /// The scopes of the token; empty means all that the agent may when it is issued.
    #[serde(default)]
    #[schema(value_type = Vec<Capability>, max_items = 256)]
    scopes: Vec<String>,
    /// The time that the token lives, in seconds.
    #[serde(default = "one_hour", deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 86400, default = 3600)]
    ttl: u64,
}

fn one_hour() -> u64 {
    3_600
}

/// Issues an opaque federation token
#[utoipa::path(
    post, path = "/api/v1/federation/tokens/issue", operation_id = "issue_federated_token", tag = "federation",
    request_body = Issue,
    responses(
        (
            status = 200, description = "The token, shown this once", body = FederatedToken,
            links(
                ("verify" = (operation_id = "verify_federated_token", request_body = json!({ "token": "$response.body#/token" }))),
                ("revoke" = (operation_id = "revoke_federated_token", request_body = json!({ "token": "$response.body#/token" }))),
            ),
        ),
        NotFound, Conflict, TooMany, Unavailable,
    ),
)]
pub(super) async fn issue(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<FederatedToken>, Error> {
    caller.need(Permission::IssueTokens)?;
    let body: Issue = payload.json().await?;
    check_name("agent_id", &body.agent_id)?;
    check_names("scopes", &body.scopes)?;
    let audience = body.audience.filter(|audience| !audience.is_empty());
    audience.as_deref().map_or(Ok(()), |audience| check_name("audience", audience))?;
    if !(1..=TTL_MOST).contains(&body.ttl) {
        let range = format!("is {}; it is at least 1 and at most {TTL_MOST} seconds", body.ttl);
        return Err(Error::invalid("ttl", range));
    }
    caller.need_for(Permission::IssueTokens, &body.agent_id)?;
    let new =
        NewFederatedToken { agent_id: body.agent_id, scopes: body.scopes, audience, ttl: body.ttl };
    let issued = tokens::issue(&engine, &caller.key, new).await?;
    let mut token = FederatedToken::default();
    token.id_token = issued.secret.expose().to_owned();
    token.expires_in = body.ttl;
    token.token_id = Some(issued.row.id);
    Ok(Json(token))
}

/// The body of `POST /api/v1/federation/tokens/revoke`.
#[derive(Deserialize, ToSchema)]
#[schema(as = RevokeFederatedToken)]
pub(super) struct Revoke {
    /// The token, `fed_…`.
    #[schema(value_type = Name)]
    token: String,
    /// The reason, which the audit keeps. At most 2,000 bytes of UTF-8.
    #[serde(default)]
    #[schema(max_length = 2000, pattern = "^[^\\u0000]*$")]
    reason: String,
}

/// Revokes an opaque federation token and the sessions made from it
///
/// It is in force at once at the Guardian that answers, also while its database or its disk refuses. A token of another
/// issuer is revoked there.
#[utoipa::path(
    post, path = "/api/v1/federation/tokens/revoke", operation_id = "revoke_federated_token", tag = "federation",
    request_body = Revoke,
    responses((status = 200, description = "It is revoked", body = TakenBack), NotFound),
)]
pub(super) async fn revoke(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<TakenBack>, Error> {
    let reach = caller.reach(Permission::RevokeTokens)?;
    let Revoke { token, reason } = payload.json().await?;
    check_name("token", &token)?;
    check_text("reason", &reason)?;
    let durable = revoke_token(&engine, reach, TokenKind::Federation, &token, &reason).await?;
    Ok(Json(TakenBack::new("revoked", durable)))
}
