//! `agenttrust keys`, at a Guardian that is served or in a database. A Guardian that runs on the same database follows
//! within a second.

mod place;
mod served;
mod shown;

use std::process::ExitCode;
use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::model::{CreateKeyRequest, Issued, KeyRevocation};
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use self::place::{KeyDatabase, KeyTarget, Place};
use self::shown::KeyShown;
use crate::audit::{AuditError, AuditLog, Record};
use crate::domain::names::{check_distinct_name, check_name, check_text};
use crate::domain::{DEFAULT_ORG, Error, GuardianError, Role, Secret};
use crate::engine::taking::KeyTaking;
use crate::services::keys::{self, NewKey, check_gateway};
use crate::store::{AgentRow, KeyEnd, KeyRow, Rotation, Store};

/// The actor in the audit.
const BY: &str = "agenttrust keys";

/// The arguments of `agenttrust keys`.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Make a key and print it, once
    Create {
        /// agent, gateway, auditor, operator or admin
        #[arg(long)]
        role: Role,
        /// The agent that an agent key is bound to; may be given several times
        #[arg(long = "agent", value_name = "ID")]
        agents: Vec<String>,
        /// The gateway that a gateway key is of; keys of one name are one gateway
        #[arg(long, value_name = "NAME")]
        gateway: Option<String>,
        /// The person or program that it is of: none of its keys decides what another one asked for, and all of them
        /// are one approver
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
        /// The organisation that it is of, where that is another than the one of the key that asks, or of a
        /// database's own; its first key makes it
        #[arg(long, value_name = "ID")]
        org: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Give a key another secret and print it, once; the one before works on for a while
    Rotate {
        /// The id of the key, key_…
        id: String,
        /// The time that the secret that it has now still works, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 86_400,
              value_parser = clap::value_parser!(u64).range(..=2_592_000))]
        overlap: u64,
        #[command(flatten)]
        place: Place,
    },
    /// List the keys, revoked ones too
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Revoke a key
    Revoke {
        /// The id of the key, key_…
        id: String,
        /// The reason, which the audit keeps
        #[arg(long, value_name = "WORDS", default_value = "")]
        reason: String,
        /// The fate of what was issued with it; left out, `revoke` where the reason is "compromised", and `keep`
        /// elsewhere
        #[arg(long, value_enum, value_name = "WHAT")]
        issued: Option<WhatIssued>,
        #[command(flatten)]
        place: Place,
    },
}

/// The fate of the tokens and sessions that were issued and opened with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum WhatIssued {
    /// They live on
    Keep,
    /// They go with it, with all that was made from them
    Revoke,
}

impl From<WhatIssued> for Issued {
    fn from(what: WhatIssued) -> Self {
        match what {
            WhatIssued::Keep => Self::Keep,
            WhatIssued::Revoke => Self::Revoke,
        }
    }
}

impl Keys {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            Self::Create { role, agents, gateway, owner, org, place } => {
                check_bound(role, &agents)?;
                let json = place.json();
                match place.find()? {
                    KeyTarget::Served(client) => {
                        let mut request = CreateKeyRequest::new(served::role(role)?).agents(agents);
                        (request.gateway, request.owner, request.org_id) = (gateway, owner, org);
                        served::create(&client, &request, json).await?;
                    }
                    KeyTarget::Database(place) => {
                        let secret = Secret::random("sk_live_")?;
                        let hash = secret.fingerprint();
                        let org_id = org.unwrap_or_else(|| DEFAULT_ORG.to_owned());
                        let new = NewKey { org_id, role, agents, hash, gateway, owner };
                        create(new, &secret, &place, json).await?;
                    }
                }
            }
            Self::Rotate { id, overlap, place } => {
                let json = place.json();
                match place.find()? {
                    KeyTarget::Served(client) => {
                        served::rotate(&client, &id, overlap, json).await?
                    }
                    KeyTarget::Database(place) => rotate(id, overlap, &place, json).await?,
                }
            }
            Self::List { place } => {
                let keys = match place.find()? {
                    KeyTarget::Served(client) => served::list(&client).await?,
                    KeyTarget::Database(place) => list(&place).await?,
                };
                shown::table(&keys, place.json())?;
            }
            Self::Revoke { id, reason, issued, place } => {
                let gone = match place.find()? {
                    KeyTarget::Served(client) => {
                        served::revoke(&client, &id, reason, issued.map(Issued::from)).await?
                    }
                    KeyTarget::Database(place) => {
                        revoke(id.clone(), reason, issued, &place).await?
                    }
                };
                shown::revoked(&id, &gone, place.json())?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuses agents that a key of this role cannot be bound to.
fn check_bound(role: Role, agents: &[String]) -> Result<(), GuardianError> {
    match (role, agents) {
        (Role::Agent, []) => Err(GuardianError::Invalid(
            "an agent key is bound to at least one agent: give --agent".to_owned(),
        )),
        (Role::Agent, _) | (_, []) => Ok(()),
        (role, _) => Err(GuardianError::Invalid(format!(
            "a key of role {role} is bound to no agent: leave --agent out"
        ))),
    }
}

async fn create(
    new: NewKey,
    secret: &Secret,
    place: &KeyDatabase,
    json: bool,
) -> Result<(), GuardianError> {
    let refused = |error: Error| GuardianError::Invalid(error.message().to_owned());
    check_name("--org", &new.org_id).map_err(refused)?;
    check_gateway("--gateway", new.role, new.gateway.as_deref()).map_err(refused)?;
    new.owner
        .as_deref()
        .map_or(Ok(()), |owner| check_distinct_name("--owner", owner))
        .map_err(refused)?;
    let (store, audit) = place.open_to_change().await?;
    let known = store.agents().await?;
    let org_id = &new.org_id;
    let is = |row: &AgentRow, id: &str| row.agent.id == id && row.agent.org_id == *org_id;
    if let Some(unknown) = new.agents.iter().find(|id| !known.iter().any(|row| is(row, id))) {
        return Err(GuardianError::Invalid(format!(
            "there is no agent {unknown:?} in organisation {org_id:?}"
        )));
    }
    let row = new.into_row(Timestamp::now());
    let mut record = keys::created(&row);
    if let Some(body) = record.body.as_object_mut() {
        body.insert("by".to_owned(), json!(BY));
    }
    let key = KeyShown::from(&row).with_secret(secret.expose());
    store.insert_key(row).await?;
    // Shown before anything else can go wrong: it cannot be shown again. What cannot be shown is recorded too.
    let shown = key.print_once(json);
    append_to_audit(&audit, record).await?;
    store.close().await;
    shown
}

async fn list(place: &KeyDatabase) -> Result<Vec<KeyShown>, GuardianError> {
    let store = place.open().await?;
    let keys = store.keys().await?;
    store.close().await;
    Ok(keys.iter().map(KeyShown::from).collect())
}

async fn rotate(
    id: String,
    overlap: u64,
    place: &KeyDatabase,
    json: bool,
) -> Result<(), GuardianError> {
    let (store, audit) = place.open_to_change().await?;
    let row = working(&store, &id).await?;
    let org_id = row.org_id.clone();
    let secret = Secret::random("sk_live_")?;
    let now = Timestamp::now();
    let rotation = Rotation {
        id: id.clone(),
        org_id: org_id.clone(),
        hash: secret.fingerprint(),
        old_until: now.saturating_add(Duration::from_secs(overlap)),
        now,
    };
    let mut key = KeyShown::from(&row).with_secret(secret.expose());
    key.rotated(now, rotation.old_until);
    if !store.rotate_key(rotation).await? {
        return Err(no_such_key(&id));
    }
    let shown = key.print_once(json);
    let body = json!({ "key_id": id, "overlap": overlap, "by": BY });
    append_to_audit(&audit, Record::new("key.rotated", org_id).body(body)).await?;
    store.close().await;
    shown
}

async fn revoke(
    id: String,
    reason: String,
    issued: Option<WhatIssued>,
    place: &KeyDatabase,
) -> Result<KeyRevocation, GuardianError> {
    check_text("--reason", &reason)
        .map_err(|error| GuardianError::Invalid(error.message().to_owned()))?;
    let (store, audit) = place.open_to_change().await?;
    let org_id = working(&store, &id).await?.org_id;
    let said = issued.map(|issued| issued == WhatIssued::Revoke);
    let taking = KeyTaking { take_issued: keys::takes_issued(said, &reason), reason };
    let end = KeyEnd {
        id: id.clone(),
        org_id: org_id.clone(),
        reason: taking.reason.clone(),
        take_issued: taking.take_issued,
        now: Timestamp::now(),
    };
    let Some(gone) = store.revoke_key(end).await? else { return Err(no_such_key(&id)) };
    let mut record = keys::revoked(&org_id, &id, &taking, gone);
    if let Some(body) = record.body.as_object_mut() {
        body.insert("by".to_owned(), json!(BY));
    }
    append_to_audit(&audit, record).await?;
    store.close().await;
    let mut revocation = KeyRevocation::default();
    (revocation.tokens, revocation.sessions) = (gone.tokens, gone.sessions);
    revocation.delegations = gone.delegations;
    revocation.issued = if taking.take_issued { Issued::Revoke } else { Issued::Keep };
    revocation.durable = true;
    Ok(revocation)
}

/// Returns a key that works, of whichever organisation: the database holds all of them.
async fn working(store: &Store, id: &str) -> Result<KeyRow, GuardianError> {
    let row = store.key(id.to_owned()).await?;
    row.filter(|row| row.revoked_at.is_none()).ok_or_else(|| no_such_key(id))
}

fn no_such_key(id: &str) -> GuardianError {
    GuardianError::Invalid(format!("there is no key {id:?} that works"))
}

/// Records what was done here: a Guardian that runs on the same database only follows it.
async fn append_to_audit(audit: &AuditLog, record: Record) -> Result<(), GuardianError> {
    let unrecorded = |error: AuditError| {
        GuardianError::Unavailable(format!("it was done, and could not be recorded: {error}"))
    };
    audit.append(record).await.map_err(unrecorded)?;
    audit.close().await;
    Ok(())
}
