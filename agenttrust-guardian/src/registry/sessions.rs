//! The issued sessions. What was counted in them is in the database alone.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, RwLock};

use agenttrust::Timestamp;
use agenttrust::model::{Session, SessionState};

use super::index::Index;
use super::{Limits, ceiling_facts, read_lock, unreadable, write_lock};
use crate::audit::FactsDigest;
use crate::store::{Counts, SessionRow, StoreError};
use agenttrust::model::CapabilityError;

/// The number of sessions of one agent that may be open at once.
const OPEN_MOST: usize = 10_000;
/// The number of sessions that ended that are kept, to say why.
const ENDED_MOST: usize = 1_000;

/// An issued session.
#[derive(Debug)]
pub(crate) struct SessionEntry {
    pub(crate) row: SessionRow,
    pub(crate) limits: Limits,
    /// The digest of the facts that the audit has of its ceiling.
    pub(crate) ceiling_facts: Option<FactsDigest>,
}

impl SessionEntry {
    pub(crate) fn new(row: SessionRow) -> Result<Self, CapabilityError> {
        let limits = Limits::new(row.mode, row.ceiling.clone())?;
        Ok(Self { ceiling_facts: ceiling_facts(&row.org_id, &limits), limits, row })
    }

    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.row.expires_at > now
    }

    /// Returns the session as callers see it while it is open, with what was counted in it.
    pub(crate) fn show(&self, counts: &Counts) -> Session {
        let mut session = Session::default();
        session.session_id.clone_from(&self.row.id);
        session.agent_id.clone_from(&self.row.agent_id);
        session.org_id.clone_from(&self.row.org_id);
        session.source = self.row.source;
        session.server_id.clone_from(&self.row.server_id);
        session.mode = self.limits.mode();
        session.scope_ceiling = self.limits.ceiling().to_vec();
        session.token_id.clone_from(&self.row.token_id);
        session.delegation_id.clone_from(&self.row.delegation_id);
        session.opened_by.clone_from(&self.row.opened_by);
        session.gateway.clone_from(&self.row.gateway);
        if let Some(federated) = &self.row.federated {
            session.provider_id = Some(federated.provider_id.clone());
            session.issuer = Some(federated.issuer.clone());
            session.trust_level = Some(federated.trust_level.as_str().to_owned());
        }
        session.state = Some(SessionState::Open);
        session.created_at = Some(self.row.created_at);
        session.expires_at = Some(self.row.expires_at);
        show(counts, &mut session);
        session
    }
}

/// Writes counters into what a caller sees.
pub(crate) fn show(counts: &Counts, session: &mut Session) {
    session.total_calls = counts.total;
    session.read_calls = counts.reads;
    session.write_calls = counts.total.saturating_sub(counts.reads);
    session.denied_calls = counts.denied;
    session.last_activity_at = Some(counts.last_activity_at);
}

/// Every open session.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    kept: RwLock<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_id: HashMap<String, Arc<SessionEntry>>,
    by_agent: Index,
    /// The sessions that were made from a token or a delegation, by its id; from a federated token, by its
    /// fingerprint.
    by_origin: Index,
    /// The sessions of delegations that were removed last, the oldest first: only what is said of them depends on it.
    ended: VecDeque<Arc<SessionEntry>>,
}

impl Kept {
    /// Adds a session. It never changes, so one that is there already stays as it is in the indexes.
    fn insert(&mut self, entry: Arc<SessionEntry>) {
        let row = &entry.row;
        self.by_agent.insert(&row.agent_id, row.expires_at, &row.id);
        if let Some(origin) = row.origin() {
            self.by_origin.insert(origin, row.expires_at, &row.id);
        }
        self.by_id.insert(row.id.clone(), entry);
    }

    fn remove(&mut self, id: &str) -> Option<Arc<SessionEntry>> {
        let entry = self.by_id.remove(id)?;
        let row = &entry.row;
        self.by_agent.remove(&row.agent_id, row.expires_at, id);
        if let Some(origin) = row.origin() {
            self.by_origin.remove(origin, row.expires_at, id);
        }
        if row.delegation_id.is_some() {
            if self.ended.len() >= ENDED_MOST {
                self.ended.pop_front();
            }
            self.ended.push_back(Arc::clone(&entry));
        }
        Some(entry)
    }

    fn remove_all(&mut self, ids: Vec<String>) {
        for id in &ids {
            self.remove(id);
        }
    }
}

impl Sessions {
    pub(super) fn new(rows: Vec<SessionRow>) -> Result<Self, StoreError> {
        let mut kept = Kept::default();
        for row in rows {
            kept.insert(Arc::new(SessionEntry::new(row).map_err(unreadable)?));
        }
        Ok(Self { kept: RwLock::new(kept) })
    }

    /// Takes over all of `other` instead of what is here.
    pub(super) fn replace(&self, other: Self) {
        super::replace(&self.kept, other.kept);
    }

    /// Returns the session with this id, if it is of this organisation; it may have expired.
    pub(crate) fn get(&self, org_id: &str, id: &str) -> Option<Arc<SessionEntry>> {
        let kept = read_lock(&self.kept);
        kept.by_id.get(id).filter(|session| session.row.org_id == org_id).cloned()
    }

    /// Returns the session of a delegation with this id, if it ended of late and is of this organisation.
    pub(crate) fn ended(&self, org_id: &str, id: &str) -> Option<Arc<SessionEntry>> {
        let kept = read_lock(&self.kept);
        let found = kept.ended.iter().rev().find(|session| session.row.id == id);
        found.filter(|session| session.row.org_id == org_id).cloned()
    }

    /// Returns the sessions that were opened with this key from the token or delegation of this id, or the token of
    /// others with this fingerprint; they may have expired.
    pub(crate) fn opened_from(&self, origin: &str, key_id: &str) -> Vec<Arc<SessionEntry>> {
        let kept = read_lock(&self.kept);
        let sessions = kept.by_origin.ids_of(origin).filter_map(|id| kept.by_id.get(id));
        sessions
            .filter(|session| session.row.opened_by.as_deref() == Some(key_id))
            .cloned()
            .collect()
    }

    /// Returns whether the agent has as many open sessions as it may have.
    pub(crate) fn is_full(&self, agent_id: &str, now: Timestamp) -> bool {
        read_lock(&self.kept).by_agent.is_full(agent_id, OPEN_MOST, now)
    }

    pub(crate) fn insert(&self, entry: Arc<SessionEntry>) {
        write_lock(&self.kept).insert(entry);
    }

    pub(crate) fn remove_of_agent(&self, agent_id: &str) {
        let mut kept = write_lock(&self.kept);
        let gone = kept.by_agent.ids_of(agent_id).map(str::to_owned).collect();
        kept.remove_all(gone);
    }

    /// Removes and returns the session with this id.
    pub(super) fn remove(&self, id: &str) -> Option<Arc<SessionEntry>> {
        write_lock(&self.kept).remove(id)
    }

    pub(crate) fn remove_of_token(&self, token_id: &str) {
        let mut kept = write_lock(&self.kept);
        let gone = kept.by_origin.ids_of(token_id).map(str::to_owned).collect();
        kept.remove_all(gone);
    }

    /// Removes and returns those that `which` picks.
    pub(super) fn remove_where(
        &self,
        which: impl Fn(&SessionRow) -> bool,
    ) -> Vec<Arc<SessionEntry>> {
        let mut kept = write_lock(&self.kept);
        let gone: Vec<_> = kept.by_id.values().filter(|it| which(&it.row)).cloned().collect();
        for session in &gone {
            kept.remove(&session.row.id);
        }
        gone
    }

    /// Forgets what expired before `before`.
    pub(crate) fn prune(&self, before: Timestamp) {
        let mut kept = write_lock(&self.kept);
        let over = |session: &&Arc<SessionEntry>| session.row.expires_at < before;
        let gone = kept.by_id.values().filter(over).map(|session| session.row.id.clone()).collect();
        kept.remove_all(gone);
    }
}
