//! How much one key, one organisation and all together may hold at once of what is scarce: requests under way, bytes of
//! bodies, callers that wait for an approval, open streams, exports.
//!
//! A key has a limit of its own. An organisation may hold twice as much as is still free, so that it never takes the
//! last place. Alone it gets two thirds, and the rest is shared out in the same way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agenttrust::background;

use crate::domain::{GuardianError, Key};

/// The largest number of requests under way, unless the builder says otherwise.
pub(crate) const REQUESTS: usize = 4_096;
/// The numbers of requests that the builder may set instead.
const REQUESTS_TOLD: std::ops::RangeInclusive<usize> = 16..=1_000_000;
/// The number of requests up to which a key's limit is half of all, and above which it is a quarter.
const KEY_FLOOR: usize = 512;
/// The number of requests that take something back that one key may have under way; no other limit holds for them.
const TAKING_BACK_OF_KEY: usize = 64;
/// The largest number of bytes of bodies that are held, and how many of them for one key.
const BYTES: usize = 64 << 20;
const BYTES_OF_KEY: usize = BYTES / 4;
/// The number of bytes of bodies that take something back that are held for one key.
const BYTES_TAKING_BACK_OF_KEY: usize = 4 << 20;
/// The largest number of callers that wait for an approval.
const WAITING: usize = 1_024;
/// The largest number of open streams of revocations, and how many of them for one key: one that leaks them leaves
/// places for others.
const STREAMS: usize = 96;
const STREAMS_OF_KEY: usize = 4;
/// The largest number of bytes of answers of MCP servers that are held, and how many of them for one key.
const MCP_BYTES: usize = 256 << 20;
const MCP_BYTES_OF_KEY: usize = MCP_BYTES / 4;
/// The largest number of open streams on which MCP servers say things by themselves.
const MCP_STREAMS: usize = 1_024;
/// The largest number of open streams of news about tasks.
const TASK_STREAMS: usize = 1_024;
/// The largest number of bytes of tasks that are held for callers until they are read, and how many of them for one
/// key.
const TASK_BYTES: usize = 256 << 20;
const TASK_BYTES_OF_KEY: usize = TASK_BYTES / 4;
/// The largest number of exports of the audit that read a piece of it at the same time, and how many of them for one
/// key. None of them holds a place while its reader takes what was read.
const EXPORTS: usize = 6;
const EXPORTS_OF_KEY: usize = 1;
/// The time that a caller that waits for room sleeps between two looks.
const LOOKS_AGAIN: Duration = Duration::from_millis(10);

/// The largest number of evaluations of lists that are decided beside the one that each list has its place for, and
/// how many a key may have under way with all its requests for one of its lists to have one beside: else a caller that
/// sends lists would have more of a Guardian than one that asks one by one.
const BESIDE: usize = 32;
const BESIDE_WITHIN: usize = 8;

/// The kind of thing that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Requests,
    TakingBack,
    Bytes,
    BytesTakingBack,
    Waiting,
    Streams,
    McpStreams,
    McpBytes,
    TaskStreams,
    TaskBytes,
    Exports,
    Beside,
}

impl Kind {
    /// Returns the word for it where it is counted.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::TakingBack => "taking_back",
            Self::Bytes => "body_bytes",
            Self::BytesTakingBack => "taking_back_bytes",
            Self::Waiting => "waiting",
            Self::Streams => "streams",
            Self::McpStreams => "mcp_streams",
            Self::McpBytes => "mcp_answer_bytes",
            Self::TaskStreams => "task_streams",
            Self::TaskBytes => "task_answer_bytes",
            Self::Exports => "exports",
            Self::Beside => "evaluations_beside",
        }
    }
}

/// The owner of the limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Key,
    Organisation,
    All,
}

impl Whose {
    pub(crate) const ALL: [Self; 3] = [Self::Key, Self::Organisation, Self::All];

    /// Returns the word for it where it is counted.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Organisation => "organisation",
            Self::All => "all",
        }
    }
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) kind: Kind,
    pub(crate) whose: Whose,
    /// The amount that may be held; of an organisation, the amount at the moment.
    pub(crate) most: usize,
}

/// Every limit.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) requests: Arc<Shares>,
    pub(crate) taking_back: Arc<Shares>,
    pub(crate) bytes: Arc<Shares>,
    pub(crate) bytes_taking_back: Arc<Shares>,
    pub(crate) waiting: Arc<Shares>,
    pub(crate) streams: Arc<Shares>,
    pub(crate) mcp_streams: Arc<Shares>,
    pub(crate) mcp_bytes: Arc<Shares>,
    pub(crate) task_streams: Arc<Shares>,
    pub(crate) task_bytes: Arc<Shares>,
    pub(crate) exports: Arc<Shares>,
    /// The shares of lists: no request is refused for want of these, since a list waits for its own.
    pub(crate) beside: Arc<Shares>,
}

impl Limits {
    /// Returns the limits of a Guardian that takes so many requests at once.
    ///
    /// # Errors
    ///
    /// [`GuardianError::Invalid`] for a number that is no limit.
    pub(crate) fn new(requests: usize) -> Result<Self, GuardianError> {
        if !REQUESTS_TOLD.contains(&requests) {
            return Err(GuardianError::Invalid(format!(
                "max-requests is {requests}; give a number from {} to {}",
                REQUESTS_TOLD.start(),
                REQUESTS_TOLD.end()
            )));
        }
        let quarter = |all: usize| (all / 4).max(KEY_FLOOR.min(all / 2));
        let shares = |kind, all, of_key| Arc::new(Shares::new(kind, all, of_key));
        Ok(Self {
            requests: shares(Kind::Requests, requests, quarter(requests)),
            taking_back: shares(Kind::TakingBack, usize::MAX, TAKING_BACK_OF_KEY),
            bytes: shares(Kind::Bytes, BYTES, BYTES_OF_KEY),
            bytes_taking_back: shares(Kind::BytesTakingBack, usize::MAX, BYTES_TAKING_BACK_OF_KEY),
            waiting: shares(Kind::Waiting, WAITING, quarter(WAITING)),
            streams: shares(Kind::Streams, STREAMS, STREAMS_OF_KEY),
            mcp_streams: shares(Kind::McpStreams, MCP_STREAMS, quarter(MCP_STREAMS)),
            mcp_bytes: shares(Kind::McpBytes, MCP_BYTES, MCP_BYTES_OF_KEY),
            task_streams: shares(Kind::TaskStreams, TASK_STREAMS, quarter(TASK_STREAMS)),
            task_bytes: shares(Kind::TaskBytes, TASK_BYTES, TASK_BYTES_OF_KEY),
            exports: shares(Kind::Exports, EXPORTS, EXPORTS_OF_KEY),
            beside: shares(Kind::Beside, BESIDE, BESIDE_WITHIN - 1),
        })
    }

    /// Takes a share by which one evaluation more of a list is decided at a time, where this key has so few under way.
    pub(crate) fn beside(&self, key: &Arc<Key>) -> Option<Share> {
        let under_way = self.requests.held_by(key).max(1) + self.beside.held_by(key);
        if under_way >= BESIDE_WITHIN {
            return None;
        }
        self.beside.take(key, 1).ok()
    }

    /// Returns each of them by which a request may be refused.
    pub(crate) fn each(&self) -> [&Shares; 11] {
        [
            &self.requests,
            &self.taking_back,
            &self.bytes,
            &self.bytes_taking_back,
            &self.waiting,
            &self.streams,
            &self.mcp_streams,
            &self.mcp_bytes,
            &self.task_streams,
            &self.task_bytes,
            &self.exports,
        ]
    }
}

/// The shares of one kind, and their holders.
#[derive(Debug)]
pub(crate) struct Shares {
    pub(crate) kind: Kind,
    all: usize,
    of_key: usize,
    held: Mutex<HeldShares>,
    refused: [AtomicU64; Whose::ALL.len()],
}

#[derive(Debug, Default)]
struct HeldShares {
    all: usize,
    organisations: HashMap<String, usize>,
    keys: HashMap<String, usize>,
}

impl Shares {
    fn new(kind: Kind, all: usize, of_key: usize) -> Self {
        let refused = std::array::from_fn(|_| AtomicU64::new(0));
        Self { kind, all, of_key, held: Mutex::default(), refused }
    }

    /// Takes `much` for this key, until the share is dropped.
    ///
    /// # Errors
    ///
    /// [`Full`] where that would be too much for the key, its organisation or all together.
    pub(crate) fn take(self: &Arc<Self>, key: &Arc<Key>, much: usize) -> Result<Share, Full> {
        let mut share = Share { of: Arc::clone(self), key: Arc::clone(key), much: 0 };
        share.grow(much)?;
        Ok(share)
    }

    /// Takes a share for this key as soon as there is room, for callers that hold it for a moment each time.
    ///
    /// # Errors
    ///
    /// [`Full`] where there was no room for so long.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        key: &Arc<Key>,
        most: Duration,
    ) -> Result<Share, Full> {
        let begun = Instant::now();
        while begun.elapsed() < most {
            // Who waits is not refused, and not counted as that.
            let has_room = self.over(&self.lock(), key, 1).is_none();
            if has_room && let Ok(share) = self.take(key, 1) {
                return Ok(share);
            }
            background::sleep(LOOKS_AGAIN).await;
        }
        self.take(key, 1)
    }

    /// Returns how much is held.
    pub(crate) fn held(&self) -> usize {
        self.lock().all
    }

    /// Returns how much this key holds.
    fn held_by(&self, key: &Key) -> usize {
        self.lock().keys.get(&key.id).copied().unwrap_or(0)
    }

    /// Returns how often a caller was refused, by whose limit it was.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (Whose, u64)> {
        let count = |whose: Whose| self.refused.get(whose as usize);
        Whose::ALL
            .into_iter()
            .filter_map(move |whose| Some((whose, count(whose)?.load(Ordering::Relaxed))))
    }

    fn add(&self, key: &Key, much: usize) -> Result<(), Full> {
        let mut held = self.lock();
        if let Some((whose, most)) = self.over(&held, key, much) {
            if let Some(refused) = self.refused.get(whose as usize) {
                refused.fetch_add(1, Ordering::Relaxed);
            }
            return Err(Full { kind: self.kind, whose, most });
        }
        let (all, of_organisation, of_key) = held.with(key, much);
        held.all = all;
        held.set(key, of_organisation, of_key);
        Ok(())
    }

    /// Returns by whose limit, and how much that is, `much` more would be too much.
    fn over(&self, held: &HeldShares, key: &Key, much: usize) -> Option<(Whose, usize)> {
        let (all, of_organisation, of_key) = held.with(key, much);
        let free = self.all.saturating_sub(all);
        // So much an organisation has in any case: many that are busy must not leave a new one without.
        let for_organisation = free.saturating_mul(2).max(self.all / 16).max(1);
        if of_key > self.of_key {
            Some((Whose::Key, self.of_key))
        } else if all > self.all {
            Some((Whose::All, self.all))
        } else if of_organisation > for_organisation {
            Some((Whose::Organisation, of_organisation.saturating_sub(much)))
        } else {
            None
        }
    }

    fn give_back(&self, key: &Key, much: usize) {
        let mut held = self.lock();
        held.all = held.all.saturating_sub(much);
        let of_organisation = held.organisations.get(&key.org_id).copied().unwrap_or(0);
        let of_key = held.keys.get(&key.id).copied().unwrap_or(0);
        held.set(key, of_organisation.saturating_sub(much), of_key.saturating_sub(much));
    }

    fn lock(&self) -> MutexGuard<'_, HeldShares> {
        // Every change is whole before anything could panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldShares {
    /// Returns how much all, the key's organisation and the key would hold with `much` more.
    fn with(&self, key: &Key, much: usize) -> (usize, usize, usize) {
        let of_organisation = self.organisations.get(&key.org_id).copied().unwrap_or(0);
        let of_key = self.keys.get(&key.id).copied().unwrap_or(0);
        (
            self.all.saturating_add(much),
            of_organisation.saturating_add(much),
            of_key.saturating_add(much),
        )
    }

    fn set(&mut self, key: &Key, of_organisation: usize, of_key: usize) {
        set(&mut self.organisations, &key.org_id, of_organisation);
        set(&mut self.keys, &key.id, of_key);
    }
}

/// Keeps who holds something, and a few who do not at the moment: a caller in a loop comes again at once.
fn set(held: &mut HashMap<String, usize>, who: &str, much: usize) {
    const IDLE_KEPT: usize = 1_024;
    if let Some(before) = held.get_mut(who) {
        *before = much;
    } else {
        held.insert(who.to_owned(), much);
    }
    if much == 0 && held.len() > IDLE_KEPT {
        held.remove(who);
    }
}

/// The share that a key holds, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    of: Arc<Shares>,
    key: Arc<Key>,
    much: usize,
}

impl Share {
    /// Takes so much more.
    ///
    /// # Errors
    ///
    /// [`Full`] where that would be too much; what was held before is held on.
    pub(crate) fn grow(&mut self, more: usize) -> Result<(), Full> {
        self.of.add(&self.key, more)?;
        self.much = self.much.saturating_add(more);
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.give_back(&self.key, self.much);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Role;

    fn key(org_id: &str, id: &str) -> Arc<Key> {
        let (id, org_id) = (id.to_owned(), org_id.to_owned());
        let (role, agents) = (Role::Agent, Vec::new());
        Arc::new(Key { id, org_id, role, agents, gateway: None, owner: None })
    }

    /// Returns as much as this key gets, one by one, and why no more.
    fn fill(shares: &Arc<Shares>, key: &Arc<Key>) -> (Vec<Share>, Whose) {
        let mut held = Vec::new();
        loop {
            match shares.take(key, 1) {
                Ok(share) => held.push(share),
                Err(full) => return (held, full.whose),
            }
        }
    }

    #[test]
    fn key_has_at_least_the_smaller_of_512_and_half_of_all() {
        for requests in [16, 100, 1_000, 1_024, 2_000, REQUESTS, 1_000_000] {
            let limits = Limits::new(requests).unwrap();
            let (held, _) = fill(&limits.requests, &key("org", "one"));
            assert!(held.len() >= 512.min(requests / 2), "{} of {requests}", held.len());
        }
        for absurd in [0, 1, 15, 1_000_001, usize::MAX] {
            let error = Limits::new(absurd).unwrap_err().to_string();
            assert!(error.contains("max-requests is") && error.contains("give "), "{error}");
        }
    }

    #[test]
    fn organisation_never_takes_the_last_place_of_another() {
        let requests = Limits::new(REQUESTS).unwrap().requests;
        let mut flood = Vec::new();
        for organisation in 0..40 {
            let name = format!("org_{organisation}");
            let before = flood.len();
            for id in 0..20 {
                flood.extend(fill(&requests, &key(&name, &format!("{name} {id}"))).0);
            }
            let got = flood.len() - before;
            match organisation {
                0 => assert_eq!(got, REQUESTS * 2 / 3, "alone it comes to two thirds"),
                1 | 2 => assert!(got >= REQUESTS / 16, "{organisation} got {got}"),
                _ => {}
            }
        }
        assert!(requests.held() <= REQUESTS);
        drop(flood);
        assert_eq!(requests.held(), 0);
    }

    #[test]
    fn two_organisations_leave_places_to_a_third_of_whatever_there_is() {
        let limits = Limits::new(REQUESTS).unwrap();
        for shares in [
            &limits.requests,
            &limits.waiting,
            &limits.streams,
            &limits.mcp_streams,
            &limits.exports,
        ] {
            let mut flood = Vec::new();
            for name in ["org_one", "org_two"] {
                for id in 0..100 {
                    flood.extend(fill(shares, &key(name, &format!("{name} {id}"))).0);
                }
            }
            let kind = shares.kind;
            assert!(shares.take(&key("org_three", "three"), 1).is_ok(), "{kind:?} is used up");
        }
    }

    #[test]
    fn key_that_floods_leaves_room_to_the_others_of_its_organisation() {
        let requests = Limits::new(REQUESTS).unwrap().requests;
        let (flood, whose) = fill(&requests, &key("org", "one"));
        assert_eq!(whose, Whose::Key);
        assert!(flood.len() <= REQUESTS / 4);
        assert!(requests.take(&key("org", "other"), 1).is_ok());
        let refused: Vec<_> = requests.refused().collect();
        assert_eq!(refused, [(Whose::Key, 1), (Whose::Organisation, 0), (Whose::All, 0)]);
    }

    #[test]
    fn lists_of_a_key_have_no_more_under_way_than_so_many_requests_have() {
        for (requests, beside) in [(0, 7), (1, 7), (3, 5), (7, 1), (8, 0), (20, 0)] {
            let limits = Limits::new(REQUESTS).unwrap();
            let one = key("org", "one");
            let _requests = limits.requests.take(&one, requests).unwrap();
            let shares: Vec<_> = std::iter::from_fn(|| limits.beside(&one)).collect();
            assert_eq!(shares.len(), beside, "beside {requests} requests");
            assert!(limits.beside(&key("org", "other")).is_some(), "another key has its own");
        }
    }

    #[test]
    fn share_that_cannot_grow_is_held_on_as_it_was() {
        let bytes = Limits::new(REQUESTS).unwrap().bytes;
        let one = key("org", "one");
        let mut share = bytes.take(&one, BYTES_OF_KEY - 1).unwrap();
        let full = share.grow(2).unwrap_err();
        let expected = Full { kind: Kind::Bytes, whose: Whose::Key, most: BYTES_OF_KEY };
        assert_eq!(full, expected);
        assert_eq!(bytes.held(), BYTES_OF_KEY - 1);
        share.grow(1).unwrap();
        assert!(bytes.take(&one, 1).is_err());
        drop(share);
        assert!(bytes.take(&one, BYTES_OF_KEY).is_ok());
    }

    #[test]
    fn taking_back_has_no_limit_but_the_keys_own() {
        let taking_back = Limits::new(REQUESTS).unwrap().taking_back;
        let mut held = Vec::new();
        for id in 0..1_000 {
            let (of_key, whose) = fill(&taking_back, &key("org", &id.to_string()));
            assert_eq!((of_key.len(), whose), (TAKING_BACK_OF_KEY, Whose::Key));
            held.extend(of_key);
        }
    }

    #[test]
    fn who_holds_nothing_is_forgotten() {
        let requests = Limits::new(REQUESTS).unwrap().requests;
        for id in 0..5_000 {
            drop(requests.take(&key("org", &id.to_string()), 1).unwrap());
        }
        assert!(requests.lock().keys.len() <= 1_025);
    }
}
