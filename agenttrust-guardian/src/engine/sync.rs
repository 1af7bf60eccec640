//! The sync of memory with the database: changes of every Guardian are read here in the order of the commits, and
//! nowhere else does memory change. So a Guardian never goes on with what another one took back, and two changes at
//! once leave every memory as they leave the database.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use agenttrust::background;
use agenttrust::model::{AgentStatus, Revocation};
use tokio::sync::Mutex;

use crate::domain::Fingerprint;
use crate::engine::Engine;
use crate::registry::{AgentEntry, DelegationEntry, SessionEntry, TokenEntry};
use crate::store::{AgentRow, Changed, Kind, Listener, StoreError};

/// A replica that has not heard from the database for this long denies: others may have taken
/// something back meanwhile.
const OUT_OF_TOUCH: Duration = Duration::from_secs(2);

/// The same for a file, which only the command line changes beside its one Guardian, and which may be
/// locked for a while.
const OUT_OF_TOUCH_WITH_FILE: Duration = Duration::from_secs(15);

/// The time after which changes are looked for of which no notification came.
const POLL_EVERY: Duration = Duration::from_millis(500);

/// The time between two looks whether the database answers.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The time to wait before listening again, after it did not work.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Catches up whenever another replica says that it changed something, and now and then in case it was
/// not heard; tells the streams when this Guardian is out of touch. Ends with the Guardian.
pub(crate) fn start(engine: &Arc<Engine>) {
    if engine.settings.has_replicas {
        background::spawn(listen(Arc::downgrade(engine)));
    }
    if engine.settings.shared_database {
        background::spawn(poll(Arc::downgrade(engine)));
        background::spawn(keep_in_touch(Arc::downgrade(engine)));
    }
}

async fn poll(engine: Weak<Engine>) {
    let mut troubled = false;
    loop {
        background::sleep(POLL_EVERY).await;
        let Some(engine) = engine.upgrade().filter(|engine| !*engine.closing.borrow()) else {
            return;
        };
        match engine.sync().await {
            Ok(_) => troubled = false,
            // Once a trouble, not twice a second; and none where the Guardian closes, as its database does too.
            Err(error) if !troubled && !*engine.closing.borrow() => {
                tracing::warn!(%error, "changes in the database cannot be read; trying again");
                troubled = true;
            }
            Err(_) => {}
        }
    }
}

async fn listen(engine: Weak<Engine>) {
    let mut troubled = false;
    while let Some(listener) = engine.upgrade().filter(|engine| !*engine.closing.borrow()) {
        match listener.control_store.listen().await {
            Ok(Some(heard)) => {
                troubled = false;
                hear(&engine, heard).await;
            }
            Ok(None) => return,
            // Once a trouble, and none where the Guardian closes.
            Err(error) if !troubled && !*listener.closing.borrow() => {
                tracing::warn!(%error, "changes of other replicas cannot be listened for");
                troubled = true;
            }
            Err(_) => {}
        }
        drop(listener);
        background::sleep(LISTEN_AGAIN).await;
    }
}

async fn hear(engine: &Weak<Engine>, mut listener: Listener) {
    loop {
        if let Err(error) = listener.heard().await {
            // Where the Guardian closes, so does its database.
            if engine.upgrade().is_some_and(|engine| !*engine.closing.borrow()) {
                tracing::warn!(%error, "changes of other replicas are not heard of; looking for them");
            }
            return;
        }
        let Some(engine) = engine.upgrade().filter(|engine| !*engine.closing.borrow()) else {
            return;
        };
        // The loop that reads them twice a second warns of the same trouble, once.
        if let Err(error) = engine.sync().await {
            tracing::debug!(%error, "changes of other replicas cannot be read; trying again");
        }
    }
}

async fn keep_in_touch(engine: Weak<Engine>) {
    let mut in_touch = true;
    loop {
        background::sleep(LOOK_EVERY).await;
        let Some(engine) = engine.upgrade().filter(|engine| !*engine.closing.borrow()) else {
            return;
        };
        let now_in_touch = engine.is_in_touch();
        if in_touch && !now_in_touch {
            tracing::error!("the database does not answer: everything is denied until it does");
            // Whoever relies on being told of revocations would not be.
            engine.revocations.lost_count();
        } else if !in_touch && now_in_touch {
            tracing::warn!("the database answers again");
        }
        in_touch = now_in_touch;
    }
}

/// The progress of memory in following the database.
#[derive(Debug)]
pub(crate) struct SyncProgress {
    /// The number of the last change that memory knows of. Held while memory catches up.
    seen: Mutex<i64>,
    since: Instant,
    /// The time when the database last answered, in milliseconds after `since`.
    heard: AtomicU64,
    /// The number of times that memory changed.
    changed: AtomicU64,
}

impl SyncProgress {
    /// Returns the state after memory was loaded after `asked`, when `seen` was the newest change.
    pub(crate) fn from(seen: i64, asked: Instant) -> Self {
        Self {
            seen: Mutex::new(seen),
            since: asked,
            heard: AtomicU64::new(0),
            changed: AtomicU64::new(0),
        }
    }

    /// Returns how often memory changed so far.
    pub(crate) fn changed(&self) -> u64 {
        self.changed.load(Ordering::Acquire)
    }

    /// Notes that memory changed: permissions that are on their way are looked at once more.
    pub(crate) fn noted(&self) {
        self.changed.fetch_add(1, Ordering::AcqRel);
    }

    fn heard_at(&self, asked: Instant) {
        let after = asked.saturating_duration_since(self.since).as_millis();
        self.heard.fetch_max(u64::try_from(after).unwrap_or(u64::MAX), Ordering::AcqRel);
    }

    fn silent_for(&self) -> Duration {
        let heard = Duration::from_millis(self.heard.load(Ordering::Acquire));
        self.since.elapsed().saturating_sub(heard)
    }
}

impl Engine {
    /// Returns whether memory may be decided by: whether the database, if others can change it, reported its changes
    /// up to a moment ago.
    pub(crate) fn is_in_touch(&self) -> bool {
        if !self.settings.shared_database {
            return true;
        }
        let most = if self.settings.has_replicas { OUT_OF_TOUCH } else { OUT_OF_TOUCH_WITH_FILE };
        self.synced.silent_for() < most
    }

    /// Brings memory up to what is committed; returns the number of the last change.
    ///
    /// Each change calls it before its answer, so that the next request knows of it.
    pub(crate) async fn sync(&self) -> Result<i64, StoreError> {
        let mut seen = self.synced.seen.lock().await;
        loop {
            let asked = Instant::now();
            // Asked for first: whatever is committed later is followed in the next round.
            let newest = self.control_store.newest_change().await?;
            if newest == *seen {
                self.synced.heard_at(asked);
                return Ok(*seen);
            }
            let changes = self.control_store.changes_since(*seen).await?;
            // Away for longer than changes are kept, or the database is another one by now.
            if changes.is_empty() {
                *seen = self.start_over().await?;
                continue;
            }
            for change in changes {
                let seq = change.seq;
                if seq != *seen + 1 {
                    *seen = self.start_over().await?;
                    break;
                }
                self.follow(change).await?;
                *seen = seq;
                self.synced.noted();
            }
        }
    }

    /// Reads an agent again once what was pending about it is settled: `settled` says whether it still is, and from
    /// then on memory goes by what the database says of the agent.
    pub(crate) async fn reread_agent(
        &self,
        org_id: &str,
        id: &str,
        settled: impl FnOnce() -> bool,
    ) -> Result<(), StoreError> {
        let _alone = self.synced.seen.lock().await;
        let Some(row) = self.control_store.agent(id.to_owned()).await? else { return Ok(()) };
        if settled() {
            self.know_agent(org_id, row, true)?;
            self.synced.noted();
        }
        Ok(())
    }

    async fn start_over(&self) -> Result<i64, StoreError> {
        let newest = self.control_store.newest_change().await?;
        if let Some(at) = self.control_store.last_change_made().await? {
            self.clock.not_before(at);
        }
        self.registry.reload(&self.control_store, self.clock.now()).await?;
        self.follow_policies("").await?;
        self.synced.noted();
        self.revocations.lost_count();
        tracing::warn!(
            "what was changed elsewhere cannot be followed: memory was read again from the start"
        );
        Ok(newest)
    }

    async fn follow(&self, change: Changed) -> Result<(), StoreError> {
        let Changed { kind, org_id, id, made_at, .. } = change;
        // A replica whose clock is behind would let things live longer than the one that made them.
        self.clock.not_before(made_at);
        match kind {
            Kind::Agent => self.follow_agent(&org_id, id).await,
            Kind::Key => self.follow_key(id).await,
            Kind::Token => self.follow_token(id).await,
            Kind::Session => self.follow_session(id).await,
            Kind::Delegation => self.follow_delegation(id).await,
            Kind::Tools => {
                self.registry
                    .tools
                    .replace(&org_id, self.control_store.tools_of(org_id.clone()).await?);
                Ok(())
            }
            Kind::Policies => self.follow_policies(&id).await,
            Kind::Approval => {
                self.changes.announce(&id);
                Ok(())
            }
            Kind::McpServer => self.follow_mcp_server(id).await,
            Kind::FederationProvider => self.follow_provider(&org_id, id).await,
            Kind::Card => {
                if let Some(row) = self.control_store.card(id).await? {
                    self.registry.cards.insert(row);
                }
                Ok(())
            }
            Kind::CardKey => {
                self.registry.card_keys.take_over(self.control_store.card_keys().await?);
                Ok(())
            }
            Kind::Task => {
                self.tasks.changed(&id);
                Ok(())
            }
        }
    }

    async fn follow_agent(&self, org_id: &str, id: String) -> Result<(), StoreError> {
        let Some(row) = self.control_store.agent(id).await? else { return Ok(()) };
        self.know_agent(org_id, row, false)
    }

    /// Takes over how an agent stands: as a change says, or as it was read again without a change.
    fn know_agent(&self, org_id: &str, row: AgentRow, anew: bool) -> Result<(), StoreError> {
        let id = row.agent.id.clone();
        let before = self.registry.agents.get(org_id, &id);
        let entry = AgentEntry::new(row).map_err(crate::registry::unreadable)?;
        let status = entry.agent.status;
        let keeps_terms = before.as_ref().is_some_and(|before| {
            before.floor == entry.floor
                && entry.capabilities.covers_all_of(&before.capabilities)
                && (before.agent.requires_proof || !entry.agent.requires_proof)
        });
        // Else it may have been suspended meanwhile.
        let changed = before.as_ref().is_some_and(|before| is_changed(before, &entry));
        self.registry.keep_agent(entry);
        if status == AgentStatus::Revoked {
            self.registry.tools.forget_agent(org_id, &id);
        }
        let Some(before) = before else { return Ok(()) };
        let nothing_new = keeps_terms && before.agent.status == status;
        // It was taken back here, and told of then; or it lost nothing.
        if nothing_new && (anew || changed || status != AgentStatus::Active) {
            return Ok(());
        }
        let below = self.registry.delegations.receivers_below(&id);
        if status == AgentStatus::Revoked {
            let removed = self.registry.remove_of_agent(&id);
            self.tell_of(org_id, &removed);
        }
        let reactivated =
            status == AgentStatus::Active && before.agent.status != AgentStatus::Active;
        // Its tokens may carry less than before. Whether they do is for the next introspection to say.
        if !reactivated {
            self.revocations.announce(org_id, Revocation::of_agent(&id));
            for agent_id in below {
                self.revocations.announce(org_id, Revocation::of_agent(agent_id));
            }
        }
        Ok(())
    }

    async fn follow_key(&self, id: String) -> Result<(), StoreError> {
        let Some(row) = self.control_store.key(id).await? else { return Ok(()) };
        let taken_back = row.revoked_at.is_some() || row.rotated_at.is_some();
        let issued_too = row.took_issued.then(|| (row.org_id.clone(), row.id.clone()));
        self.registry.keys.insert(row);
        if taken_back {
            self.revocations.keys_changed();
        }
        if let Some((org_id, id)) = issued_too {
            let removed = self.registry.remove_issued(&id);
            self.tell_of(&org_id, &removed);
        }
        Ok(())
    }

    async fn follow_token(&self, id: String) -> Result<(), StoreError> {
        let Some(row) = self.control_store.token(id).await? else { return Ok(()) };
        let (org_id, agent_id) = (row.org_id.clone(), row.agent_id.clone());
        let (token_id, hash) = (row.id.clone(), row.hash);
        if !row.revoked {
            let entry = TokenEntry::new(row).map_err(crate::registry::unreadable)?;
            self.registry.keep_token(entry);
            return Ok(());
        }
        // Taken back here, and told of when it was.
        if self.registry.has_taken_token(&token_id) {
            return Ok(());
        }
        self.registry.tokens.remove(&hash);
        self.registry.sessions.remove_of_token(&token_id);
        self.tell_of_token(&org_id, &agent_id, token_id, hash);
        Ok(())
    }

    /// Tells that a token is revoked that memory knows no more.
    pub(crate) fn tell_of_token(
        &self,
        org_id: &str,
        agent_id: &str,
        token_id: String,
        hash: Fingerprint,
    ) {
        if self.is_revoked(org_id, agent_id) {
            return;
        }
        let revocation = Revocation::of_token(hash.to_hex(), Some(token_id), agent_id);
        self.revocations.announce(org_id, revocation);
        // Tokens that were issued in a session of this one ended with it, and may be many.
        if self.registry.has_orphaned_tokens(agent_id, self.clock.now()) {
            self.revocations.announce(org_id, Revocation::of_agent(agent_id));
        }
    }

    async fn follow_session(&self, id: String) -> Result<(), StoreError> {
        let Some(row) = self.control_store.session(id).await? else { return Ok(()) };
        if row.ended {
            // Of one that was taken back here nothing is left, and was told then.
            let removed = self.registry.remove_session(&row.id);
            self.tell_of(&row.org_id, &removed);
        } else {
            let entry = SessionEntry::new(row).map_err(crate::registry::unreadable)?;
            self.registry.keep_session(Arc::new(entry));
        }
        Ok(())
    }

    async fn follow_delegation(&self, id: String) -> Result<(), StoreError> {
        let Some(row) = self.control_store.delegation(id).await? else { return Ok(()) };
        if row.revoked_at.is_some() {
            // Of one that was taken back here nothing is left, and was told then.
            let removed = self.registry.remove_delegation(&row.id);
            self.tell_of(&row.org_id, &removed);
        } else {
            let entry = DelegationEntry::new(row).map_err(crate::registry::unreadable)?;
            self.registry.keep_delegation(entry);
        }
        Ok(())
    }

    async fn follow_mcp_server(&self, id: String) -> Result<(), StoreError> {
        let Some(row) = self.control_store.mcp_server(id.clone()).await? else {
            self.registry.mcp_servers.remove(&id);
            return Ok(());
        };
        let tools = self.control_store.mcp_tools(Some(id)).await?;
        self.registry.mcp_servers.insert(row, tools);
        Ok(())
    }

    async fn follow_provider(&self, org_id: &str, id: String) -> Result<(), StoreError> {
        let removed = match self.control_store.provider(id.clone()).await? {
            Some(row) => self.registry.keep_provider(row),
            // Of one that was taken back here nothing is left, and was told then.
            None => self.registry.remove_provider(&id),
        };
        self.tell_of(org_id, &removed);
        Ok(())
    }

    pub(crate) fn is_revoked(&self, org_id: &str, agent_id: &str) -> bool {
        let agent = self.registry.agents.get(org_id, agent_id);
        agent.is_some_and(|entry| entry.agent.status == AgentStatus::Revoked)
    }
}

/// Returns whether an agent is another one by what it is called, may use or is described as.
fn is_changed(before: &AgentEntry, after: &AgentEntry) -> bool {
    before.agent.name != after.agent.name
        || before.agent.metadata != after.agent.metadata
        || before.versions != after.versions
        || before.agent.requires_proof != after.agent.requires_proof
}

#[cfg(test)]
mod tests {
    use agenttrust::CreateAgentRequest;

    use super::*;
    use crate::guardian::Guardian;

    /// Returns a Guardian whose memory is some changes behind, and an agent that was revoked meanwhile.
    async fn behind(removed: &'static str) -> (Guardian, String) {
        let guardian = Guardian::in_memory().await.unwrap();
        let (engine, client) = (guardian.engine(), guardian.client());
        let agents = client.agents();
        let body = CreateAgentRequest { name: "worker".to_owned(), ..Default::default() };
        let agent = agents.create(&body).await.unwrap().id;
        for name in ["one", "two"] {
            let body = CreateAgentRequest { name: name.to_owned(), ..Default::default() };
            agents.create(&body).await.unwrap();
        }
        let seen = *engine.synced.seen.lock().await;
        let (org_id, now) = (crate::domain::DEFAULT_ORG.to_owned(), engine.clock.now());
        engine.store.revoke_agent(org_id, agent.clone(), String::new(), now).await.unwrap();
        for _ in 0..2 {
            engine.store.policies_reread(String::new(), String::new(), now).await.unwrap();
        }
        assert_eq!(engine.store.newest_change().await.unwrap(), seen + 3);
        crate::store::query(removed).bind(seen).execute(&engine.store.db()).await.unwrap();
        (guardian, agent)
    }

    fn is_revoked(guardian: &Guardian, agent: &str) -> bool {
        guardian.engine().is_revoked(crate::domain::DEFAULT_ORG, agent)
    }

    #[tokio::test]
    async fn change_that_is_gone_from_the_list_is_not_missed() {
        for removed in [
            "DELETE FROM changes WHERE seq > $1",
            "DELETE FROM changes WHERE seq = $1 + 1",
            "DELETE FROM changes WHERE seq = $1 + 1 OR seq = $1 + 2",
        ] {
            let (guardian, agent) = behind(removed).await;
            assert!(!is_revoked(&guardian, &agent));
            guardian.engine().sync().await.unwrap();
            assert!(is_revoked(&guardian, &agent), "{removed}");
        }
    }

    #[tokio::test]
    async fn database_that_went_back_is_read_anew() {
        let (guardian, agent) = behind("DELETE FROM changes WHERE seq > $1").await;
        const BACK: &str = "UPDATE settings SET value = 1 WHERE name = 'changes'";
        let engine = guardian.engine();
        crate::store::query(BACK).execute(&engine.store.db()).await.unwrap();
        assert_eq!(engine.sync().await.unwrap(), 1);
        assert!(is_revoked(&guardian, &agent));
    }

    #[tokio::test]
    async fn newest_change_is_never_pruned() {
        let (guardian, _) = behind("DELETE FROM changes WHERE seq < $1").await;
        let engine = guardian.engine();
        let later = engine.clock.now().saturating_add(Duration::from_secs(3_600));
        engine.store.prune_changes(later).await.unwrap();
        let newest = engine.store.newest_change().await.unwrap();
        let left = engine.store.changes_since(0).await.unwrap();
        assert_eq!(left.iter().map(|change| change.seq).collect::<Vec<_>>(), [newest]);
    }
}
