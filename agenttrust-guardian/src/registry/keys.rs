//! The API keys: which fingerprint stands for whom.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use super::{lock, read, write};
use crate::role::Role;
use crate::secret::Fingerprint;
use crate::store::KeyRow;

/// How many unknown keys a second are worth a look into the database.
const LOOKUPS_A_SECOND: u32 = 20;

/// One API key that works.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) role: Role,
    pub(crate) agents: Vec<String>,
    pub(crate) hash: Fingerprint,
}

impl Key {
    /// Whether the key is bound to this agent.
    pub(crate) fn is_bound_to(&self, agent_id: &str) -> bool {
        self.agents.iter().any(|bound| bound == agent_id)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Every key that works, by its fingerprint.
#[derive(Debug)]
pub(crate) struct Keys {
    kept: RwLock<Kept>,
    /// The key of this process's own client. It is in no database and survives a reload.
    own: RwLock<Option<Arc<Key>>>,
    lookups: Mutex<(Option<Instant>, u32)>,
}

#[derive(Debug, Default)]
struct Kept {
    by_hash: HashMap<Fingerprint, Arc<Key>>,
    /// The ids of revoked keys. A row that was read before its key was revoked may arrive after.
    revoked: HashSet<String>,
}

impl Kept {
    fn take_over(&mut self, rows: Vec<KeyRow>) {
        for row in rows {
            if row.revoked_at.is_some() {
                self.by_hash.remove(&row.hash);
                self.revoked.insert(row.id);
            } else if !self.revoked.contains(&row.id) {
                let key = Key {
                    id: row.id,
                    org_id: row.org_id,
                    role: row.role,
                    agents: row.agents,
                    hash: row.hash,
                };
                self.by_hash.insert(key.hash, Arc::new(key));
            }
        }
    }
}

impl Keys {
    pub(super) fn new(rows: Vec<KeyRow>) -> Self {
        let mut kept = Kept::default();
        kept.take_over(rows);
        Self { kept: RwLock::new(kept), own: RwLock::new(None), lookups: Mutex::new((None, 0)) }
    }

    /// The key that this fingerprint stands for.
    pub(crate) fn get(&self, hash: &Fingerprint) -> Option<Arc<Key>> {
        let found = read(&self.kept).by_hash.get(hash).cloned();
        found.or_else(|| read(&self.own).clone()).filter(|key| key.hash.is(hash))
    }

    /// Takes over a key that is kept already, unless it is known to be revoked by now.
    pub(crate) fn insert(&self, row: KeyRow) {
        write(&self.kept).take_over(vec![row]);
    }

    pub(crate) fn set_own(&self, key: Key) {
        *write(&self.own) = Some(Arc::new(key));
    }

    /// Id and role of at most `most` keys, and how many there are in all.
    pub(crate) fn summary(&self, most: usize) -> (Vec<(String, Role)>, usize) {
        let kept = read(&self.kept);
        let mut listed: Vec<_> =
            kept.by_hash.values().map(|key| (key.id.clone(), key.role)).collect();
        listed.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        listed.truncate(most);
        (listed, kept.by_hash.len())
    }

    /// Takes over these keys instead of those that are here.
    pub(super) fn replace(&self, rows: Vec<KeyRow>) {
        let mut kept = write(&self.kept);
        kept.by_hash.clear();
        kept.take_over(rows);
    }

    /// Whether an unknown key is worth a look into the database now. Bounded, so that guessing keys
    /// cannot keep the database busy.
    pub(crate) fn may_look_up(&self) -> bool {
        let mut lookups = lock(&self.lookups);
        let now = Instant::now();
        match lookups.0 {
            Some(since) if now.duration_since(since) < Duration::from_secs(1) => {}
            _ => *lookups = (Some(now), 0),
        }
        lookups.1 += 1;
        lookups.1 <= LOOKUPS_A_SECOND
    }
}

#[cfg(test)]
mod tests {
    use agenttrust::Timestamp;

    use super::*;

    fn row() -> KeyRow {
        KeyRow {
            id: "key_1".to_owned(),
            org_id: "org".to_owned(),
            hash: Fingerprint::of("sk_live_1"),
            role: Role::Admin,
            agents: Vec::new(),
            created_at: Timestamp::now(),
            revoked_at: None,
        }
    }

    #[test]
    fn revoked_key_stays_revoked_whenever_its_row_was_read() {
        let (read_before, revoked) =
            (row(), KeyRow { revoked_at: Some(Timestamp::now()), ..row() });
        let keys = Keys::new(vec![row()]);
        assert!(keys.get(&read_before.hash).is_some());
        keys.insert(revoked.clone());
        assert!(keys.get(&read_before.hash).is_none());
        keys.insert(read_before.clone());
        assert!(keys.get(&read_before.hash).is_none(), "looked up before it was revoked");
        keys.replace(vec![read_before.clone()]);
        assert!(keys.get(&read_before.hash).is_none(), "listed before it was revoked");

        let keys = Keys::new(vec![row()]);
        keys.replace(vec![revoked]);
        keys.insert(read_before.clone());
        assert!(keys.get(&read_before.hash).is_none(), "revoked by another process");
    }
}
