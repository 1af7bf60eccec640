//! The flags of `agenttrust serve`.

use std::path::PathBuf;

use clap::Args;

use super::known::{self, Known};

/// What `agenttrust serve` is told on the command line. Every setting may also stand in the
/// environment, as AGENTTRUST_ and its name in capitals, or in the file.
// Defaults and the environment are not clap's business here: the file comes in between.
#[derive(Debug, Args)]
pub(in crate::cli) struct Flags {
    /// A TOML file of settings, named as the flags are; else AGENTTRUST_CONFIG
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Print the settings and where each came from, and do nothing else
    #[arg(long)]
    pub(in crate::cli) print_config: bool,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where to serve /metrics to whoever asks, without a key; nowhere unless set
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<String>,
    /// The database: sqlite://PATH, a path, postgres://USER@HOST/NAME, or memory [default: agenttrust.db]
    #[arg(long, value_name = "URL", conflicts_with = "dev")]
    database: Option<String>,
    /// A folder of Cedar policies instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    policies: Option<String>,
    /// Let a key decide its own requests; each such decision is marked in the audit
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    allow_self_approval: Option<String>,
    /// Try things out: in memory, key sk_test_dev, self-approval; only on a loopback address
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    dev: Option<String>,
    /// How long an approval may be pending [default: 5m]
    #[arg(long, value_name = "TIME")]
    approval_ttl: Option<String>,
    /// How long an issued session lives that no token bounds [default: 1d]
    #[arg(long, value_name = "TIME")]
    session_ttl: Option<String>,
    /// How long a check may take before it is answered that it was not decided, such as 500ms; shorter
    /// than the time-out of those who ask [default: 2s]
    #[arg(long, value_name = "TIME")]
    check_deadline: Option<String>,
    /// How many requests may be under way at once, from 16 to 1,000,000; a key has a quarter of them, or
    /// the smaller of 512 and a half where that is more [default: 4096]
    #[arg(long, value_name = "NUMBER")]
    max_requests: Option<String>,
    /// How many connections may be open at once, from 16 on [default: as many as the process has file
    /// descriptors for, up to 10000]
    #[arg(long, value_name = "NUMBER")]
    max_connections: Option<String>,
    /// The name of this Guardian among those that share a database [default: the machine's]
    #[arg(long, value_name = "NAME")]
    replica: Option<String>,
    /// The Ed25519 key that signs checkpoints of the audit, made if it is not there; replicas share one
    /// [default: beside the database file]
    #[arg(long, value_name = "FILE")]
    audit_key: Option<String>,
    /// Where checkpoints of the audit are noted outside of the database [default: beside its file]
    #[arg(long, value_name = "FILE")]
    audit_checkpoints: Option<String>,
    /// How long rows of the audit are kept, such as 90d; for good unless set
    #[arg(long, value_name = "TIME")]
    audit_retention: Option<String>,
    /// The certificate to serve TLS with, and those above it, in PEM; a new file is taken over
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// The private key of the certificate, in PEM
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// What to log: error, warn, info, debug, trace, or a filter such as info,sqlx=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How to log: text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl Flags {
    /// What this setting's flag was given.
    pub(super) fn get(&self, known: &Known) -> Option<&str> {
        let all = [
            (&known::LISTEN, &self.listen),
            (&known::METRICS_LISTEN, &self.metrics_listen),
            (&known::DATABASE, &self.database),
            (&known::POLICIES, &self.policies),
            (&known::ALLOW_SELF_APPROVAL, &self.allow_self_approval),
            (&known::DEV, &self.dev),
            (&known::APPROVAL_TTL, &self.approval_ttl),
            (&known::SESSION_TTL, &self.session_ttl),
            (&known::CHECK_DEADLINE, &self.check_deadline),
            (&known::MAX_REQUESTS, &self.max_requests),
            (&known::MAX_CONNECTIONS, &self.max_connections),
            (&known::REPLICA, &self.replica),
            (&known::AUDIT_KEY, &self.audit_key),
            (&known::AUDIT_CHECKPOINTS, &self.audit_checkpoints),
            (&known::AUDIT_RETENTION, &self.audit_retention),
            (&known::TLS_CERT, &self.tls_cert),
            (&known::TLS_KEY, &self.tls_key),
            (&known::LOG, &self.log),
            (&known::LOG_FORMAT, &self.log_format),
        ];
        let mut given = all.into_iter().filter(|(flag, _)| flag.name == known.name);
        given.next().and_then(|(_, value)| value.as_deref())
    }
}
