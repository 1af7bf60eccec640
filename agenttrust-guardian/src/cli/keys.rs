//! `agenttrust keys`. A Guardian that runs on the same database follows within a second.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use agenttrust::Timestamp;
use clap::Subcommand;
use serde_json::json;

use super::{KEYS_LOG, Where};
use crate::audit::{AuditError, AuditLog, Record};
use crate::error::GuardianError;
use crate::ids;
use crate::role::Role;
use crate::secret::Secret;
use crate::state::DEFAULT_ORG;
use crate::store::{Db, KeyRow, Store};

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
        #[command(flatten)]
        place: Where,
    },
    /// List the keys, revoked ones too
    List {
        #[command(flatten)]
        place: Where,
    },
    /// Revoke a key
    Revoke {
        /// The id of the key, key_…
        id: String,
        #[command(flatten)]
        place: Where,
    },
}

impl Keys {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            Self::Create { role, agents, place } => create(role, agents, &place).await?,
            Self::List { place } => list(&place).await?,
            Self::Revoke { id, place } => revoke(id, &place).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn create(role: Role, agents: Vec<String>, place: &Where) -> Result<(), GuardianError> {
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
    let store = place.open().await?;
    let known = store.agents().await?;
    if let Some(unknown) = agents.iter().find(|id| known.iter().all(|row| row.agent.id != **id)) {
        return Err(GuardianError::Invalid(format!("there is no agent {unknown:?}")));
    }
    let secret = Secret::random("sk_live_")?;
    let row = KeyRow {
        id: ids::new("key_"),
        org_id: DEFAULT_ORG.to_owned(),
        hash: secret.fingerprint(),
        role,
        agents,
        created_at: Timestamp::now(),
        revoked_at: None,
    };
    let record = Record::new("key.created", &row.org_id)
        .body(json!({ "key_id": row.id, "role": row.role, "agents": row.agents, "by": BY }));
    store.insert_key(row).await?;
    note(&store, record).await?;
    store.close().await;
    print(|out| writeln!(out, "{}", secret.expose()))
}

async fn list(place: &Where) -> Result<(), GuardianError> {
    let store = place.open().await?;
    let keys = store.keys().await?;
    store.close().await;
    print(|out| {
        for key in &keys {
            let state = match key.revoked_at {
                Some(at) => format!("revoked {at}"),
                None => "works".to_owned(),
            };
            let agents = key.agents.join(",");
            writeln!(out, "{}\t{}\t{}\t{state}\t{agents}", key.id, key.role, key.created_at)?;
        }
        Ok(())
    })
}

async fn revoke(id: String, place: &Where) -> Result<(), GuardianError> {
    let store = place.open().await?;
    let revoked = store.revoke_key(id.clone(), DEFAULT_ORG.to_owned(), Timestamp::now()).await?;
    if !revoked {
        return Err(GuardianError::Invalid(format!("there is no key {id:?} that works")));
    }
    let record = Record::new("key.revoked", DEFAULT_ORG).body(json!({ "key_id": id, "by": BY }));
    note(&store, record).await?;
    store.close().await;
    print(|out| writeln!(out, "{id} is revoked"))
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

fn print(
    write: impl FnOnce(&mut io::StdoutLock<'static>) -> io::Result<()>,
) -> Result<(), GuardianError> {
    let mut out = io::stdout().lock();
    write(&mut out)
        .and_then(|()| out.flush())
        .map_err(|error| GuardianError::Unavailable(format!("standard output is closed: {error}")))
}
