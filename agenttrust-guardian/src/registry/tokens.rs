//! The tokens that work.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use agenttrust::Timestamp;

use super::{read, unreadable, write};
use crate::secret::Fingerprint;
use crate::store::{StoreError, TokenRow};
use agenttrust::model::{CapabilityError, CapabilitySet};

/// How many tokens of one agent may be live at once.
const LIVE_MOST: usize = 10_000;

/// One token, its scopes read once.
#[derive(Clone, Debug)]
pub(crate) struct TokenEntry {
    pub(crate) row: TokenRow,
    pub(crate) scopes: CapabilitySet,
}

impl TokenEntry {
    pub(crate) fn new(row: TokenRow) -> Result<Self, CapabilityError> {
        Ok(Self { scopes: CapabilitySet::parse(&row.scopes)?, row })
    }

    /// Whether it may be used at `target`: an empty audience means anywhere.
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
}

impl Kept {
    fn insert(&mut self, entry: TokenEntry) {
        let entry = Arc::new(entry);
        self.by_id.insert(entry.row.id.clone(), Arc::clone(&entry));
        self.by_hash.insert(entry.row.hash, entry);
    }

    fn retain(&mut self, stays: impl Fn(&TokenRow) -> bool) {
        self.by_hash.retain(|_, token| stays(&token.row));
        self.by_id.retain(|_, token| stays(&token.row));
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

    /// The token with this fingerprint, if it is of this organisation; it may have expired.
    pub(crate) fn get(&self, org_id: &str, hash: &Fingerprint) -> Option<Arc<TokenEntry>> {
        let found = read(&self.kept).by_hash.get(hash).cloned();
        found.filter(|token| token.row.hash.is(hash) && token.row.org_id == org_id)
    }

    /// The token with this id; it may have expired.
    pub(super) fn by_id(&self, id: &str) -> Option<Arc<TokenEntry>> {
        read(&self.kept).by_id.get(id).cloned()
    }

    /// Those tokens of this agent that `which` picks; some may have expired.
    pub(super) fn of_agent(
        &self,
        agent_id: &str,
        which: impl Fn(&TokenEntry) -> bool,
    ) -> Vec<Arc<TokenEntry>> {
        let kept = read(&self.kept);
        let tokens = kept.by_id.values();
        tokens.filter(|token| token.row.agent_id == agent_id && which(token)).cloned().collect()
    }

    /// Whether the agent has as many live tokens as it may have.
    pub(crate) fn is_full(&self, agent_id: &str, now: Timestamp) -> bool {
        let kept = read(&self.kept);
        kept.by_id
            .values()
            .filter(|token| token.row.agent_id == agent_id && token.row.expires_at > now)
            .count()
            >= LIVE_MOST
    }

    pub(crate) fn insert(&self, entry: TokenEntry) {
        write(&self.kept).insert(entry);
    }

    pub(crate) fn remove(&self, hash: &Fingerprint) {
        let mut kept = write(&self.kept);
        if let Some(token) = kept.by_hash.remove(hash) {
            kept.by_id.remove(&token.row.id);
        }
    }

    pub(crate) fn remove_of_agent(&self, agent_id: &str) {
        write(&self.kept).retain(|token| token.agent_id != agent_id);
    }

    /// Forgets what expired before `before`.
    pub(crate) fn prune(&self, before: Timestamp) {
        write(&self.kept).retain(|token| token.expires_at >= before);
    }
}
