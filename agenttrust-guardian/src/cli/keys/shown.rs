//! How keys are printed, wherever they were looked up.

use agenttrust::Timestamp;
use agenttrust::model::{ApiKey, Issued, KeyRevocation};
use serde::Serialize;
use serde_json::json;

use crate::cli::out;
use crate::cli::revoked::sentence;
use crate::domain::GuardianError;
use crate::store::KeyRow;

/// A key as it is printed.
#[derive(Debug, Serialize)]
pub(super) struct KeyShown {
    id: String,
    org_id: String,
    role: &'static str,
    agents: Vec<String>,
    gateway: Option<String>,
    owner: Option<String>,
    made_by: Option<String>,
    created_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    rotated_at: Option<Timestamp>,
    old_key_until: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    /// The key itself, which is shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl From<&KeyRow> for KeyShown {
    fn from(row: &KeyRow) -> Self {
        Self {
            id: row.id.clone(),
            org_id: row.org_id.clone(),
            role: row.role.as_str(),
            agents: row.agents.clone(),
            gateway: row.gateway.clone(),
            owner: row.owner.clone(),
            made_by: row.made_by.clone(),
            created_at: Some(row.created_at),
            revoked_at: row.revoked_at,
            rotated_at: row.rotated_at,
            old_key_until: row.old.as_ref().map(|(_, until)| *until),
            last_used_at: row.last_used_at,
            key: None,
        }
    }
}

impl From<&ApiKey> for KeyShown {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.clone(),
            org_id: key.org_id.clone(),
            role: key.role.as_str(),
            agents: key.agents.clone(),
            gateway: key.gateway.clone(),
            owner: key.owner.clone(),
            made_by: key.made_by.clone(),
            created_at: key.created_at,
            revoked_at: key.revoked_at,
            rotated_at: key.rotated_at,
            old_key_until: key.old_key_until,
            last_used_at: key.last_used_at,
            key: key.key.as_ref().map(|key| key.as_str().to_owned()),
        }
    }
}

impl KeyShown {
    pub(super) fn with_secret(mut self, secret: &str) -> Self {
        self.key = Some(secret.to_owned());
        self
    }

    /// Notes that it was given another secret.
    pub(super) fn rotated(&mut self, at: Timestamp, old_until: Timestamp) {
        (self.rotated_at, self.old_key_until) = (Some(at), Some(old_until));
    }

    /// Prints the key itself and nothing else, so that a script can take it; as JSON everything about it.
    pub(super) fn print_once(&self, json: bool) -> Result<(), GuardianError> {
        if json {
            return out::json_once(self);
        }
        match &self.key {
            Some(key) => out::secret_once(&out::harmless(key)),
            None => Err(GuardianError::Unavailable(format!(
                "key {} was made, and the answer does not show it: revoke it and make another",
                out::harmless(&self.id)
            ))),
        }
    }

    /// Returns what it is bound to, or whose it is.
    fn of(&self) -> String {
        self.gateway.clone().unwrap_or_else(|| self.agents.join(", "))
    }

    fn state(&self) -> String {
        match self.revoked_at {
            Some(at) => format!("revoked {}", out::when(Some(at))),
            None => "works".to_owned(),
        }
    }
}

/// Prints keys, revoked ones too, and nothing that is secret.
pub(super) fn table(keys: &[KeyShown], json: bool) -> Result<(), GuardianError> {
    if json {
        return out::json(&keys);
    }
    if keys.is_empty() {
        return out::say("there are no keys; make one with `agenttrust keys create`");
    }
    let used = |key: &KeyShown| match key.last_used_at {
        Some(at) => out::when(Some(at)),
        None => "never".to_owned(),
    };
    let rows: Vec<_> = keys
        .iter()
        .map(|key| {
            [
                key.id.clone(),
                key.role.to_owned(),
                key.state(),
                out::when(key.created_at),
                used(key),
                key.of(),
                key.owner.clone().unwrap_or_default(),
                key.org_id.clone(),
                key.made_by.clone().unwrap_or_else(|| "the program".to_owned()),
            ]
        })
        .collect();
    let titles = ["KEY", "ROLE", "STATE", "MADE", "USED", "OF", "OWNER", "ORGANISATION", "MADE BY"];
    out::table(titles, &rows)
}

/// Tells what went with a key that is revoked.
pub(super) fn revoked(id: &str, gone: &KeyRevocation, json: bool) -> Result<(), GuardianError> {
    let KeyRevocation { tokens, sessions, delegations, issued, durable, .. } = gone;
    if json {
        return out::json(&json!({
            "id": id, "status": "revoked", "issued": issued, "tokens": tokens, "sessions": sessions,
            "delegations": delegations, "durable": durable,
        }));
    }
    let with = match issued {
        Issued::Revoke => {
            format!(", with {tokens} tokens, {sessions} sessions and {delegations} delegations")
        }
        _ => String::new(),
    };
    out::say(&sentence(id, &with, Some(*durable)))
}
