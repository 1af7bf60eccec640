//! What every request shares.

use std::sync::Arc;
use std::time::Duration;

use agenttrust::Timestamp;
use arc_swap::ArcSwap;
use tokio::sync::{broadcast, watch};

use crate::audit::{AuditLog, Record};
use crate::clock::Clock;
use crate::http::ApiError;
use crate::policy::PolicySet;
use crate::registry::{Key, Registry};
use crate::secret::Fingerprint;
use crate::store::{Store, StoreError};

/// The organisation of a Guardian that was told of no other.
pub(crate) const DEFAULT_ORG: &str = "org_default";

/// What the builder set.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) allow_self_approval: bool,
    pub(crate) approval_ttl: Duration,
    pub(crate) session_ttl: Duration,
    /// Whether another process can change the database.
    pub(crate) shared_database: bool,
}

/// What every request shares.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) policies: ArcSwap<PolicySet>,
    pub(crate) audit: AuditLog,
    pub(crate) changes: Changes,
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) closing: watch::Sender<bool>,
}

impl State {
    /// The key that this fingerprint stands for. One that is not known here may have been made by
    /// another process a moment ago.
    pub(crate) async fn key(&self, hash: Fingerprint) -> Result<Option<Arc<Key>>, StoreError> {
        let known = self.registry.keys.get(&hash);
        if known.is_some() || !self.settings.shared_database || !self.registry.keys.may_look_up() {
            return Ok(known);
        }
        if let Some(row) = self.store.key_by_hash(hash).await? {
            self.registry.keys.insert(row);
        }
        Ok(self.registry.keys.get(&hash))
    }

    /// Refuses a change that could not be recorded afterwards.
    pub(crate) fn ready_to_change(&self) -> Result<(), ApiError> {
        if self.audit.is_healthy() {
            return Ok(());
        }
        Err(ApiError::unavailable(
            "the audit log cannot be written, so nothing may change; try again later",
        ))
    }

    /// Records a change that was made. It is on disk when this returns.
    pub(crate) async fn note(&self, record: Record) -> Result<(), ApiError> {
        self.audit.append(record).await.map(drop).map_err(|error| {
            tracing::error!(%error, "a change was made and could not be recorded");
            ApiError::unavailable(
                "the change was made and could not be recorded in the audit log; \
                 look at the Guardian's log",
            )
        })
    }

    /// Whether requests that wait should answer now.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Takes over the keys that another process made or revoked.
    pub(crate) async fn reload_keys(&self) -> Result<(), StoreError> {
        let version = self.store.keys_version().await?;
        if version != self.registry.keys.version() {
            // Read after the version: what changes in between is read again the next time.
            self.registry.keys.replace(version, self.store.keys().await?);
            let record = Record::new("keys.reloaded", DEFAULT_ORG)
                .body(serde_json::json!({ "keys": self.keys_in_brief() }));
            if let Err(error) = self.audit.enqueue(record) {
                tracing::warn!(%error, "a change of keys could not be recorded");
            }
        }
        Ok(())
    }

    /// The keys as the audit lists them. Keys that another process makes are recorded by this: the
    /// audit has one writer.
    pub(crate) fn keys_in_brief(&self) -> serde_json::Value {
        const LISTED: usize = 200;
        let (keys, count) = self.registry.keys.summary(LISTED);
        let keys: Vec<_> = keys
            .into_iter()
            .map(|(id, role)| serde_json::json!({ "key_id": id, "role": role }))
            .collect();
        serde_json::json!({ "count": count, "listed": keys })
    }

    /// Marks lapsed approvals as expired and wakes whoever waits for them.
    pub(crate) async fn expire_approvals(&self, now: Timestamp) -> Result<(), StoreError> {
        for (id, org_id, agent_id) in self.store.expire_approvals(now).await? {
            let record = Record::new("approval.expired", org_id)
                .agent(agent_id)
                .body(serde_json::json!({ "approval_id": id }));
            // Nothing hangs on this row: the approval is expired with or without it.
            if let Err(error) = self.audit.enqueue(record) {
                tracing::warn!(%error, approval_id = id, "an expiry could not be recorded");
            }
            self.changes.announce(&id);
        }
        Ok(())
    }

    /// Keeps the session counters that changed.
    pub(crate) async fn save_counters(&self) -> Result<(), StoreError> {
        let unsaved = self.registry.sessions.take_unsaved();
        if unsaved.is_empty() {
            return Ok(());
        }
        let saved = self.store.count_sessions(unsaved.clone()).await;
        if saved.is_err() {
            self.registry.sessions.mark_unsaved(unsaved.iter().map(|(id, _)| id));
        }
        saved
    }
}

/// Tells those who wait for an approval that it changed.
#[derive(Debug)]
pub(crate) struct Changes(broadcast::Sender<Arc<str>>);

impl Changes {
    /// How many changes may wait to be read; who falls behind looks again.
    const KEPT: usize = 1_024;

    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(Self::KEPT))
    }

    /// Says that this approval changed.
    pub(crate) fn announce(&self, approval_id: &str) {
        // Nobody waiting is no error.
        let _ = self.0.send(Arc::from(approval_id));
    }

    /// Hears every change from here on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<str>> {
        self.0.subscribe()
    }
}
