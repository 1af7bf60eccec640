//! The settings there are. Another one is a line here, a flag in `flags.rs` and a field in `mod.rs`.

/// One setting.
#[derive(Debug)]
pub(super) struct Known {
    /// Its name in the file; the flag's and the variable's follow from it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What it is when nobody sets it; nothing for one that may be absent.
    pub(super) default: Option<&'static str>,
}

/// What a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A text with a password in it, perhaps.
    Url,
    /// Never shown, and no flag: every process of the machine can read the flags of the others.
    Secret,
    Switch,
    Number,
}

const fn text(name: &'static str, default: Option<&'static str>) -> Known {
    Known { name, kind: Kind::Text, default }
}

const fn number(name: &'static str, default: Option<&'static str>) -> Known {
    Known { name, kind: Kind::Number, default }
}

const fn switch(name: &'static str) -> Known {
    Known { name, kind: Kind::Switch, default: Some("false") }
}

pub(super) static LISTEN: Known = text("listen", Some("127.0.0.1:8080"));
pub(super) static METRICS_LISTEN: Known = text("metrics-listen", None);
pub(super) static DATABASE: Known =
    Known { name: "database", kind: Kind::Url, default: Some("agenttrust.db") };
pub(super) static ADMIN_KEY: Known = Known { name: "admin-key", kind: Kind::Secret, default: None };
pub(super) static POLICIES: Known = text("policies", None);
pub(super) static ALLOW_SELF_APPROVAL: Known = switch("allow-self-approval");
pub(super) static DEV: Known = switch("dev");
pub(super) static APPROVAL_TTL: Known = text("approval-ttl", Some("5m"));
pub(super) static SESSION_TTL: Known = text("session-ttl", Some("1d"));
pub(super) static CHECK_DEADLINE: Known = text("check-deadline", Some("2s"));
pub(super) static MAX_REQUESTS: Known = number("max-requests", Some("4096"));
/// Its default is as many as there are file descriptors for, up to 10,000.
pub(super) static MAX_CONNECTIONS: Known = number("max-connections", None);
/// Its default is the name of this machine.
pub(super) static REPLICA: Known = text("replica", None);
/// Its default is beside the database file.
pub(super) static AUDIT_KEY: Known = text("audit-key", None);
/// Its default is beside the database file.
pub(super) static AUDIT_CHECKPOINTS: Known = text("audit-checkpoints", None);
pub(super) static AUDIT_RETENTION: Known = text("audit-retention", None);
pub(super) static TLS_CERT: Known = text("tls-cert", None);
pub(super) static TLS_KEY: Known = text("tls-key", None);
pub(super) static LOG: Known = text("log", Some("info"));
pub(super) static LOG_FORMAT: Known = text("log-format", Some("text"));

/// Every setting, in the order in which they are printed.
pub(super) static ALL: [&Known; 20] = [
    &LISTEN,
    &METRICS_LISTEN,
    &DATABASE,
    &ADMIN_KEY,
    &POLICIES,
    &ALLOW_SELF_APPROVAL,
    &DEV,
    &APPROVAL_TTL,
    &SESSION_TTL,
    &CHECK_DEADLINE,
    &MAX_REQUESTS,
    &MAX_CONNECTIONS,
    &REPLICA,
    &AUDIT_KEY,
    &AUDIT_CHECKPOINTS,
    &AUDIT_RETENTION,
    &TLS_CERT,
    &TLS_KEY,
    &LOG,
    &LOG_FORMAT,
];

impl Known {
    /// The variable that sets it.
    pub(super) fn variable(&self) -> String {
        format!("AGENTTRUST_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }
}
