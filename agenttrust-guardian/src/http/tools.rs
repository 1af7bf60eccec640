//! Tools as they are declared: by operators and admins, whose declarations hold, and by the keys of
//! agents, which raise effects for these agents and do nothing else.

use agenttrust::Effect;
use agenttrust::model::ToolManifest;
use agenttrust::model::schema::Name;
use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answers::{Done, Held, NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::Id;
use crate::domain::role::Access;
use crate::domain::{Error, Permission};
use crate::manifest::{self, Declared, Json as Text, ToolFacts};
use crate::services::tools;

/// The body of `PUT /api/v1/tools`. A list that is misspelt must not read as none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeclareTools)]
pub(super) struct Declare {
    /// The tools; those of one name must agree in effect and scopes, and are one tool.
    #[schema(max_items = 1000)]
    tools: Vec<manifest::Tool>,
}

/// Declares tools
///
/// Takes in a manifest, wholly or not at all, and answers with what is in force for the tools that it
/// names. The key of an agent raises effects for this agent alone, and is answered with effects alone.
///
/// It changes the tools that the manifest names and leaves every other one as it is, because several
/// programs share an organisation.
#[utoipa::path(
    put, path = "/api/v1/tools", operation_id = "declare_tools", tag = "tools",
    request_body = Declare,
    responses(
        (status = 200, description = "What is in force", body = ToolManifest), Held, Unavailable,
    ),
)]
pub(super) async fn declare(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<Response, Error> {
    let access = caller.need(Permission::DeclareTools)?;
    let Declare { tools } = payload.json().await?;
    let sent = manifest::parse_tools(tools)?;
    match access {
        Access::Any => Ok(listed(&tools::declare(&engine, &caller.key, sent).await?)),
        Access::Own | Access::No => {
            let agents: Vec<&str> = caller.agents().collect();
            Ok(in_force(&tools::raise(&engine, &caller.key, &agents, sent).await?))
        }
    }
}

/// Lists all tools that are declared in the organisation, ordered by name
///
/// Where agents raised the effect of a tool, it says which. The key of an agent sees the tools that its agents may
/// use, and the effects alone: those that the organisation declared, and those that these agents raised themselves.
#[utoipa::path(
    get, path = "/api/v1/tools", operation_id = "list_tools", tag = "tools",
    responses((status = 200, description = "What is in force", body = ToolManifest)),
)]
pub(super) async fn list(engine: App, caller: Caller) -> Result<Response, Error> {
    match caller.need(Permission::ReadTools)? {
        Access::Any => {
            let named = caller.named.as_deref();
            Ok(listed(&tools::list(&engine, caller.org_id(), named)))
        }
        Access::Own | Access::No => {
            let agents: Vec<&str> = caller.agents().collect();
            Ok(in_force(&tools::list_for(&engine, caller.org_id(), &agents)))
        }
    }
}

/// Forgets what was declared of a tool, also by agents
///
/// An effect that an operator or admin set stays.
#[utoipa::path(
    delete, path = "/api/v1/tools/{name}", operation_id = "remove_tool", tag = "tools",
    params(("name" = Name, Path, description = "The tool")),
    responses((status = 200, description = "It is forgotten", body = Done), NotFound, Held, Unavailable),
)]
pub(super) async fn remove(engine: App, caller: Caller, Id(tool): Id) -> Result<Json<Done>, Error> {
    caller.need(Permission::RemoveTools)?;
    tools::remove(&engine, &caller.key, tool).await?;
    Ok(Json(Done { status: "removed" }))
}

#[derive(Serialize)]
struct Tools<T> {
    tools: Vec<T>,
}

/// A tool as an agent's key sees it.
#[derive(Serialize)]
struct InForce<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
}

/// A tool as a key that may read all of them sees it.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    in_force: InForce<'a>,
    scopes: &'a [String],
    arguments: Described<'a>,
    places: Described<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    raised: Vec<Raised<'a>>,
}

/// An effect to which an agent raised the tool, for itself.
#[derive(Serialize)]
struct Raised<'a> {
    agent_id: &'a str,
    effect: Effect,
}

/// A list that is there, or is empty.
#[derive(Serialize)]
#[serde(untagged)]
enum Described<'a> {
    Declared(&'a Text),
    Not([(); 0]),
}

impl<'a> Described<'a> {
    fn from_declared(
        declared: Option<&'a Declared>,
        list: impl Fn(&'a Declared) -> &'a Text,
    ) -> Self {
        declared.map_or(Self::Not([]), |declared| Self::Declared(list(declared)))
    }
}

fn in_force(tools: &[(String, Option<Effect>)]) -> Response {
    let tools = tools.iter().map(|(name, effect)| InForce { name, effect: *effect });
    Json(Tools { tools: tools.collect() }).into_response()
}

fn by_agents(known: &ToolFacts) -> impl Iterator<Item = Raised<'_>> {
    known.raised.by_agents().map(|(agent_id, effect)| Raised { agent_id, effect })
}

fn listed(tools: &[(String, ToolFacts)]) -> Response {
    let tools = tools.iter().map(|(name, known)| {
        let declared = known.declared.as_deref();
        Listed {
            in_force: InForce { name, effect: known.in_force(name, &[]) },
            scopes: known.scopes(),
            arguments: Described::from_declared(declared, |declared| &declared.arguments),
            places: Described::from_declared(declared, |declared| &declared.places),
            raised: by_agents(known).collect(),
        }
    });
    Json(Tools { tools: tools.collect() }).into_response()
}
