//! Delegations: made, read, listed, revoked, and the sessions under them.

use std::borrow::Cow;
use std::time::Duration;

use agenttrust::model::schema::{Capability, Name, NameOrEmpty};
use agenttrust::model::{Delegation, DelegationRestrictions, DelegationState, Session, TakenBack};
use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::App;
use super::answers::{Conflict, NotFound, TooMany, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::paging::Paging;
use super::params::{Id, Params};
use super::proofs::SentProof;
use crate::domain::ids::DELEGATION_PREFIX;
use crate::domain::names::{check_name, check_names};
use crate::domain::numbers::whole;
use crate::domain::{Error, Permission, restrictions};
use crate::services::delegations::{self, NewDelegation};
use crate::services::sessions;
use crate::store::IssuedFilter;

/// The longest life of a delegation, in seconds: 30 days.
const TTL_MOST: u64 = 30 * 86_400;

/// The body of `POST /api/v1/delegations`.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CreateDelegation {
    /// The agent that gives.
    #[schema(value_type = Name)]
    from_agent_id: String,
    /// The agent that is given to.
    #[schema(value_type = Name)]
    to_agent_id: String,
    /// The scopes that are given: no more than the giver may do itself or, with a parent, than that gives.
    #[schema(value_type = Vec<Capability>, min_items = 1, max_items = 256)]
    scope: Vec<String>,
    /// The time that the delegation lives, in seconds; it never outlives its parent.
    #[serde(default = "one_hour", deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 2_592_000, default = 3600)]
    ttl_seconds: u64,
    /// The restrictions that narrow it further.
    #[serde(default)]
    #[schema(value_type = SentRestrictions)]
    restrictions: Map<String, Value>,
    /// The delegation that it is made from: one that was given to `from_agent_id`.
    #[serde(default)]
    #[schema(value_type = Option<NameOrEmpty>)]
    parent_delegation_id: Option<String>,
}

/// Members that stand in the wrong place or under another name, and where they belong. Skipping one like an unknown
/// member would leave the delegation wider than it was meant.
const MISPLACED: [(&str, &str); 7] = [
    ("tools", "restrictions.tools"),
    ("servers", "restrictions.servers"),
    ("max_calls", "restrictions.max_calls"),
    ("not_after", "restrictions.not_after"),
    ("ttl", "ttl_seconds"),
    ("expires_at", "ttl_seconds or restrictions.not_after"),
    ("parent_id", "parent_delegation_id"),
];

/// The restrictions as a caller may send them: none that is not known, since it would narrow nothing.
struct SentRestrictions;

impl PartialSchema for SentRestrictions {
    fn schema() -> RefOr<Schema> {
        let mut schema = DelegationRestrictions::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
        schema
    }
}

impl ToSchema for SentRestrictions {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("SentRestrictions")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        DelegationRestrictions::schemas(schemas);
    }
}

fn one_hour() -> u64 {
    3_600
}

/// The answer of `POST /api/v1/delegations`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MadeDelegation {
    /// The delegation.
    delegation: Delegation,
}

/// Lets an agent do part of what another agent may do
///
/// A delegation gives nothing by itself: the agent uses it by beginning its session. With a parent it hands on what
/// was given, and ends with that.
#[utoipa::path(
    post, path = "/api/v1/delegations", operation_id = "create_delegation", tag = "delegations",
    request_body = CreateDelegation,
    responses(
        (
            status = 200, description = "The delegation", body = MadeDelegation,
            links(
                ("read" = (operation_id = "get_delegation", parameters(("id" = "$response.body#/delegation/id")))),
                ("begin a session" = (operation_id = "init_delegated_session", parameters(("id" = "$response.body#/delegation/id")))),
                ("revoke" = (operation_id = "revoke_delegation", parameters(("id" = "$response.body#/delegation/id")))),
            ),
        ),
        NotFound, Conflict, TooMany, Unavailable,
    ),
)]
pub(super) async fn create(
    engine: App,
    caller: Caller,
    sent_proof: SentProof,
    payload: Payload,
) -> Result<Json<MadeDelegation>, Error> {
    caller.need(Permission::Delegate)?;
    let ignored = payload.ignored();
    let body: CreateDelegation = payload.json().await?;
    ignored.refuse(&MISPLACED)?;
    check_name("from_agent_id", &body.from_agent_id)?;
    check_name("to_agent_id", &body.to_agent_id)?;
    check_names("scope", &body.scope)?;
    if body.scope.is_empty() {
        let problem = "is empty, which would give nothing; name what is to be delegated";
        return Err(Error::invalid("scope", problem));
    }
    if !(1..=TTL_MOST).contains(&body.ttl_seconds) {
        let ttl = body.ttl_seconds;
        let range = format!("is {ttl}; it is at least 1 and at most {TTL_MOST} seconds");
        return Err(Error::invalid("ttl_seconds", range));
    }
    let parent_id = body.parent_delegation_id.filter(|id| !id.is_empty());
    parent_id.as_deref().map_or(Ok(()), |id| check_name("parent_delegation_id", id))?;
    let restrictions = restrictions::from_json(&body.restrictions)?;
    caller.need_for(Permission::Delegate, &body.from_agent_id)?;
    // Another agent's checks need no proof of this one, so what it hands on does.
    sent_proof.need_once(&engine, &caller.key, &body.from_agent_id, "delegate").await?;
    let new = NewDelegation {
        from_agent_id: body.from_agent_id,
        to_agent_id: body.to_agent_id,
        scope: body.scope,
        ttl: Duration::from_secs(body.ttl_seconds),
        restrictions,
        parent_id,
    };
    let delegation = delegations::create(&engine, &caller.key, new).await?;
    Ok(Json(MadeDelegation { delegation }))
}

/// The answer of `GET /api/v1/delegations`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Delegations {
    /// The newest first.
    delegations: Vec<Delegation>,
    /// The value of `before` that asks for the next page; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// Lists the delegations that the caller may see
///
/// A key of role agent sees the delegations that its agents gave and were given.
#[utoipa::path(
    get, path = "/api/v1/delegations", operation_id = "list_delegations", tag = "delegations",
    params(
        ("agent_id" = Option<NameOrEmpty>, Query, description = "Those that this agent gave or was given"),
        ("state" = Option<DelegationState>, Query, description = "Those that stand so"),
        ("before" = Option<NameOrEmpty>, Query, description = "Go on where an answer said `next`"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "So many at most; 1,000 by default"),
    ),
    responses((status = 200, description = "The delegations", body = Delegations), Unavailable),
)]
pub(super) async fn list(
    engine: App,
    caller: Caller,
    params: Params,
) -> Result<Json<Delegations>, Error> {
    let reach = caller.reach(Permission::ReadDelegations)?;
    let paging = Paging::from_params(&params, DELEGATION_PREFIX)?;
    let agent_id = params.name("agent_id")?;
    let state = params.text("state").map(str::parse::<DelegationState>).transpose();
    let state = state
        .map_err(|_| Error::invalid("state", "is not known; use active, expired or revoked"))?;
    let (after, limit) = (paging.after.clone(), paging.looked_for());
    let filter = IssuedFilter { agent_id: None, key_id: None, state, after, limit };
    let mut delegations = delegations::list(&engine, reach, agent_id, filter).await?;
    let next = paging.cut(&mut delegations, |it| (it.created_at, &it.id));
    Ok(Json(Delegations { delegations, next }))
}

/// Reads a delegation
#[utoipa::path(
    get, path = "/api/v1/delegations/{id}", operation_id = "get_delegation", tag = "delegations",
    params(("id" = Name, Path, description = "The delegation")),
    responses((status = 200, description = "The delegation", body = Delegation), NotFound, Unavailable),
)]
pub(super) async fn get(
    engine: App,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<Delegation>, Error> {
    let reach = caller.reach(Permission::ReadDelegations)?;
    delegations::get(&engine, reach, &id).await.map(Json)
}

/// Revokes a delegation, with all that was made from it
///
/// Delegations, sessions and tokens at any remove go with it. It is in force at once at the Guardian that answers,
/// also while its database or its disk refuses.
#[utoipa::path(
    delete, path = "/api/v1/delegations/{id}", operation_id = "revoke_delegation", tag = "delegations",
    params(("id" = Name, Path, description = "The delegation")),
    responses((status = 200, description = "It is revoked", body = TakenBack), NotFound),
)]
pub(super) async fn revoke(
    engine: App,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<TakenBack>, Error> {
    let reach = caller.reach(Permission::RevokeDelegations)?;
    let durable = delegations::revoke(&engine, reach, &id).await?;
    Ok(Json(TakenBack::new("revoked", durable)))
}

/// The body of `POST /api/v1/delegations/{id}/session`, which may be left out: the delegation says all there is to say.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct BeginDelegated {}

/// Members that would narrow the session, and where each is set instead. Skipping one would leave the session wider
/// than it was meant.
const SAID_BEFORE: [(&str, &str); 8] = [
    ("scope", "the scope of the delegation"),
    ("scope_ceiling", "the scope of the delegation"),
    ("restrictions", "the restrictions of the delegation"),
    ("ttl_seconds", "the ttl_seconds of the delegation"),
    ("ttl", "the ttl_seconds of the delegation"),
    ("expires_at", "the ttl_seconds of the delegation"),
    ("mode", "the floor of the agent"),
    ("agent_id", "the to_agent_id of the delegation"),
];

/// Begins a session in which an agent acts under the delegation that it was given
///
/// It reaches as far and lives as long as the delegation, and is as strict as the floors of all agents in the chain.
/// Asked again with the same key, it is the session that is open already.
#[utoipa::path(
    post, path = "/api/v1/delegations/{id}/session", operation_id = "init_delegated_session", tag = "delegations",
    params(("id" = Name, Path, description = "The delegation")),
    request_body = Option<BeginDelegated>,
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
    Id(id): Id,
    payload: Payload,
) -> Result<Json<Session>, Error> {
    let reach = caller.reach(Permission::InitSession)?;
    let ignored = payload.ignored();
    let BeginDelegated {} = payload.json_or_empty().await?;
    ignored.refuse(&SAID_BEFORE)?;
    sessions::begin_delegated(&engine, reach, &id).await.map(Json)
}
