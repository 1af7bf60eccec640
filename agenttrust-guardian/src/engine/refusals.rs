//! Requests that were refused, as the audit records them: so many a minute of each key, and then how many more there
//! were. A caller that asks in vain over and over fills no log with it, and makes no other caller wait.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agenttrust::Timestamp;
use lru::LruCache;
use serde_json::{Map, Value, json};

use super::Engine;
use crate::audit::{AuditError, Record};
use crate::domain::{Error, ErrorKind, Key};

/// The number of refusals of one key that have a row each ...
const TOLD_MOST: u32 = 20;
/// ... within this time.
const WITHIN: Duration = Duration::from_secs(60);
/// The number of characters that are kept of what a refused request named.
const NAMED_CHARS: usize = 200;
/// The number of keys that are remembered; when the key that was refused longest ago goes, the rest of its refusals is
/// recorded.
const KEYS: NonZeroUsize = match NonZeroUsize::new(10_000) {
    Some(keys) => keys,
    None => NonZeroUsize::MIN,
};

/// The requests of each key that were refused of late.
#[derive(Debug)]
pub(crate) struct Refusals(Mutex<LruCache<String, OfKey>>);

/// The requests of one key that were refused in the time that began at `since`.
#[derive(Debug)]
struct OfKey {
    kind: &'static str,
    org_id: String,
    key_id: String,
    since: Timestamp,
    told: u32,
    left_out: u64,
    last_at: Timestamp,
}

impl OfKey {
    fn begin(kind: &'static str, key: &Key, now: Timestamp) -> Self {
        let (org_id, key_id) = (key.org_id.clone(), key.id.clone());
        Self { kind, org_id, key_id, since: now, told: 0, left_out: 0, last_at: now }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.since.until(now) >= WITHIN
    }

    /// Returns the row about the refusals that had no row of their own, if there were any.
    fn rest(&self) -> Option<Record> {
        let body = json!({
            "left_out": self.left_out,
            "since": self.since,
            "until": self.last_at,
        });
        let record = Record::new(self.kind, self.org_id.as_str());
        let record = record.actor(self.key_id.as_str()).body(body);
        (self.left_out > 0).then_some(record)
    }
}

impl Default for Refusals {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(KEYS)))
    }
}

impl Refusals {
    fn lock(&self) -> MutexGuard<'_, LruCache<String, OfKey>> {
        // What is written there is whole after every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a refusal of this key, as one of `counted`; returns whether it has a row of its own, and the rows about
    /// others that come before it.
    fn count(
        &self,
        kind: &'static str,
        (key, counted): (&Key, &str),
        now: Timestamp,
    ) -> (bool, Vec<Record>) {
        let mut keys = self.lock();
        let mut rest = Vec::new();
        if !keys.contains(counted) {
            let gone = keys.push(counted.to_owned(), OfKey::begin(kind, key, now));
            rest.extend(gone.and_then(|(_, of_key)| of_key.rest()));
        }
        let Some(of_key) = keys.get_mut(counted) else { return (false, rest) };
        if of_key.is_over(now) {
            rest.extend(of_key.rest());
            *of_key = OfKey::begin(kind, key, now);
        }
        of_key.last_at = now;
        let has_row = of_key.told < TOLD_MOST;
        match has_row {
            true => of_key.told += 1,
            false => of_key.left_out += 1,
        }
        (has_row, rest)
    }

    /// Returns the rows about those whose time is over; about all, where `all` says so.
    fn rest(&self, now: Timestamp, all: bool) -> Vec<(String, Record)> {
        let mut keys = self.lock();
        let due = keys.iter_mut().filter(|(_, of_key)| all || of_key.is_over(now));
        let told = due.filter_map(|(counted, of_key)| {
            let rest = of_key.rest()?;
            of_key.left_out = 0;
            Some((counted.clone(), rest))
        });
        told.collect()
    }

    /// Counts refusals whose row found no room.
    fn owes(&self, counted: &str, left_out: u64) {
        if let Some(of_key) = self.lock().peek_mut(counted) {
            of_key.left_out += left_out;
        }
    }
}

impl Engine {
    /// Tells the audit that a request with `key` was refused, as a row of this kind whose body `about` makes. Waits for
    /// nothing: what finds no room is counted.
    pub(crate) fn refused(&self, kind: &'static str, key: &Key, about: impl FnOnce() -> Value) {
        self.refused_of(kind, key, &key.id, about);
    }

    /// Records a refused request that its caller may make, with what it named and why it was refused.
    pub(crate) fn refused_request(
        &self,
        kind: &'static str,
        key: &Key,
        error: &Error,
        named: &[(&str, &str)],
    ) {
        // What could not be done at present was not refused.
        if error.kind() == ErrorKind::Unavailable {
            return;
        }
        self.refused(kind, key, || {
            let cut = |text: &str| Value::from(text.chars().take(NAMED_CHARS).collect::<String>());
            let named = named.iter().map(|(name, value)| ((*name).to_owned(), cut(value)));
            let mut about: Map<String, Value> = named.collect();
            about.insert("message".to_owned(), error.message().into());
            Value::Object(about)
        });
    }

    /// Records the refusal of one of those that ask with one key, each `counted` by itself: those of one hide none of
    /// another.
    pub(crate) fn refused_of(
        &self,
        kind: &'static str,
        key: &Key,
        counted: &str,
        about: impl FnOnce() -> Value,
    ) {
        let (has_row, rest) = self.refusals.count(kind, (key, counted), self.clock.now());
        for record in rest {
            self.tell_if_there_is_room(record);
        }
        if !has_row {
            return;
        }
        let record = Record::new(kind, key.org_id.as_str()).actor(key.id.as_str()).body(about());
        if !self.tell_if_there_is_room(record) {
            self.refusals.owes(counted, 1);
        }
    }

    /// Records how many more were refused than had a row, once the time of those is over; at once where `all` says so,
    /// because the Guardian closes.
    pub(crate) fn tell_of_refusals(&self, all: bool) {
        for (key_id, record) in self.refusals.rest(self.clock.now(), all) {
            let left_out = record.body.get("left_out").and_then(Value::as_u64).unwrap_or(0);
            if !self.tell_if_there_is_room(record) {
                self.refusals.owes(&key_id, left_out);
            }
        }
    }

    fn tell_if_there_is_room(&self, record: Record) -> bool {
        match self.audit.offer(record) {
            Ok(taken) => taken,
            // It is no change and no decision: nothing depends on it.
            Err(AuditError::Unhealthy) => false,
            Err(error) => {
                tracing::warn!(%error, "that a request was refused could not be recorded");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use agenttrust_testkit::ADMIN;

    use super::*;
    use crate::domain::Role;
    use crate::harness::open_with;

    const KIND: &str = "delegation.refused";

    fn key(id: &str) -> Key {
        Key {
            id: id.to_owned(),
            org_id: "org_default".to_owned(),
            role: Role::Operator,
            agents: Vec::new(),
            gateway: None,
            owner: None,
        }
    }

    #[tokio::test]
    async fn flood_of_refusals_is_told_of_by_some_rows_a_minute_and_one_that_counts_the_rest() {
        let api = open_with(|builder| builder).await;
        let engine = api.guardian.engine();
        engine.clock.stop_at(Timestamp::now());
        let (one, other) = (key("key_one"), key("key_other"));
        for n in 0..1_000 {
            engine.refused(KIND, &one, || json!({ "n": n }));
        }
        engine.refused(KIND, &other, || json!({ "n": 0 }));
        engine.tell_of_refusals(false);
        let of = async |key: &str| {
            let mut rows = api.audit(KIND).await;
            rows.retain(|row| row["actor"] == key);
            rows
        };
        assert_eq!(of("key_one").await.len(), 20);
        assert_eq!(of("key_other").await.len(), 1, "another key has rows of its own");
        engine.clock.advance(WITHIN);
        engine.tell_of_refusals(false);
        engine.tell_of_refusals(false);
        let rows = of("key_one").await;
        assert_eq!(rows.len(), 21);
        let rest = rows.iter().find(|row| row["body"]["left_out"].is_u64()).unwrap();
        assert_eq!(rest["body"]["left_out"], 980);
        assert_eq!(of("key_other").await.len(), 1);
        // Then a minute of its own begins.
        for n in 0..21 {
            engine.refused(KIND, &one, || json!({ "n": n }));
        }
        assert_eq!(of("key_one").await.len(), 41);
        engine.tell_of_refusals(true);
        assert_eq!(of("key_one").await.len(), 42, "what is left is told when the Guardian closes");
        assert!(api.get("/api/v1/audit/verify", ADMIN).await.ok().body["ok"] == true);
    }

    #[test]
    fn key_that_is_forgotten_leaves_its_count() {
        let refusals = Refusals(Mutex::new(LruCache::new(NonZeroUsize::MIN)));
        let now = Timestamp::now();
        for _ in 0..25 {
            assert!(refusals.count(KIND, (&key("key_one"), "key_one"), now).1.is_empty());
        }
        let (has_row, rest) = refusals.count(KIND, (&key("key_other"), "key_other"), now);
        assert!(has_row);
        assert_eq!(rest.len(), 1);
        assert_eq!(rest[0].body["left_out"], 5);
        assert_eq!(rest[0].actor.as_deref(), Some("key_one"));
    }
}
