//! Where keys are looked after: at a Guardian that is served, or in a database.

use std::env;
use std::fmt;
use std::path::Path;

use agenttrust::AgentTrustClient;
use clap::Args;

use crate::audit::AuditLog;
use crate::cli::audit::KeyFile;
use crate::cli::remote::Remote;
use crate::cli::{DEFAULT_DATABASE, DatabaseArgs, records};
use crate::domain::GuardianError;
use crate::store::Store;

/// The arguments of every command about keys.
#[derive(Args)]
pub(in crate::cli) struct Place {
    /// Look after the keys of a database, sqlite://PATH, a path, or postgres://USER@HOST/NAME, and not of the Guardian
    /// at AGENTTRUST_URL; AGENTTRUST_DATABASE says the same
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    #[command(flatten)]
    audit_key: KeyFile,
    #[command(flatten)]
    remote: Remote,
}

// The URL may hold a password.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("remote", &self.remote).finish_non_exhaustive()
    }
}

/// The place where keys are managed: a served Guardian, or a database.
pub(super) enum KeyTarget {
    Served(AgentTrustClient),
    Database(KeyDatabase),
}

/// The database that keys are managed in, and the key that signs its audit.
pub(super) struct KeyDatabase {
    place: DatabaseArgs,
    audit_key: KeyFile,
}

impl KeyDatabase {
    /// Opens the database, to look at it.
    pub(super) async fn open(&self) -> Result<Store, GuardianError> {
        self.place.open_existing().await
    }

    /// Opens the database and its audit, which has to take what is done.
    pub(super) async fn open_to_change(&self) -> Result<(Store, AuditLog), GuardianError> {
        let store = self.open().await?;
        let audit = records::open(&store, &self.audit_key, &self.place).await?;
        Ok((store, audit))
    }
}

impl Place {
    pub(super) fn json(&self) -> bool {
        self.remote.json
    }

    /// Finds out which place is meant. An argument says it before the environment does; of that, either a database or
    /// a served Guardian, because a key that is made at the wrong one is found out late.
    pub(super) fn find(&self) -> Result<KeyTarget, GuardianError> {
        self.remote.refuse_key_in_arguments()?;
        let invalid = |why: &str| Err(GuardianError::Invalid(why.to_owned()));
        let database = |database: &str| {
            let place = DatabaseArgs { database: database.to_owned() };
            Ok(KeyTarget::Database(KeyDatabase { place, audit_key: self.audit_key.clone() }))
        };
        if let Some(said) = &self.database {
            return database(said);
        }
        let served = is_set("AGENTTRUST_API_KEY") || is_set("AGENTTRUST_URL");
        match env::var("AGENTTRUST_DATABASE").ok().filter(|said| !said.is_empty()) {
            Some(_) if served => invalid(
                "the environment names a database, AGENTTRUST_DATABASE, and a served Guardian, AGENTTRUST_URL or \
                 AGENTTRUST_API_KEY; unset those that are not meant, or name the database with --database",
            ),
            Some(said) => database(&said),
            None if served => self.remote.client().map(KeyTarget::Served),
            None if Path::new(DEFAULT_DATABASE).exists() => database(DEFAULT_DATABASE),
            None => invalid(
                "there is neither a Guardian nor a database to look after keys of: set AGENTTRUST_API_KEY, and \
                 AGENTTRUST_URL to where the Guardian is served, or name its database with --database",
            ),
        }
    }
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}
