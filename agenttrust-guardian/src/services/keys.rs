//! API keys: made, given another secret, taken back.

use std::future::Future;
use std::time::Duration;

use agenttrust::Timestamp;
use serde_json::json;

use crate::audit::Record;
use crate::domain::names::{check_distinct_name, check_name, check_names, check_text};
use crate::domain::role::Access;
use crate::domain::{Error, ErrorKind, Fingerprint, Key, Permission, Role, Secret, ids};
use crate::engine::Engine;
use crate::engine::taking::KeyTaking;
use crate::services::federation::providers::GATEWAY_PREFIX;
use crate::store::{Gone, KeyRow, Rotation, StoreError};

/// The longest that two secrets of a key work beside each other, in seconds.
pub(crate) const OVERLAP_MOST: u64 = 30 * 86_400;

/// The number of keys that a key may come from. Each of them is remembered with it.
const MAKERS_MOST: i64 = 64;

/// A key that is to be made.
#[derive(Debug)]
pub(crate) struct NewKey {
    pub(crate) org_id: String,
    pub(crate) role: Role,
    /// The agents that it is bound to.
    pub(crate) agents: Vec<String>,
    /// The fingerprint of its secret.
    pub(crate) hash: Fingerprint,
    /// The gateway that a key of role gateway is of.
    pub(crate) gateway: Option<String>,
    /// The person or program that it is of.
    pub(crate) owner: Option<String>,
}

/// The maker of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Maker<'a> {
    /// The program, under this name in the audit.
    Program(&'static str),
    Key(&'a Key),
}

impl Maker<'_> {
    /// Returns the name of the maker in the audit.
    fn actor(&self) -> &str {
        match self {
            Self::Program(name) => name,
            Self::Key(key) => &key.id,
        }
    }

    /// Returns the owner of a key of `role` for which none is named. A key that decides is its maker's: else its owner
    /// would have one more key to approve with that does not count as the owner's. The key of an agent is not, because
    /// its maker may decide what the agent asks for.
    fn owner_of(self, role: Role) -> Option<String> {
        let decides = role.may(Permission::DecideApprovals) != Access::No;
        match self {
            Self::Key(key) if decides => key.owner.clone(),
            _ => None,
        }
    }
}

impl NewKey {
    /// Creates a key of this role, bound to no agent and of no owner.
    pub(crate) fn new(org_id: &str, role: Role, hash: Fingerprint) -> Self {
        let org_id = org_id.to_owned();
        Self { org_id, role, agents: Vec::new(), hash, gateway: None, owner: None }
    }

    /// Returns the row of it, made at `now`.
    pub(crate) fn into_row(self, now: Timestamp) -> KeyRow {
        let Self { org_id, role, agents, hash, gateway, owner } = self;
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
            gateway,
            took_issued: false,
            made_by: None,
            owner,
        }
    }
}

/// Returns what the audit says of a new key.
pub(crate) fn created(row: &KeyRow) -> Record {
    let mut body = json!({ "key_id": row.id, "role": row.role, "agents": row.agents });
    for (name, value) in [("gateway", &row.gateway), ("owner", &row.owner)] {
        if let (Some(body), Some(value)) = (body.as_object_mut(), value) {
            body.insert(name.to_owned(), value.as_str().into());
        }
    }
    Record::new("key.created", &row.org_id).body(body)
}

/// Makes a key, which remembers its maker.
///
/// # Errors
///
/// Invalid for agents that a key of this role cannot be bound to, and for a name that cannot be an owner's or a
/// gateway's, or by which the Guardian itself asks; conflict for a maker that comes from too many keys; unavailable
/// where the database or the audit cannot be written. A key that could not be recorded does not work.
pub(crate) async fn create(
    engine: &Engine,
    new: NewKey,
    maker: Maker<'_>,
) -> Result<KeyRow, Error> {
    check_agents(engine, &new)?;
    check_gateway("gateway", new.role, new.gateway.as_deref())?;
    new.gateway.as_deref().map_or(Ok(()), |name| need_free(engine, &new.org_id, name))?;
    new.owner.as_deref().map_or(Ok(()), |owner| check_distinct_name("owner", owner))?;
    check_line(engine, maker).await?;
    let mut row = new.into_row(engine.clock.now());
    row.owner = row.owner.or_else(|| maker.owner_of(row.role));
    if let Maker::Key(key) = maker {
        row.made_by = Some(key.id.clone());
    }
    let stored = engine.store.insert_key(row.clone());
    keep(engine, &row, maker.actor(), async { stored.await.map_err(Error::from) }).await?;
    Ok(row)
}

/// Makes the first admin key of the Guardian's own organisation, and returns whether it did: where one is there that
/// works, none is made.
///
/// # Errors
///
/// Unavailable where the database or the audit cannot be written.
#[cfg(feature = "cli")]
pub(crate) async fn create_first_admin(engine: &Engine, hash: Fingerprint) -> Result<bool, Error> {
    let row =
        NewKey::new(crate::domain::DEFAULT_ORG, Role::Admin, hash).into_row(engine.clock.now());
    let stored = async {
        match engine.store.insert_first_admin(row.clone()).await? {
            true => Ok(()),
            false => Err(Error::conflict("an admin key is there")),
        }
    };
    match keep(engine, &row, Maker::Program("owner").actor(), stored).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(false),
        Err(error) => Err(error),
    }
}

/// Keeps a new key by `stored`, and records it. One that could not be recorded is taken back.
async fn keep(
    engine: &Engine,
    row: &KeyRow,
    actor: &str,
    stored: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let made = engine.change(stored, |&()| created(row).actor(actor)).await;
    // Its secret is shown to no one, so no one could ever take it back.
    if made.is_err() && engine.knows_key(&row.org_id, &row.id) {
        let taking = KeyTaking { reason: String::new(), take_issued: false };
        let record = revoked(&row.org_id, &row.id, &taking, Gone::default()).actor(actor);
        engine.take_key(&row.id, taking, |_| record).await;
    }
    made
}

/// Refuses a maker that comes from as many keys as a key may.
///
/// # Errors
///
/// Conflict.
pub(crate) async fn check_line(engine: &Engine, maker: Maker<'_>) -> Result<(), Error> {
    let Maker::Key(key) = maker else { return Ok(()) };
    if engine.store.count_makers(key.id.clone()).await? < MAKERS_MOST {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "this key comes from {MAKERS_MOST} others, each made with the one before, which is the most; \
         make keys with one that comes from fewer"
    )))
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
                    refused(format!("agents names {unknown:?}, and no agent has that id"))
                }
                None => Ok(()),
            }
        }
        (_, []) => Ok(()),
        (role, _) => refused(format!("agents is given, and a key of role {role} is bound to none")),
    }
}

/// Refuses a text that cannot be the name of a gateway, and a gateway for a key of another role; `field` is where it
/// was given.
///
/// # Errors
///
/// Invalid.
pub(crate) fn check_gateway(field: &str, role: Role, gateway: Option<&str>) -> Result<(), Error> {
    let Some(gateway) = gateway else { return Ok(()) };
    if role != Role::Gateway {
        let other = format!("is given, and a key of role {role} is no gateway's; leave it out");
        return Err(Error::invalid(field, other));
    }
    check_name(field, gateway)
}

/// Returns the row of a gateway key by which only the Guardian itself asks, for what the caller's `key` registers. Its
/// secret is never shown.
///
/// # Errors
///
/// Unavailable where the system gives no randomness.
pub(crate) fn own_gateway(key: &Key, name: String, now: Timestamp) -> Result<KeyRow, Error> {
    let hash = Secret::random("sk_live_")?.fingerprint();
    let mut gateway = NewKey::new(&key.org_id, Role::Gateway, hash).into_row(now);
    gateway.gateway = Some(name);
    gateway.made_by = Some(key.id.clone());
    Ok(gateway)
}

/// Refuses the name of a gateway by which the Guardian itself asks: a key of that gateway would act in the sessions of
/// the agents that come there.
fn need_free(engine: &Engine, org_id: &str, gateway: &str) -> Result<(), Error> {
    if gateway.starts_with(GATEWAY_PREFIX) {
        let of_provider = format!(
            "begins with {GATEWAY_PREFIX:?}, as the gateways of federation providers do; take another name"
        );
        return Err(Error::invalid("gateway", of_provider));
    }
    let servers = engine.registry.mcp_servers.of_org(org_id);
    if servers.iter().any(|server| server.row.name == gateway) {
        let of_server = format!(
            "is {gateway:?}, the name of an MCP server that the Guardian stands in front of; take another name"
        );
        return Err(Error::invalid("gateway", of_server));
    }
    Ok(())
}

/// Refuses another secret for a key by which only the Guardian itself asks.
fn need_of_people(engine: &Engine, org_id: &str, id: &str) -> Result<(), Error> {
    let registry = &engine.registry;
    let provider = registry.providers.of_org(org_id).into_iter().find(|it| it.row.key_id == id);
    let server = registry.mcp_servers.of_org(org_id).into_iter().find(|it| it.row.key_id == id);
    let whose = match (provider, server) {
        (Some(provider), _) => format!("federation provider {:?}", provider.row.vouching.name),
        (None, Some(server)) => format!("MCP server {:?}", server.row.name),
        (None, None) => return Ok(()),
    };
    Err(Error::conflict(format!(
        "key {id:?} is the one of {whose}, whose secret is not given out; to change it, remove that and register it again"
    )))
}

/// Returns the keys of an organisation, revoked ones too.
pub(crate) async fn list(engine: &Engine, org_id: &str) -> Result<Vec<KeyRow>, StoreError> {
    let mut keys = engine.reading_store.keys().await?;
    keys.retain(|key| key.org_id == org_id);
    Ok(keys)
}

/// The reason for which what was issued with a key goes with it, unless something else is said.
const COMPROMISED: &str = "compromised";

/// Returns whether what was issued with a key goes with it: as is said, else as the reason has it.
pub(crate) fn takes_issued(said: Option<bool>, reason: &str) -> bool {
    said.unwrap_or_else(|| reason.trim().eq_ignore_ascii_case(COMPROMISED))
}

/// A key that was taken back.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Whether that is stored.
    pub(crate) durable: bool,
    /// The tokens, sessions and the like that went with it.
    pub(crate) gone: Gone,
}

/// Takes a key back, and what was issued with it where that is to go too.
///
/// # Errors
///
/// Not found for a key that does not work, invalid for a reason that is too long.
pub(crate) async fn revoke(
    engine: &Engine,
    org_id: &str,
    id: &str,
    taking: KeyTaking,
    actor: &str,
) -> Result<Ended, Error> {
    check_text("reason", &taking.reason)?;
    // Made by another process a moment ago, it is not known here yet.
    if !engine.knows_key(org_id, id) {
        engine.sync().await?;
    }
    if !engine.knows_key(org_id, id) {
        return Err(no_such_key(id));
    }
    if taking.take_issued
        && let Err(error) = engine.sync().await
    {
        // What others issued with it a moment ago goes once this is stored, and is not counted.
        tracing::warn!(%error, "a key is revoked while the database cannot be followed");
    }
    let (said, actor) = (taking.clone(), actor.to_owned());
    let record = |gone| revoked(org_id, id, &said, gone).actor(actor);
    let (durable, gone) = engine.take_key(id, taking, record).await;
    Ok(Ended { durable, gone })
}

/// Returns what the audit says of a key that is revoked.
pub(crate) fn revoked(org_id: &str, id: &str, taking: &KeyTaking, gone: Gone) -> Record {
    let mut body = json!({ "key_id": id, "reason": taking.reason });
    if let (Some(body), true) = (body.as_object_mut(), taking.take_issued) {
        body.insert("tokens".to_owned(), gone.tokens.into());
        body.insert("sessions".to_owned(), gone.sessions.into());
        body.insert("delegations".to_owned(), gone.delegations.into());
    }
    Record::new("key.revoked", org_id).body(body)
}

/// The secret that takes the place of a key's.
#[derive(Debug)]
pub(crate) struct NewSecret {
    pub(crate) hash: Fingerprint,
    /// The number of seconds that the one before goes on working.
    pub(crate) overlap: u64,
}

/// Gives a key another secret.
///
/// # Errors
///
/// Invalid for more than 30 days, not found for a key that does not work, conflict for the one of a federation provider
/// or of an MCP server.
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
    need_of_people(engine, org_id, id)?;
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
