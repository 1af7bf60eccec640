//! API keys: made, given another secret, taken back.

use std::time::Duration;

use agenttrust::Timestamp;
use serde_json::json;

use crate::audit::Record;
use crate::domain::names::check_names;
use crate::domain::{Error, ErrorKind, Fingerprint, Role, ids};
use crate::engine::Engine;
use crate::store::{KeyRow, Rotation, StoreError};

/// The longest that two secrets of a key work beside each other, in seconds.
pub(crate) const OVERLAP_MOST: u64 = 30 * 86_400;

/// A key that is to be made.
#[derive(Debug)]
pub(crate) struct NewKey {
    pub(crate) org_id: String,
    pub(crate) role: Role,
    /// The agents that it is bound to.
    pub(crate) agents: Vec<String>,
    /// What its secret is known by.
    pub(crate) hash: Fingerprint,
}

impl NewKey {
    /// The row of it, made at `now`.
    pub(crate) fn into_row(self, now: Timestamp) -> KeyRow {
        let Self { org_id, role, agents, hash } = self;
        KeyRow {
            id: ids::new("key_"),
            org_id,
            hash,
            role,
            agents,
            created_at: now,
            revoked_at: None,
            old: None,
            rotated_at: None,
            last_used_at: None,
        }
    }
}

/// What the audit says of a new key.
pub(crate) fn created(row: &KeyRow) -> Record {
    Record::new("key.created", &row.org_id)
        .body(json!({ "key_id": row.id, "role": row.role, "agents": row.agents }))
}

/// Makes a key; `actor` is who asked for it.
///
/// # Errors
///
/// Invalid for agents that a key of this role cannot be bound to; unavailable where the database or the audit
/// cannot be written. A key that could not be recorded does not work.
pub(crate) async fn create(engine: &Engine, new: NewKey, actor: &str) -> Result<KeyRow, Error> {
    check_agents(engine, &new)?;
    let row = new.into_row(engine.clock.now());
    let made = engine.change(engine.store.insert_key(row.clone()), |_| created(&row).actor(actor));
    if let Err(error) = made.await {
        // Its secret is shown to no one, so no one could ever take it back.
        if engine.knows_key(&row.org_id, &row.id) {
            engine.take_key(&row.id, revoked(&row.org_id, &row.id, actor)).await;
        }
        return Err(error);
    }
    Ok(row)
}

/// Refuses agents that a key of this role cannot be bound to.
fn check_agents(engine: &Engine, new: &NewKey) -> Result<(), Error> {
    let refused = |reason: String| Err(Error::new(ErrorKind::Invalid, reason));
    match (new.role, new.agents.as_slice()) {
        (Role::Agent, []) => {
            refused("agents is empty; an agent key is bound to at least one agent".to_owned())
        }
        (Role::Agent, agents) => {
            check_names("agents", agents)?;
            match agents.iter().find(|id| engine.registry.agents.get(&new.org_id, id).is_none()) {
                Some(unknown) => {
                    refused(format!("agents names {unknown:?}, and there is no such agent"))
                }
                None => Ok(()),
            }
        }
        (_, []) => Ok(()),
        (role, _) => refused(format!("agents is given, and a key of role {role} is bound to none")),
    }
}

/// The keys of an organisation, revoked ones too.
pub(crate) async fn list(engine: &Engine, org_id: &str) -> Result<Vec<KeyRow>, StoreError> {
    let mut keys = engine.reading_store.keys().await?;
    keys.retain(|key| key.org_id == org_id);
    Ok(keys)
}

/// Takes a key back; returns whether that is stored.
///
/// # Errors
///
/// Not found for a key that does not work.
pub(crate) async fn revoke(
    engine: &Engine,
    org_id: &str,
    id: &str,
    actor: &str,
) -> Result<bool, Error> {
    // Made by another process a moment ago, it is not known here yet.
    if !engine.knows_key(org_id, id) {
        engine.sync().await?;
    }
    if !engine.knows_key(org_id, id) {
        return Err(no_such_key(id));
    }
    Ok(engine.take_key(id, revoked(org_id, id, actor)).await)
}

fn revoked(org_id: &str, id: &str, actor: &str) -> Record {
    Record::new("key.revoked", org_id).actor(actor).body(json!({ "key_id": id }))
}

/// The secret that takes the place of a key's.
#[derive(Debug)]
pub(crate) struct NewSecret {
    pub(crate) hash: Fingerprint,
    /// How many seconds the one before goes on working.
    pub(crate) overlap: u64,
}

/// Gives a key another secret.
///
/// # Errors
///
/// Invalid for more than 30 days, not found for a key that does not work.
pub(crate) async fn rotate(
    engine: &Engine,
    org_id: &str,
    id: &str,
    new: NewSecret,
    actor: &str,
) -> Result<KeyRow, Error> {
    let NewSecret { hash, overlap } = new;
    if overlap > OVERLAP_MOST {
        let long = format!("is {overlap}; {OVERLAP_MOST} seconds is the most");
        return Err(Error::invalid("overlap", long));
    }
    let now = engine.clock.now();
    let rotation = Rotation {
        id: id.to_owned(),
        org_id: org_id.to_owned(),
        hash,
        old_until: now.saturating_add(Duration::from_secs(overlap)),
        now,
    };
    let rotated = async {
        match engine.control_store.rotate_key(rotation).await? {
            true => Ok(()),
            false => Err(no_such_key(id)),
        }
    };
    let record = |_: &()| {
        let body = json!({ "key_id": id, "overlap": overlap });
        Record::new("key.rotated", org_id).actor(actor).body(body)
    };
    engine.change(rotated, record).await?;
    let row = engine.control_store.key(id.to_owned()).await?;
    row.ok_or_else(|| no_such_key(id))
}

fn no_such_key(id: &str) -> Error {
    Error::not_found(format!("there is no key {id:?} that works"))
}
