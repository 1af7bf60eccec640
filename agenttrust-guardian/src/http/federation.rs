//! Federation providers: registered, read, changed and removed.

use agenttrust::model::schema::{Capability, Name};
use agenttrust::model::{FederationProvider, FederationRule, TakenBack, TrustLevel};
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::App;
use super::answers::{Conflict, NotFound, TooMany, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::Id;
use crate::domain::{Error, Permission};
use crate::services::federation::providers::{self, NewProvider, ProviderUpdate};
use crate::store::Vouching;

/// A rule that says which agent the tokens of one subject with these claims are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewFederationRule)]
pub(super) struct Rule {
    /// The `sub` that the token must have, exactly.
    #[serde(default)]
    #[schema(min_length = 1)]
    subject: Option<String>,
    /// The claims that it must have: each equal to the value here or, where it is a list, with the value in it.
    #[serde(default)]
    #[schema(value_type = Object)]
    claims: Map<String, Value>,
    /// The agent.
    #[schema(value_type = Name)]
    agent_id: String,
    /// The most that sessions of these tokens allow; absent means what the agent may.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Capability>>, max_items = 256)]
    scopes: Option<Vec<String>>,
}

impl From<Rule> for FederationRule {
    fn from(rule: Rule) -> Self {
        let mut made = Self::new(rule.agent_id);
        made.subject = rule.subject;
        made.claims = rule.claims;
        made.scopes = rule.scopes;
        made
    }
}

fn rules(rules: Vec<Rule>) -> Vec<FederationRule> {
    rules.into_iter().map(Into::into).collect()
}

/// The body of `POST /api/v1/federation/providers`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RegisterFederationProvider)]
pub(super) struct Register {
    /// Its issuer, whose `/.well-known/openid-configuration` says the rest: https, at a public address, unless more was
    /// opened.
    #[schema(max_length = 2000)]
    issuer: String,
    /// Its name, for people; another one than those of the organisation's other providers.
    #[schema(value_type = Name)]
    name: String,
    /// The trust level of the provider; `medium` by default.
    #[serde(default)]
    #[schema(value_type = Option<TrustLevel>)]
    trust_level: Option<TrustLevel>,
    /// The audiences of which a token's `aud` must name one; the public URL of the Guardian by default.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Name>>, max_items = 256)]
    audiences: Option<Vec<String>>,
    /// The rules that say which agent a token is: the first that fits counts.
    #[serde(default)]
    #[schema(max_items = 200)]
    rules: Option<Vec<Rule>>,
}

/// Registers a federation provider
///
/// By OpenID Connect discovery: the provider's document must name this issuer, byte for byte, and keys that can be
/// used.
#[utoipa::path(
    post, path = "/api/v1/federation/providers", operation_id = "register_federation_provider", tag = "federation",
    request_body = Register,
    responses(
        (
            status = 201, description = "The provider", body = FederationProvider,
            links(
                ("read" = (operation_id = "get_federation_provider", parameters(("id" = "$response.body#/id")))),
                ("change" = (operation_id = "update_federation_provider", parameters(("id" = "$response.body#/id")))),
                ("remove" = (operation_id = "remove_federation_provider", parameters(("id" = "$response.body#/id")))),
            ),
        ),
        Conflict, TooMany, Unavailable,
    ),
)]
pub(super) async fn register(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<(StatusCode, Json<FederationProvider>), Error> {
    caller.need(Permission::ManageFederation)?;
    let body: Register = payload.json().await?;
    let (name, issuer) = (body.name.clone(), body.issuer.clone());
    let vouching = Vouching {
        name: body.name,
        trust_level: body.trust_level.unwrap_or_default(),
        audiences: body.audiences.unwrap_or_default(),
        rules: rules(body.rules.unwrap_or_default()),
    };
    let new = NewProvider { issuer: body.issuer, vouching };
    let registered = providers::register(&engine, &caller.key, new).await.inspect_err(|error| {
        let named = [("name", &*name), ("issuer", &*issuer)];
        providers::refused(&engine, &caller.key, error, &named);
    })?;
    Ok((StatusCode::CREATED, Json(registered)))
}

/// The answer of `GET /api/v1/federation/providers`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FederationProviders {
    /// The oldest first.
    providers: Vec<FederationProvider>,
}

/// Lists the federation providers of the organisation
#[utoipa::path(
    get, path = "/api/v1/federation/providers", operation_id = "list_federation_providers", tag = "federation",
    responses((status = 200, description = "The providers", body = FederationProviders)),
)]
pub(super) async fn list(engine: App, caller: Caller) -> Result<Json<FederationProviders>, Error> {
    caller.need(Permission::ReadFederation)?;
    Ok(Json(FederationProviders { providers: providers::list(&engine, caller.org_id()) }))
}

/// Reads a federation provider
#[utoipa::path(
    get, path = "/api/v1/federation/providers/{id}", operation_id = "get_federation_provider", tag = "federation",
    params(("id" = Name, Path, description = "The provider")),
    responses((status = 200, description = "The provider", body = FederationProvider), NotFound),
)]
pub(super) async fn get(
    engine: App,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<FederationProvider>, Error> {
    caller.need(Permission::ReadFederation)?;
    let known = providers::known(&engine, caller.org_id(), &id)?;
    Ok(Json(providers::show(&engine, &known.row)))
}

/// The body of `PATCH /api/v1/federation/providers/{id}`; what it says nothing of stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateFederationProvider)]
pub(super) struct Update {
    /// Its name, for people.
    #[serde(default)]
    #[schema(value_type = Option<Name>)]
    name: Option<String>,
    /// The trust level of the provider.
    #[serde(default)]
    #[schema(value_type = Option<TrustLevel>)]
    trust_level: Option<TrustLevel>,
    /// The audiences that the `aud` of its tokens may name, all of them.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Name>>, max_items = 256)]
    audiences: Option<Vec<String>>,
    /// The rules of the provider, all of them.
    #[serde(default)]
    #[schema(max_items = 200)]
    rules: Option<Vec<Rule>>,
}

/// Changes a federation provider
///
/// Where that takes anything away from its tokens, the sessions that it vouched for end.
#[utoipa::path(
    patch, path = "/api/v1/federation/providers/{id}", operation_id = "update_federation_provider", tag = "federation",
    params(("id" = Name, Path, description = "The provider")),
    request_body = Update,
    responses(
        (status = 200, description = "The provider as it is now", body = FederationProvider),
        NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn change(
    engine: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<FederationProvider>, Error> {
    caller.need(Permission::ManageFederation)?;
    let Update { name, trust_level, audiences, rules: wanted } = payload.json().await?;
    let wanted = ProviderUpdate { name, trust_level, audiences, rules: wanted.map(rules) };
    let changed = providers::change(&engine, &caller.key, &id, wanted).await;
    let told = |error: &Error| {
        providers::refused(&engine, &caller.key, error, &[("provider_id", &id)]);
    };
    Ok(Json(changed.inspect_err(told)?))
}

/// Removes a federation provider
///
/// Its gateway key is revoked with it, and the sessions that it vouched for end. It is in force at once at the Guardian
/// that answers, also while its database or its disk refuses.
#[utoipa::path(
    delete, path = "/api/v1/federation/providers/{id}", operation_id = "remove_federation_provider", tag = "federation",
    params(("id" = Name, Path, description = "The provider")),
    responses((status = 200, description = "It is removed", body = TakenBack), NotFound),
)]
pub(super) async fn remove(
    engine: App,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<TakenBack>, Error> {
    caller.need(Permission::ManageFederation)?;
    let removed = providers::remove(&engine, &caller.key, &id).await;
    let durable = removed.inspect_err(|error| {
        providers::refused(&engine, &caller.key, error, &[("provider_id", &id)]);
    })?;
    Ok(Json(TakenBack::new("removed", durable)))
}
