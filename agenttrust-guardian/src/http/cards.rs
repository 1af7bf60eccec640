//! Agent cards: generated, published and withdrawn by callers with that permission, and open to every reader once they
//! are published.

use std::time::Duration;

use agenttrust::AgentCard;
use agenttrust::model::schema::Name;
use agenttrust::model::{CardKeys, CardOptions};
use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::App;
use super::answers::{Conflict, Done, NotFound, TooMany, Unavailable};
use super::auth::Caller;
use super::base::base;
use super::body::Payload;
use super::params::Id;
use crate::domain::numbers::whole;
use crate::domain::{Error, Permission};
use crate::services::{card_keys, cards};

/// The value of `Cache-Control`: the time that others may go by what they read of a card or of the keys.
const CACHED: &str = "public, max-age=300";
/// The time that a rotated key signs beside the new one by default, in seconds.
const OVERLAP_SECONDS: u64 = 7 * 86_400;
/// The longest such time.
const OVERLAP_MOST: u64 = 30 * 86_400;
/// The number of bytes of a card's digest that tell it from others.
const TAG_BYTES: usize = 16;

/// Generates the card of an agent
///
/// The card says what is known of the agent now: its name and key, the tools that are declared and that it may use,
/// how its calls ended. A member that the body does not have stays as it was set before; one that is empty is taken
/// out. A card that is published changes for every reader.
///
/// `interfaces` is where the agent itself is reached. Others see the Guardian's address instead, which hands tasks on.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/card", operation_id = "generate_agent_card", tag = "cards",
    params(("id" = Name, Path, description = "The agent")),
    request_body = Option<CardOptions>,
    responses(
        (
            status = 200, description = "The card, signed", body = AgentCard,
            links(
                ("read" = (operation_id = "get_agent_card", parameters(("id" = "$request.path.id")))),
                ("publish" = (operation_id = "publish_agent_card", parameters(("id" = "$request.path.id")))),
            ),
        ),
        NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn generate(
    engine: App,
    caller: Caller,
    Id(id): Id,
    parts: Parts,
    payload: Payload,
) -> Result<Json<AgentCard>, Error> {
    caller.need_for(Permission::ManageCards, &id)?;
    let said: CardOptions = payload.json_or_empty().await?;
    let base = base(&engine, &parts);
    Ok(Json(cards::generate(&engine, &caller.key, &id, said, &base).await?))
}

/// Reads the card of an agent, published or not
#[utoipa::path(
    get, path = "/api/v1/agents/{id}/card", operation_id = "get_agent_card", tag = "cards",
    params(("id" = Name, Path, description = "The agent")),
    responses((status = 200, description = "The card, signed", body = AgentCard), NotFound, Unavailable),
)]
pub(super) async fn get(engine: App, caller: Caller, Id(id): Id) -> Result<Json<AgentCard>, Error> {
    caller.need_for(Permission::ReadAgents, &id)?;
    Ok(Json(cards::get(&engine, caller.org_id(), &id)?))
}

/// Reads the options that were set for the card of an agent
///
/// They say where the agent itself is reached, which no card tells. Only keys that may set them may read them.
#[utoipa::path(
    get, path = "/api/v1/agents/{id}/card/options", operation_id = "get_agent_card_options", tag = "cards",
    params(("id" = Name, Path, description = "The agent")),
    responses((status = 200, description = "What was said", body = CardOptions), NotFound, Unavailable),
)]
pub(super) async fn options(
    engine: App,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<CardOptions>, Error> {
    caller.need_for(Permission::ManageCards, &id)?;
    Ok(Json(cards::options(&engine, caller.org_id(), &id)?))
}

/// Publishes the card of an agent
///
/// Every reader may have it then, without a key.
#[utoipa::path(
    put, path = "/api/v1/agents/{id}/card/publish", operation_id = "publish_agent_card", tag = "cards",
    params(("id" = Name, Path, description = "The agent")),
    responses(
        (
            status = 200, description = "The card, signed", body = AgentCard,
            links(
                ("read as everybody may" = (operation_id = "get_public_agent_card", parameters(("id" = "$request.path.id")))),
                ("discover" = (operation_id = "discover_agent_card", parameters(("id" = "$request.path.id")))),
                ("withdraw" = (operation_id = "withdraw_agent_card", parameters(("id" = "$request.path.id")))),
            ),
        ),
        NotFound, Unavailable,
    ),
)]
pub(super) async fn publish(
    engine: App,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<AgentCard>, Error> {
    caller.need_for(Permission::ManageCards, &id)?;
    Ok(Json(cards::publish(&engine, &caller.key, &id).await?))
}

/// Withdraws the card of an agent from the public
///
/// The Guardian keeps it. Others may go by what they read of it for five minutes more.
#[utoipa::path(
    delete, path = "/api/v1/agents/{id}/card/publish", operation_id = "withdraw_agent_card", tag = "cards",
    params(("id" = Name, Path, description = "The agent")),
    responses((status = 200, description = "It is withdrawn", body = Done), NotFound, Unavailable),
)]
pub(super) async fn withdraw(engine: App, caller: Caller, Id(id): Id) -> Result<Json<Done>, Error> {
    caller.need_for(Permission::ManageCards, &id)?;
    cards::withdraw(&engine, &caller.key, &id).await?;
    Ok(Json(Done { status: "withdrawn" }))
}

/// Reads the published card of an agent
///
/// An agent that is revoked or suspended has none.
#[utoipa::path(
    get, path = "/a2a/agents/{id}/agent.json", operation_id = "get_public_agent_card", tag = "cards", security(()),
    params(
        ("id" = Name, Path, description = "The agent"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the card that is known already"),
    ),
    responses(
        (
            status = 200, description = "The card, signed", body = AgentCard,
            headers(
                ("ETag" = String, description = "What tells it from others"),
                ("Cache-Control" = String, description = "How long it may be gone by"),
            ),
        ),
        (status = 304, description = "It is the card that is known already"),
        NotFound, Unavailable,
    ),
)]
pub(super) async fn public(
    engine: App,
    id: Result<Id, Error>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    // What could be no agent's id is none.
    let Id(id) = id.map_err(|error| Error::not_found(error.message().to_owned()))?;
    let card = cards::public(&engine, &id)?;
    // Members that are strings, numbers and lists of them always serialise.
    let body = serde_json::to_vec(&card).unwrap_or_default();
    Ok(cached(&headers, body))
}

/// Reads the published card of an agent, at the address that A2A knows
#[utoipa::path(
    get, path = "/a2a/agents/{id}/.well-known/agent-card.json", operation_id = "discover_agent_card", tag = "cards",
    security(()),
    params(
        ("id" = Name, Path, description = "The agent"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the card that is known already"),
    ),
    responses(
        (
            status = 200, description = "The card, signed", body = AgentCard,
            headers(
                ("ETag" = String, description = "What tells it from others"),
                ("Cache-Control" = String, description = "How long it may be gone by"),
            ),
        ),
        (status = 304, description = "It is the card that is known already"),
        NotFound, Unavailable,
    ),
)]
pub(super) async fn discover(
    engine: App,
    id: Result<Id, Error>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    public(engine, id, headers).await
}

/// Reads the keys that cards are signed with
///
/// As a JSON Web Key Set. After a rotation the former key signs beside the new one for a while, and is listed for as
/// long.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", operation_id = "list_card_keys", tag = "cards", security(()),
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the keys that are known already")),
    responses(
        (
            status = 200, description = "The keys, the newest first", body = CardKeys,
            headers(
                ("ETag" = String, description = "What tells them from others"),
                ("Cache-Control" = String, description = "How long they may be gone by"),
            ),
        ),
        (status = 304, description = "They are the keys that are known already"),
        Unavailable,
    ),
)]
pub(super) async fn keys(engine: App, headers: HeaderMap) -> Response {
    // Members that are strings and lists of them always serialise.
    cached(&headers, serde_json::to_vec(&card_keys::published(&engine)).unwrap_or_default())
}

/// The body of `POST /api/v1/cards/keys/rotate`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateCardKey {
    /// The longest time that every earlier key signs beside the new one, in seconds. With 0 they sign no more.
    #[serde(default = "a_week", deserialize_with = "whole")]
    #[schema(default = 604_800, maximum = 2_592_000)]
    overlap: u64,
}

fn a_week() -> u64 {
    OVERLAP_SECONDS
}

/// Begins to sign cards by a new key
///
/// It signs the cards of every organisation, so it takes an admin of `org_default`.
#[utoipa::path(
    post, path = "/api/v1/cards/keys/rotate", operation_id = "rotate_card_key", tag = "cards",
    request_body = Option<RotateCardKey>,
    responses((status = 200, description = "The keys that there are then", body = CardKeys), TooMany, Unavailable),
)]
pub(super) async fn rotate(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<CardKeys>, Error> {
    caller.need(Permission::RotateCardKeys)?;
    caller.need_own_organisation("the keys that sign cards are those of every organisation")?;
    let RotateCardKey { overlap } = payload.json_or_empty().await?;
    if overlap > OVERLAP_MOST {
        let long = format!("is {overlap} seconds; {OVERLAP_MOST} is the most");
        return Err(Error::invalid("overlap", long));
    }
    let overlap = Duration::from_secs(overlap);
    Ok(Json(card_keys::rotate(&engine, &caller.key, overlap).await?))
}

/// Returns a body of JSON that others may keep for a while, unless it is the one that they have.
fn cached(headers: &HeaderMap, body: Vec<u8>) -> Response {
    let digest = Sha256::digest(&body);
    let tag: String = digest.iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let kept = [(ETAG, tag.as_str()), (CACHE_CONTROL, CACHED)];
    if has(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    (kept, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// Returns whether the caller says that it has what has this tag.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let said = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    said.flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
