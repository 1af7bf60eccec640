//! What the decision path reads: memory, loaded from the database at start.
//!
//! One file a thing. Every change goes to the database first and comes here afterwards, so memory never
//! knows more than what is kept; what is taken back is the exception ([`taken`]) and comes here first. No
//! lock is held across an await.

mod adhoc;
mod agents;
mod cards;
mod chain;
mod delegations;
mod federation;
mod idempotency;
mod index;
mod keys;
mod limits;
mod live;
mod mcp_servers;
mod sessions;
mod taken;
#[cfg(test)]
mod tests;
mod tokens;
mod tools;

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use agenttrust::Timestamp;

pub(crate) use self::adhoc::{AdHoc, AdHocEntry};
pub(crate) use self::agents::{AgentEntry, Agents, GROUPS, facts_of, groups_of};
pub(crate) use self::cards::{CardKeyEntry, CardKeys, Cards};
pub(crate) use self::chain::{Broken, Chain, DEPTH_MOST, used_up};
pub(crate) use self::delegations::{DelegationEntry, Delegations};
pub(crate) use self::federation::{ProviderEntry, Providers};
pub(crate) use self::idempotency::{
    Decided, Deciding, IdempotencyCache, Place, Repeatable, Weight,
};
pub(crate) use self::keys::Keys;
pub(crate) use self::limits::{Limits, ceiling_facts, facts_of_ceiling, stricter, strictness};
pub(crate) use self::mcp_servers::{Callable, McpServerEntry, McpServers};
pub(crate) use self::sessions::{SessionEntry, Sessions, show};
pub(crate) use self::taken::Removed;
use self::taken::Taken;
pub(crate) use self::tokens::{TokenEntry, Tokens};
pub(crate) use self::tools::Tools;

use crate::store::{Store, StoreError};

/// The memory that decisions read.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) agents: Agents,
    pub(crate) keys: Keys,
    pub(crate) tokens: Tokens,
    pub(crate) sessions: Sessions,
    pub(crate) delegations: Delegations,
    pub(crate) adhoc: AdHoc,
    pub(crate) tools: Tools,
    pub(crate) mcp_servers: McpServers,
    pub(crate) providers: Providers,
    pub(crate) cards: Cards,
    pub(crate) card_keys: CardKeys,
    pub(crate) idempotency: IdempotencyCache,
    taken: RwLock<Taken>,
}

impl Registry {
    /// Reads all that the database holds and that still matters at `now`.
    pub(crate) async fn load(store: &Store, now: Timestamp) -> Result<Self, StoreError> {
        Ok(Self {
            agents: Agents::new(store.agents().await?)?,
            keys: Keys::new(store.keys().await?),
            tokens: Tokens::new(store.live_tokens(now).await?)?,
            sessions: Sessions::new(store.live_sessions(now).await?)?,
            delegations: Delegations::new(store.live_delegations(now).await?)?,
            adhoc: AdHoc::default(),
            tools: Tools::new(store.tools().await?),
            mcp_servers: McpServers::new(store.mcp_servers().await?, store.mcp_tools(None).await?),
            providers: Providers::new(store.providers().await?),
            cards: Cards::new(store.cards().await?),
            card_keys: CardKeys::new(store.card_keys().await?),
            idempotency: IdempotencyCache::default(),
            taken: RwLock::default(),
        })
    }
}

impl Registry {
    /// Reads everything again that the database holds and that still matters at `now`.
    pub(crate) async fn reload(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let mut fresh = Self::load(store, now).await?;
        self.keys.replace(store.keys().await?);
        self.tools.replace_all(std::mem::take(&mut fresh.tools));
        self.mcp_servers.replace(std::mem::take(&mut fresh.mcp_servers));
        self.cards.replace(std::mem::take(&mut fresh.cards));
        self.card_keys.take_over(store.card_keys().await?);
        self.keep_all(fresh);
        Ok(())
    }
}

// A panic while a lock was held left a whole entry or none: every write below is one insert or one
// removal. So a poisoned lock is still a good one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_lock<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write_lock<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Puts what is behind `fresh` behind `lock`.
fn replace<T>(lock: &RwLock<T>, fresh: RwLock<T>) {
    *write_lock(lock) = fresh.into_inner().unwrap_or_else(PoisonError::into_inner);
}

/// Returns the error for capabilities in the database that this version cannot have written.
pub(crate) fn unreadable(error: agenttrust::model::CapabilityError) -> StoreError {
    StoreError::Database(sqlx::Error::Decode(Box::new(error)))
}

/// Returns the capacity of a bounded map.
const fn at_most(entries: usize) -> NonZeroUsize {
    match NonZeroUsize::new(entries) {
        Some(entries) => entries,
        None => NonZeroUsize::MIN,
    }
}
