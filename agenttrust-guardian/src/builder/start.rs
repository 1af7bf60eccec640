//! From what a builder was told to a Guardian at work: in this order, so that a mistake leaves nothing behind.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use agenttrust::Timestamp;
use serde_json::json;
use tokio::sync::watch;

use super::{
    AuditFiles, CHECK_DEADLINES, GuardianBuilder, MCP_HOLD_MOST, MCP_TIMEOUTS, Source, egress,
};
use crate::audit::{
    AUDIT_CHECKPOINTS, AUDIT_KEY, AuditError, AuditKey, AuditLog, CheckpointFile, Record, Signing,
};
use crate::background::start as start_loops;
use crate::clock::Clock;
use crate::domain::limits::Limits;
use crate::domain::{DEFAULT_ORG, Fingerprint, GuardianError, Key, Role, Sealer, Secret};
use crate::engine::check_ids::CheckIds;
use crate::engine::database_health::DatabaseHealth;
use crate::engine::issuer_keys::IssuerKeys;
use crate::engine::mcp_keys::McpKeys;
use crate::engine::policies::{Origin, Policies, brief};
use crate::engine::proof_nonces::ProofNonces;
use crate::engine::revocations::Revocations;
use crate::engine::sync::SyncProgress;
use crate::engine::{
    ApprovalChanges, Engine, Openings, Refusals, Settings, SiemProgress, sync, taking,
};
use crate::guardian::Guardian;
use crate::metrics::Metrics;
use crate::policy::PolicySet;
use crate::registry::Registry;
use crate::services::keys::{self, NewKey};
use crate::services::sealed;
use crate::store::{Database, Store};
use crate::telemetry::Telemetry;

/// The shortest admin key that is taken, in characters.
const ADMIN_KEY_MIN: usize = 12;
/// The least number of different characters of an admin key. This finds the most obvious keys alone.
const ADMIN_KEY_DIFFERENT_MIN: usize = 6;
/// The largest number of connections of those for decisions that background work takes.
const AT_ONCE_IN_BACKGROUND: usize = 2;

impl GuardianBuilder {
    pub(super) async fn start(self) -> Result<Guardian, GuardianError> {
        self.ensure_times()?;
        self.ensure_trust_domain()?;
        let database = Database::parse(&self.database)?;
        let own = Secret::random("sk_own_")?;
        let engine = Arc::new(self.load(&database, &own).await?);
        let record = Record::new("guardian.started", DEFAULT_ORG).body(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "replica": self.replica,
            "allow_self_approval": self.allow_self_approval,
            "allow_private_targets": self.allow_private_targets,
            "allow_outbound": self.allow_outbound,
            "outbound_ca": self.outbound_ca,
            "siem_files": self.siem_files,
            "policies": brief(&engine.policies.load()),
            "keys": engine.keys_in_brief(),
            "audit_key": engine.audit.key().map(|key| key.public().to_string()),
        }));
        let recorded = engine.audit.append(record).await;
        recorded.map_err(|error| refused(&database, &error))?;
        engine.policies.log();
        for secret in &self.admin_keys {
            ensure_admin(&engine, secret, self.development).await?;
        }
        // Loading may have taken a while.
        engine.sync().await?;
        sealed::seal_kept(&engine).await?;
        sync::start(&engine);
        taking::start(&engine);
        start_loops(&engine);
        Guardian::new(engine, own)
    }

    /// Refuses times that nothing could live with.
    fn ensure_times(&self) -> Result<(), GuardianError> {
        if self.audit.retention.is_some_and(|keep| keep.is_zero()) {
            return Err(GuardianError::Invalid(
                "an audit that keeps nothing records nothing: give it a retention above zero"
                    .to_owned(),
            ));
        }
        if self.approval_ttl.is_zero() || self.session_ttl.is_zero() {
            return Err(GuardianError::Invalid(
                "approvals and sessions need a time to live above zero".to_owned(),
            ));
        }
        if !MCP_TIMEOUTS.contains(&self.mcp.timeout) {
            return Err(GuardianError::Invalid(format!(
                "mcp-timeout is {:?}; give a time from {:?} to {:?}",
                self.mcp.timeout,
                MCP_TIMEOUTS.start(),
                MCP_TIMEOUTS.end(),
            )));
        }
        if self.mcp.hold > MCP_HOLD_MOST {
            return Err(GuardianError::Invalid(format!(
                "mcp-hold is {:?}; a held call waits for {MCP_HOLD_MOST:?} at most",
                self.mcp.hold
            )));
        }
        if !CHECK_DEADLINES.contains(&self.check_deadline) {
            return Err(GuardianError::Invalid(format!(
                "a check cannot have {:?} to be decided in; give check-deadline a time from {:?} to {:?}, \
                 shorter than the time-out of those who ask",
                self.check_deadline,
                CHECK_DEADLINES.start(),
                CHECK_DEADLINES.end(),
            )));
        }
        Ok(())
    }

    /// Opens the database and loads what the engine holds in memory.
    async fn load(&self, database: &Database, own: &Secret) -> Result<Engine, GuardianError> {
        let limits = Limits::new(self.max_requests)?;
        let clock = Arc::new(Clock::default());
        // Before anything is made: a mistake in them leaves nothing behind.
        let given = self.policies.clone().given(clock.now()).await?;
        let outbound = self.outbound()?;
        let secret_keys = self.secret_keys()?;
        let store = Store::open(database).await?.with_own_votes(self.allow_self_approval);
        let settings = self.settings(database);
        let sealer = egress::sealer(secret_keys, database)?;
        let audit = self.open_audit(&store, database, &settings.log, &clock).await?;
        let control_store = store.control(database).await?;
        let reading_store = store.reading(database).await?;
        let metrics = Metrics::new();
        let reports = store.writer(database).await?;
        let telemetry = Telemetry::start(reports, audit.clone(), metrics.reported.clone());
        let background_store = store.with_places(AT_ONCE_IN_BACKGROUND);
        // Before memory is loaded: what changes in between is read once more.
        let asked = Instant::now();
        let seen = store.newest_change().await?;
        if let Some(at) = store.last_change_made().await? {
            clock.not_before(at);
        }
        let policies = in_force(given, &store, clock.now()).await?;
        let registry = Registry::load(&store, clock.now()).await;
        let registry = registry.map_err(|error| refused(database, &error))?;
        let (checks, mcp_keys, proof_nonces) = secrets(&store, &sealer).await?;
        // From here on, whoever sets the clock opens no budget early.
        clock.undisturbed();
        registry.keys.set_own(own.fingerprint(), own_key());
        Ok(Engine {
            store,
            control_store,
            reading_store,
            background_store,
            registry,
            policies,
            audit,
            checks,
            mcp_keys,
            proof_nonces,
            changes: ApprovalChanges::new(),
            tasks: Arc::default(),
            siem: SiemProgress::new(&settings.log, settings.has_replicas),
            revocations: Revocations::new(),
            limits,
            refusals: Refusals::default(),
            synced: SyncProgress::from(seen, asked),
            takings: Arc::default(),
            telemetry,
            issuer_keys: IssuerKeys::new(outbound.clone(), Arc::clone(&clock)),
            openings: Openings::default(),
            clock,
            settings,
            metrics,
            database_health: DatabaseHealth::default(),
            outbound,
            sealer,
            closing: watch::Sender::new(false),
            closed: AtomicBool::new(false),
        })
    }

    fn settings(&self, database: &Database) -> Settings {
        let has_replicas = database.has_replicas();
        Settings {
            allow_self_approval: self.allow_self_approval,
            approval_ttl: self.approval_ttl,
            session_ttl: self.session_ttl,
            check_deadline: self.check_deadline,
            shared_database: database.is_shared(),
            has_replicas,
            is_private: database.is_private(),
            mcp: self.mcp,
            scheme: self.scheme,
            trust_domain: self.trust_domain_in_force(),
            dpop_nonces: self.dpop_nonces,
            public_urls: self.urls(),
            log: if has_replicas { self.replica.clone() } else { String::new() },
            audit_retention: self.audit.retention,
        }
    }

    async fn open_audit(
        &self,
        store: &Store,
        database: &Database,
        log: &str,
        clock: &Arc<Clock>,
    ) -> Result<AuditLog, GuardianError> {
        let writer = store.audit_writer(database).await?;
        let signing = self.audit.signing(database)?;
        let audit = AuditLog::start(writer, log.to_owned(), Arc::clone(clock), Some(signing)).await;
        audit.map_err(|error| refused(database, &error))
    }
}

/// Returns the policies that were given, else those that are kept.
async fn in_force(
    given: Option<Policies>,
    store: &Store,
    now: Timestamp,
) -> Result<Policies, GuardianError> {
    match given {
        Some(policies) => Ok(policies),
        None => kept(store, now).await,
    }
}

/// Returns the secrets that all Guardians on one database know, and no other program does.
async fn secrets(
    store: &Store,
    sealer: &Sealer,
) -> Result<(CheckIds, McpKeys, ProofNonces), GuardianError> {
    let checks = CheckIds::load(store, sealer).await?;
    let mcp_keys = McpKeys::load(store, sealer).await?;
    Ok((checks, mcp_keys, ProofNonces::load(store, sealer).await?))
}

fn refused(database: &Database, error: &impl fmt::Display) -> GuardianError {
    GuardianError::Database { url: database.to_string(), reason: error.to_string() }
}

/// Returns the key of the Guardian's own client.
fn own_key() -> Key {
    Key {
        id: "key_own".to_owned(),
        org_id: DEFAULT_ORG.to_owned(),
        role: Role::Admin,
        agents: Vec::new(),
        gateway: None,
        owner: None,
    }
}

impl AuditFiles {
    fn signing(&self, database: &Database) -> Result<Signing, GuardianError> {
        let refused = |error: AuditError| GuardianError::Invalid(error.to_string());
        let key = match self.key.clone().or_else(|| database.beside(AUDIT_KEY)) {
            Some(path) => AuditKey::at(&path).map_err(refused)?,
            None => {
                if database.has_replicas() {
                    tracing::warn!(
                        "no audit key is set, so checkpoints are signed by one that ends with this \
                         Guardian; set audit-key to the same file for every replica"
                    );
                }
                AuditKey::random()?
            }
        };
        let notes = self.checkpoints.clone().or_else(|| database.beside(AUDIT_CHECKPOINTS));
        let notes = notes.map(|path| CheckpointFile::open(&path)).transpose().map_err(refused)?;
        Ok(Signing::new(key, notes))
    }
}

impl Source {
    /// Returns the policies that the Guardian was given; `None` without any.
    async fn given(self, now: Timestamp) -> Result<Option<Policies>, GuardianError> {
        match self {
            Self::Default => Ok(None),
            Self::Set(set) => Ok(Some(Policies::of_set(set, Origin::Program, now))),
            Self::Folder(folder) => Policies::of_folder(folder.clone(), now)
                .await
                .map(Some)
                .map_err(|error| GuardianError::Policies { folder, reason: error.to_string() }),
        }
    }
}

/// Returns the policies that were sent and are kept in the database, else the default set.
async fn kept(store: &Store, now: Timestamp) -> Result<Policies, GuardianError> {
    let files = store.policy_files().await?;
    if files.is_empty() {
        return Ok(Policies::of_set(PolicySet::default_set(), Origin::BuiltIn, now));
    }
    let set = PolicySet::of_files(files).map_err(|error| {
        GuardianError::Invalid(format!(
            "the policies that are kept in the database are not usable: {error}; start with a folder \
             of policies instead"
        ))
    })?;
    Ok(Policies::of_set(set, Origin::Api, now))
}

async fn ensure_admin(
    engine: &Engine,
    secret: &Secret,
    development: bool,
) -> Result<(), GuardianError> {
    let text = secret.expose();
    let different = text.bytes().collect::<HashSet<_>>().len();
    let weak = text.len() < ADMIN_KEY_MIN || different < ADMIN_KEY_DIFFERENT_MIN;
    if weak && !development || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(GuardianError::Invalid(format!(
            "an admin key is at least {ADMIN_KEY_MIN} printable ASCII characters without spaces, \
             {ADMIN_KEY_DIFFERENT_MIN} of them different; make one that cannot be guessed with `openssl rand -hex 32`"
        )));
    }
    let new = NewKey::new(DEFAULT_ORG, Role::Admin, Fingerprint::from_text(text));
    let new = new.into_row(engine.clock.now());
    engine.ensure_auditable()?;
    // Each replica has the same settings, and several may start on an empty database at once.
    let Some(row) = engine.store.insert_key_once(new.clone()).await? else {
        engine.sync().await?;
        let record = keys::created(&new).actor("builder");
        return engine.record_audit(record).await.map_err(GuardianError::from);
    };
    if row.role == Role::Admin && row.revoked_at.is_none() {
        return Ok(());
    }
    let standing = if row.revoked_at.is_some() { "was revoked" } else { "is no admin key" };
    Err(GuardianError::Invalid(format!(
        "the admin key that was given is known as {} and {standing}; give another one",
        row.id
    )))
}
