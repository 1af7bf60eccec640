//! The settings there are: another one is a line of this table. Its flag, its variable, its place in the file, its
//! field of `Config` and what `--print-config` says of it follow.

use std::path::PathBuf;
use std::time::Duration;

use super::super::log::Format;
use super::public_url::PublicUrl;
use super::setting::Setting;
use super::setting::Unset::{Absent, Computed, Is};
use super::settings::Settings;
use super::value::{Short, Url, Value};
use crate::domain::{AddressRange, GuardianError, Secret};

macro_rules! settings {
    ($($setting:ident $field:ident: $type:ty = $name:literal $value_name:literal $default:expr, $help:literal;)*) => {
        $(pub(super) static $setting: Setting = Setting {
            name: $name,
            kind: <$type as Value>::KIND,
            value_name: $value_name,
            default: $default,
            help: $help,
        };)*

        /// Every setting, in the order in which they are printed.
        pub(super) static ALL: &[&Setting] = &[$(&$setting),*];

        /// The values that the settings were found to have.
        #[derive(Debug)]
        pub(in crate::cli) struct Values {
            $(pub(in crate::cli) $field: $type,)*
        }

        impl Values {
            pub(super) fn from_settings(settings: &Settings) -> Result<Self, GuardianError> {
                Ok(Self { $($field: Value::from_settings(settings, &$setting)?,)* })
            }
        }
    };
}

settings! {
    LISTEN listen: String = "listen" "ADDR" Is("127.0.0.1:8080"),
        "Where to listen; port 0 takes a free one";
    PUBLIC_URL public_urls: Vec<PublicUrl> = "public-url" "URL" Absent,
        "A URL under which others reach this Guardian, such as https://guardian.example; give it again for another. The first is the base of the URLs that are given out. On a loopback address requests under other names than localhost are refused, elsewhere once there is one";
    TRUST_DOMAIN trust_domain: Option<String> = "trust-domain" "NAME" Computed("the host of the first public URL, else agenttrust.local"),
        "The trust domain of workloads: what their ids begin with, spiffe://NAME";
    DPOP_NONCES dpop_nonces: bool = "dpop-nonces" "BOOL" Absent,
        "Have proofs on checks hold a nonce that this Guardian gave out";
    METRICS_LISTEN metrics_listen: Option<String> = "metrics-listen" "ADDR" Absent,
        "Where to serve /metrics to every caller, without a key; nowhere unless set";
    DATABASE database: Url = "database" "URL" Is("agenttrust.db"),
        "The database: sqlite://PATH, a path, postgres://USER@HOST/NAME, or memory";
    ADMIN_KEY admin_key: Option<Secret> = "admin-key" "KEY" Absent,
        "The first admin key";
    POLICIES policies: Option<PathBuf> = "policies" "DIR" Absent,
        "A folder of Cedar policies instead of the built-in ones";
    ALLOW_SELF_APPROVAL allow_self_approval: bool = "allow-self-approval" "BOOL" Absent,
        "Let a key decide its own requests; each such decision is marked in the audit";
    DEV dev: bool = "dev" "BOOL" Absent,
        "Try things out: in memory, key sk_test_dev, self-approval; only on a loopback address";
    ALLOW_OUTBOUND allow_outbound: Vec<AddressRange> = "allow-outbound" "CIDR" Absent,
        "A range of addresses that may be called, for webhooks and MCP servers, without TLS too, such as 10.1.0.0/16; give it again for another";
    OUTBOUND_CA outbound_ca: Option<PathBuf> = "outbound-ca" "FILE" Absent,
        "Certificates of authorities, in PEM, whom calls that leave trust beside the system's";
    SIEM_FILES siem_files: Vec<PathBuf> = "siem-files" "DIR" Absent,
        "A folder in which events may be written to files, such as /var/log/agenttrust; give it again for another";
    SECRET_KEY secret_key: Option<Secret> = "secret-key" "KEYS" Absent,
        "The key by which secrets are kept sealed in the database, and earlier ones after commas";
    APPROVAL_TTL approval_ttl: Duration = "approval-ttl" "TIME" Is("5m"),
        "How long an approval may be pending";
    SESSION_TTL session_ttl: Duration = "session-ttl" "TIME" Is("1d"),
        "How long an issued session lives that no token bounds";
    CHECK_DEADLINE check_deadline: Short = "check-deadline" "TIME" Is("2s"),
        "How long a check may take before it is answered that it was not decided, such as 500ms; shorter than the time-out of those who ask";
    MAX_REQUESTS max_requests: usize = "max-requests" "NUMBER" Is("4096"),
        "How many requests may be under way at once, from 16 to 1,000,000; a key has a quarter of them, or the smaller of 512 and a half where that is more";
    MCP_HOLD mcp_hold: Option<Duration> = "mcp-hold" "TIME" Absent,
        "How long a held call of an MCP tool waits for its approval before it is answered that it is held, such as 30s, at most 10m; not at all unless set";
    MCP_TIMEOUT mcp_timeout: Duration = "mcp-timeout" "TIME" Is("2m"),
        "How long an MCP server may take until it begins to answer, and may be silent in the middle of an answer, up to 1h";
    MAX_CONNECTIONS max_connections: Option<usize> = "max-connections" "NUMBER"
        Computed("as many as the process has file descriptors for, up to 10000"),
        "How many connections may be open at once, from 16 on";
    REPLICA replica: String = "replica" "NAME" Computed("the machine's"),
        "The name of this Guardian among those that share a database";
    AUDIT_KEY audit_key: Option<PathBuf> = "audit-key" "FILE" Computed("beside the database file"),
        "The Ed25519 key that signs checkpoints of the audit, made if it is not there; replicas share one";
    AUDIT_CHECKPOINTS audit_checkpoints: Option<PathBuf> = "audit-checkpoints" "FILE"
        Computed("beside its file"),
        "Where checkpoints of the audit are noted outside of the database";
    AUDIT_RETENTION audit_retention: Option<Duration> = "audit-retention" "TIME" Absent,
        "How long rows of the audit are kept, such as 90d; for good unless set";
    TLS_CERT tls_cert: Option<PathBuf> = "tls-cert" "FILE" Absent,
        "The certificate to serve TLS with, and those above it, in PEM; a new file is taken over";
    TLS_KEY tls_key: Option<PathBuf> = "tls-key" "FILE" Absent,
        "The private key of the certificate, in PEM";
    LOG log: String = "log" "FILTER" Is("info"),
        "What to log: error, warn, info, debug, trace, or a filter such as info,sqlx=debug";
    LOG_FORMAT log_format: Format = "log-format" "FORMAT" Is("text"),
        "How to log: text or json";
}
