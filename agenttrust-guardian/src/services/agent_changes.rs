//! Agents that change: their name, capabilities, groups and metadata, each on top of what is there by then.

use agenttrust::Agent;
use agenttrust::internal::dpop::{key_of_pem, thumbprint};
use agenttrust::model::{CapabilitySet, UpdateAgentRequest};
use serde_json::{Map, Value, json};

use super::agents::{check_asked, check_groups, check_public_key, known, record, revoked};
use crate::domain::names::{check_capability, check_name, check_names};
use crate::domain::{Error, Key};
use crate::engine::Engine;
use crate::registry::{GROUPS, groups_of};
use crate::store::{AgentChanged, AgentRow};

/// The greatest length of an agent's metadata, as JSON, in bytes: as long as the body that registers one.
const METADATA_MAX_BYTES: usize = 1 << 20;
/// The number of members of the metadata that the audit names, and the length of each name: others may be as long as a
/// body.
const MEMBERS_TOLD: usize = 50;
const MEMBER_TOLD_CHARS: usize = 40;

/// Changes an agent; returns it as it is now.
///
/// # Errors
///
/// Invalid for a change that says nothing, and for a name, a capability or a group that cannot be one; not found;
/// conflict for an agent that is revoked, for capabilities that stand in each other's way and for one that is to
/// be withdrawn and cannot be.
pub(crate) async fn change(
    engine: &Engine,
    key: &Key,
    id: &str,
    wanted: UpdateAgentRequest,
) -> Result<Agent, Error> {
    check(&wanted)?;
    let entry = known(engine, &key.org_id, id)?;
    let all = wanted.capabilities.as_deref().unwrap_or_default();
    for (field, names) in [("capabilities", all), ("grant", &wanted.grant)] {
        for (place, capability) in names.iter().enumerate() {
            // What it has it keeps.
            if !entry.capabilities.names().any(|name| name == capability) {
                let field = format!("{field}[{place}]");
                check_asked(engine, &key.org_id, &field, capability)?;
            }
        }
    }
    if engine.is_revoked(&key.org_id, id) {
        return Err(revoked(id));
    }
    let plan = |row| planned(row, wanted);
    let stored = async {
        match engine.store.change_agent(id.to_owned(), plan, engine.clock.now()).await? {
            AgentChanged::Done { before, after } => Ok(told(&before.agent, &after.agent)),
            AgentChanged::Revoked => Err(revoked(id)),
            AgentChanged::Refused(error) => Err(error),
        }
    };
    let row = |body: &Value| record(key, "agent.changed", id, body.clone());
    let (_, rest) = engine.change(stored, |(first, _)| row(first)).await?;
    if let Some(body) = rest {
        engine.record_audit(row(&body)).await?;
    }
    Ok(known(engine, &key.org_id, id)?.show())
}

/// Looks at what is wanted by itself.
fn check(wanted: &UpdateAgentRequest) -> Result<(), Error> {
    if *wanted == UpdateAgentRequest::default() {
        return Err(Error::invalid(
            "body",
            "names nothing to change; give name, capabilities, grant, withdraw, groups, metadata, requires_proof or \
             public_key",
        ));
    }
    wanted.name.as_deref().map_or(Ok(()), |name| check_name("name", name))?;
    wanted.public_key.as_deref().map_or(Ok(()), check_public_key)?;
    let all = wanted.capabilities.as_deref().unwrap_or_default();
    for (field, names) in [("capabilities", all), ("grant", &wanted.grant)] {
        for (place, capability) in names.iter().enumerate() {
            check_capability(&format!("{field}[{place}]"), capability)?;
        }
        CapabilitySet::parse(names).map_err(|error| Error::capability(field, &error))?;
        check_names(field, names)?;
    }
    check_names("withdraw", &wanted.withdraw)?;
    check_names("groups", wanted.groups.as_deref().unwrap_or_default())
}

/// Returns the agent as it is to be, of how it stands.
fn planned(mut row: AgentRow, wanted: UpdateAgentRequest) -> Result<AgentRow, Error> {
    let before = set_of(&row.agent.capabilities)?;
    let agent = &mut row.agent;
    if let Some(name) = wanted.name {
        agent.name = name;
    }
    // Tokens and sessions are bound to a key by its thumbprint, which is looked at whenever they are used.
    if let Some(public_key) = wanted.public_key {
        agent.public_key = public_key;
    }
    if let Some(requires_proof) = wanted.requires_proof {
        agent.requires_proof = need_provable(agent, requires_proof)?;
    }
    let had = wanted.capabilities.unwrap_or_else(|| agent.capabilities.clone());
    let kept = had.iter().filter(|name| !wanted.withdraw.contains(name)).chain(&wanted.grant);
    let kept: Vec<&str> = kept.map(String::as_str).collect();
    let after = set_of(&kept)?;
    check_names("capabilities", after.as_slice())?;
    for name in wanted.withdraw.iter().filter(|name| !wanted.grant.contains(name)) {
        withdrawn(&agent.id, name, &had, &after)?;
    }
    agent.capabilities = after.as_slice().to_vec();
    row.versions = row.versions.followed_by(&before, &after);

    let length = |metadata: &Map<String, Value>| json!(metadata).to_string().len();
    let length_before = length(&agent.metadata);
    for (member, value) in wanted.metadata {
        if value.is_null() {
            agent.metadata.remove(&member);
        } else {
            agent.metadata.insert(member, value);
        }
    }
    if let Some(groups) = wanted.groups {
        agent.metadata.insert(GROUPS.to_owned(), json!(groups));
    }
    check_groups(agent.metadata.get(GROUPS))?;
    let length = length(&agent.metadata);
    if length > METADATA_MAX_BYTES.max(length_before) {
        let long = format!(
            "would be {length} bytes long with what is there; {METADATA_MAX_BYTES} is the most, so take members \
             out with null"
        );
        return Err(Error::invalid("metadata", long));
    }
    Ok(row)
}

/// Refuses to have an agent prove what it cannot: without a registered key it could do nothing any more.
fn need_provable(agent: &Agent, requires_proof: bool) -> Result<bool, Error> {
    if !requires_proof || key_of_pem(&agent.public_key).is_some() {
        return Ok(requires_proof);
    }
    Err(Error::conflict(format!(
        "agent {:?} has no registered key, so it could prove nothing; give it public_key",
        agent.id
    )))
}

fn set_of<S: AsRef<str>>(names: &[S]) -> Result<CapabilitySet, Error> {
    CapabilitySet::parse(names).map_err(|error| Error::capability("capabilities", &error))
}

/// Refuses to withdraw what the agent does not have, or has all the same: an operator that withdrew it would think it
/// gone.
fn withdrawn(id: &str, name: &String, had: &[String], after: &CapabilitySet) -> Result<(), Error> {
    let covers = |wide: &&str| {
        let (wide, name) = (CapabilitySet::parse(&[wide]), CapabilitySet::parse(&[name]));
        wide.is_ok_and(|wide| name.is_ok_and(|name| wide.covers_all_of(&name)))
    };
    let wider = after.names().find(covers);
    match wider {
        Some(wider) => Err(Error::conflict(format!(
            "capability {name:?} cannot be withdrawn from agent {id:?}, because {wider:?} covers it; withdraw that \
             one, and grant what is to stay"
        ))),
        None if had.contains(name) => Ok(()),
        None => Err(Error::conflict(format!(
            "agent {id:?} has no capability {name:?} that could be withdrawn; see which it has"
        ))),
    }
}

/// Returns the thumbprint of the agent's registered key, by which the audit names it.
fn thumbprint_of(agent: &Agent) -> Option<String> {
    key_of_pem(&agent.public_key).map(|key| thumbprint(&key))
}

/// Returns what the audit says of a change, in one row or two: no row has room for four lists. Of the metadata it names
/// the members, whose values may be secret.
fn told(before: &Agent, after: &Agent) -> (Value, Option<Value>) {
    let (mut was, mut is) = (Map::new(), Map::new());
    let mut changed = |member: &str, before: Value, after: Value| {
        if before != after {
            was.insert(member.to_owned(), before);
            is.insert(member.to_owned(), after);
        }
    };
    changed("name", json!(before.name), json!(after.name));
    changed("requires_proof", json!(before.requires_proof), json!(after.requires_proof));
    changed("key_thumbprint", json!(thumbprint_of(before)), json!(thumbprint_of(after)));
    changed("capabilities", json!(before.capabilities), json!(after.capabilities));
    let members = before.metadata.keys().chain(after.metadata.keys());
    let mut members: Vec<&String> = members
        .filter(|member| {
            *member != GROUPS && before.metadata.get(*member) != after.metadata.get(*member)
        })
        .collect();
    members.sort_unstable();
    members.dedup();
    let named = members.iter().take(MEMBERS_TOLD);
    let named: Vec<String> =
        named.map(|member| member.chars().take(MEMBER_TOLD_CHARS).collect()).collect();
    let first = json!({
        "before": was, "after": is, "metadata": { "count": members.len(), "members": named },
    });
    let [groups_before, groups_after] = [before, after].map(groups_of);
    let groups = (groups_before != groups_after).then(
        || json!({ "before": { "groups": groups_before }, "after": { "groups": groups_after } }),
    );
    match groups {
        // One row, where there is nothing else to tell.
        Some(groups) if was.is_empty() && members.is_empty() => (groups, None),
        groups => (first, groups),
    }
}
