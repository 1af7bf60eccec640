//! The tokens that work.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use agenttrust::Timestamp;
use agenttrust::model::TokenKind;

use super::index::Index;
use super::{read_lock, unreadable, write_lock};
use crate::domain::{Fingerprint, Key, Role};
use crate::store::{StoreError, TokenRow};
use agenttrust::model::{CapabilityError, CapabilitySet};

/// The number of tokens of one agent that may be live at once.
const LIVE_MOST: usize = 10_000;

/// A token, its scopes read once.
#[derive(Clone, Debug)]
pub(crate) struct TokenEntry {
    pub(crate) row: TokenRow,
    pub(crate) scopes: CapabilitySet,
}

impl TokenEntry {
    pub(crate) fn new(row: TokenRow) -> Result<Self, CapabilityError> {
        Ok(Self { scopes: CapabilitySet::share(Arc::clone(&row.scopes))?, row })
    }

    /// Returns whether a caller with this key may use the token: at one of its targets, which is where the key says
    /// that it is or whose gateway it is of. An admin and the token's own agent use it anywhere.
    pub(crate) fn is_for_key(&self, key: &Key, target: Option<&str>) -> bool {
        let row = &self.row;
        let own = key.role == Role::Admin || key.is_bound_to(&row.agent_id);
        let at = [target, key.gateway.as_deref()];
        own || row.audience.is_empty() || at.into_iter().flatten().any(|at| self.is_for(at))
    }

    /// Returns whether it may be used at `target`: an empty audience means anywhere.
    pub(crate) fn is_for(&self, target: &str) -> bool {
        self.row.audience.is_empty() || self.row.audience.iter().any(|audience| audience == target)
    }
}

/// Every token that is not revoked.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    kept: RwLock<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_hash: HashMap<Fingerprint, Arc<TokenEntry>>,
    by_id: HashMap<String, Arc<TokenEntry>>,
    by_agent: Index,
}

impl Kept {
    /// Adds a token. It never changes, so one that is there already stays as it is in the index.
    fn insert(&mut self, entry: TokenEntry) {
        let entry = Arc::new(entry);
        let row = &entry.row;
        self.by_agent.insert(&row.agent_id, row.expires_at, &row.id);
        self.by_id.insert(row.id.clone(), Arc::clone(&entry));
        self.by_hash.insert(row.hash, entry);
    }

    fn remove(&mut self, row: &TokenRow) {
        self.by_hash.remove(&row.hash);
        self.by_id.remove(&row.id);
        self.by_agent.remove(&row.agent_id, row.expires_at, &row.id);
    }
}

impl Tokens {
    pub(super) fn new(rows: Vec<TokenRow>) -> Result<Self, StoreError> {
        let mut kept = Kept::default();
        for row in rows {
            kept.insert(TokenEntry::new(row).map_err(unreadable)?);
        }
        Ok(Self { kept: RwLock::new(kept) })
    }

    /// Takes over all of `other` instead of what is here.
    pub(super) fn replace(&self, other: Self) {
        super::replace(&self.kept, other.kept);
    }

    /// Returns the token of this kind with this fingerprint, if it is of this organisation; it may have expired.
    pub(crate) fn get(
        &self,
        org_id: &str,
        kind: TokenKind,
        hash: &Fingerprint,
    ) -> Option<Arc<TokenEntry>> {
        let found = read_lock(&self.kept).by_hash.get(hash).cloned();
        let is = |row: &TokenRow| row.hash.is(hash) && row.org_id == org_id && row.kind == kind;
        found.filter(|token| is(&token.row))
    }

    /// Returns the token with this id; it may have expired.
    pub(crate) fn by_id(&self, id: &str) -> Option<Arc<TokenEntry>> {
        read_lock(&self.kept).by_id.get(id).cloned()
    }

    /// Returns those tokens of this agent that `which` picks; some may have expired.
    pub(super) fn of_agent(
        &self,
        agent_id: &str,
        which: impl Fn(&TokenEntry) -> bool,
    ) -> Vec<Arc<TokenEntry>> {
        let kept = read_lock(&self.kept);
        let tokens = kept.by_agent.ids_of(agent_id).filter_map(|id| kept.by_id.get(id));
        tokens.filter(|token| which(token)).cloned().collect()
    }

    /// Returns whether the agent has as many live tokens as it may have.
    pub(crate) fn is_full(&self, agent_id: &str, now: Timestamp) -> bool {
        read_lock(&self.kept).by_agent.is_full(agent_id, LIVE_MOST, now)
    }

    pub(crate) fn insert(&self, entry: TokenEntry) {
        write_lock(&self.kept).insert(entry);
    }

    pub(crate) fn remove(&self, hash: &Fingerprint) {
        let mut kept = write_lock(&self.kept);
        if let Some(token) = kept.by_hash.get(hash).cloned() {
            kept.remove(&token.row);
        }
    }

    pub(crate) fn remove_of_agent(&self, agent_id: &str) {
        let mut kept = write_lock(&self.kept);
        let of_it = kept.by_agent.ids_of(agent_id).filter_map(|id| kept.by_id.get(id));
        let gone: Vec<_> = of_it.cloned().collect();
        gone.iter().for_each(|token| kept.remove(&token.row));
    }

    /// Removes and returns those that `which` picks.
    pub(super) fn remove_where(&self, which: impl Fn(&TokenRow) -> bool) -> Vec<Arc<TokenEntry>> {
        let mut kept = write_lock(&self.kept);
        let gone: Vec<_> = kept.by_id.values().filter(|it| which(&it.row)).cloned().collect();
        gone.iter().for_each(|token| kept.remove(&token.row));
        gone
    }

    /// Forgets what expired before `before`.
    pub(crate) fn prune(&self, before: Timestamp) {
        let over = |token: &&Arc<TokenEntry>| token.row.expires_at < before;
        let mut kept = write_lock(&self.kept);
        let gone: Vec<_> = kept.by_id.values().filter(over).cloned().collect();
        gone.iter().for_each(|token| kept.remove(&token.row));
    }
}
