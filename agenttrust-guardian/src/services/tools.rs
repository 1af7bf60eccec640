//! Tools: declared by operators and admins, whose declarations hold, raised by the keys of agents for these agents
//! alone, and given an effect that is final.

use std::sync::Arc;

use agenttrust::model::AgentStatus;
use agenttrust::{Effect, background};
use serde_json::{Map, Value, json};

use crate::audit::Record;
use crate::domain::{Error, Key};
use crate::engine::{Engine, Planned};
use crate::manifest::{Full, Manifest, Said, Sent, ToolChange, ToolFacts};
use crate::policy::{Demanded, Hold};
use crate::registry::AgentEntry;
use crate::services::loosening::{self, Loosening};
use crate::store::StoreError;

/// The number of bytes of changes that one row of the audit lists: with one more change it still fits.
const LISTED_BYTES: usize = 32 << 10;

/// Declares tools, wholly or not at all; returns what is known of each of them now.
///
/// # Errors
///
/// Conflict where the organisation would have more than it may, or others keep changing its tools;
/// unavailable where the database or the audit cannot be written.
pub(crate) async fn declare(
    engine: &Arc<Engine>,
    key: &Key,
    sent: Vec<Sent>,
) -> Result<Vec<(String, ToolFacts)>, Error> {
    let names: Vec<String> = sent.iter().map(|sent| sent.tool.clone()).collect();
    let (by, named) = (key.clone(), names.len());
    change(engine, key, move |manifest| planned(manifest.declare(sent.clone()), &by, named))
        .await?;
    let known = |tool: String| {
        let known = engine.registry.tools.known(&key.org_id, &tool);
        (tool, known)
    };
    Ok(names.into_iter().map(known).collect())
}

/// Takes the effects of those tools that one of `agents` may use, for those of them that may, and returns what is
/// in force for these alone: whose tools the others are, and what is declared of them, stays untold.
///
/// # Errors
///
/// Forbidden where none of `agents` is active, otherwise as [`declare`].
pub(crate) async fn raise(
    engine: &Arc<Engine>,
    key: &Key,
    agents: &[&str],
    sent: Vec<Sent>,
) -> Result<Vec<(String, Option<Effect>)>, Error> {
    let active = active(engine, &key.org_id, agents);
    if active.is_empty() {
        return Err(Error::forbidden(
            "no agent of this key is active, so it may declare no tools; \
             have an operator reactivate one, or declare them with another key",
        ));
    }
    let within_reach: Vec<_> = sent
        .into_iter()
        .map(|Sent { tool, declared }| (who_may_use(&active, &tool), tool, declared.effect))
        .filter(|(agents, ..)| !agents.is_empty())
        .collect();
    let said: Vec<_> = within_reach
        .iter()
        .filter_map(|(agents, tool, effect)| {
            Some(Said { tool: tool.clone(), effect: (*effect)?, agents: agents.clone() })
        })
        .collect();
    let (by, named, known) = (key.clone(), within_reach.len(), Arc::clone(engine));
    change(engine, key, move |manifest| {
        planned(manifest.raise(said.clone(), known.registry.tools.raised()), &by, named)
    })
    .await?;
    let in_force = |(agents, tool, _): (Vec<Arc<str>>, String, _)| {
        let known = engine.registry.tools.known(&key.org_id, &tool);
        let effect = known.in_force(&tool, &agents);
        (tool, effect)
    };
    Ok(within_reach.into_iter().map(in_force).collect())
}

/// Lists everything that is declared in the organisation, ordered by name; of what agents raised, that of the one
/// that the caller speaks for, if it says so.
pub(crate) fn list(engine: &Engine, org_id: &str, named: Option<&str>) -> Vec<(String, ToolFacts)> {
    let all: Vec<(String, ToolFacts)> = engine.registry.tools.with_manifest(org_id, |manifest| {
        manifest.iter().map(|(tool, known)| (tool.clone(), known.clone())).collect()
    });
    let told = all.into_iter().map(|(tool, known)| {
        let raised = named.map_or_else(|| known.raised.clone(), |agent| known.raised.only(agent));
        (tool, ToolFacts { raised, ..known })
    });
    told.filter(|(_, known)| known.is_listed()).collect()
}

/// Lists what is in force for `agents` of what is declared in the organisation and what they raised themselves,
/// ordered by name: of the tools that an active one of them may use.
pub(crate) fn list_for(
    engine: &Engine,
    org_id: &str,
    agents: &[&str],
) -> Vec<(String, Option<Effect>)> {
    let active = active(engine, org_id, agents);
    let declared = list(engine, org_id, None).into_iter().filter_map(|(tool, known)| {
        let may = who_may_use(&active, &tool);
        let raised = || may.iter().any(|agent| known.raised.of(agent).is_some());
        let theirs = !may.is_empty() && (known.declared.is_some() || raised());
        theirs.then(|| (known.in_force(&tool, &may), tool))
    });
    declared.map(|(effect, tool)| (tool, effect)).collect()
}

/// Forgets what was declared of a tool, also by agents.
///
/// # Errors
///
/// Not found for a tool of which nothing is declared, conflict where others keep changing the tools of the
/// organisation; unavailable where the database or the audit cannot be written.
pub(crate) async fn remove(engine: &Arc<Engine>, key: &Key, tool: String) -> Result<(), Error> {
    let by = key.clone();
    change(engine, key, move |manifest| {
        let change = manifest.remove(&tool);
        let change = change.ok_or_else(|| Error::unknown("declared tool", &tool))?;
        let records = vec![record(&by, "tool.removed", json!({ "tool": tool }))];
        Ok(Planned { changes: vec![change], records })
    })
    .await
}

/// Sets the effect of a tool, whatever is declared of it.
///
/// # Errors
///
/// Conflict where others keep changing the tools of the organisation; unavailable where the database or the
/// audit cannot be written.
pub(crate) async fn set_effect(
    engine: &Arc<Engine>,
    key: &Key,
    tool: String,
    effect: Effect,
) -> Result<(), Error> {
    let record = record(key, "tool.effect_set", json!({ "tool": tool, "effect": effect }));
    change(engine, key, move |manifest| {
        let changes = vec![manifest.set(&tool, Some(effect))];
        Ok(Planned { changes, records: vec![record.clone()] })
    })
    .await
}

/// Unsets the effect of a tool.
///
/// # Errors
///
/// Not found for a tool whose effect is not set, otherwise as [`set_effect`].
pub(crate) async fn unset_effect(
    engine: &Arc<Engine>,
    key: &Key,
    tool: String,
) -> Result<(), Error> {
    let by = key.clone();
    change(engine, key, move |manifest| {
        let change = manifest.set(&tool, None);
        let Some(effect) = change.before.set else {
            return Err(Error::not_found(format!("no effect is set for tool {tool:?}")));
        };
        let body = json!({ "tool": tool, "effect": effect });
        let records = vec![record(&by, "tool.effect_unset", body)];
        Ok(Planned { changes: vec![change], records })
    })
    .await
}

/// Changes what is known of the tools of the organisation of `key` as `plan` says.
///
/// Not by `Engine::change`: what is stored and recorded is planned from what is known by then, and again when another
/// replica comes first.
///
/// # Errors
///
/// Held where that would lower an effect which policies hold for several approvers, or change it to one that they hold
/// for fewer, until as many have approved it.
async fn change(
    engine: &Arc<Engine>,
    key: &Key,
    plan: impl Fn(&Manifest) -> Result<Planned, Error> + Send + 'static,
) -> Result<(), Error> {
    engine.ensure_auditable()?;
    let (engine, key) = (Arc::clone(engine), key.clone());
    // To its end, and keeping no other one waiting, also when nobody asks for its outcome any more.
    let change = background::spawn(async move { change_if_approved(&engine, &key, plan).await });
    change.await.unwrap_or_else(|_| Err(StoreError::Stopped.into()))
}

async fn change_if_approved(
    engine: &Arc<Engine>,
    key: &Key,
    plan: impl Fn(&Manifest) -> Result<Planned, Error> + Send + 'static,
) -> Result<(), Error> {
    engine.sync().await?;
    let found = engine.registry.tools.with_manifest(&key.org_id, &plan)?;
    let wanted = lowering(engine, &key.org_id, &found.changes);
    let granted = match wanted {
        Some(wanted) => Some(loosening::approved(engine, key, &wanted).await?),
        None => None,
    };
    let (at, org_id, by) = (Arc::clone(engine), key.org_id.clone(), granted.clone());
    let approved_plan = move |manifest: &Manifest| {
        let mut planned = plan(manifest)?;
        // By now it may lower more, or the policies may want more.
        if let Some(wanted) = lowering(&at, &org_id, &planned.changes)
            && by.as_ref().is_none_or(|by| by.digest != wanted.digest())
        {
            return Err(Error::conflict(
                "the tools or the policies changed while this was on its way; send it again",
            ));
        }
        if let Some(by) = &by {
            planned.records = planned.records.into_iter().map(|row| by.noted(row)).collect();
        }
        Ok(planned)
    };
    let done = engine.change_tools(key, approved_plan).await;
    if let Some(granted) = granted {
        loosening::ended(engine, &granted, done.is_ok()).await;
    }
    done
}

/// Returns what these changes take away of what policies hold for several approvers, where they do: by a weaker effect,
/// or by any other that fewer approvers hold. From that one it would be one person who lowers it further.
fn lowering(engine: &Engine, org: &str, changes: &[ToolChange]) -> Option<Loosening> {
    let policies = engine.policies.load();
    let mut taken: Option<Demanded> = None;
    let (mut tools, mut first) = (Vec::new(), None);
    for change in changes {
        let tool = &change.tool;
        let demanded = |effect: Effect| policies.demanded(Hold::Tool { org, tool, effect });
        let mut loosened: Option<(Effect, Effect)> = None;
        for (from, to) in change.moved() {
            let Some(more) = demanded(from) else { continue };
            let fewer = || demanded(to).is_none_or(|left| left.terms.quorum < more.terms.quorum);
            if to > from && !fewer() {
                continue;
            }
            taken.get_or_insert_default().join(more);
            loosened = Some(loosened.map_or((from, to), |(f, t)| (f.max(from), t.min(to))));
        }
        let Some((from, to)) = loosened else { continue };
        let verb = if to < from { "lower" } else { "raise" };
        first.get_or_insert_with(|| format!("{verb} {tool:?} from {from} to {to}"));
        let declared = change.after.declared.as_ref().and_then(|declared| declared.effect);
        let set = change.after.set;
        tools.push(json!({
            "tool": tool, "from": from, "to": to, "set": set, "declared": declared,
        }));
    }
    let more = tools.len().saturating_sub(1);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(Loosening {
        action: "agenttrust/tools.lower",
        summary: format!("{}{more}", first?),
        input: json!({ "tools": tools }),
        demanded: taken?,
    })
}

/// Returns those of `agents` that are active.
fn active(engine: &Engine, org_id: &str, agents: &[&str]) -> Vec<Arc<AgentEntry>> {
    let known = agents.iter().filter_map(|id| engine.registry.agents.get(org_id, id));
    known.filter(|entry| entry.agent.status == AgentStatus::Active).collect()
}

/// Returns the ids of those agents that may use a tool.
fn who_may_use(agents: &[Arc<AgentEntry>], tool: &str) -> Vec<Arc<str>> {
    let may = agents.iter().filter(|entry| entry.capabilities.covers(tool));
    may.map(|entry| Arc::from(entry.agent.id.as_str())).collect()
}

/// Returns the changes with what the audit says of them: nothing where there are none.
fn planned(
    changes: Result<Vec<ToolChange>, Full>,
    key: &Key,
    named: usize,
) -> Result<Planned, Error> {
    let changes = changes.map_err(|full| Error::conflict(full.to_string()))?;
    let described = changes.iter().filter(|change| change.describes_anew()).count();
    let declared = |changed| {
        let body = json!({
            "tools": named, "role": key.role, "changed": changed, "described": described,
        });
        record(key, "tools.declared", body)
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
    let records = rows.into_iter().map(declared).collect();
    Ok(Planned { changes, records })
}

/// Returns what a check could notice of a change, or that a tool is declared for the first time.
fn told(change: &ToolChange) -> Option<Value> {
    let (before, after) = change.declared();
    let mut told = Map::new();
    let raised = change.before.raised.changes(&change.after.raised);
    let raised = raised.map(
        |(agent, before, after)| json!({ "agent_id": &**agent, "before": before, "after": after }),
    );
    let raised: Vec<Value> = raised.collect();
    if !raised.is_empty() {
        told.insert("raised".to_owned(), json!(raised));
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

fn record(key: &Key, kind: &'static str, body: Value) -> Record {
    Record::new(kind, &key.org_id).actor(&key.id).body(body)
}
