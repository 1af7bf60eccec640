//! Agents: registered, read, suspended, revoked, and the floor under their sessions.

use std::sync::Arc;

use agenttrust::Agent;
use agenttrust::internal::dpop::key_of_pem;
use agenttrust::model::{AgentStatus, CapabilitySet, SessionMode};
use serde_json::{Map, Value, json};

use crate::audit::Record;
use crate::domain::names::{check_capability, check_name, check_names, check_text};
use crate::domain::{Error, Key, Reach, ids};
use crate::engine::Engine;
use crate::policy::Hold;
use crate::registry::{AgentEntry, GROUPS, Limits, groups_of};
use crate::services::loosening::{self, Loosening};
use crate::store::Floor;

/// An agent that is to be registered.
#[derive(Debug)]
pub(crate) struct NewAgent {
    /// The organisation that the caller names, which can only be its own.
    pub(crate) org_id: Option<String>,
    pub(crate) name: String,
    pub(crate) framework: String,
    /// An Ed25519 key in PKIX PEM.
    pub(crate) public_key: Option<String>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) metadata: Map<String, Value>,
}

/// Registers an agent in the organisation of `key`.
///
/// # Errors
///
/// Invalid for a name, key, capability or group that cannot be one; conflict for capabilities that stand in each
/// other's way.
pub(crate) async fn create(engine: &Engine, key: &Key, new: NewAgent) -> Result<Agent, Error> {
    check_name("name", &new.name)?;
    check_name("framework", &new.framework)?;
    own_org(key, new.org_id.as_deref().filter(|org_id| !org_id.is_empty()))?;
    let public_key = new.public_key.filter(|pem| !pem.is_empty());
    public_key.as_deref().map_or(Ok(()), check_public_key)?;
    for (place, capability) in new.capabilities.iter().enumerate() {
        let field = format!("capabilities[{place}]");
        check_capability(&field, capability)?;
        check_asked(engine, &key.org_id, &field, capability)?;
    }
    let capabilities = CapabilitySet::parse(&new.capabilities)
        .map_err(|error| Error::capability("capabilities", &error))?;
    check_names("capabilities", &new.capabilities)?;
    check_groups(new.metadata.get(GROUPS))?;

    let now = engine.clock.now();
    let mut agent = Agent::new(ids::new("agt_"), new.name);
    agent.org_id.clone_from(&key.org_id);
    agent.framework = new.framework;
    agent.public_key = public_key.unwrap_or_default();
    // A name given twice counts once.
    agent.capabilities = capabilities.names().map(str::to_owned).collect();
    agent.metadata = new.metadata;
    agent.created_at = Some(now);
    let about = json!({
        "name": agent.name,
        "capabilities": agent.capabilities,
        "groups": groups_of(&agent),
    });
    let stored = engine.store.insert_agent(agent.clone(), now);
    engine.change(stored, |_| record(key, "agent.created", &agent.id, about)).await?;
    Ok(agent)
}

/// Refuses another organisation than that of `key`.
///
/// # Errors
///
/// Forbidden.
pub(crate) fn own_org(key: &Key, org_id: Option<&str>) -> Result<(), Error> {
    match org_id {
        Some(org_id) if org_id != key.org_id => Err(Error::forbidden(format!(
            "this key belongs to organisation {:?} and reaches no other",
            key.org_id
        ))),
        _ => Ok(()),
    }
}

/// Refuses what is no public key that an agent can prove to have.
pub(super) fn check_public_key(pem: &str) -> Result<(), Error> {
    // Of a point of small order anyone makes signatures.
    let key = key_of_pem(pem).filter(|key| !key.is_weak());
    let problem = || {
        Error::invalid(
            "public_key",
            "is no Ed25519 public key in PKIX PEM, as `openssl pkey -pubout` writes it",
        )
    };
    key.map(drop).ok_or_else(problem)
}

/// Refuses a capability to ask another agent that covers none: those are named by their ids, which no name of one is.
pub(super) fn check_asked(
    engine: &Engine,
    org_id: &str,
    field: &str,
    capability: &str,
) -> Result<(), Error> {
    if capability == "a2a" {
        let problem = "is \"a2a\", which covers no agent, because those are asked as `a2a/ID`; write \"a2a/*\" for all of \
                       them, or the id of one as in `a2a/agt_…`";
        return Err(Error::invalid(field, problem));
    }
    let Some(name) = capability.strip_prefix("a2a/").filter(|name| *name != "*") else {
        return Ok(());
    };
    let agents = engine.registry.agents.list(org_id);
    if agents.iter().any(|entry| entry.agent.id == name) {
        return Ok(());
    }
    let is_named = |entry: &&Arc<AgentEntry>| {
        entry.agent.name == name && entry.agent.status != AgentStatus::Revoked
    };
    let mut named = agents.iter().filter(is_named);
    let problem = match (named.next(), named.next()) {
        (None, _) => return Ok(()),
        (Some(one), None) => {
            let capability = format!("a2a/{}", one.agent.id);
            format!("names no agent: {name} is a name: the capability is {capability:?}")
        }
        (Some(_), Some(_)) => format!(
            "names no agent: {name} is the name of several, and the capability has the id of one, as in `a2a/agt_…`"
        ),
    };
    Err(Error::invalid(field, problem))
}

/// Refuses groups that policies could not name.
pub(super) fn check_groups(groups: Option<&Value>) -> Result<(), Error> {
    const FIELD: &str = "metadata.groups";
    let Some(groups) = groups else { return Ok(()) };
    let names = groups
        .as_array()
        .and_then(|groups| groups.iter().map(Value::as_str).collect::<Option<Vec<&str>>>())
        .ok_or_else(|| {
            let example = r#"is not a list of names; send one such as ["ops"], or leave it out"#;
            Error::invalid(FIELD, example)
        })?;
    check_names(FIELD, &names)
}

/// Returns the agents of the organisation that are within reach.
pub(crate) fn list(engine: &Engine, reach: Reach<'_>) -> Vec<Agent> {
    let entries = engine.registry.agents.list(&reach.key.org_id);
    let seen = entries.iter().filter(|entry| reach.covers(&entry.agent.id));
    seen.map(|entry| entry.show()).collect()
}

/// Returns the agent of this id in an organisation.
///
/// # Errors
///
/// Not found.
pub(crate) fn known(engine: &Engine, org_id: &str, id: &str) -> Result<Arc<AgentEntry>, Error> {
    let found = engine.registry.agents.get(org_id, id);
    found.ok_or_else(|| Error::unknown("agent", id))
}

/// Refuses an agent that is not active.
pub(crate) fn active(entry: &AgentEntry) -> Result<(), Error> {
    let id = &entry.agent.id;
    match entry.agent.status {
        AgentStatus::Active => Ok(()),
        AgentStatus::Revoked => Err(Error::agent_revoked(id)),
        _ => Err(Error::forbidden(format!(
            "agent {id:?} is suspended; an operator can reactivate it"
        ))),
    }
}

/// Revokes an agent for good, with its tokens, sessions and approvals; returns whether that is stored.
///
/// # Errors
///
/// Not found, and invalid for a reason that is too long.
pub(crate) async fn revoke(
    engine: &Engine,
    key: &Key,
    id: &str,
    reason: String,
) -> Result<bool, Error> {
    check_text("reason", &reason)?;
    known(engine, &key.org_id, id)?;
    let record = record(key, "agent.revoked", id, json!({ "reason": reason }));
    Ok(engine.take_agent(id, AgentStatus::Revoked, reason, record).await)
}

/// Suspends an agent; returns whether that is stored.
///
/// # Errors
///
/// Not found, invalid for a reason that is too long, conflict for an agent that is revoked.
pub(crate) async fn suspend(
    engine: &Engine,
    key: &Key,
    id: &str,
    reason: String,
) -> Result<bool, Error> {
    check_text("reason", &reason)?;
    known(engine, &key.org_id, id)?;
    // It may be revoked at another replica, of which memory hears once this one is stored.
    if engine.is_revoked(&key.org_id, id) {
        return Err(revoked(id));
    }
    let record = record(key, "agent.suspended", id, json!({ "reason": reason }));
    let durable = engine.take_agent(id, AgentStatus::Suspended, reason, record).await;
    if engine.is_revoked(&key.org_id, id) {
        return Err(revoked(id));
    }
    Ok(durable)
}

/// Says that an agent which is to change is revoked.
pub(super) fn revoked(id: &str) -> Error {
    Error::conflict(format!("agent {id:?} is revoked, which is for good; register another one"))
}

/// Lifts the suspension of an agent.
///
/// # Errors
///
/// Not found, invalid for a reason that is too long, conflict for an agent that is revoked.
pub(crate) async fn reactivate(
    engine: &Engine,
    key: &Key,
    id: &str,
    reason: &str,
) -> Result<(), Error> {
    check_text("reason", reason)?;
    known(engine, &key.org_id, id)?;
    engine.ensure_auditable()?;
    let record = record(key, "agent.reactivated", id, json!({ "reason": reason }));
    engine.reactivate_agent(&key.org_id, id, record).await
}

/// The floor that is to apply to every session of an agent.
#[derive(Debug)]
pub(crate) struct NewFloor {
    pub(crate) mode: Option<SessionMode>,
    /// The most that any session allows; `None` where nothing is said of it, `Some(None)` for no ceiling.
    pub(crate) ceiling: Option<Option<Vec<String>>>,
}

impl NewFloor {
    /// Returns the mode and the ceiling that it means.
    fn checked(self) -> Result<(SessionMode, Option<Vec<String>>), Error> {
        if self.mode == Some(SessionMode::Unknown) {
            return Err(unknown_mode());
        }
        let ceiling = self.ceiling.flatten();
        if ceiling.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::invalid(
                "scope_ceiling",
                "is empty; give it scopes, or null for no ceiling",
            ));
        }
        let mode = match (self.mode, &ceiling) {
            (None, None) => {
                return Err(Error::invalid(
                    "mode",
                    "is missing; use open, restricted or supervised, or give a scope_ceiling",
                ));
            }
            (None, Some(_)) => SessionMode::Restricted,
            (Some(SessionMode::Open), Some(_)) => return Err(open_with_ceiling()),
            (Some(SessionMode::Restricted), None) => return Err(restricted_without_ceiling()),
            (Some(mode), _) => mode,
        };
        check_names("scope_ceiling", ceiling.as_deref().unwrap_or_default())?;
        Ok((mode, ceiling))
    }
}

/// Sets the floor of an agent; returns its mode, and its ceiling if it has one.
///
/// # Errors
///
/// Not found, and invalid for a floor that says nothing, or would take a ceiling away without saying so; held where it
/// is looser than the one in force and policies ask several approvers about the agent's calls, until as many have
/// approved it.
pub(crate) async fn set_floor(
    engine: &Engine,
    key: &Key,
    id: &str,
    new: NewFloor,
) -> Result<(SessionMode, Option<Vec<String>>), Error> {
    let silent = new.ceiling.is_none();
    let (mode, ceiling) = new.checked()?;
    let floor = Limits::new(mode, ceiling.clone().map(Into::into))
        .map_err(|error| Error::capability("scope_ceiling", &error))?;
    engine.ensure_auditable()?;
    engine.sync().await?;
    let entry = known(engine, &key.org_id, id)?;
    let instead = !silent || mode == SessionMode::Open;
    if !instead && !entry.floor.ceiling().is_empty() {
        return Err(ceiling_stays());
    }
    let granted = match loosened(engine, &entry, &floor) {
        Some(wanted) => Some(loosening::approved(engine, key, &wanted).await?),
        None => None,
    };
    let (org_id, now) = (key.org_id.clone(), engine.clock.now());
    let seen = (entry.floor.mode(), shown(&entry.floor));
    let stored_floor = Floor { mode, ceiling, instead, seen };
    let stored = async {
        let set = engine.store.set_floor(org_id, id.to_owned(), stored_floor, now).await?;
        if set { Ok(()) } else { Err(if instead { floor_moved() } else { ceiling_stays() }) }
    };
    let shown = shown(&floor);
    let about = record(key, "agent.floor_set", id, json!({ "mode": mode, "scope_ceiling": shown }));
    let about = match &granted {
        Some(granted) => granted.noted(about),
        None => about,
    };
    let done = engine.change(stored, |_| about).await;
    if let Some(granted) = granted {
        loosening::ended(engine, &granted, done.is_ok()).await;
    }
    done.map(|()| (mode, shown))
}

/// Returns the ceiling of a floor, if it has one.
fn shown(floor: &Limits) -> Option<Vec<String>> {
    Some(floor.ceiling().to_vec()).filter(|ceiling| !ceiling.is_empty())
}

/// Returns what this floor takes away of what policies hold for several approvers, where it does.
fn loosened(engine: &Engine, entry: &AgentEntry, floor: &Limits) -> Option<Loosening> {
    if !floor.is_looser_than(&entry.floor) {
        return None;
    }
    let AgentEntry { agent, groups, floor: before, .. } = entry;
    let hold = Hold::Agent { org: &agent.org_id, id: &agent.id, groups };
    let told = |floor: &Limits| json!({ "mode": floor.mode(), "scope_ceiling": shown(floor) });
    Some(Loosening {
        action: "agenttrust/agents.loosen",
        demanded: engine.policies.load().demanded(hold)?,
        summary: format!(
            "loosen the floor of agent {:?} from {} to {}",
            agent.name,
            before.mode(),
            floor.mode()
        ),
        input: json!({
            "agent_id": agent.id,
            "agent_name": agent.name,
            "from": told(before),
            "to": told(floor),
        }),
    })
}

fn floor_moved() -> Error {
    Error::conflict("the floor of this agent was changed while this was on its way; send it again")
}

fn ceiling_stays() -> Error {
    Error::invalid(
        "scope_ceiling",
        "is missing, and this agent has a ceiling; repeat it, or give null to drop it",
    )
}

/// Refuses a mode that this version does not know.
pub(crate) fn unknown_mode() -> Error {
    Error::invalid("mode", "is not known; use open, restricted or supervised")
}

/// Refuses a ceiling where everything is open.
pub(crate) fn open_with_ceiling() -> Error {
    Error::invalid("mode", "is open, which has no scope ceiling; use restricted or supervised")
}

/// Refuses a restriction to nothing.
pub(crate) fn restricted_without_ceiling() -> Error {
    Error::invalid("scope_ceiling", "is empty, so restricted would allow nothing; give it scopes")
}

/// Returns what the audit says of an agent that `key` changed.
pub(crate) fn record(key: &Key, kind: &'static str, agent_id: &str, body: Value) -> Record {
    Record::new(kind, &key.org_id).agent(agent_id).actor(&key.id).body(body)
}
