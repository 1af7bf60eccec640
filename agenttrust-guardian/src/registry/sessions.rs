//! The issued sessions. What was counted in them is in the database alone.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use agenttrust::Timestamp;
use agenttrust::model::Session;

use super::{Limits, ceiling_facts, read, unreadable, write};
use crate::audit::FactsDigest;
use crate::store::{Counts, SessionRow, StoreError};
use agenttrust::model::CapabilityError;

/// How many sessions of one agent may be open at once.
const OPEN_MOST: usize = 10_000;

/// One issued session.
#[derive(Debug)]
pub(crate) struct SessionEntry {
    pub(crate) row: SessionRow,
    pub(crate) limits: Limits,
    /// What the audit says of its ceiling.
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

    /// The session as callers see it, with what was counted in it.
    pub(crate) fn show(&self, counts: &Counts) -> Session {
        let mut session = Session::default();
        session.session_id.clone_from(&self.row.id);
        session.agent_id.clone_from(&self.row.agent_id);
        session.org_id.clone_from(&self.row.org_id);
        session.source = self.row.source;
        session.server_id.clone_from(&self.row.server_id);
        session.mode = self.limits.mode();
        session.scope_ceiling = self.limits.ceiling().to_vec();
        session.created_at = Some(self.row.created_at);
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

/// Every open session by its id.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_id: RwLock<HashMap<String, Arc<SessionEntry>>>,
}

impl Sessions {
    pub(super) fn new(rows: Vec<SessionRow>) -> Result<Self, StoreError> {
        let mut by_id = HashMap::with_capacity(rows.len());
        for row in rows {
            let entry = SessionEntry::new(row).map_err(unreadable)?;
            by_id.insert(entry.row.id.clone(), Arc::new(entry));
        }
        Ok(Self { by_id: RwLock::new(by_id) })
    }

    /// Takes over all of `other` instead of what is here.
    pub(super) fn replace(&self, other: Self) {
        super::replace(&self.by_id, other.by_id);
    }

    /// The session with this id, if it is of this organisation; it may have expired.
    pub(crate) fn get(&self, org_id: &str, id: &str) -> Option<Arc<SessionEntry>> {
        read(&self.by_id).get(id).filter(|session| session.row.org_id == org_id).cloned()
    }

    /// The sessions that were opened with this key from this token; they may have expired.
    pub(crate) fn opened_from(&self, token_id: &str, key_id: &str) -> Vec<Arc<SessionEntry>> {
        let sessions = read(&self.by_id);
        let from = |session: &&Arc<SessionEntry>| {
            session.row.token_id.as_deref() == Some(token_id)
                && session.row.opened_by.as_deref() == Some(key_id)
        };
        sessions.values().filter(from).cloned().collect()
    }

    /// Whether the agent has as many open sessions as it may have.
    pub(crate) fn is_full(&self, agent_id: &str, now: Timestamp) -> bool {
        let sessions = read(&self.by_id);
        sessions
            .values()
            .filter(|session| session.row.agent_id == agent_id && session.is_live(now))
            .count()
            >= OPEN_MOST
    }

    pub(crate) fn insert(&self, entry: Arc<SessionEntry>) {
        write(&self.by_id).insert(entry.row.id.clone(), entry);
    }

    pub(crate) fn remove_of_agent(&self, agent_id: &str) {
        write(&self.by_id).retain(|_, session| session.row.agent_id != agent_id);
    }

    pub(crate) fn remove(&self, id: &str) {
        write(&self.by_id).remove(id);
    }

    pub(crate) fn remove_of_token(&self, token_id: &str) {
        write(&self.by_id).retain(|_, session| session.row.token_id.as_deref() != Some(token_id));
    }

    /// Forgets what expired before `before`.
    pub(crate) fn prune(&self, before: Timestamp) {
        write(&self.by_id).retain(|_, session| session.row.expires_at >= before);
    }
}
