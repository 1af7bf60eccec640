//! Building a Guardian.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::Timestamp;
use agenttrust::background;
use serde_json::json;
use tokio::sync::watch;

use crate::audit::{
    AUDIT_CHECKPOINTS, AUDIT_KEY, AuditError, AuditKey, AuditLog, CheckpointFile, Record, Signing,
};
use crate::background::start as start_loops;
use crate::clock::Clock;
use crate::domain::limits::Limits;
use crate::domain::{DEFAULT_ORG, Fingerprint, GuardianError, Key, Role, Secret, limits};
use crate::engine::check_ids::CheckIds;
use crate::engine::policies::{Origin, Policies, brief};
use crate::engine::pulse::Pulse;
use crate::engine::revocations::Revocations;
use crate::engine::sync::SyncProgress;
use crate::engine::{Changes, Engine, Settings, sync, taking};
use crate::guardian::Guardian;
use crate::metrics::Metrics;
use crate::outbound::Outbound;
use crate::policy::PolicySet;
use crate::registry::Registry;
use crate::services::keys::{self, NewKey};
use crate::store::{Database, Store};
use crate::telemetry::Telemetry;

/// The shortest admin key that is taken, in characters.
const ADMIN_KEY_MIN: usize = 12;

/// How long an approval may be pending, unless the builder says otherwise.
const APPROVAL_TTL: Duration = Duration::from_secs(5 * 60);
/// How long an issued session lives that no token bounds.
const SESSION_TTL: Duration = Duration::from_secs(24 * 3_600);

/// How long a check may take, all of its steps together: shorter than a guard waits for it.
const CHECK_DEADLINE: Duration = Duration::from_secs(2);
/// The shortest and the longest of these times that is taken.
const CHECK_DEADLINES: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(30);

/// How many connections of those for decisions background work takes at most.
const AT_ONCE_IN_BACKGROUND: usize = 2;

/// Settings of a [`Guardian`]; see [`Guardian::builder`].
///
/// The defaults are those of a served Guardian: the built-in policies, nobody approves their own
/// request, an approval lapses after five minutes. Only the database is in memory.
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct GuardianBuilder {
    database: String,
    replica: String,
    policies: Source,
    admin_keys: Vec<Secret>,
    /// Whether a key that everybody knows may be an admin key.
    development: bool,
    allow_self_approval: bool,
    approval_ttl: Duration,
    session_ttl: Duration,
    check_deadline: Duration,
    allow_private_targets: bool,
    max_requests: usize,
    audit: AuditFiles,
}

/// Where the audit is signed by and noted, outside of the database.
#[derive(Clone, Default)]
struct AuditFiles {
    key: Option<PathBuf>,
    checkpoints: Option<PathBuf>,
    retention: Option<Duration>,
}

#[derive(Clone)]
enum Source {
    Default,
    Folder(PathBuf),
    Set(PolicySet),
}

impl Default for GuardianBuilder {
    fn default() -> Self {
        Self {
            database: "memory".to_owned(),
            replica: "replica".to_owned(),
            policies: Source::Default,
            admin_keys: Vec::new(),
            development: false,
            allow_self_approval: false,
            approval_ttl: APPROVAL_TTL,
            session_ttl: SESSION_TTL,
            check_deadline: CHECK_DEADLINE,
            allow_private_targets: false,
            max_requests: limits::REQUESTS,
            audit: AuditFiles::default(),
        }
    }
}

impl Guardian {
    /// Settings of a new Guardian.
    pub fn builder() -> GuardianBuilder {
        GuardianBuilder::default()
    }

    /// A Guardian with the builder's defaults: in memory, and as strict as a served one.
    ///
    /// # Errors
    ///
    /// As for [`GuardianBuilder::build`].
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing runs.
    pub async fn in_memory() -> Result<Self, GuardianError> {
        Self::builder().build().await
    }
}

impl GuardianBuilder {
    /// The database: `memory` (the default), `sqlite://PATH` or a path, or
    /// `postgres://USER@HOST/NAME` for several Guardians that act as one.
    pub fn database(mut self, url: impl Into<String>) -> Self {
        self.database = url.into();
        self
    }

    /// The name of this Guardian among those on one PostgreSQL; `replica` unless it is said. Each
    /// name has an audit log of its own, which a Guardian that is started again goes on with.
    pub fn replica(mut self, name: impl Into<String>) -> Self {
        self.replica = name.into();
        self
    }

    /// A folder of Cedar policies instead of the built-in ones. It is looked at twice a second; what changes
    /// there is in force about a second later, unless it is not valid.
    pub fn policies(mut self, folder: impl Into<PathBuf>) -> Self {
        self.policies = Source::Folder(folder.into());
        self
    }

    /// A set of policies instead of the built-in ones, until the API is told of another one.
    pub fn policy_set(mut self, set: PolicySet) -> Self {
        self.policies = Source::Set(set);
        self
    }

    /// Makes sure that this key, of at least 12 characters, is an admin key. May be given several times.
    pub fn admin_key(mut self, key: impl Into<String>) -> Self {
        self.admin_keys.push(Secret::from(key.into()));
        self
    }

    /// For trying things out: an admin key that everybody knows, which may decide what it asked for.
    #[cfg(feature = "cli")]
    pub(crate) fn development(mut self, key: &str) -> Self {
        self.development = true;
        self.admin_key(key).allow_self_approval(true).allow_private_targets(true)
    }

    /// Whether a key that asked may decide its own request; off by default. Where it is on, each
    /// such decision says so in the audit.
    pub fn allow_self_approval(mut self, allow: bool) -> Self {
        self.allow_self_approval = allow;
        self
    }

    /// How long an approval may be pending; five minutes by default.
    pub fn approval_ttl(mut self, ttl: Duration) -> Self {
        self.approval_ttl = ttl;
        self
    }

    /// How long an issued session lives that no token bounds; a day by default.
    pub fn session_ttl(mut self, ttl: Duration) -> Self {
        self.session_ttl = ttl;
        self
    }

    /// How long a check may take, all of its steps together; 2 seconds by default. One that is not decided
    /// by then is answered that it was not, and may be asked again.
    ///
    /// From 10 milliseconds to 30 seconds, and shorter than the time-out of the guards that ask (5 seconds
    /// by default).
    pub fn check_deadline(mut self, deadline: Duration) -> Self {
        self.check_deadline = deadline;
        self
    }

    /// Whether the Guardian may call this machine and private networks, for webhooks say; off by default.
    /// Where it is on, this machine may be called without TLS.
    pub fn allow_private_targets(mut self, allow: bool) -> Self {
        self.allow_private_targets = allow;
        self
    }

    /// How many requests may be under way at once, from 16 to 1,000,000; 4,096 by default. A key has a quarter of that, but never
    /// less than the smaller of 512 and a half. A request beyond is answered 429 or 503 with `Retry-After`.
    ///
    /// Requests of [`Guardian::client`] and [`Guardian::client_with_key`] do not count, and no limit on bodies,
    /// waiting callers and streams holds for them: the program that makes them bounds its own.
    pub fn max_requests(mut self, most: usize) -> Self {
        self.max_requests = most;
        self
    }

    /// The file of the Ed25519 key that signs checkpoints of the audit; it is made when it is not there.
    /// Unless it is said, that is a file beside an SQLite database (`agenttrust.db.audit-key`), and else a
    /// key that ends with this Guardian. Replicas on one PostgreSQL should have the same one.
    pub fn audit_key(mut self, file: impl Into<PathBuf>) -> Self {
        self.audit.key = Some(file.into());
        self
    }

    /// The file in which checkpoints of the audit are noted outside of the database, one a line. Unless it
    /// is said, that is a file beside an SQLite database (`agenttrust.db.checkpoints`), and else none.
    pub fn audit_checkpoints(mut self, file: impl Into<PathBuf>) -> Self {
        self.audit.checkpoints = Some(file.into());
        self
    }

    /// How long rows of this Guardian's audit log are kept at least; for good by default. Older ones are let go
    /// from the first one on, and a signed cut takes their place.
    pub fn audit_retention(mut self, keep: Duration) -> Self {
        self.audit.retention = Some(keep);
        self
    }

    /// Opens the database, reads the policies and starts the Guardian.
    ///
    /// # Errors
    ///
    /// [`GuardianError`] for a database that cannot be opened, policies that are not valid (naming
    /// file, line and column), and an admin key that cannot be one.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing runs; the database may have been made.
    pub async fn build(self) -> Result<Guardian, GuardianError> {
        // Reading files and starting SQLite would hold up the caller's runtime.
        background::spawn(self.start())
            .await
            .map_err(|_| GuardianError::Unavailable("starting the Guardian panicked".to_owned()))?
    }

    /// [`build`](Self::build) for a thread that may wait.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build).
    pub fn build_blocking(self) -> Result<Guardian, GuardianError> {
        background::block_on(self.start())?
    }

    async fn start(self) -> Result<Guardian, GuardianError> {
        if self.audit.retention.is_some_and(|keep| keep.is_zero()) {
            return Err(GuardianError::Invalid(
                "an audit that keeps nothing is none: give it a retention above zero".to_owned(),
            ));
        }
        if self.approval_ttl.is_zero() || self.session_ttl.is_zero() {
            return Err(GuardianError::Invalid(
                "approvals and sessions need a time to live above zero".to_owned(),
            ));
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
        let limits = Limits::new(self.max_requests)?;
        let clock = Arc::new(Clock::default());
        // Before anything is made: a mistake in them leaves nothing behind.
        let given = self.policies.clone().given(clock.now()).await?;
        let database = Database::parse(&self.database)?;
        let store = Store::open(&database).await?.with_own_votes(self.allow_self_approval);
        let refused =
            |reason: String| GuardianError::Database { url: database.to_string(), reason };
        let log = if database.has_replicas() { self.replica.clone() } else { String::new() };
        let writer = store.audit_writer(&database).await?;
        let signing = self.audit.signing(&database)?;
        let audit = AuditLog::start(writer, log.clone(), Arc::clone(&clock), Some(signing))
            .await
            .map_err(|error| refused(error.to_string()))?;
        let control_store = store.control(&database).await?;
        let reading_store = store.reading(&database).await?;
        let metrics = Metrics::new();
        let reports = store.writer(&database).await?;
        let telemetry = Telemetry::start(reports, audit.clone(), metrics.reported.clone());
        let background_store = store.with_places(AT_ONCE_IN_BACKGROUND);
        // Before memory is loaded: what changes in between is read once more.
        let asked = Instant::now();
        let seen = store.newest_change().await?;
        if let Some(at) = store.last_change_made().await? {
            clock.not_before(at);
        }
        let policies = match given {
            Some(policies) => policies,
            None => kept(&store, clock.now()).await?,
        };
        let registry = Registry::load(&store, clock.now())
            .await
            .map_err(|error| refused(error.to_string()))?;
        let checks = CheckIds::load(&store).await?;
        // From here on, whoever sets the clock opens no budget early.
        clock.undisturbed();
        let own = Secret::random("sk_own_")?;
        let own_key = Key {
            id: "key_own".to_owned(),
            org_id: DEFAULT_ORG.to_owned(),
            role: Role::Admin,
            agents: Vec::new(),
        };
        registry.keys.set_own(own.fingerprint(), own_key);
        let engine = Arc::new(Engine {
            store,
            control_store,
            reading_store,
            background_store,
            registry,
            policies,
            audit,
            checks,
            changes: Changes::new(),
            revocations: Revocations::new(),
            limits,
            synced: SyncProgress::from(seen, asked),
            takings: Arc::default(),
            telemetry,
            clock,
            settings: Settings {
                allow_self_approval: self.allow_self_approval,
                approval_ttl: self.approval_ttl,
                session_ttl: self.session_ttl,
                check_deadline: self.check_deadline,
                shared_database: database.is_shared(),
                has_replicas: database.has_replicas(),
                log,
                audit_retention: self.audit.retention,
            },
            metrics,
            pulse: Pulse::default(),
            outbound: Outbound::new(self.allow_private_targets),
            closing: watch::Sender::new(false),
        });
        let record = Record::new("guardian.started", DEFAULT_ORG).body(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "replica": self.replica,
            "allow_self_approval": self.allow_self_approval,
            "allow_private_targets": self.allow_private_targets,
            "policies": brief(&engine.policies.load()),
            "keys": engine.keys_in_brief(),
            "audit_key": engine.audit.key().map(|key| key.public().to_string()),
        }));
        engine.audit.append(record).await.map_err(|error| refused(error.to_string()))?;
        for secret in &self.admin_keys {
            ensure_admin(&engine, secret, self.development).await?;
        }
        // Loading may have taken a while.
        engine.sync().await?;
        sync::start(&engine);
        taking::start(&engine);
        start_loops(&engine);
        Guardian::new(engine, own)
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
    /// Those that the Guardian was given; `None` when it was given none.
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

/// The policies that were sent and are kept in the database, else the default set.
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
    let short = text.len() < ADMIN_KEY_MIN && !development;
    if short || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(GuardianError::Invalid(format!(
            "an admin key is at least {ADMIN_KEY_MIN} printable ASCII characters without spaces; \
             give a longer one that nobody can guess"
        )));
    }
    let hash = Fingerprint::from_text(text);
    match engine.store.key_by_hash(hash).await? {
        Some(row) if row.role == Role::Admin && row.revoked_at.is_none() => return Ok(()),
        Some(row) => {
            let standing = if row.revoked_at.is_some() { "was revoked" } else { "is no admin key" };
            return Err(GuardianError::Invalid(format!(
                "the admin key that was given is known as {} and {standing}; give another one",
                row.id
            )));
        }
        None => {}
    }
    let new =
        NewKey { org_id: DEFAULT_ORG.to_owned(), role: Role::Admin, agents: Vec::new(), hash };
    keys::create(engine, new, "builder").await.map(drop).map_err(GuardianError::from)
}

impl fmt::Debug for GuardianBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardianBuilder")
            .field("database", &self.database)
            .field("admin_keys", &self.admin_keys.len())
            .field("allow_self_approval", &self.allow_self_approval)
            .field("allow_private_targets", &self.allow_private_targets)
            .field("approval_ttl", &self.approval_ttl)
            .field("session_ttl", &self.session_ttl)
            .field("max_requests", &self.max_requests)
            .finish_non_exhaustive()
    }
}
