//! What every use case shares: the database, memory, the audit and what is in force; and the one way to change
//! something.

mod change;
pub(crate) mod check_ids;
pub(crate) mod database_health;
mod health;
pub(crate) mod issuer_keys;
pub(crate) mod mcp_keys;
mod openings;
pub(crate) mod policies;
pub(crate) mod proof_nonces;
mod proven_numbers;
mod refusals;
pub(crate) mod revocations;
mod shared_secrets;
mod siem;
pub(crate) mod sync;
pub(crate) mod taking;
mod task_news;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::background;
use reqwest::Url;
use tokio::sync::{broadcast, watch};

use self::check_ids::CheckIds;
use self::database_health::DatabaseHealth;
use self::issuer_keys::IssuerKeys;
use self::mcp_keys::McpKeys;
pub(crate) use self::openings::Openings;
use self::policies::Policies;
use self::proof_nonces::ProofNonces;
pub(crate) use self::refusals::Refusals;
use self::revocations::Revocations;
pub(crate) use self::siem::SiemProgress;
use self::sync::SyncProgress;
use self::taking::Takings;
pub(crate) use self::task_news::{Hearing, LatestRow, Piece, TaskNews};
use crate::audit::{AuditLog, Record};
use crate::clock::Clock;
use crate::domain::limits::Limits;
use crate::domain::{Error, Fingerprint, Key, Sealer};
use crate::manifest::{Manifest, ToolChange};
use crate::metrics::{ApprovalEvent, Metrics, Present};
use crate::outbound::{self, Outbound};
use crate::registry::Registry;
use crate::store::{Store, StoreError, ToolChanges};
use crate::telemetry::Telemetry;

/// The time for which an unknown key is looked for in the database.
const LOOKED_UP_WITHIN: Duration = Duration::from_secs(1);

/// The number of times that a change of tools is planned before giving up on being first.
const PLANS_MOST: usize = 10;

/// The time for which a proof is kept as used after it would be taken: the clocks of replicas differ.
const USED_KEPT: Duration = Duration::from_secs(10 * 60);

/// The message to each caller of a Guardian that was closed.
const CLOSED: &str = "the Guardian in this process was closed, so it decides nothing any more; keep it open for as long \
                      as its clients and guards are used, and call `Guardian::close` last";

/// The settings from the builder.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) allow_self_approval: bool,
    pub(crate) approval_ttl: Duration,
    pub(crate) session_ttl: Duration,
    /// The time that a check may take, all of its steps together.
    pub(crate) check_deadline: Duration,
    /// Whether another process can change the database.
    pub(crate) shared_database: bool,
    /// Whether other Guardians may be at work on it.
    pub(crate) has_replicas: bool,
    /// Whether only the owner of this process reaches what is in the database.
    pub(crate) is_private: bool,
    /// The settings by which MCP servers are called, and calls of their tools held.
    pub(crate) mcp: McpSettings,
    /// The URLs under which others reach this Guardian, where they were set; the first is the base of those that are
    /// given out.
    pub(crate) public_urls: Vec<String>,
    /// The trust domain that the ids of workloads begin with.
    pub(crate) trust_domain: String,
    /// Whether proofs on checks need a nonce of ours.
    pub(crate) dpop_nonces: bool,
    /// The scheme by which the Guardian is asked where no such URL says it: `http` or `https`.
    pub(crate) scheme: &'static str,
    /// The audit log that this Guardian writes.
    pub(crate) log: String,
    /// The time that its rows are kept; without one, for good.
    pub(crate) audit_retention: Option<Duration>,
}

/// The settings of the MCP proxy from the builder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct McpSettings {
    /// The time that a held call waits for its approval.
    pub(crate) hold: Duration,
    /// The time that a server may take until it answers, and may be silent in the middle of an answer.
    pub(crate) timeout: Duration,
}

/// The parts that every request shares.
#[derive(Debug)]
pub(crate) struct Engine {
    /// The database, for decisions and changes.
    pub(crate) store: Store,
    /// The same by connections of their own, for what must not wait behind these: following what was changed,
    /// storing what was taken back, and asking how the database is.
    pub(crate) control_store: Store,
    /// The same store by connections of their own, for lists, exports and verification.
    pub(crate) reading_store: Store,
    /// The same, of which background work takes only a part: deliveries, and what is let go.
    pub(crate) background_store: Store,
    pub(crate) registry: Registry,
    pub(crate) policies: Policies,
    pub(crate) audit: AuditLog,
    pub(crate) checks: CheckIds,
    pub(crate) mcp_keys: McpKeys,
    pub(crate) proof_nonces: ProofNonces,
    pub(crate) changes: ApprovalChanges,
    pub(crate) tasks: Arc<TaskNews>,
    pub(crate) siem: SiemProgress,
    pub(crate) revocations: Revocations,
    pub(crate) limits: Limits,
    pub(crate) refusals: Refusals,
    pub(crate) synced: SyncProgress,
    pub(crate) takings: Arc<Takings>,
    pub(crate) telemetry: Telemetry,
    pub(crate) clock: Arc<Clock>,
    pub(crate) settings: Settings,
    pub(crate) metrics: Metrics,
    pub(crate) database_health: DatabaseHealth,
    pub(crate) outbound: Outbound,
    /// The keys of those whose tokens are taken.
    pub(crate) issuer_keys: IssuerKeys,
    pub(crate) openings: Openings,
    /// The keys that seal and open what is kept to be sent again.
    pub(crate) sealer: Sealer,
    pub(crate) closing: watch::Sender<bool>,
    /// Whether the program that holds the Guardian has closed it, for good.
    pub(crate) closed: AtomicBool,
}

impl Settings {
    /// Returns under what URL others reach this Guardian, where that was said.
    pub(crate) fn public_url(&self) -> Option<&str> {
        self.public_urls.first().map(String::as_str)
    }

    /// Returns whose events they are that this Guardian sends, for receivers that ask for a host.
    pub(crate) fn host(&self) -> &str {
        match self.log.as_str() {
            "" => "agenttrust",
            replica => replica,
        }
    }
}

impl Engine {
    /// Returns the key that this fingerprint stands for. One that is not known here may have been made by
    /// another process a moment ago.
    pub(crate) async fn key(&self, hash: Fingerprint) -> Result<Option<Arc<Key>>, StoreError> {
        let now = self.clock.now();
        let known = self.registry.keys.get(&hash, now);
        if known.is_some() || !self.settings.shared_database || !self.registry.keys.may_look_up() {
            return Ok(known);
        }
        // Whoever guesses keys keeps no connection from those who decide, and waits for no slow database.
        let found = self.background_store.key_by_hash(hash);
        let found = background::timeout(LOOKED_UP_WITHIN, found).await;
        if let Some(row) = found.map_err(|_| not_in_time())?? {
            self.registry.keys.insert(row);
        }
        Ok(self.registry.keys.get(&hash, now))
    }

    /// Returns whether a secret that was good still is: it may have been revoked or rotated away meanwhile.
    pub(crate) fn still_knows(&self, secret: &Fingerprint) -> bool {
        self.registry.keys.get(secret, self.clock.now()).is_some()
    }

    /// Uses up a proof, or a nonce, of this id, which would be taken until `expires_at`; `false` where it was used
    /// before, at whichever replica.
    ///
    /// # Errors
    ///
    /// Unavailable where that cannot be kept: then it could not be told from one that was used.
    pub(crate) async fn use_up(&self, id: &str, expires_at: Timestamp) -> Result<bool, Error> {
        let kept_until = expires_at.saturating_add(USED_KEPT);
        self.store.use_proof(id.to_owned(), kept_until).await.map_err(|error| {
            tracing::warn!(%error, "a proof could not be kept as used, so it is not taken");
            Error::unavailable(
                "the Guardian cannot keep at present that a proof was used, so it takes none; try again in a moment",
            )
        })
    }

    /// Reads where the member `field` of a request says that the Guardian is to call.
    ///
    /// # Errors
    ///
    /// Invalid for what may not be called.
    pub(crate) fn target_of(&self, field: &str, url: &str) -> Result<Url, Error> {
        self.outbound.target(url).map_err(|error| match error {
            outbound::Error::Refused(why) => Error::invalid(field, why),
            other => Error::invalid(field, format!("cannot be used: {other}")),
        })
    }

    /// Refuses a key that was revoked meanwhile: what is issued with it would outlive it.
    ///
    /// # Errors
    ///
    /// Unauthenticated.
    pub(crate) fn need_key(&self, key: &Key) -> Result<(), Error> {
        if self.registry.keys.has(&key.id) {
            return Ok(());
        }
        Err(Error::unauthenticated("the API key was revoked meanwhile; use another one"))
    }

    /// Changes what is known of an organisation's tools as `plan` says: the database first, then memory, then the
    /// audit. One change at a time, so that none is planned from what another one is about to replace; should another
    /// replica come first, the change is planned again.
    ///
    /// It runs to its end, and lets the next one in, also when no caller waits for its outcome any more.
    pub(crate) async fn change_tools(
        self: &Arc<Self>,
        key: &Key,
        plan: impl Fn(&Manifest) -> Result<Planned, Error> + Send + 'static,
    ) -> Result<(), Error> {
        let (engine, org_id, key_id) = (Arc::clone(self), key.org_id.clone(), key.id.clone());
        let change = background::spawn(async move {
            let _alone = engine.registry.tools.change_alone().await;
            for _ in 0..PLANS_MOST {
                let seen = engine.sync().await?;
                let Planned { changes, records } =
                    engine.registry.tools.with_manifest(&org_id, &plan)?;
                if !changes.is_empty() {
                    let (org_id, key_id) = (org_id.clone(), key_id.clone());
                    let planned = ToolChanges { org_id, key_id, seen, changes };
                    if !engine.store.change_tools(planned, engine.clock.now()).await? {
                        continue;
                    }
                    engine.sync().await?;
                }
                for record in records {
                    engine.record_audit(record).await?;
                }
                return Ok(());
            }
            Err(Error::conflict(
                "others keep changing the tools of this organisation; try again in a moment",
            ))
        });
        change.await.unwrap_or_else(|_| Err(StoreError::Stopped.into()))
    }

    /// Returns the present state, for the metrics.
    pub(crate) fn present(&self) -> Present<'_> {
        Present {
            limits: &self.limits,
            in_touch: self.is_in_touch(),
            audit_rows: self.audit.written(),
            audit_healthy: self.audit.is_healthy(),
            audit_waiting: self.audit.waiting(),
            denial_bursts: self.audit.bursts(),
            reports_waiting: self.telemetry.waiting(),
            not_stored: self.takings.overdue(),
            degraded: self.degraded(),
            policies: self.policies.load().enforced(),
            siem: self.siem.numbers(self.clock.now()),
        }
    }

    /// Returns why nothing is answered any more, once the Guardian was closed.
    pub(crate) fn ended(&self) -> Option<&'static str> {
        self.closed.load(Ordering::Relaxed).then_some(CLOSED)
    }

    /// Returns whether requests that wait should answer now.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Returns the keys as the audit lists them.
    pub(crate) fn keys_in_brief(&self) -> serde_json::Value {
        const LISTED: usize = 200;
        let (keys, count) = self.registry.keys.summary(LISTED);
        let keys: Vec<_> = keys
            .into_iter()
            .map(|(id, role)| serde_json::json!({ "key_id": id, "role": role }))
            .collect();
        serde_json::json!({ "count": count, "listed": keys })
    }

    /// Marks lapsed approvals as expired and wakes the callers that wait for them.
    pub(crate) async fn expire_approvals(&self, now: Timestamp) -> Result<(), StoreError> {
        for (id, org_id, agent_id) in self.store.expire_approvals(now).await? {
            let record = Record::new("approval.expired", org_id)
                .agent(agent_id)
                .body(serde_json::json!({ "approval_id": id }));
            // Nothing hangs on this row: the approval is expired with or without it.
            if let Err(error) = self.audit.enqueue(record).await {
                tracing::warn!(%error, approval_id = id, "an expiry could not be recorded");
            }
            self.metrics.approval(ApprovalEvent::Expired);
        }
        self.sync().await.map(drop)
    }

    /// Keeps when keys were last used.
    pub(crate) async fn save_uses(&self) -> Result<(), StoreError> {
        let used = self.registry.keys.take_used();
        if used.is_empty() { Ok(()) } else { self.background_store.keys_used(used).await }
    }
}

fn not_in_time() -> StoreError {
    StoreError::NotFollowed(
        "the database did not say within a second whether it knows it".to_owned(),
    )
}

/// Changes of what is known of tools, and their audit records.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) changes: Vec<ToolChange>,
    pub(crate) records: Vec<Record>,
}

/// The channel that wakes requests that wait for an approval when it changes.
#[derive(Debug)]
pub(crate) struct ApprovalChanges(broadcast::Sender<Arc<str>>);

impl ApprovalChanges {
    /// The number of changes that may wait to be read; a reader that falls behind looks again.
    const KEPT: usize = 1_024;

    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(Self::KEPT))
    }

    /// Announces that this approval changed.
    pub(crate) fn announce(&self, approval_id: &str) {
        // Nobody waiting is no error.
        let _ = self.0.send(Arc::from(approval_id));
    }

    /// Returns a receiver of every change from here on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<str>> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use agenttrust::Effect;

    use super::*;
    use crate::domain::DEFAULT_ORG;
    use crate::guardian::Guardian;

    #[tokio::test]
    async fn each_change_of_tools_begins_where_the_one_before_it_ended() {
        let guardian = Guardian::builder().build().await.unwrap();
        let engine = guardian.engine();
        let key = Key {
            id: "key_1".to_owned(),
            org_id: DEFAULT_ORG.to_owned(),
            role: crate::domain::Role::Admin,
            agents: Vec::new(),
            gateway: None,
            owner: None,
        };
        // Each sets the effect that follows the one that it finds.
        let next = |manifest: &Manifest| {
            let effects = Effect::ALL;
            let now = manifest.get("frob").set;
            let place = effects.iter().position(|effect| Some(*effect) == now);
            let next = effects[place.map_or(0, |place| (place + 1) % effects.len())];
            let record = Record::new("tool.effect_set", DEFAULT_ORG)
                .body(serde_json::json!({ "before": now, "after": next }));
            Ok(Planned { changes: vec![manifest.set("frob", Some(next))], records: vec![record] })
        };
        let all = (0..23).map(|_| engine.change_tools(&key, next));
        for done in futures_util::future::join_all(all).await {
            done.unwrap();
        }
        let known = engine.registry.tools.known(DEFAULT_ORG, "frob");
        assert_eq!(known.set, Some(Effect::ALL[22 % Effect::ALL.len()]));
        let kept = engine.store.tools().await.unwrap();
        assert_eq!(kept.into_iter().map(|row| row.known).collect::<Vec<_>>(), [known]);
    }
}
