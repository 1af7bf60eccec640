//! Taking back: in force in memory before anything else, and stored as soon as the database lets it.
//!
//! Whatever floods the Guardian, and whatever is wrong with its disk or its database: who takes something
//! back is heard at once at the replica that was asked. The answer says whether it is stored (`durable`); what
//! is not is tried again until it is. Until then it is in force here and nowhere else, and a restart would
//! forget it.
//!
//! Giving back is the other way round: an agent is active again once the database says so. Whichever of the two
//! was asked last counts.

mod pending;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use agenttrust::Revocation;
use agenttrust::background;
use agenttrust::model::AgentStatus;
use tokio::sync::{Notify, watch};

pub(crate) use self::pending::KeyTaking;
use self::pending::{Act, Pending, Progress, Subject, Taking};
use crate::audit::Record;
use crate::domain::Error;
use crate::engine::Engine;
use crate::registry::{
    DelegationEntry, ProviderEntry, Registry, Removed, SessionEntry, TokenEntry,
};
use crate::store::{Gone, KeyEnd, StoreError};

/// The time that a caller that takes something back waits until it is stored and recorded.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
/// The time that an agent that is to be active again waits for what is being stored of it.
const ALONE_WITHIN: Duration = Duration::from_secs(5);
/// The time between two looks at what is due, also without a request.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The time that the audit is left alone after it could not be written.
const RECORD_AGAIN: Duration = Duration::from_secs(1);
/// The time for which what is left is tried when the Guardian closes.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);
/// The reason for which the gateway key of a federation provider that is removed is revoked.
pub(crate) const PROVIDER_REMOVED: &str = "its federation provider was removed";
/// The number of those that are lost then that are named.
const NAMED_MOST: usize = 100;

/// The takings that are not stored or not recorded yet.
#[derive(Debug)]
pub(crate) struct Takings {
    pending: Mutex<Pending>,
    asked: Notify,
    settled: Notify,
    /// The channel that reports whenever one came further.
    progress: watch::Sender<()>,
    /// The lock that is held while one is stored, and while an agent is made active again.
    storing: tokio::sync::Mutex<()>,
    /// The lock that is held while one of them is recorded in the audit.
    recording: tokio::sync::Mutex<()>,
    closed: AtomicBool,
}

impl Default for Takings {
    fn default() -> Self {
        Self {
            pending: Mutex::default(),
            asked: Notify::new(),
            settled: Notify::new(),
            progress: watch::Sender::new(()),
            storing: tokio::sync::Mutex::default(),
            recording: tokio::sync::Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }
}

impl Takings {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        // What is written there is whole after every step.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many are in force here and could not be stored yet.
    pub(crate) fn overdue(&self) -> usize {
        self.lock().overdue()
    }

    /// Waits a moment for what was asked as `number`; returns whether it is stored.
    async fn told(&self, subject: &Subject, number: u64) -> bool {
        let mut progress = self.progress.subscribe();
        let recorded = async {
            while self.lock().get(subject).is_some_and(|taking| taking.number >= number) {
                if progress.changed().await.is_err() {
                    return;
                }
            }
        };
        // What is left to be done is done all the same.
        let _ = background::timeout(TOLD_WITHIN, recorded).await;
        self.lock().get(subject).is_none_or(|taking| taking.progress > Progress::InForce)
    }

    fn came_further(&self) {
        self.progress.send_replace(());
    }
}

/// Begins to store what is taken back. Ends with the Guardian.
pub(crate) fn start(engine: &Arc<Engine>) {
    background::spawn(store_all(Arc::downgrade(engine), Arc::clone(&engine.takings)));
    background::spawn(record_all(Arc::downgrade(engine), Arc::clone(&engine.takings)));
}

async fn store_all(engine: Weak<Engine>, takings: Arc<Takings>) {
    loop {
        let asked = takings.asked.notified();
        while let Some(engine) = engine.upgrade()
            && !takings.closed.load(Ordering::Acquire)
            && engine.store_one().await
        {}
        if engine.strong_count() == 0 || takings.closed.load(Ordering::Acquire) {
            return;
        }
        // Late is as good as asked.
        let _ = background::timeout(LOOK_EVERY, asked).await;
    }
}

async fn record_all(engine: Weak<Engine>, takings: Arc<Takings>) {
    loop {
        let settled = takings.settled.notified();
        let mut wait = LOOK_EVERY;
        while let Some(engine) = engine.upgrade()
            && !takings.closed.load(Ordering::Acquire)
        {
            match engine.record_one().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(()) => {
                    wait = RECORD_AGAIN;
                    break;
                }
            }
        }
        if engine.strong_count() == 0 || takings.closed.load(Ordering::Acquire) {
            return;
        }
        if wait == RECORD_AGAIN {
            background::sleep(wait).await;
        } else {
            let _ = background::timeout(wait, settled).await;
        }
    }
}

impl Engine {
    /// Suspends an agent, or revokes it with its tokens and sessions; returns whether that is stored.
    pub(crate) async fn take_agent(
        &self,
        id: &str,
        status: AgentStatus,
        reason: String,
        record: Record,
    ) -> bool {
        let org_id = record.org_id.clone();
        let act = match status {
            AgentStatus::Suspended => Act::Suspend,
            _ => Act::Revoke { reason },
        };
        let subject = Subject::Agent(id.to_owned());
        let below = self.registry.delegations.receivers_below(id);
        let (number, removed) = {
            let mut pending = self.takings.lock();
            let number = pending.add(subject.clone(), act, self.clock.now(), record);
            (number, self.registry.take_agent(&org_id, id, status))
        };
        self.synced.noted();
        self.revocations.announce(&org_id, Revocation::of_agent(id));
        // Those that act for it are stopped with it.
        for agent_id in below {
            self.revocations.announce(&org_id, Revocation::of_agent(agent_id));
        }
        self.tell_of(&org_id, &removed);
        self.takings.asked.notify_one();
        self.takings.told(&subject, number).await
    }

    /// Revokes a key that works, and what was issued with it where that is to go too; returns whether that is
    /// stored, and how much went with it, of which `record` is made.
    pub(crate) async fn take_key(
        &self,
        id: &str,
        taking: KeyTaking,
        record: impl FnOnce(Gone) -> Record,
    ) -> (bool, Gone) {
        let subject = Subject::Key(id.to_owned());
        let (number, gone, removed, org_id) = {
            let mut pending = self.takings.lock();
            let now = self.clock.now();
            self.registry.keys.take_back(id);
            let removed = match taking.take_issued {
                true => self.registry.take_issued(id),
                false => Removed::default(),
            };
            let gone = removed.count(now);
            let record = record(gone);
            let org_id = record.org_id.clone();
            let number = pending.add(subject.clone(), Act::RevokeKey(taking), now, record);
            (number, gone, removed, org_id)
        };
        self.synced.noted();
        self.revocations.keys_changed();
        self.tell_of(&org_id, &removed);
        self.takings.asked.notify_one();
        (self.takings.told(&subject, number).await, gone)
    }

    /// Ends a session, with all that was made from it; returns whether that is stored.
    pub(crate) async fn take_session(&self, session: Arc<SessionEntry>, record: Record) -> bool {
        let id = session.row.id.clone();
        let remove = |registry: &Registry| registry.take_session(&id);
        self.take(Subject::Session(id.clone()), Act::EndSession(session), record, remove).await
    }

    /// Revokes a delegation, with all that was made from it; returns whether that is stored.
    pub(crate) async fn take_delegation(
        &self,
        delegation: Arc<DelegationEntry>,
        record: Record,
    ) -> bool {
        let id = delegation.row.id.clone();
        let (subject, act) = (Subject::Delegation(id.clone()), Act::RevokeDelegation(delegation));
        self.take(subject, act, record, |registry| registry.take_delegation(&id)).await
    }

    /// Removes a federation provider, ends the sessions that it vouched for and revokes its gateway key with what was
    /// issued with it; returns whether that is stored. `records` are made of how much went.
    pub(crate) async fn take_provider(
        &self,
        provider: Arc<ProviderEntry>,
        records: impl FnOnce(Gone) -> [Record; 2],
    ) -> bool {
        let subject = Subject::Provider(provider.row.id.clone());
        let org_id = provider.row.org_id.clone();
        let (number, removed) = {
            let mut pending = self.takings.lock();
            let now = self.clock.now();
            let removed = self.registry.take_provider(&provider.row.id, &provider.row.key_id);
            let [record, of_key] = records(removed.count(now));
            let act = Act::RemoveProvider(provider);
            let number = pending.add(subject.clone(), act, now, record);
            pending.owe(&subject, number, vec![of_key]);
            (number, removed)
        };
        self.synced.noted();
        self.revocations.keys_changed();
        self.tell_of(&org_id, &removed);
        self.takings.asked.notify_one();
        self.takings.told(&subject, number).await
    }

    /// Takes something back, with all that was made from it, which `remove` takes out of memory; returns whether that
    /// is stored.
    async fn take(
        &self,
        subject: Subject,
        act: Act,
        record: Record,
        remove: impl FnOnce(&Registry) -> Removed,
    ) -> bool {
        let org_id = record.org_id.clone();
        let (number, removed) = {
            let mut pending = self.takings.lock();
            let removed = remove(&self.registry);
            (pending.add(subject.clone(), act, self.clock.now(), record), removed)
        };
        self.synced.noted();
        self.tell_of(&org_id, &removed);
        self.takings.asked.notify_one();
        self.takings.told(&subject, number).await
    }

    /// Tells that memory knows no more what was issued to these agents: as many tokens as there may be, so the
    /// agents are named.
    pub(crate) fn tell_of(&self, org_id: &str, removed: &Removed) {
        for agent_id in removed.agents() {
            self.revocations.announce(org_id, Revocation::of_agent(agent_id));
        }
    }

    /// Revokes a token, with the sessions that were made from it; returns whether that is stored.
    pub(crate) async fn take_token(&self, token: Arc<TokenEntry>, record: Record) -> bool {
        let subject = Subject::Token(token.row.id.clone());
        let (number, told) = {
            let mut pending = self.takings.lock();
            let now = self.clock.now();
            let act = Act::RevokeToken(Arc::clone(&token));
            let number = pending.add(subject.clone(), act, now, record);
            let told = self.registry.has_taken_token(&token.row.id);
            self.registry.take_token(&token);
            (number, told)
        };
        self.synced.noted();
        if !told {
            let (row, id) = (&token.row, token.row.id.clone());
            self.tell_of_token(&row.org_id, &row.agent_id, id, row.hash);
        }
        self.takings.asked.notify_one();
        self.takings.told(&subject, number).await
    }

    /// Returns whether this is a key of this organisation that works, or one that is revoked where that is not stored
    /// or not recorded yet.
    pub(crate) fn knows_key(&self, org_id: &str, id: &str) -> bool {
        let pending = self.takings.lock();
        let taken = pending.get(&Subject::Key(id.to_owned()));
        taken.is_some_and(|taking| taking.org_id == org_id)
            || self.registry.keys.of_id(id).is_some_and(|key| key.org_id == org_id)
    }

    /// Returns the token that `is` picks among those that are revoked where that is not stored or not recorded yet.
    pub(crate) fn taking_token(&self, is: impl Fn(&TokenEntry) -> bool) -> Option<Arc<TokenEntry>> {
        self.takings.lock().token(is)
    }

    /// Returns the session of this id, if it is ended where that is not stored or not recorded yet.
    pub(crate) fn taking_session(&self, id: &str) -> Option<Arc<SessionEntry>> {
        self.takings.lock().session(id)
    }

    /// Returns the delegation of this id, if it is revoked where that is not stored or not recorded yet.
    pub(crate) fn taking_delegation(&self, id: &str) -> Option<Arc<DelegationEntry>> {
        self.takings.lock().delegation(id)
    }

    /// Returns the federation provider of this id, if it is removed where that is not stored or not recorded yet.
    pub(crate) fn taking_provider(&self, id: &str) -> Option<Arc<ProviderEntry>> {
        self.takings.lock().provider(id)
    }

    /// Makes a suspended agent active again, once that is stored; a suspension or revocation after this
    /// was asked has the last word.
    ///
    /// # Errors
    ///
    /// 409 for a revoked agent, 503 when it could not be stored.
    pub(crate) async fn reactivate_agent(
        &self,
        org_id: &str,
        id: &str,
        record: Record,
    ) -> Result<(), Error> {
        let reactivation = Reactivation::begin(&self.takings, id);
        let alone = background::timeout(ALONE_WITHIN, self.takings.storing.lock()).await;
        let Ok(storing) = alone else {
            return Err(Error::unavailable(
                "the Guardian's database is busy with what was taken back, so the agent stays as it is; \
                 try again later",
            ));
        };
        let revoked = || {
            Error::conflict(format!(
                "agent {id:?} is revoked, which is for good; register another one"
            ))
        };
        if self.is_revoked(org_id, id) {
            return Err(revoked());
        }
        let (now, status) = (self.clock.now(), AgentStatus::Active);
        let (org, agent) = (org_id.to_owned(), id.to_owned());
        if !self.control_store.set_agent_status(org, agent, status, now).await? {
            return Err(revoked());
        }
        let mut untold = None;
        let lift = || {
            let mut pending = self.takings.lock();
            untold = pending.lift(id, reactivation.asked, record);
            // Of a later one the mark stays.
            if !pending.is_in_force(id) {
                self.registry.release_agent(id);
            }
            true
        };
        self.sync().await?;
        self.reread_agent(org_id, id, lift).await?;
        drop((storing, reactivation));
        let Some(record) = untold else {
            // Behind what the audit is yet to be told of the suspension.
            let subject = Subject::Agent(id.to_owned());
            self.takings.settled.notify_one();
            self.takings.told(&subject, 0).await;
            return Ok(());
        };
        self.record_audit(record).await
    }

    /// Stores one that is due; `false` when nothing is due.
    async fn store_one(&self) -> bool {
        let _storing = self.takings.storing.lock().await;
        let Some((subject, taking)) = self.takings.lock().due(Instant::now()) else { return false };
        if let Err(error) = self.settle_taking(&subject, &taking).await {
            let (what, id) = subject.named();
            if self.takings.lock().put_off(&subject, taking.number, Instant::now()) {
                tracing::warn!(
                    %error,
                    id,
                    "that the {what} was taken back is in force at this Guardian and could not be stored; \
                     trying again"
                );
            }
        }
        true
    }

    async fn settle_taking(&self, subject: &Subject, taking: &Taking) -> Result<(), StoreError> {
        let number = taking.number;
        if taking.progress == Progress::InForce {
            self.put_taking(subject, taking).await?;
            self.takings.lock().advance(subject, number, Progress::Stored);
        }
        self.sync().await?;
        match subject {
            Subject::Agent(id) => {
                let mut records = Vec::new();
                if matches!(taking.act, Act::Revoke { .. }) {
                    let expired =
                        self.control_store.approvals_expired_at(id.clone(), taking.at).await?;
                    records = expired.iter().map(|it| expiry(&taking.org_id, id, it)).collect();
                    // All of them first: who waits should not wait for the audit.
                    expired.iter().for_each(|approval_id| self.changes.announce(approval_id));
                }
                let settled = || {
                    let mut pending = self.takings.lock();
                    let same = pending.advance(subject, number, Progress::Stored);
                    if same {
                        self.registry.release_agent(id);
                    }
                    same
                };
                self.reread_agent(&taking.org_id, id, settled).await?;
                self.takings.lock().owe(subject, number, records);
            }
            Subject::Token(id) => self.registry.release_token(id),
            Subject::Session(id) => self.registry.release_session(id),
            Subject::Delegation(id) => self.registry.release_delegation(id),
            Subject::Provider(id) => {
                if let Act::RemoveProvider(provider) = &taking.act {
                    self.registry.release_provider(id, &provider.row.key_id);
                }
            }
            Subject::Key(id) => {
                // Else another one, which says so, may be yet to be stored.
                if matches!(&taking.act, Act::RevokeKey(key) if key.take_issued) {
                    self.registry.release_issuer(id);
                }
            }
        }
        self.takings.lock().advance(subject, number, Progress::Settled);
        self.takings.came_further();
        self.takings.settled.notify_one();
        Ok(())
    }

    async fn put_taking(&self, subject: &Subject, taking: &Taking) -> Result<(), StoreError> {
        let (store, org_id, at) = (&self.control_store, taking.org_id.clone(), taking.at);
        match (subject, &taking.act) {
            (Subject::Agent(id), Act::Revoke { reason }) => {
                store.revoke_agent(org_id, id.clone(), reason.clone(), at).await
            }
            // One that was revoked elsewhere is taken back already, and for good.
            (Subject::Agent(id), act) => {
                store.set_agent_status(org_id, id.clone(), act.status(), at).await.map(drop)
            }
            (Subject::Key(id), Act::RevokeKey(KeyTaking { reason, take_issued })) => {
                let (id, reason) = (id.clone(), reason.clone());
                let end = KeyEnd { id, org_id, reason, take_issued: *take_issued, now: at };
                store.revoke_key(end).await.map(drop)
            }
            (Subject::Token(_), Act::RevokeToken(token)) => {
                store.revoke_token(token.row.clone(), at).await
            }
            (Subject::Session(_), Act::EndSession(session)) => {
                store.end_session(session.row.clone(), at).await
            }
            (Subject::Delegation(_), Act::RevokeDelegation(delegation)) => {
                store.revoke_delegation(delegation.row.clone(), at).await
            }
            (Subject::Provider(id), Act::RemoveProvider(provider)) => {
                let (key_id, reason) = (provider.row.key_id.clone(), PROVIDER_REMOVED.to_owned());
                let end = KeyEnd { id: key_id, org_id, reason, take_issued: true, now: at };
                store.delete_provider(id.clone(), end).await.map(drop)
            }
            // No other is ever added.
            (
                Subject::Key(_)
                | Subject::Token(_)
                | Subject::Session(_)
                | Subject::Delegation(_)
                | Subject::Provider(_),
                _,
            ) => Ok(()),
        }
    }

    /// Records one that is stored in the audit; `false` where nothing is left.
    async fn record_one(&self) -> Result<bool, ()> {
        let _recording = self.takings.recording.lock().await;
        let Some((subject, place, record)) = self.takings.lock().record() else { return Ok(false) };
        let (what, id) = subject.named();
        let said = self.audit.append(record).await;
        if let Err(error) = said {
            tracing::warn!(%error, id, "that the {what} was taken back could not be recorded; trying again");
            return Err(());
        }
        self.takings.lock().recorded(&subject, place);
        self.takings.came_further();
        Ok(true)
    }

    /// Stores and records what is left, for as long as that may take, and says what is lost.
    pub(crate) async fn close_takings(&self) {
        let rest = async {
            while self.takings.lock().len() > 0 {
                while self.store_one().await {}
                while self.record_one().await == Ok(true) {}
                if self.takings.lock().len() > 0 {
                    background::sleep(LOOK_EVERY).await;
                }
            }
        };
        // What is lost is said when the last of it is dropped.
        let _ = background::timeout(CLOSES_WITHIN, rest).await;
        self.takings.closed.store(true, Ordering::Release);
    }
}

/// An agent on its way to be active again.
struct Reactivation<'t> {
    takings: &'t Takings,
    agent_id: String,
    /// The number of the last taking back that was asked for before.
    asked: u64,
}

impl<'t> Reactivation<'t> {
    fn begin(takings: &'t Takings, agent_id: &str) -> Self {
        let asked = takings.lock().reactivating(agent_id);
        Self { takings, agent_id: agent_id.to_owned(), asked }
    }
}

impl Drop for Reactivation<'_> {
    fn drop(&mut self) {
        self.takings.lock().reactivated(&self.agent_id);
        self.takings.asked.notify_one();
    }
}

impl Drop for Takings {
    fn drop(&mut self) {
        let pending = self.lock();
        for (subject, taking) in pending.left().take(NAMED_MOST) {
            let (what, id) = subject.named();
            let to_do = match taking.progress {
                Progress::InForce => "take it back again once this Guardian runs",
                _ => "it is stored, and only the audit does not tell of it",
            };
            tracing::error!(
                id,
                "this Guardian ends with a {what} taken back that it could not store or record; {to_do}"
            );
        }
        if pending.len() > NAMED_MOST {
            tracing::error!(count = pending.len(), "and so with more that was taken back");
        }
    }
}

fn expiry(org_id: &str, agent_id: &str, approval_id: &str) -> Record {
    let about = serde_json::json!({ "approval_id": approval_id });
    Record::new("approval.expired", org_id).agent(agent_id).body(about)
}
