//! Building a Guardian.

mod egress;
mod public_urls;
mod start;

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use agenttrust::background;

use crate::domain::{GuardianError, Secret, limits};
use crate::engine::McpSettings;
use crate::guardian::Guardian;
use crate::policy::PolicySet;
use crate::store::Database;

/// The time that an approval may be pending, unless the builder says otherwise.
const APPROVAL_TTL: Duration = Duration::from_secs(5 * 60);
/// The time that an issued session lives which no token bounds.
const SESSION_TTL: Duration = Duration::from_secs(24 * 3_600);

/// The time that a check may take, all of its steps together: shorter than a guard waits for it.
const CHECK_DEADLINE: Duration = Duration::from_secs(2);
/// The shortest and the longest of these times that is taken.
const CHECK_DEADLINES: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(30);

/// The time that an MCP server may take until it answers, and may be silent in the middle of an answer.
const MCP_TIMEOUT: Duration = Duration::from_secs(120);
/// The longest of that which is taken, and the shortest.
const MCP_TIMEOUTS: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(3_600);
/// The longest that a held call of an MCP tool waits.
const MCP_HOLD_MOST: Duration = Duration::from_secs(600);

/// Settings of a [`Guardian`]; see [`Guardian::builder`].
///
/// The defaults are those of a served Guardian: the built-in policies, no requester approves its own request, an
/// approval lapses after five minutes. Only the database is in memory.
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct GuardianBuilder {
    database: String,
    replica: String,
    policies: Source,
    admin_keys: Vec<Secret>,
    /// Whether a key that is publicly known may be an admin key.
    development: bool,
    allow_self_approval: bool,
    approval_ttl: Duration,
    session_ttl: Duration,
    check_deadline: Duration,
    allow_private_targets: bool,
    /// Ranges of addresses that may be called.
    allow_outbound: Vec<String>,
    /// Authorities that calls by TLS trust beside the platform's.
    outbound_ca: Option<PathBuf>,
    /// Folders in which files of events may be written.
    siem_files: Vec<PathBuf>,
    /// The keys by which secrets are sealed.
    secret_key: Option<Secret>,
    max_requests: usize,
    mcp: McpSettings,
    public_urls: Vec<String>,
    trust_domain: Option<String>,
    dpop_nonces: bool,
    scheme: &'static str,
    audit: AuditFiles,
}

/// The files of the audit's key and checkpoints, outside of the database, and how long rows are kept.
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
            allow_outbound: Vec::new(),
            outbound_ca: None,
            siem_files: Vec::new(),
            secret_key: None,
            max_requests: limits::REQUESTS,
            mcp: McpSettings { hold: Duration::ZERO, timeout: MCP_TIMEOUT },
            public_urls: Vec::new(),
            trust_domain: None,
            dpop_nonces: false,
            scheme: "http",
            audit: AuditFiles::default(),
        }
    }
}

impl Guardian {
    /// Returns settings of a new Guardian.
    pub fn builder() -> GuardianBuilder {
        GuardianBuilder::default()
    }

    /// Creates a Guardian with the builder's defaults: in memory, and as strict as a served one.
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
    /// Sets the database: `memory` (the default), `sqlite://PATH` or a path, or `postgres://USER@HOST/NAME` for
    /// several Guardians that act as one. Any other text is refused when the Guardian is built, without being
    /// repeated: it may hold a password.
    pub fn database(mut self, url: impl Into<String>) -> Self {
        self.database = url.into();
        self
    }

    /// Sets the name of this Guardian among those on one PostgreSQL; `replica` by default. Each name has an audit log
    /// of its own, which a Guardian that is started again goes on with.
    pub fn replica(mut self, name: impl Into<String>) -> Self {
        self.replica = name.into();
        self
    }

    /// Sets a folder of Cedar policies instead of the built-in ones. It is looked at twice a second; what changes
    /// there is in force about a second later, unless it is not valid.
    pub fn policies(mut self, folder: impl Into<PathBuf>) -> Self {
        self.policies = Source::Folder(folder.into());
        self
    }

    /// Sets a set of policies instead of the built-in ones, until the API puts another one in force.
    pub fn policy_set(mut self, set: PolicySet) -> Self {
        self.policies = Source::Set(set);
        self
    }

    /// Makes sure that this key, of at least 12 characters, is an admin key. May be given several times.
    pub fn admin_key(mut self, key: impl Into<String>) -> Self {
        self.admin_keys.push(Secret::from(key.into()));
        self
    }

    /// Sets up a Guardian for trying things out, with an admin key that is publicly known and may decide what it asked
    /// for.
    #[cfg(feature = "cli")]
    pub(crate) fn development(mut self, key: &str) -> Self {
        self.development = true;
        self.admin_key(key).allow_self_approval(true).allow_private_targets(true)
    }

    /// Sets whether a key that asked may decide its own request; off by default. Where it is on, each
    /// such decision says so in the audit.
    pub fn allow_self_approval(mut self, allow: bool) -> Self {
        self.allow_self_approval = allow;
        self
    }

    /// Sets how long an approval may be pending; five minutes by default.
    pub fn approval_ttl(mut self, ttl: Duration) -> Self {
        self.approval_ttl = ttl;
        self
    }

    /// Sets how long an issued session lives that no token bounds; a day by default.
    pub fn session_ttl(mut self, ttl: Duration) -> Self {
        self.session_ttl = ttl;
        self
    }

    /// Sets how long a check may take, all of its steps together; 2 seconds by default. One that is not decided
    /// by then is answered that it was not, and may be asked again.
    ///
    /// From 10 milliseconds to 30 seconds, and shorter than the time-out of the guards that ask (5 seconds
    /// by default).
    pub fn check_deadline(mut self, deadline: Duration) -> Self {
        self.check_deadline = deadline;
        self
    }

    /// Sets whether the Guardian may call this machine and private networks, for webhooks say; off by default.
    /// Where it is on, this machine may be called without TLS.
    pub fn allow_private_targets(mut self, allow: bool) -> Self {
        self.allow_private_targets = allow;
        self
    }

    /// Opens a range of addresses (`10.1.0.0/16`, `fd00:1::/32`, `127.0.0.1`) to the calls that the Guardian makes,
    /// to webhooks and MCP servers say, without TLS too. May be given several times; public addresses are called in
    /// any case, by https.
    ///
    /// Where clouds keep the secrets of their machines (169.254.169.254 and its like) is in no range but one of that
    /// address alone; "any" address, multicast, and addresses of IPv4 in the clothes of IPv6 are in none. What is no
    /// range is refused when the Guardian is built.
    pub fn allow_outbound(mut self, range: impl Into<String>) -> Self {
        self.allow_outbound.push(range.into());
        self
    }

    /// Sets a file of certificates in PEM, of authorities that calls by TLS trust beside those of the platform:
    /// webhooks, MCP servers, issuers of tokens, and where events are sent. It is read when the Guardian is built.
    ///
    /// What is no file of certificates is refused then.
    pub fn outbound_ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.outbound_ca = Some(file.into());
        self
    }

    /// Opens a folder to destinations of events that are files: a file in this folder may be written, one in a folder
    /// below may not, and without this, none. May be given several times. The folder is named by its absolute path and
    /// has to be there when the Guardian is built.
    pub fn siem_files(mut self, folder: impl Into<PathBuf>) -> Self {
        self.siem_files.push(folder.into());
        self
    }

    /// Sets the key by which secrets that are to be sent again (of webhooks, of MCP servers) are kept sealed in the
    /// database: 64 hexadecimal digits. Several are separated by commas, of which the first one seals and all of
    /// them open; what an earlier one sealed is sealed by the first one when the Guardian starts.
    ///
    /// By default the key of an SQLite database is in a file beside it (`agenttrust.db.secret-key`), which is made for
    /// its owner alone, and a Guardian in memory makes a random key. A Guardian on PostgreSQL takes no secret before it
    /// is told a key, and all Guardians on one database are told the same.
    pub fn secret_key(mut self, keys: impl Into<String>) -> Self {
        self.secret_key = Some(Secret::from(keys.into()));
        self
    }

    /// Sets how many requests may be under way at once, from 16 to 1,000,000; 4,096 by default. A key has a quarter of
    /// that, but never less than the smaller of 512 and a half. A request beyond is answered 429 or 503 with
    /// `Retry-After`.
    ///
    /// Requests of [`Guardian::client`] and [`Guardian::client_with_key`] do not count, and no limit on bodies,
    /// waiting callers and streams holds for them: the program that makes them bounds its own.
    pub fn max_requests(mut self, most: usize) -> Self {
        self.max_requests = most;
        self
    }

    /// Sets how long a held call of an MCP tool waits for its approval before it is answered that it is held, at most
    /// 10 minutes; not at all by default. A client that gave a progress token hears meanwhile that it waits.
    pub fn mcp_hold(mut self, hold: Duration) -> Self {
        self.mcp.hold = hold;
        self
    }

    /// Sets how long an MCP server may take until it begins to answer, and may be silent in the middle of an answer,
    /// from 100 milliseconds to an hour; two minutes by default.
    pub fn mcp_timeout(mut self, timeout: Duration) -> Self {
        self.mcp.timeout = timeout;
        self
    }

    /// Sets the URL under which others reach this Guardian, such as `https://guardian.example`: the base of every
    /// absolute URL that it gives out. By default, that is the address that a request was sent to, without TLS. A
    /// second call adds another URL: the first stays the base, and proofs of possession may be made for each.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_urls.push(url.into());
        self
    }

    /// Sets the trust domain of workloads: the beginning of their ids, `spiffe://…`. Letters in lower case, digits,
    /// `.`, `-` and `_`. By default, it is the host of the first public URL, else `agenttrust.local`.
    pub fn trust_domain(mut self, trust_domain: impl Into<String>) -> Self {
        self.trust_domain = Some(trust_domain.into());
        self
    }

    /// Sets whether proofs on checks (RFC 9449) must hold a nonce that this Guardian gave out, which it does where one
    /// comes without; by default they need none.
    pub fn dpop_nonces(mut self, needed: bool) -> Self {
        self.dpop_nonces = needed;
        self
    }

    /// Sets that the Guardian is reached over TLS.
    #[cfg(feature = "cli")]
    pub(crate) fn over_tls(mut self) -> Self {
        self.scheme = "https";
        self
    }

    /// Sets the file of the Ed25519 key that signs checkpoints of the audit; it is made when it is not there. By
    /// default, that is a file beside an SQLite database (`agenttrust.db.audit-key`), and else a key that ends with
    /// this Guardian. Replicas on one PostgreSQL should have the same one.
    pub fn audit_key(mut self, file: impl Into<PathBuf>) -> Self {
        self.audit.key = Some(file.into());
        self
    }

    /// Sets the file in which checkpoints of the audit are noted outside of the database, one a line. By default, that
    /// is a file beside an SQLite database (`agenttrust.db.checkpoints`), and there is no file for other databases.
    /// Each Guardian has a file of its own.
    pub fn audit_checkpoints(mut self, file: impl Into<PathBuf>) -> Self {
        self.audit.checkpoints = Some(file.into());
        self
    }

    /// Sets how long rows of this Guardian's audit log are kept at least; for good by default. Older ones are let go
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

    /// Builds the Guardian as [`build`](Self::build) does, on a thread that may wait.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build).
    pub fn build_blocking(self) -> Result<Guardian, GuardianError> {
        background::block_on(self.start())?
    }
}

impl fmt::Debug for GuardianBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardianBuilder")
            .field("database", &Database::parse(&self.database).ok())
            .field("admin_keys", &self.admin_keys.len())
            .field("allow_self_approval", &self.allow_self_approval)
            .field("allow_private_targets", &self.allow_private_targets)
            .field("allow_outbound", &self.allow_outbound)
            .field("outbound_ca", &self.outbound_ca)
            .field("siem_files", &self.siem_files)
            .field("approval_ttl", &self.approval_ttl)
            .field("session_ttl", &self.session_ttl)
            .field("max_requests", &self.max_requests)
            .field("mcp", &self.mcp)
            .finish_non_exhaustive()
    }
}
