//! Delegations: made, read, listed, revoked.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::model::{CapabilitySet, Delegation, DelegationRestrictions, DelegationState};
use serde_json::{Map, Value, json};

use super::agents::{active, known, record};
use super::issued::{found, newest};
use crate::domain::ids::{self, DELEGATION_PREFIX};
use crate::domain::restrictions::need_tighter;
use crate::domain::{Error, Key, Reach};
use crate::engine::Engine;
use crate::registry::{AgentEntry, Chain, DEPTH_MOST, DelegationEntry, used_up};
use crate::store::{DelegationRow, IssuedFilter, Line};

/// A delegation that is to be made.
#[derive(Debug)]
pub(crate) struct NewDelegation {
    pub(crate) from_agent_id: String,
    pub(crate) to_agent_id: String,
    pub(crate) scope: Vec<String>,
    pub(crate) ttl: Duration,
    pub(crate) restrictions: DelegationRestrictions,
    pub(crate) parent_id: Option<String>,
}

/// Makes a delegation: of what an agent has itself or, with a parent, of what that gives it. It lives no longer than
/// its parent.
///
/// # Errors
///
/// Not found for an agent or a parent that is not there, or that does not work; invalid for a scope that is not a
/// capability, a cycle, a chain that is too long; forbidden for an agent that is not active, and for more than its
/// giver has; too many where the giver has given as many as it may.
pub(crate) async fn create(
    engine: &Engine,
    key: &Key,
    new: NewDelegation,
) -> Result<Delegation, Error> {
    let now = engine.clock.now();
    let giver = known(engine, &key.org_id, &new.from_agent_id)?;
    let receiver = known(engine, &key.org_id, &new.to_agent_id)?;
    active(&giver)?;
    active(&receiver)?;
    let parent = new.parent_id.as_deref().map(|id| parent(engine, &giver, id, now)).transpose()?;
    need_new_receiver(&new, parent.as_ref())?;
    let scope =
        CapabilitySet::parse(&new.scope).map_err(|error| Error::capability("scope", &error))?;
    need_covered(engine, &scope, &giver, parent.as_ref())?;
    let expires_at = expiry(&new, parent.as_ref(), now)?;
    if engine.registry.delegations.is_full(&new.from_agent_id, now) {
        return Err(Error::too_many(format!(
            "agent {:?} has given as many delegations as it may; revoke some or let them expire",
            new.from_agent_id
        )));
    }
    engine.ensure_auditable()?;
    let id = ids::new(DELEGATION_PREFIX);
    let root_id = parent.as_ref().and_then(|chain| chain.ids().into_iter().next());
    let row = DelegationRow {
        org_id: key.org_id.clone(),
        from_agent_id: new.from_agent_id,
        to_agent_id: new.to_agent_id,
        parent_id: new.parent_id,
        root_id: root_id.unwrap_or_else(|| id.clone()),
        // A name given twice counts once.
        scope: scope.names().map(str::to_owned).collect(),
        restrictions: new.restrictions,
        created_by: key.id.clone(),
        agent_version: giver.versions.now,
        created_at: now,
        expires_at,
        revoked_at: None,
        id,
    };
    // Not `change`: between memory and the record it is looked whether what it rests on still stands.
    let stored = engine.store.insert_delegation(row.clone()).await?;
    engine.sync().await?;
    if !stored || engine.registry.chain(&key.org_id, &row.id, now).is_err() {
        return Err(over(engine, key, &row));
    }
    let about = about(&row);
    engine.record_audit(record(key, "delegation.created", &row.from_agent_id, about)).await?;
    let above = parent.map(|chain| chain.ids()).unwrap_or_default();
    Ok(row.show(above, unusable(engine, &row, &Line::default(), now), now))
}

/// Returns what the new delegation is to be made from: one that its giver was given.
fn parent(engine: &Engine, giver: &AgentEntry, id: &str, now: Timestamp) -> Result<Chain, Error> {
    let (org_id, giver) = (&giver.agent.org_id, &giver.agent.id);
    let chain = engine.registry.chain(org_id, id, now).map_err(|broken| broken.error(id))?;
    if chain.last.row.to_agent_id != *giver {
        return Err(Error::forbidden(format!(
            "delegation {id:?} was given to agent {:?}, so agent {giver:?} cannot hand it on",
            chain.last.row.to_agent_id
        )));
    }
    if chain.depth() >= DEPTH_MOST {
        return Err(Error::invalid(
            "parent_delegation_id",
            format!("is the last of a chain of {DEPTH_MOST}, which is the most"),
        ));
    }
    Ok(chain)
}

/// Refuses a delegation to the agent that gives it, or to one that is in the chain already.
fn need_new_receiver(new: &NewDelegation, parent: Option<&Chain>) -> Result<(), Error> {
    let to = &new.to_agent_id;
    if *to == new.from_agent_id {
        let problem = "is the agent that gives; an agent needs no delegation of its own";
        return Err(Error::invalid("to_agent_id", problem));
    }
    if parent.is_some_and(|chain| chain.has_agent(to)) {
        return Err(Error::invalid(
            "to_agent_id",
            format!(
                "names agent {to:?}, which is in this chain already; delegations make no circle"
            ),
        ));
    }
    Ok(())
}

/// Refuses more than the giver has: of its own, or by the parent.
fn need_covered(
    engine: &Engine,
    scope: &CapabilitySet,
    giver: &AgentEntry,
    parent: Option<&Chain>,
) -> Result<(), Error> {
    let beyond = |name: &str, what: String| {
        Error::forbidden(format!("scope names {name:?}, which {what}; it can only be narrower"))
    };
    let id = &giver.agent.id;
    match parent {
        None => {
            if let Some(name) = giver.capabilities.first_uncovered(scope) {
                let given = engine.registry.delegations.given_to(id, scope, engine.clock.now());
                let how = given.map(|given| {
                    format!(
                        "; to hand on what delegation {:?} gives it, name that as the parent \
                         (parent_delegation_id, or --parent)",
                        given.row.id
                    )
                });
                let how = how.unwrap_or_default();
                return Err(beyond(name, format!("no capability of agent {id:?} covers{how}")));
            }
        }
        Some(chain) => {
            if let Some(name) = chain.last.scope.first_uncovered(scope) {
                let given = &chain.last.row.id;
                return Err(beyond(name, format!("is outside the scope of delegation {given:?}")));
            }
            let root = &chain.root;
            if let Some(name) = root.capabilities.first_uncovered(scope) {
                let root = &root.agent.id;
                return Err(beyond(
                    name,
                    format!("no capability of agent {root:?} covers any more"),
                ));
            }
        }
    }
    if let Some(name) = giver.floor.first_uncovered(scope) {
        return Err(beyond(name, format!("is outside the floor of agent {id:?}")));
    }
    Ok(())
}

/// Returns when the delegation ends by itself: as asked for, and not after its parent.
fn expiry(new: &NewDelegation, parent: Option<&Chain>, now: Timestamp) -> Result<Timestamp, Error> {
    if let Some(chain) = parent {
        need_tighter(&chain.last.row.restrictions, &new.restrictions)?;
    }
    let mut expires_at = now.saturating_add(new.ttl);
    if let Some(at) = new.restrictions.not_after {
        if at <= now {
            let problem = format!("is {at}, which is past; name a time that is to come");
            return Err(Error::invalid("restrictions.not_after", problem));
        }
        expires_at = expires_at.min(at);
    }
    Ok(parent.map_or(expires_at, |chain| expires_at.min(chain.last.row.expires_at)))
}

/// Returns why a delegation cannot be made whose agents and parent were good a moment ago.
fn over(engine: &Engine, key: &Key, row: &DelegationRow) -> Error {
    let stands = |id: &str| known(engine, &key.org_id, id).and_then(|agent| active(&agent));
    let stand = engine
        .need_key(key)
        .and_then(|()| stands(&row.from_agent_id))
        .and_then(|()| stands(&row.to_agent_id));
    match (stand, &row.parent_id) {
        (Err(error), _) => error,
        (Ok(()), Some(parent_id)) => Error::not_found(format!(
            "delegation {parent_id:?} was revoked or expired meanwhile; have another one made"
        )),
        (Ok(()), None) => Error::conflict(
            "one of the agents was suspended or revoked meanwhile; see how they stand and try again",
        ),
    }
}

fn about(row: &DelegationRow) -> Value {
    json!({
        "delegation_id": row.id,
        "to_agent_id": row.to_agent_id,
        "parent_delegation_id": row.parent_id,
        "root_delegation_id": row.root_id,
        "scope": *row.scope,
        "restrictions": row.restrictions,
        "expires_at": row.expires_at,
    })
}

/// Returns the delegation of this id, if one of its agents is within reach.
///
/// # Errors
///
/// Not found, also for one of other agents, so that an id tells nothing about whose it is.
pub(crate) async fn get(engine: &Engine, reach: Reach<'_>, id: &str) -> Result<Delegation, Error> {
    let unknown = || Error::unknown("delegation", id);
    let row = engine.reading_store.delegation(id.to_owned()).await?.ok_or_else(unknown)?;
    if row.org_id != reach.key.org_id || !is_within(reach, &row) {
        return Err(unknown());
    }
    let mut shown = shown(engine, vec![row]).await?;
    shown.pop().ok_or_else(unknown)
}

fn is_within(reach: Reach<'_>, row: &DelegationRow) -> bool {
    reach.covers(&row.from_agent_id) || reach.covers(&row.to_agent_id)
}

/// Returns these delegations as callers see them now: all that they were made from is read at once.
async fn shown(engine: &Engine, rows: Vec<DelegationRow>) -> Result<Vec<Delegation>, Error> {
    let ids = rows.iter().map(|row| row.id.clone()).collect();
    let lines = engine.reading_store.delegation_lines(ids).await?;
    let is_new =
        |row: &DelegationRow| engine.registry.delegations.get(&row.org_id, &row.id).is_none();
    let now = engine.clock.now();
    if rows.iter().any(|row| row.state(now) == DelegationState::Active && is_new(row)) {
        // Another replica made it a moment ago. Without its database this one goes by what it knows.
        let _ = engine.sync().await;
    }
    let none = Line::default();
    let show = |row: DelegationRow| {
        let line = lines.get(&row.id).unwrap_or(&none);
        row.show(line.above().to_vec(), unusable(engine, &row, line, now), now)
    };
    Ok(rows.into_iter().map(show).collect())
}

/// Returns why a delegation lets no call through at `now`, if it lets none: what its session and its checks would be
/// told.
fn unusable(engine: &Engine, row: &DelegationRow, line: &Line, now: Timestamp) -> Option<String> {
    let id = &row.id;
    match row.state(now) {
        DelegationState::Active => {}
        DelegationState::Revoked => {
            return Some(format!(
                "delegation {id:?} was revoked, by itself or with what it was made from; have another one made"
            ));
        }
        _ => return Some(format!("delegation {id:?} has expired; have another one made")),
    }
    let chain = match engine.registry.chain(&row.org_id, id, now) {
        Ok(chain) => chain,
        Err(broken) => return Some(broken.reason(id)),
    };
    let receiver = known(engine, &row.org_id, &row.to_agent_id).and_then(|agent| active(&agent));
    if let Err(error) = receiver {
        return Some(error.message().to_owned());
    }
    let mut charges = chain.charges().into_iter();
    charges.find_map(|charge| {
        let limiting = charge.delegation()?;
        (line.used(limiting) >= i64::from(charge.most)).then(|| used_up(limiting, charge.most))
    })
}

/// Returns the delegations within reach that pass the filter, the newest first; of one agent, or of all.
///
/// # Errors
///
/// Forbidden for an agent that is not within reach.
pub(crate) async fn list(
    engine: &Engine,
    reach: Reach<'_>,
    agent_id: Option<&str>,
    filter: IssuedFilter<DelegationState>,
) -> Result<Vec<Delegation>, Error> {
    let now = engine.clock.now();
    let mut found = Vec::new();
    // Agent by agent, as of tokens: those of others must not push out the caller's own.
    for agent_id in reach.listed(agent_id)? {
        let filter = IssuedFilter { agent_id, ..filter.clone() };
        let org_id = reach.key.org_id.clone();
        found.extend(engine.reading_store.delegations(org_id, filter, now).await?);
    }
    // One from an agent of the key to another one was found twice.
    let mut seen = BTreeSet::new();
    found.retain(|row| seen.insert(row.id.clone()));
    shown(engine, newest(found, &filter, |row| (Some(row.created_at), &row.id))).await
}

/// Revokes the delegation of this id, with all that was made from it; returns whether that is stored.
///
/// # Errors
///
/// Not found for one that does not work any more, and for one of other agents.
pub(crate) async fn revoke(engine: &Engine, reach: Reach<'_>, id: &str) -> Result<bool, Error> {
    let delegation = found(engine, || live(engine, reach, id)).await;
    let delegation = delegation.ok_or_else(|| Error::unknown("delegation that works", id))?;
    let about = json!({ "delegation_id": id, "to_agent_id": delegation.row.to_agent_id });
    let record = record(reach.key, "delegation.revoked", &delegation.row.from_agent_id, about);
    Ok(engine.take_delegation(delegation, record).await)
}

fn live(engine: &Engine, reach: Reach<'_>, id: &str) -> Option<Arc<DelegationEntry>> {
    let known = engine.registry.delegations.get(&reach.key.org_id, id);
    let delegation = known.or_else(|| engine.taking_delegation(id))?;
    let row = &delegation.row;
    let live = delegation.is_live(engine.clock.now()) && row.org_id == reach.key.org_id;
    (live && is_within(reach, row)).then_some(delegation)
}

/// A request about a delegation that was refused.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The operation that was refused.
    pub(crate) operation: &'static str,
    /// The refusal, for programs ...
    pub(crate) code: &'static str,
    /// ... and for people.
    pub(crate) message: String,
}

/// Tells the audit of it, and what it named; waits for nothing.
pub(crate) fn refused(
    engine: &Engine,
    key: &Key,
    refused: Refused,
    named: impl FnOnce() -> Map<String, Value>,
) {
    let Refused { operation, code, message } = refused;
    engine.refused("delegation.refused", key, || {
        let mut about = named();
        about.insert("operation".to_owned(), operation.into());
        about.insert("code".to_owned(), code.into());
        about.insert("message".to_owned(), message.into());
        Value::Object(about)
    });
}
