//! The API keys: which fingerprint stands for whom.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use agenttrust::Timestamp;

use super::{lock, read_lock, write_lock};
use crate::domain::{Fingerprint, Key, Role};
use crate::store::KeyRow;

/// The number of unknown keys a second that are worth a look into the database.
const LOOKUPS_A_SECOND: u32 = 20;
/// The microseconds after which the last use of a key is kept again.
const USE_KEPT_EVERY: i64 = 60_000_000;

/// A secret of a key. A key that was rotated has two for a while.
#[derive(Debug)]
struct Secret {
    key: Arc<Key>,
    hash: Fingerprint,
    /// The time from which on it works no more.
    until: Option<Timestamp>,
    used: Arc<Used>,
}

/// The time when a key was last used, in microseconds since 1970; zero is never.
#[derive(Debug, Default)]
struct Used {
    last: AtomicI64,
    kept: AtomicI64,
}

/// Every key that works, by its fingerprint.
#[derive(Debug)]
pub(crate) struct Keys {
    kept: RwLock<Kept>,
    /// The key of this process's own client. It is in no database and survives a reload.
    own: RwLock<Option<(Fingerprint, Arc<Key>)>>,
    lookups: Mutex<(Option<Instant>, u32)>,
}

#[derive(Debug, Default)]
struct Kept {
    by_hash: HashMap<Fingerprint, Secret>,
    used: HashMap<String, Arc<Used>>,
    /// The time when each key was rotated last. A row that was read before may arrive after.
    rotated: HashMap<String, Timestamp>,
    /// The ids of revoked keys. A row that was read before its key was revoked may arrive after.
    revoked: HashSet<String>,
}

impl Kept {
    fn take_over(&mut self, rows: Vec<KeyRow>) {
        for row in rows {
            let known = self.rotated.get(&row.id).copied();
            if known > row.rotated_at {
                continue;
            }
            if let Some(at) = row.rotated_at {
                self.rotated.insert(row.id.clone(), at);
            }
            self.by_hash.retain(|_, secret| secret.key.id != row.id);
            if row.revoked_at.is_some() {
                self.used.remove(&row.id);
                self.revoked.insert(row.id);
            } else if !self.revoked.contains(&row.id) {
                self.keep(row);
            }
        }
    }

    fn keep(&mut self, row: KeyRow) {
        let used = Arc::clone(self.used.entry(row.id.clone()).or_default());
        let kept = row.last_used_at.map_or(0, Timestamp::unix_micros);
        used.kept.fetch_max(kept, Ordering::Relaxed);
        let KeyRow { id, org_id, role, agents, gateway, owner, .. } = row;
        let key = Arc::new(Key { id, org_id, role, agents, gateway, owner });
        let old = row.old.map(|(hash, until)| (hash, Some(until)));
        for (hash, until) in [(row.hash, None)].into_iter().chain(old) {
            let (key, used) = (Arc::clone(&key), Arc::clone(&used));
            self.by_hash.insert(hash, Secret { key, hash, until, used });
        }
    }
}

impl Keys {
    pub(super) fn new(rows: Vec<KeyRow>) -> Self {
        let mut kept = Kept::default();
        kept.take_over(rows);
        Self { kept: RwLock::new(kept), own: RwLock::new(None), lookups: Mutex::new((None, 0)) }
    }

    /// Returns the key that this fingerprint stands for at `now`.
    pub(crate) fn get(&self, hash: &Fingerprint, now: Timestamp) -> Option<Arc<Key>> {
        if let Some(secret) = read_lock(&self.kept).by_hash.get(hash) {
            let works = secret.hash.is(hash) && secret.until.is_none_or(|until| until > now);
            return works.then(|| {
                secret.used.last.fetch_max(now.unix_micros(), Ordering::Relaxed);
                Arc::clone(&secret.key)
            });
        }
        let own = read_lock(&self.own);
        own.as_ref().filter(|(own, _)| own.is(hash)).map(|(_, key)| Arc::clone(key))
    }

    /// Returns how long this secret goes on working after `now`, as far as is known: for good where no end is known;
    /// `None` where it does not work.
    pub(crate) fn lasts(&self, hash: &Fingerprint, now: Timestamp) -> Option<Duration> {
        if let Some(secret) = read_lock(&self.kept).by_hash.get(hash) {
            let left = secret.until.map_or(Duration::MAX, |until| now.until(until));
            return (secret.hash.is(hash) && !left.is_zero()).then_some(left);
        }
        let own = read_lock(&self.own);
        own.as_ref().filter(|(own, _)| own.is(hash)).map(|_| Duration::MAX)
    }

    /// Returns whether the key of this id is one that works.
    pub(crate) fn has(&self, id: &str) -> bool {
        let own = read_lock(&self.own).as_ref().is_some_and(|(_, key)| key.id == id);
        own || read_lock(&self.kept).by_hash.values().any(|secret| secret.key.id == id)
    }

    /// Returns the key of the Guardian's own client.
    #[cfg(feature = "cli")]
    pub(crate) fn own(&self) -> Option<Arc<Key>> {
        read_lock(&self.own).as_ref().map(|(_, key)| Arc::clone(key))
    }

    /// Returns the key of this id, if it works.
    pub(crate) fn of_id(&self, id: &str) -> Option<Arc<Key>> {
        let own = read_lock(&self.own).as_ref().map(|(_, key)| Arc::clone(key));
        if let Some(own) = own.filter(|own| own.id == id) {
            return Some(own);
        }
        let kept = read_lock(&self.kept);
        let mut secrets = kept.by_hash.values();
        secrets.find(|secret| secret.key.id == id).map(|secret| Arc::clone(&secret.key))
    }

    /// Returns whether a key of this owner is bound to this agent.
    pub(crate) fn is_of_owner(&self, org_id: &str, agent_id: &str, owner: &str) -> bool {
        let is = |key: &Key| {
            key.org_id == org_id && key.owner.as_deref() == Some(owner) && key.is_bound_to(agent_id)
        };
        read_lock(&self.kept).by_hash.values().any(|secret| is(&secret.key))
    }

    /// Returns the ids of keys that are bound to this agent and have an owner: one of each owner.
    pub(crate) fn one_of_each_owner(&self, org_id: &str, agent_id: &str) -> Vec<String> {
        let kept = read_lock(&self.kept);
        let of_agent = |key: &&Arc<Key>| key.org_id == org_id && key.is_bound_to(agent_id);
        let keys = kept.by_hash.values().map(|secret| &secret.key).filter(of_agent);
        let owned = keys.filter_map(|key| Some((key.owner.clone()?, key.id.clone())));
        owned.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// Takes a key back: it works no more, whatever row of it arrives.
    pub(crate) fn take_back(&self, id: &str) {
        let mut kept = write_lock(&self.kept);
        kept.by_hash.retain(|_, secret| secret.key.id != id);
        kept.used.remove(id);
        kept.revoked.insert(id.to_owned());
    }

    /// Returns those keys whose last use is worth keeping, with when it was. They count as kept from here on.
    pub(crate) fn take_used(&self) -> Vec<(String, Timestamp)> {
        let kept = read_lock(&self.kept);
        let mut used: Vec<_> = kept
            .used
            .iter()
            .filter_map(|(id, used)| {
                let last = used.last.load(Ordering::Relaxed);
                let before = used.kept.load(Ordering::Relaxed);
                if last.saturating_sub(before) < USE_KEPT_EVERY {
                    return None;
                }
                used.kept.store(last, Ordering::Relaxed);
                Some((id.clone(), Timestamp::from_unix_micros(last)?))
            })
            .collect();
        // In one order everywhere, so that two replicas never wait for each other.
        used.sort_unstable();
        used
    }

    /// Takes over a key that is kept already, unless it is known to be revoked by now.
    pub(crate) fn insert(&self, row: KeyRow) {
        write_lock(&self.kept).take_over(vec![row]);
    }

    pub(crate) fn set_own(&self, hash: Fingerprint, key: Key) {
        *write_lock(&self.own) = Some((hash, Arc::new(key)));
    }

    /// Returns id and role of at most `most` keys, and how many there are in all.
    pub(crate) fn summary(&self, most: usize) -> (Vec<(String, Role)>, usize) {
        let kept = read_lock(&self.kept);
        let mut listed: Vec<_> = kept
            .by_hash
            .values()
            .filter(|secret| secret.until.is_none())
            .map(|secret| (secret.key.id.clone(), secret.key.role))
            .collect();
        listed.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let count = listed.len();
        listed.truncate(most);
        (listed, count)
    }

    /// Takes over these keys instead of those that are here.
    pub(super) fn replace(&self, rows: Vec<KeyRow>) {
        let mut kept = write_lock(&self.kept);
        kept.by_hash.clear();
        kept.take_over(rows);
    }

    /// Returns whether an unknown key is worth a look into the database now. Bounded, so that guessing keys
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
    use super::*;

    fn row() -> KeyRow {
        KeyRow {
            id: "key_1".to_owned(),
            org_id: "org".to_owned(),
            hash: Fingerprint::from_text("sk_live_1"),
            role: Role::Admin,
            agents: Vec::new(),
            created_at: Timestamp::now(),
            revoked_at: None,
            old: None,
            rotated_at: None,
            last_used_at: None,
            gateway: None,
            took_issued: false,
            made_by: None,
            owner: None,
        }
    }

    #[test]
    fn revoked_key_stays_revoked_whenever_its_row_was_read() {
        let (read_before, revoked) =
            (row(), KeyRow { revoked_at: Some(Timestamp::now()), ..row() });
        let keys = Keys::new(vec![row()]);
        assert!(keys.get(&read_before.hash, Timestamp::now()).is_some());
        keys.insert(revoked.clone());
        assert!(keys.get(&read_before.hash, Timestamp::now()).is_none());
        keys.insert(read_before.clone());
        assert!(
            keys.get(&read_before.hash, Timestamp::now()).is_none(),
            "looked up before it was revoked"
        );
        keys.replace(vec![read_before.clone()]);
        assert!(
            keys.get(&read_before.hash, Timestamp::now()).is_none(),
            "listed before it was revoked"
        );

        let keys = Keys::new(vec![row()]);
        keys.replace(vec![revoked]);
        keys.insert(read_before.clone());
        assert!(
            keys.get(&read_before.hash, Timestamp::now()).is_none(),
            "revoked by another process"
        );
    }

    #[test]
    fn rotated_key_is_itself_under_both_secrets_until_the_old_one_is_over() {
        let (begun, minute) = (Timestamp::now(), Duration::from_secs(60));
        let keys = Keys::new(vec![row()]);
        let (old, new) = (Fingerprint::from_text("sk_live_1"), Fingerprint::from_text("sk_live_2"));
        let until = begun.saturating_add(minute);
        let rotated =
            KeyRow { hash: new, old: Some((old, until)), rotated_at: Some(begun), ..row() };
        keys.insert(rotated.clone());
        for hash in [old, new] {
            assert_eq!(keys.get(&hash, begun).unwrap().id, "key_1");
        }
        assert!(keys.get(&old, until).is_none());
        assert!(keys.get(&new, until).is_some());
        assert_eq!(keys.summary(9).1, 1, "two secrets are one key");

        // Rotated once more, the first secret is over at once.
        let third = Fingerprint::from_text("sk_live_3");
        keys.insert(KeyRow { hash: third, old: Some((new, until)), ..rotated });
        assert!(keys.get(&old, begun).is_none());
        assert!(keys.get(&new, begun).is_some() && keys.get(&third, begun).is_some());
    }

    #[test]
    fn last_use_is_kept_once_a_minute_however_often_a_key_is_used() {
        let begun = Timestamp::now();
        let keys = Keys::new(vec![row()]);
        assert_eq!(keys.take_used(), []);
        keys.get(&row().hash, begun).unwrap();
        assert_eq!(keys.take_used(), [("key_1".to_owned(), begun)]);
        keys.get(&row().hash, begun.saturating_add(Duration::from_secs(59))).unwrap();
        assert_eq!(keys.take_used(), []);
        let later = begun.saturating_add(Duration::from_secs(60));
        keys.get(&row().hash, later).unwrap();
        // A row that is read anew does not forget the use.
        keys.insert(row());
        assert_eq!(keys.take_used(), [("key_1".to_owned(), later)]);
    }
}
