//! The cards of agents, and the keys that sign them.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, RwLock};

use agenttrust::Timestamp;

use super::{read_lock, write_lock};
use crate::domain::CardSigner;
use crate::jose::KeySet;
use crate::store::{CardKeyRow, CardRow};

/// Every card, by its agent.
#[derive(Debug, Default)]
pub(crate) struct Cards {
    by_agent: RwLock<HashMap<String, Arc<CardRow>>>,
}

impl Cards {
    pub(super) fn new(rows: Vec<CardRow>) -> Self {
        let entries = rows.into_iter().map(|row| (row.agent_id.clone(), Arc::new(row)));
        Self { by_agent: RwLock::new(entries.collect()) }
    }

    /// Returns the card of this agent, of whichever organisation: the id is its address.
    pub(crate) fn get(&self, agent_id: &str) -> Option<Arc<CardRow>> {
        read_lock(&self.by_agent).get(agent_id).cloned()
    }

    /// Takes over a card as it is kept.
    pub(crate) fn insert(&self, row: CardRow) {
        write_lock(&self.by_agent).insert(row.agent_id.clone(), Arc::new(row));
    }

    /// Takes over all of `other` instead of what is here.
    pub(super) fn replace(&self, other: Self) {
        super::replace(&self.by_agent, other.by_agent);
    }
}

/// A key that signs cards.
#[derive(Debug)]
pub(crate) struct CardKeyEntry {
    pub(crate) row: CardKeyRow,
    /// The key itself, once it was opened.
    pub(crate) signer: OnceLock<CardSigner>,
    /// The public half as a set that verifies, once it was needed.
    pub(crate) verifier: OnceLock<KeySet>,
}

/// The keys that sign cards, the newest first.
#[derive(Debug, Default)]
pub(crate) struct CardKeys {
    newest_first: RwLock<Vec<Arc<CardKeyEntry>>>,
}

impl CardKeys {
    pub(super) fn new(rows: Vec<CardKeyRow>) -> Self {
        Self { newest_first: RwLock::new(entries(rows)) }
    }

    /// Returns those that sign at `now`, the newest first.
    pub(crate) fn live(&self, now: Timestamp) -> Vec<Arc<CardKeyEntry>> {
        let live = |entry: &&Arc<CardKeyEntry>| entry.row.ends_at.is_none_or(|at| at > now);
        read_lock(&self.newest_first).iter().filter(live).cloned().collect()
    }

    /// Takes over the keys as they are kept.
    pub(crate) fn take_over(&self, rows: Vec<CardKeyRow>) {
        *write_lock(&self.newest_first) = entries(rows);
    }
}

fn entries(rows: Vec<CardKeyRow>) -> Vec<Arc<CardKeyEntry>> {
    let entry = |row| {
        let (signer, verifier) = Default::default();
        Arc::new(CardKeyEntry { row, signer, verifier })
    };
    rows.into_iter().map(entry).collect()
}
