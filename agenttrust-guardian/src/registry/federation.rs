//! The federation providers.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use super::{read_lock, write_lock};
use crate::store::ProviderRow;

/// A federation provider, as it was when it was looked up.
#[derive(Debug)]
pub(crate) struct ProviderEntry {
    pub(crate) row: ProviderRow,
}

/// Every federation provider, by its id.
#[derive(Debug, Default)]
pub(crate) struct Providers {
    by_id: RwLock<HashMap<String, Arc<ProviderEntry>>>,
}

impl Providers {
    pub(super) fn new(rows: Vec<ProviderRow>) -> Self {
        let entry = |row: ProviderRow| (row.id.clone(), Arc::new(ProviderEntry { row }));
        Self { by_id: RwLock::new(rows.into_iter().map(entry).collect()) }
    }

    /// Returns the provider with this id, of whichever organisation.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<ProviderEntry>> {
        read_lock(&self.by_id).get(id).cloned()
    }

    /// Returns the provider of this organisation that issues as `issuer`, byte for byte.
    pub(crate) fn of_issuer(&self, org_id: &str, issuer: &str) -> Option<Arc<ProviderEntry>> {
        let is =
            |entry: &&Arc<ProviderEntry>| entry.row.issuer == issuer && entry.row.org_id == org_id;
        read_lock(&self.by_id).values().find(is).cloned()
    }

    /// Returns the providers of this organisation, the oldest first.
    pub(crate) fn of_org(&self, org_id: &str) -> Vec<Arc<ProviderEntry>> {
        let mut found: Vec<_> = read_lock(&self.by_id)
            .values()
            .filter(|entry| entry.row.org_id == org_id)
            .cloned()
            .collect();
        found.sort_by(|one, other| {
            (one.row.created_at, &one.row.id).cmp(&(other.row.created_at, &other.row.id))
        });
        found
    }

    /// Takes over a provider as it is kept; returns it as it was.
    pub(super) fn insert(&self, row: ProviderRow) -> Option<Arc<ProviderEntry>> {
        write_lock(&self.by_id).insert(row.id.clone(), Arc::new(ProviderEntry { row }))
    }

    pub(super) fn remove(&self, id: &str) {
        write_lock(&self.by_id).remove(id);
    }

    /// Takes over all of `other` instead of what is here.
    pub(super) fn replace(&self, other: Self) {
        super::replace(&self.by_id, other.by_id);
    }
}
