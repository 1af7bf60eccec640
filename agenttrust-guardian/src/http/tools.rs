//! Tools: what programs declare that they do, and what an operator or admin says; the latter is final.

use agenttrust::Effect;
use agenttrust::model::{AgentStatus, ToolDeclaration};
use axum::Json;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Caller;
use super::body::Payload;
use super::params::Id;
use super::{ApiError, App};
use crate::audit::Record;
use crate::manifest::{self, Author, Declared, Full, Manifest};
use crate::role::{Access, Permission, Role};
use crate::state::State;
use crate::store::{Declaring, Kept};

/// How many bytes of changes one row of the audit lists: with one more change it still fits.
const LISTED_BYTES: usize = 32 << 10;

/// The body of `PUT /api/v1/tools`. A list that is misspelt must not read as none.
#[derive(Debug, Deserialize)]
pub(super) struct Declare {
    tools: Vec<ToolDeclaration>,
}

/// `PUT /api/v1/tools`: takes in a manifest, wholly or not at all, and answers with what is in force for
/// the tools that it names.
///
/// It sets the tools that the manifest names and leaves every other one as it is, because several
/// programs share an organisation.
pub(super) async fn declare(
    state: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<Value>, ApiError> {
    let author = match caller.need(Permission::DeclareTools)? {
        Access::Any => Author::Operator,
        Access::Own | Access::No => Author::Program,
    };
    let Declare { tools } = payload.json().await?;
    let said = manifest::read(tools)?;
    has_an_active_agent(&state, &caller)?;
    state.ready_to_change()?;
    let named: Vec<String> = said.iter().map(|tool| tool.name.clone()).collect();
    let org_id = caller.org_id().to_owned();
    let changes = take_in(&state, &caller, said, author).await?;
    // A manifest that changes nothing is recorded too: somebody said so.
    for changed in listed(changes) {
        let body = json!({ "tools": named.len(), "role": caller.key.role, "changed": changed });
        let record = Record::new("tools.declared", &org_id).actor(&caller.key.id).body(body);
        state.note(record).await?;
    }
    let manifest = state.registry.tools.manifest(&org_id);
    let named = named
        .iter()
        .filter_map(|tool| manifest.get(tool).map(|declared| (tool.as_str(), declared.as_ref())));
    Ok(in_force(&state, &org_id, named))
}

/// `GET /api/v1/tools`: everything that is declared in the organisation, ordered by name.
pub(super) async fn list(state: App, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.need(Permission::ReadTools)?;
    let manifest = state.registry.tools.manifest(caller.org_id());
    Ok(in_force(&state, caller.org_id(), manifest.iter()))
}

/// `DELETE /api/v1/tools/{name}`: forgets what manifests declared of a tool. An effect that an operator
/// or admin set stays.
pub(super) async fn remove(
    state: App,
    caller: Caller,
    Id(tool): Id,
) -> Result<Json<Value>, ApiError> {
    caller.need(Permission::RemoveTools)?;
    state.ready_to_change()?;
    let org_id = caller.org_id().to_owned();
    let removed = state.store.remove_tool(org_id.clone(), tool.clone()).await?;
    let kept = removed.ok_or_else(|| ApiError::unknown("declared tool", &tool))?;
    state.registry.tools.keep(org_id.clone(), kept);
    let record =
        Record::new("tool.removed", org_id).actor(&caller.key.id).body(json!({ "tool": tool }));
    state.note(record).await?;
    Ok(Json(json!({ "status": "removed" })))
}

/// Refuses the key of agents that may do nothing at present: it could still raise what everybody's tools
/// count as.
fn has_an_active_agent(state: &State, caller: &Caller) -> Result<(), ApiError> {
    let is_active = |id: &String| {
        let agent = state.registry.agents.get(caller.org_id(), id);
        agent.is_some_and(|entry| entry.agent.status == AgentStatus::Active)
    };
    if caller.key.role != Role::Agent || caller.key.agents.iter().any(is_active) {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "no agent of this key is active, so it may declare no tools; \
         have an operator reactivate one, or declare them with another key",
    ))
}

/// Keeps a manifest; returns what it changed.
async fn take_in(
    state: &State,
    caller: &Caller,
    said: Vec<ToolDeclaration>,
    author: Author,
) -> Result<Vec<Value>, ApiError> {
    let org_id = caller.org_id().to_owned();
    let full = |full: Full| ApiError::conflict(full.to_string());
    // Programs say the same at every start: what memory shows to change nothing needs no database.
    let mut preview = Manifest::clone(&state.registry.tools.manifest(&org_id));
    if preview.declare(&said, author).map_err(full)?.is_empty() {
        return Ok(Vec::new());
    }
    let (key_id, now) = (caller.key.id.clone(), state.clock.now());
    let declaring = Declaring { org_id: org_id.clone(), said, author, key_id, now };
    let kept = state.store.declare_tools(declaring).await?.map_err(full)?;
    let changes = changes(&kept);
    state.registry.tools.keep(org_id, kept);
    Ok(changes)
}

/// What changed, for the audit.
fn changes(kept: &Kept) -> Vec<Value> {
    let changed = kept.changed.iter();
    changed
        .filter_map(|tool| {
            let declared = kept.manifest.get(tool)?;
            Some(json!({ "tool": tool, "effect": declared.effect, "scopes": declared.scopes }))
        })
        .collect()
}

/// The changes as the rows of the audit list them; one row at least.
fn listed(changes: Vec<Value>) -> Vec<Vec<Value>> {
    let mut rows = vec![Vec::new()];
    let mut bytes = 0;
    for change in changes {
        if bytes > LISTED_BYTES {
            rows.push(Vec::new());
            bytes = 0;
        }
        bytes += change.to_string().len();
        if let Some(row) = rows.last_mut() {
            row.push(change);
        }
    }
    rows
}

fn in_force<'a>(
    state: &State,
    org_id: &str,
    tools: impl Iterator<Item = (&'a str, &'a Declared)>,
) -> Json<Value> {
    let tools: Vec<ToolDeclaration> = tools
        .map(|(tool, declared)| {
            let effect = state.registry.tools.effect_in_force(org_id, tool, declared);
            declared.as_declaration(tool, effect)
        })
        .collect();
    Json(json!({ "tools": tools }))
}

/// The body of `PUT /api/v1/tools/{name}/effect`.
#[derive(Debug, Deserialize)]
pub(super) struct SetEffect {
    effect: Effect,
}

/// `PUT /api/v1/tools/{name}/effect`: final, whatever anybody declares.
pub(super) async fn set_effect(
    state: App,
    caller: Caller,
    Id(tool): Id,
    payload: Payload,
) -> Result<Json<Value>, ApiError> {
    caller.need(Permission::SetEffects)?;
    let SetEffect { effect } = payload.json().await?;
    state.ready_to_change()?;
    let (org_id, key_id) = (caller.org_id().to_owned(), caller.key.id.clone());
    let now = state.clock.now();
    state.store.set_tool_effect(org_id.clone(), tool.clone(), effect, key_id, now).await?;
    state.registry.tools.set(org_id.clone(), tool.clone(), effect);
    let record = Record::new("tool.effect_set", org_id)
        .actor(&caller.key.id)
        .body(json!({ "tool": tool, "effect": effect }));
    state.note(record).await?;
    Ok(Json(json!({ "tool": tool, "effect": effect })))
}
