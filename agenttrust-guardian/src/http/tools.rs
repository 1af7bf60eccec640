//! Tools as they are declared: by operators and admins, whose declarations hold, and by the keys of
//! agents, which raise effects and do nothing else.

use agenttrust::Effect;
use agenttrust::model::schema::Name;
use agenttrust::model::{AgentStatus, ToolManifest};
use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::App;
use super::answers::{Conflict, Done, NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::Id;
use crate::audit::Record;
use crate::domain::Error;
use crate::domain::role::Access;
use crate::domain::{Key, Permission};
use crate::engine::{Engine, Planned};
use crate::manifest;
use crate::manifest::{Change, Declared, Full, Json as Text, Known, Manifest, Sent};

/// How many bytes of changes one row of the audit lists: with one more change it still fits.
const LISTED_BYTES: usize = 32 << 10;

/// The body of `PUT /api/v1/tools`. A list that is misspelt must not read as none.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DeclareTools)]
pub(super) struct Declare {
    /// The tools; those of one name must agree in effect and scopes, and are one tool.
    #[schema(max_items = 1000)]
    tools: Vec<manifest::Tool>,
}

/// Declare tools
///
/// Takes in a manifest, wholly or not at all, and answers with what is in force for the tools that it
/// names. The key of an agent is answered with the effects alone.
///
/// It changes the tools that the manifest names and leaves every other one as it is, because several
/// programs share an organisation.
#[utoipa::path(
    put, path = "/api/v1/tools", operation_id = "declare_tools", tag = "tools",
    request_body = Declare,
    responses(
        (status = 200, description = "What is in force", body = ToolManifest), Conflict, Unavailable,
    ),
)]
pub(super) async fn declare(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<Response, Error> {
    let access = caller.need(Permission::DeclareTools)?;
    let Declare { tools } = payload.json().await?;
    let sent = manifest::read(tools)?;
    match access {
        Access::Any => by_operator(&engine, &caller, sent).await,
        Access::Own | Access::No => by_agent(&engine, &caller, sent).await,
    }
}

async fn by_operator(engine: &App, caller: &Caller, sent: Vec<Sent>) -> Result<Response, Error> {
    engine.ensure_auditable()?;
    let names: Vec<String> = sent.iter().map(|sent| sent.tool.clone()).collect();
    let (key, named) = (caller.key.clone(), names.len());
    let plan = move |manifest: &Manifest| planned(manifest.declare(sent.clone()), &key, named);
    engine.change_tools(&caller.key, plan).await?;
    let tools: Vec<_> = names
        .into_iter()
        .map(|tool| {
            let known = engine.registry.tools.known(caller.org_id(), &tool);
            (tool, known)
        })
        .collect();
    Ok(listed(&tools))
}

/// Takes the effects of those tools that an agent of the key may use, and answers with these alone:
/// whose tools the others are, and what is declared of them, stays untold.
async fn by_agent(engine: &App, caller: &Caller, sent: Vec<Sent>) -> Result<Response, Error> {
    let said = within_reach(engine, caller, sent)?;
    engine.ensure_auditable()?;
    let names: Vec<String> = said.iter().map(|(tool, _)| tool.clone()).collect();
    let said: Vec<_> =
        said.into_iter().filter_map(|(tool, effect)| Some((tool, effect?))).collect();
    let (key, named) = (caller.key.clone(), names.len());
    let plan = move |manifest: &Manifest| planned(manifest.raise(said.clone()), &key, named);
    engine.change_tools(&caller.key, plan).await?;
    let tools: Vec<InForce<'_>> = names
        .iter()
        .map(|name| {
            let effect = engine.registry.tools.known(caller.org_id(), name).in_force(name);
            InForce { name, effect }
        })
        .collect();
    Ok(Json(Tools { tools }).into_response())
}

/// List everything that is declared in the organisation, ordered by name
#[utoipa::path(
    get, path = "/api/v1/tools", operation_id = "list_tools", tag = "tools",
    responses((status = 200, description = "What is in force", body = ToolManifest)),
)]
pub(super) async fn list(engine: App, caller: Caller) -> Result<Response, Error> {
    caller.need(Permission::ReadTools)?;
    let all: Vec<_> = engine.registry.tools.read(caller.org_id(), |manifest| {
        let declared = manifest.iter().filter(|(_, known)| known.is_listed());
        declared.map(|(tool, known)| (tool.clone(), known.clone())).collect()
    });
    Ok(listed(&all))
}

/// Forget what was declared of a tool, also by agents
///
/// An effect that an operator or admin set stays.
#[utoipa::path(
    delete, path = "/api/v1/tools/{name}", operation_id = "remove_tool", tag = "tools",
    params(("name" = Name, Path, description = "The tool")),
    responses((status = 200, description = "It is forgotten", body = Done), NotFound, Unavailable),
)]
pub(super) async fn remove(engine: App, caller: Caller, Id(tool): Id) -> Result<Json<Done>, Error> {
    caller.need(Permission::RemoveTools)?;
    engine.ensure_auditable()?;
    let key = caller.key.clone();
    let plan = move |manifest: &Manifest| {
        let change = manifest.remove(&tool);
        let change = change.ok_or_else(|| Error::unknown("declared tool", &tool))?;
        let record =
            Record::new("tool.removed", &key.org_id).actor(&key.id).body(json!({ "tool": tool }));
        Ok(Planned { changes: vec![change], records: vec![record] })
    };
    engine.change_tools(&caller.key, plan).await?;
    Ok(Json(Done { status: "removed" }))
}

/// What is said of the tools that an active agent of the caller may use. 403 when none is active.
fn within_reach(
    engine: &Engine,
    caller: &Caller,
    sent: Vec<Sent>,
) -> Result<Vec<(String, Option<Effect>)>, Error> {
    let mut agents = Vec::new();
    for id in caller.agents() {
        let agent = engine.registry.agents.get(caller.org_id(), id);
        agents.extend(agent.filter(|entry| entry.agent.status == AgentStatus::Active));
    }
    if agents.is_empty() {
        return Err(Error::forbidden(
            "no agent of this key is active, so it may declare no tools; \
             have an operator reactivate one, or declare them with another key",
        ));
    }
    let may_use = |tool: &str| agents.iter().any(|entry| entry.capabilities.covers(tool));
    let said = sent.into_iter().filter(|sent| may_use(&sent.tool));
    Ok(said.map(|sent| (sent.tool, sent.declared.effect)).collect())
}

/// The changes with what the audit says of them: nothing where there are none.
fn planned(changes: Result<Vec<Change>, Full>, key: &Key, named: usize) -> Result<Planned, Error> {
    let changes = changes.map_err(|full| Error::conflict(full.to_string()))?;
    let described = changes.iter().filter(|change| change.describes_anew()).count();
    let record = |changed| {
        Record::new("tools.declared", &key.org_id).actor(&key.id).body(json!({
            "tools": named, "role": key.role, "changed": changed, "described": described,
        }))
    };
    let mut rows: Vec<Vec<Value>> = Vec::new();
    let mut bytes = 0;
    for change in changes.iter().filter_map(told) {
        if rows.is_empty() || bytes > LISTED_BYTES {
            rows.push(Vec::new());
            bytes = 0;
        }
        bytes += change.to_string().len();
        if let Some(row) = rows.last_mut() {
            row.push(change);
        }
    }
    if rows.is_empty() && !changes.is_empty() {
        rows.push(Vec::new());
    }
    let records = rows.into_iter().map(record).collect();
    Ok(Planned { changes, records })
}

/// What a check could notice of a change, or that a tool is declared for the first time.
fn told(change: &Change) -> Option<Value> {
    let (before, after) = change.declared();
    let mut told = Map::new();
    if change.before.raised != change.after.raised {
        let effect = json!({ "before": change.before.raised, "after": change.after.raised });
        told.insert("effect".to_owned(), effect);
    }
    let [from, to] = [before, after].map(|declared| declared.and_then(|declared| declared.effect));
    if from != to {
        told.insert("effect".to_owned(), json!({ "before": from, "after": to }));
    }
    if change.before.scopes() != change.after.scopes() {
        told.insert("scopes".to_owned(), json!(change.after.scopes()));
    }
    let is_new = before.is_none() && after.is_some();
    if told.is_empty() && !is_new {
        return None;
    }
    told.insert("tool".to_owned(), json!(change.tool));
    Some(Value::Object(told))
}

#[derive(Serialize)]
struct Tools<T> {
    tools: Vec<T>,
}

/// One tool, as an agent's key is answered.
#[derive(Serialize)]
struct InForce<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
}

/// One tool, as those are answered who may read them all.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    in_force: InForce<'a>,
    scopes: &'a [String],
    arguments: Described<'a>,
    places: Described<'a>,
}

/// A list that is there, or is empty.
#[derive(Serialize)]
#[serde(untagged)]
enum Described<'a> {
    Declared(&'a Text),
    Not([(); 0]),
}

impl<'a> Described<'a> {
    fn of(declared: Option<&'a Declared>, list: impl Fn(&'a Declared) -> &'a Text) -> Self {
        declared.map_or(Self::Not([]), |declared| Self::Declared(list(declared)))
    }
}

fn listed(tools: &[(String, Known)]) -> Response {
    let tools = tools.iter().map(|(name, known)| {
        let declared = known.declared.as_deref();
        Listed {
            in_force: InForce { name, effect: known.in_force(name) },
            scopes: known.scopes(),
            arguments: Described::of(declared, |declared| &declared.arguments),
            places: Described::of(declared, |declared| &declared.places),
        }
    });
    Json(Tools { tools: tools.collect() }).into_response()
}
