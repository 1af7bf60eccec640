//! The keys by which issuers of tokens sign, as they publish them. They are read when they are needed and used for the
//! times below, and no issuer is asked more often than it may be.
//!
//! - Keys that were read less than [`FRESH_FOR`] ago are used as they are. A key that the issuer has withdrawn is
//!   refused after that time at the latest, and at once where anything made the Guardian read again.
//! - A key that is not among them is looked for: its token waits until a read that began later is done. So a token
//!   that was signed by a new key works at once.
//! - All tokens that wait meanwhile share one read, and reads keep to a rate: [`BURST`] of them, [`APART`] apart, and
//!   then one in [`REFILL`]. What a read found stands until the next may begin. So a caller that sends unknown keys
//!   again and again makes an issuer answer once in that time, and a new key stays unknown for no longer than that.
//! - An issuer that is down: the keys that are known serve until [`KNOWN_FOR`] after they were read. After that nothing
//!   is believed of it until it answers again.
//!
//! A token whose key is not known yet takes one of few places while it waits for a read ([`STRANGERS_MOST`] of an
//! issuer). So tokens with made-up keys wait for each other, and no other token waits for them. The rate is kept longer
//! than the keys: where these make room for those of other issuers, they are read again at the same rate.
//!
//! Whether keys are still good goes by the Guardian's clock. How often an issuer is asked goes by a clock that is never
//! set.

mod issuer_limits;
mod rate_limiter;
mod read;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agenttrust::{Timestamp, background};
use bytes::Bytes;
use lru::LruCache;
use tokio::sync::watch;

use self::issuer_limits::{AllIssuerLimits, IssuerLimits};
pub(crate) use self::issuer_limits::{STRANGERS_MOST, Waiting};
use self::rate_limiter::Rate;
pub(crate) use self::read::Unread;
use crate::clock::Clock;
use crate::jose::{KeySet, Unverified};
use crate::outbound::Outbound;

/// The time for which keys are used before they are read again.
pub(crate) const FRESH_FOR: Duration = Duration::from_secs(5 * 60);
/// The time for which keys are used that cannot be read again.
pub(crate) const KNOWN_FOR: Duration = Duration::from_secs(3_600);
/// The least time between two reads from one issuer ...
pub(crate) const APART: Duration = Duration::from_secs(1);
/// ... how many of them may come so close together ...
pub(crate) const BURST: u32 = 10;
/// ... and in which time one more may come after that.
pub(crate) const REFILL: Duration = Duration::from_secs(10);
/// The time that an issuer may take to send a document, and that a token waits for a read.
pub(crate) const ISSUER_READ_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest document that is read of an issuer.
pub(crate) const DOCUMENT_MAX_BYTES: usize = 1 << 20;
/// The number of issuers whose keys are kept in memory; those that were used longest ago are read again.
const ISSUERS: NonZeroUsize = match NonZeroUsize::new(512) {
    Some(issuers) => issuers,
    None => NonZeroUsize::MIN,
};

/// The keys of all issuers.
#[derive(Debug)]
pub(crate) struct IssuerKeys {
    reader: Arc<Reader>,
    of: Mutex<LruCache<String, Arc<OfIssuer>>>,
    limits: AllIssuerLimits,
}

/// The parts that every read needs.
#[derive(Debug)]
struct Reader {
    outbound: Outbound,
    clock: Arc<Clock>,
}

/// Keys, and when the read that found them began.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) keys: Arc<KeySet>,
    at: Timestamp,
}

impl IssuerKeys {
    pub(crate) fn new(outbound: Outbound, clock: Arc<Clock>) -> Self {
        Self::with_rate(outbound, clock, Rate::default())
    }

    fn with_rate(outbound: Outbound, clock: Arc<Clock>, rate: Rate) -> Self {
        let reader = Arc::new(Reader { outbound, clock });
        let of = Mutex::new(LruCache::new(ISSUERS));
        Self { reader, of, limits: AllIssuerLimits::new(rate) }
    }

    /// Reads a document of an issuer that is not known yet.
    ///
    /// # Errors
    ///
    /// Unread.
    pub(crate) async fn document(&self, url: &str) -> Result<Bytes, Unread> {
        read::document(&self.reader.outbound, url).await
    }

    /// Reads the keys of an issuer that is not known yet.
    ///
    /// # Errors
    ///
    /// Unread.
    pub(crate) async fn read(&self, jwks_uri: &str) -> Result<Read, Unread> {
        self.reader.keys(jwks_uri).await
    }

    /// Keeps these keys of an issuer that became the provider of this id.
    pub(crate) fn keep(&self, provider_id: &str, jwks_uri: &str, read: Read) {
        self.of(provider_id, jwks_uri).lock().known = Some(read);
    }

    /// Returns the keys at hand, if they have the one that this token names, and whether they are good enough without a
    /// read. Waits for nothing.
    pub(crate) fn at_hand(
        &self,
        provider_id: &str,
        jwks_uri: &str,
        token: &Unverified<'_>,
    ) -> Option<(Arc<KeySet>, bool)> {
        let of = self.of(provider_id, jwks_uri);
        let (read, grade) = of.at_hand(self.reader.clock.now())?;
        if !read.keys.knows(token) {
            return None;
        }
        if grade == Grade::ToBeReadAgain {
            of.want(&self.reader);
        }
        Some((read.keys, grade != Grade::Old))
    }

    /// Returns a place among the unknown tokens that wait for a read of the keys of this provider; `None` where all
    /// places are taken.
    pub(crate) fn wait_as_stranger(&self, provider_id: &str) -> Option<Waiting> {
        self.limits.of(provider_id).wait()
    }

    /// Returns the keys by which this token of the provider is to be verified; if it has the key, they hold it. Waits
    /// where they have to be read.
    ///
    /// # Errors
    ///
    /// Unread where nothing can be said: there are no keys that are good enough, or not that one, and no more could be
    /// read.
    pub(crate) async fn for_token(
        &self,
        provider_id: &str,
        jwks_uri: &str,
        token: &Unverified<'_>,
    ) -> Result<Arc<KeySet>, Unread> {
        if let Some((keys, true)) = self.at_hand(provider_id, jwks_uri, token) {
            return Ok(keys);
        }
        let of = self.of(provider_id, jwks_uri);
        let said = of.read_anew(&self.reader, |keys| keys.knows(token)).await;
        let at_hand = of.at_hand(self.reader.clock.now());
        match at_hand {
            Some((read, _)) if said || read.keys.knows(token) => Ok(read.keys),
            _ => Err(of.why_not()),
        }
    }

    /// Returns newer keys than these, by which a signature is wrong: the issuer may have put another key in the place
    /// of the one that is known. `None` where no newer ones are there.
    pub(crate) async fn after(
        &self,
        provider_id: &str,
        jwks_uri: &str,
        tried: &Arc<KeySet>,
    ) -> Option<Arc<KeySet>> {
        let of = self.of(provider_id, jwks_uri);
        of.read_anew(&self.reader, |_| false).await;
        let (read, _) = of.at_hand(self.reader.clock.now())?;
        (!Arc::ptr_eq(&read.keys, tried)).then_some(read.keys)
    }

    fn of(&self, provider_id: &str, jwks_uri: &str) -> Arc<OfIssuer> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = of.get(provider_id).filter(|known| known.jwks_uri == jwks_uri) {
            return Arc::clone(known);
        }
        let limits = self.limits.of(provider_id);
        let new = Arc::new(OfIssuer::new(provider_id, jwks_uri, limits));
        of.push(provider_id.to_owned(), Arc::clone(&new));
        new
    }
}

impl Reader {
    async fn keys(&self, jwks_uri: &str) -> Result<Read, Unread> {
        // What was withdrawn while it was read counts as read before.
        let at = self.clock.now();
        let document = read::document(&self.outbound, jwks_uri).await?;
        let keys =
            KeySet::parse(&document).map_err(|error| Unread::new(format!("they {error}")))?;
        Ok(Read { keys: Arc::new(keys), at })
    }
}

/// The state of one issuer.
#[derive(Debug)]
struct OfIssuer {
    provider_id: String,
    jwks_uri: String,
    limits: Arc<IssuerLimits>,
    state: Mutex<State>,
    /// The number of the last read that is over.
    ended: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    known: Option<Read>,
    /// The reason why the last read came to nothing, if it did.
    failed: Option<Unread>,
    /// The number of reads that have begun, and of the last one that is wanted.
    begun: u64,
    wanted: u64,
    /// Whether a reader reads, or waits until it may.
    busy: bool,
}

/// The grade of the keys that are at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grade {
    Fresh,
    /// The keys serve while the issuer does not answer.
    ToBeReadAgain,
    /// Keys that are too old: a caller that needs them waits for a read first.
    Old,
}

impl OfIssuer {
    fn new(provider_id: &str, jwks_uri: &str, limits: Arc<IssuerLimits>) -> Self {
        let state = State { known: None, failed: None, begun: 0, wanted: 0, busy: false };
        let (provider_id, jwks_uri) = (provider_id.to_owned(), jwks_uri.to_owned());
        let (state, ended) = (Mutex::new(state), watch::Sender::new(0));
        Self { provider_id, jwks_uri, limits, state, ended }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is written there is whole after every step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the keys that are still good for something, and how good.
    fn at_hand(&self, now: Timestamp) -> Option<(Read, Grade)> {
        let state = self.lock();
        let read = state.known.clone().filter(|read| read.at.until(now) < KNOWN_FOR)?;
        let grade = match read.at.until(now) < FRESH_FOR {
            true => Grade::Fresh,
            // Each would else wait as long again for an issuer that hangs.
            false if state.failed.is_some() => Grade::ToBeReadAgain,
            false => Grade::Old,
        };
        Some((read, grade))
    }

    /// Waits for a read that begins from here on, or where none may begin in time, for the last one; returns whether
    /// it went well. One that is under way is enough where it has `found` what is needed.
    async fn read_anew(
        self: &Arc<Self>,
        reader: &Arc<Reader>,
        found: impl Fn(&KeySet) -> bool,
    ) -> bool {
        let mut ended = self.ended.subscribe();
        let over = async {
            let begun = self.lock().begun;
            if *ended.borrow() < begun {
                let _ = ended.wait_for(|ended| *ended >= begun).await;
                let state = self.lock();
                let has_it = state.known.as_ref().is_some_and(|read| found(&read.keys));
                if has_it && state.failed.is_none() {
                    return true;
                }
            }
            let number = self.want(reader);
            ended.wait_for(|ended| *ended >= number).await.is_ok()
        };
        background::timeout(ISSUER_READ_TIMEOUT, over).await == Ok(true)
            && self.lock().failed.is_none()
    }

    /// Sees to it that there is a read that begins from here on; returns the number of the one to wait for.
    fn want(self: &Arc<Self>, reader: &Arc<Reader>) -> u64 {
        let mut state = self.lock();
        let (last, next) = (state.begun, state.begun + 1);
        state.wanted = next;
        let now = Instant::now();
        let in_time = self.limits.next_read(now) < now + ISSUER_READ_TIMEOUT;
        if in_time && !state.busy {
            state.busy = true;
            let reading = Reading { of: Arc::clone(self), done: false };
            background::spawn(reading.go_on(Arc::clone(reader)));
        }
        if in_time { next } else { last }
    }

    /// Begins a read, where one may begin; returns its number, else when to ask again.
    fn begin(&self) -> Result<u64, Instant> {
        self.limits.begin_read(Instant::now())?;
        let mut state = self.lock();
        state.begun += 1;
        Ok(state.begun)
    }

    /// Ends the read of this number; returns whether it was the last one that is wanted.
    fn end(&self, number: u64, read: Result<Read, Unread>) -> bool {
        let mut state = self.lock();
        match read {
            Ok(read) => (state.known, state.failed) = (Some(read), None),
            Err(why) => state.failed = Some(why),
        }
        state.busy = state.wanted > number;
        let is_last = !state.busy;
        drop(state);
        self.ended.send_replace(number);
        is_last
    }

    /// Returns why there are no keys for a token.
    fn why_not(&self) -> Unread {
        match &self.lock().failed {
            Some(why) => why.clone(),
            None => Unread::new(format!("they did not come within {ISSUER_READ_TIMEOUT:?}")),
        }
    }
}

/// The one that reads the keys of an issuer.
struct Reading {
    of: Arc<OfIssuer>,
    /// Whether this reader came to its end, and another one may read by now.
    done: bool,
}

impl Reading {
    /// Reads until no other read is wanted.
    async fn go_on(mut self, reader: Arc<Reader>) {
        while !self.done {
            let number = loop {
                match self.of.begin() {
                    Ok(number) => break number,
                    Err(next) => {
                        let wait = next.saturating_duration_since(Instant::now());
                        // Nobody waits as long as that; who needs a read then wants it anew.
                        if wait > ISSUER_READ_TIMEOUT {
                            return;
                        }
                        background::sleep(wait).await;
                    }
                }
            };
            let read = reader.keys(&self.of.jwks_uri).await;
            if let Err(why) = &read {
                let provider_id = &self.of.provider_id;
                tracing::warn!(%provider_id, %why, "the keys of an issuer could not be read");
            }
            self.done = self.of.end(number, read);
        }
    }
}

impl Drop for Reading {
    // Where it did not come to its end, the next one who wants a read begins anew.
    fn drop(&mut self) {
        if !self.done {
            self.of.lock().busy = false;
        }
    }
}
