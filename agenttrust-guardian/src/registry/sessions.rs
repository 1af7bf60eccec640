//! The issued sessions and their counters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use agenttrust::model::Session;
use agenttrust::{Effect, Timestamp};

use super::{Limits, read, unreadable, write};
use crate::store::{Counts, SessionRow, StoreError};
use agenttrust::model::CapabilityError;

/// How many sessions of one agent may be open at once.
const OPEN_MOST: usize = 10_000;

/// Counters of checks.
#[derive(Debug)]
pub(crate) struct Counters {
    total: AtomicU64,
    reads: AtomicU64,
    denied: AtomicU64,
    last_activity: AtomicI64,
    unsaved: AtomicBool,
}

impl Counters {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self::from_counts(Counts {
            total: 0,
            reads: 0,
            writes: 0,
            denied: 0,
            last_activity_at: now,
        })
    }

    fn from_counts(counts: Counts) -> Self {
        Self {
            total: AtomicU64::new(counts.total),
            reads: AtomicU64::new(counts.reads),
            denied: AtomicU64::new(counts.denied),
            last_activity: AtomicI64::new(counts.last_activity_at.unix_micros()),
            unsaved: AtomicBool::new(false),
        }
    }

    /// Counts one check.
    pub(crate) fn count(&self, effect: Effect, denied: bool, now: Timestamp) {
        self.total.fetch_add(1, Ordering::Relaxed);
        if effect == Effect::Read {
            self.reads.fetch_add(1, Ordering::Relaxed);
        }
        if denied {
            self.denied.fetch_add(1, Ordering::Relaxed);
        }
        self.last_activity.fetch_max(now.unix_micros(), Ordering::Relaxed);
        self.unsaved.store(true, Ordering::Release);
    }

    pub(crate) fn read(&self) -> Counts {
        let reads = self.reads.load(Ordering::Relaxed);
        let total = self.total.load(Ordering::Relaxed).max(reads);
        Counts {
            total,
            reads,
            writes: total - reads,
            denied: self.denied.load(Ordering::Relaxed),
            last_activity_at: Timestamp::from_unix_micros(
                self.last_activity.load(Ordering::Relaxed),
            )
            .unwrap_or_else(Timestamp::now),
        }
    }

    /// Writes the counters into what a caller sees.
    pub(crate) fn show(&self, session: &mut Session) {
        let counts = self.read();
        session.total_calls = counts.total;
        session.read_calls = counts.reads;
        session.write_calls = counts.writes;
        session.denied_calls = counts.denied;
        session.last_activity_at = Some(counts.last_activity_at);
    }
}

/// One issued session.
#[derive(Debug)]
pub(crate) struct SessionEntry {
    pub(crate) row: SessionRow,
    pub(crate) limits: Limits,
    pub(crate) counters: Counters,
}

impl SessionEntry {
    pub(crate) fn new(row: SessionRow) -> Result<Self, CapabilityError> {
        Ok(Self {
            limits: Limits::new(row.mode, row.ceiling.clone())?,
            counters: Counters::from_counts(row.counts),
            row,
        })
    }

    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.row.expires_at > now
    }

    /// The session as callers see it.
    pub(crate) fn show(&self) -> Session {
        let mut session = Session::default();
        session.session_id.clone_from(&self.row.id);
        session.agent_id.clone_from(&self.row.agent_id);
        session.org_id.clone_from(&self.row.org_id);
        session.source = self.row.source;
        session.server_id.clone_from(&self.row.server_id);
        session.mode = self.limits.mode();
        session.scope_ceiling = self.limits.ceiling().to_vec();
        session.created_at = Some(self.row.created_at);
        self.counters.show(&mut session);
        session
    }
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

    /// The counters that changed since the last time; they count as saved from here on.
    pub(crate) fn take_unsaved(&self) -> Vec<(String, Counts)> {
        read(&self.by_id)
            .values()
            .filter(|session| session.counters.unsaved.swap(false, Ordering::AcqRel))
            .map(|session| (session.row.id.clone(), session.counters.read()))
            .collect()
    }

    /// Marks these as changed again, after they could not be saved.
    pub(crate) fn mark_unsaved<'a>(&self, ids: impl Iterator<Item = &'a String>) {
        let sessions = read(&self.by_id);
        for id in ids {
            if let Some(session) = sessions.get(id) {
                session.counters.unsaved.store(true, Ordering::Release);
            }
        }
    }
}
