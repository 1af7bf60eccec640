//! `agenttrust keys`. A Guardian that runs on the same database follows within a second.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use agenttrust::Timestamp;
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::out::{print, say};
use super::{DatabaseArgs, KEYS_LOG};
use crate::audit::{AuditError, AuditLog, Record};
use crate::domain::names::{check_name, check_text};
use crate::domain::{DEFAULT_ORG, Error, GuardianError, Role, Secret};
use crate::engine::taking::KeyTaking;
use crate::services::keys::{self, NewKey, check_gateway};
use crate::store::{AgentRow, Db, Gone, KeyEnd, Rotation, Store};

/// Who did it, in the audit.
const BY: &str = "agenttrust keys";

/// What `agenttrust keys` is told.
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
        /// The organisation that it is of; its first key makes it
        #[arg(long, value_name = "ID", default_value = DEFAULT_ORG)]
        org: String,
        #[command(flatten)]
        place: DatabaseArgs,
    },
    /// Give a key another secret and print it, once; the one before works on for a while
    Rotate {
        /// The id of the key, key_…
        id: String,
        /// How long the secret that it has now still works, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 86_400,
              value_parser = clap::value_parser!(u64).range(..=2_592_000))]
        overlap: u64,
        #[command(flatten)]
        place: DatabaseArgs,
    },
    /// List the keys, revoked ones too
    List {
        #[command(flatten)]
        place: DatabaseArgs,
    },
    /// Revoke a key
    Revoke {
        /// The id of the key, key_…
        id: String,
        /// Why: the audit keeps it
        #[arg(long, value_name = "WORDS", default_value = "")]
        reason: String,
        /// What becomes of what was issued with it; left out, `revoke` where the reason is "compromised", and
        /// `keep` elsewhere
        #[arg(long, value_enum, value_name = "WHAT")]
        issued: Option<WhatIssued>,
        #[command(flatten)]
        place: DatabaseArgs,
    },
}

/// What becomes of the tokens and sessions that were issued and opened with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum WhatIssued {
    /// They live on
    Keep,
    /// They go with it, with all that was made from them
    Revoke,
}

impl Keys {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            Self::Create { role, agents, gateway, org, place } => {
                create(role, agents, gateway, org, &place).await?;
            }
            Self::Rotate { id, overlap, place } => rotate(id, overlap, &place).await?,
            Self::List { place } => list(&place).await?,
            Self::Revoke { id, reason, issued, place } => {
                revoke(id, reason, issued, &place).await?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn create(
    role: Role,
    agents: Vec<String>,
    gateway: Option<String>,
    org_id: String,
    place: &DatabaseArgs,
) -> Result<(), GuardianError> {
    let refused = |error: Error| GuardianError::Invalid(error.message().to_owned());
    check_name("--org", &org_id).map_err(refused)?;
    check_gateway("--gateway", role, gateway.as_deref()).map_err(refused)?;
    match (role, agents.as_slice()) {
        (Role::Agent, []) => {
            return Err(GuardianError::Invalid(
                "an agent key is bound to at least one agent: give --agent".to_owned(),
            ));
        }
        (Role::Agent, _) | (_, []) => {}
        (role, _) => {
            return Err(GuardianError::Invalid(format!(
                "a key of role {role} is bound to no agent: leave --agent out"
            )));
        }
    }
    let store = place.open_existing().await?;
    let known = store.agents().await?;
    let is = |row: &AgentRow, id: &str| row.agent.id == id && row.agent.org_id == org_id;
    if let Some(unknown) = agents.iter().find(|id| !known.iter().any(|row| is(row, id))) {
        return Err(GuardianError::Invalid(format!(
            "there is no agent {unknown:?} in organisation {org_id:?}"
        )));
    }
    let secret = Secret::random("sk_live_")?;
    let hash = secret.fingerprint();
    let row = NewKey { org_id, role, agents, hash, gateway }.into_row(Timestamp::now());
    let mut record = keys::created(&row);
    if let Some(body) = record.body.as_object_mut() {
        body.insert("by".to_owned(), json!(BY));
    }
    store.insert_key(row).await?;
    // Shown before anything else can go wrong: it cannot be shown again.
    say(secret.expose())?;
    note(&store, record).await?;
    store.close().await;
    Ok(())
}

async fn list(place: &DatabaseArgs) -> Result<(), GuardianError> {
    let store = place.open_existing().await?;
    let keys = store.keys().await?;
    store.close().await;
    print(|out| {
        for key in &keys {
            let state = match key.revoked_at {
                Some(at) => format!("revoked {at}"),
                None => "works".to_owned(),
            };
            // What it is bound to, or whose it is.
            let whose = key.gateway.clone().unwrap_or_else(|| key.agents.join(","));
            let used = match key.last_used_at {
                Some(at) => format!("last used {at}"),
                None => "never used".to_owned(),
            };
            let (id, role, org, made) = (&key.id, key.role, &key.org_id, key.created_at);
            writeln!(out, "{id}\t{role}\t{made}\t{state}\t{used}\t{org}\t{whose}")?;
        }
        Ok(())
    })
}

async fn rotate(id: String, overlap: u64, place: &DatabaseArgs) -> Result<(), GuardianError> {
    let store = place.open_existing().await?;
    let org_id = org_of(&store, &id).await?;
    let secret = Secret::random("sk_live_")?;
    let now = Timestamp::now();
    let rotation = Rotation {
        id: id.clone(),
        org_id: org_id.clone(),
        hash: secret.fingerprint(),
        old_until: now.saturating_add(Duration::from_secs(overlap)),
        now,
    };
    if !store.rotate_key(rotation).await? {
        return Err(no_such_key(&id));
    }
    say(secret.expose())?;
    let body = json!({ "key_id": id, "overlap": overlap, "by": BY });
    note(&store, Record::new("key.rotated", org_id).body(body)).await?;
    store.close().await;
    Ok(())
}

async fn revoke(
    id: String,
    reason: String,
    issued: Option<WhatIssued>,
    place: &DatabaseArgs,
) -> Result<(), GuardianError> {
    check_text("--reason", &reason)
        .map_err(|error| GuardianError::Invalid(error.message().to_owned()))?;
    let store = place.open_existing().await?;
    let org_id = org_of(&store, &id).await?;
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
    note(&store, record).await?;
    store.close().await;
    let Gone { tokens, sessions } = gone;
    match taking.take_issued {
        true => say(&format!("{id} is revoked, with {tokens} tokens and {sessions} sessions")),
        false => say(&format!("{id} is revoked")),
    }
}

/// The organisation of a key. Whoever has the database looks after all of them.
async fn org_of(store: &Store, id: &str) -> Result<String, GuardianError> {
    let row = store.key(id.to_owned()).await?;
    let row = row.filter(|row| row.revoked_at.is_none());
    row.map(|row| row.org_id).ok_or_else(|| no_such_key(id))
}

fn no_such_key(id: &str) -> GuardianError {
    GuardianError::Invalid(format!("there is no key {id:?} that works"))
}

/// Records what was done here: a Guardian that runs on the same database only follows it.
async fn note(store: &Store, record: Record) -> Result<(), GuardianError> {
    let unrecorded = |error: AuditError| {
        GuardianError::Unavailable(format!("it was done, and could not be recorded: {error}"))
    };
    // The one log of a database file, else one of its own.
    let log = match store.db() {
        Db::Sqlite(_) => "",
        Db::Postgres(_) => KEYS_LOG,
    };
    let audit = AuditLog::start(store.db(), log.to_owned(), Arc::default(), None)
        .await
        .map_err(unrecorded)?;
    audit.append(record).await.map_err(unrecorded)?;
    audit.close().await;
    Ok(())
}
