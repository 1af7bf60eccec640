//! The tokens that work.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use agenttrust::Timestamp;

use super::{read, unreadable, write};
use crate::capability::{CapabilityError, CapabilitySet};
use crate::secret::Fingerprint;
use crate::store::{StoreError, TokenRow};

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

/// Every token that is not revoked, by its fingerprint.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    by_hash: RwLock<HashMap<Fingerprint, Arc<TokenEntry>>>,
}

impl Tokens {
    pub(super) fn new(rows: Vec<TokenRow>) -> Result<Self, StoreError> {
        let mut by_hash = HashMap::with_capacity(rows.len());
        for row in rows {
            by_hash.insert(row.hash, Arc::new(TokenEntry::new(row).map_err(unreadable)?));
        }
        Ok(Self { by_hash: RwLock::new(by_hash) })
    }

    /// The token with this fingerprint, if it is of this organisation; it may have expired.
    pub(crate) fn get(&self, org_id: &str, hash: &Fingerprint) -> Option<Arc<TokenEntry>> {
        let found = read(&self.by_hash).get(hash).cloned();
        found.filter(|token| token.row.hash.is(hash) && token.row.org_id == org_id)
    }

    /// Whether the agent has as many live tokens as it may have.
    pub(crate) fn is_full(&self, agent_id: &str, now: Timestamp) -> bool {
        let tokens = read(&self.by_hash);
        tokens
            .values()
            .filter(|token| token.row.agent_id == agent_id && token.row.expires_at > now)
            .count()
            >= LIVE_MOST
    }

    pub(crate) fn insert(&self, entry: TokenEntry) {
        write(&self.by_hash).insert(entry.row.hash, Arc::new(entry));
    }

    pub(crate) fn remove(&self, hash: &Fingerprint) {
        write(&self.by_hash).remove(hash);
    }

    pub(crate) fn remove_of_agent(&self, agent_id: &str) {
        write(&self.by_hash).retain(|_, token| token.row.agent_id != agent_id);
    }

    /// Forgets what expired before `before`.
    pub(crate) fn prune(&self, before: Timestamp) {
        write(&self.by_hash).retain(|_, token| token.row.expires_at >= before);
    }
}
