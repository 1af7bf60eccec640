//! Calls whose stream broke before their answer came, in a session where a client may go on from the last event that it
//! heard, or listens to another stream. Such a call is reported once its answer passes on another stream of its
//! session. Where none does, it counts as cancelled.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agenttrust::background;
use lru::LruCache;
use serde_json::Value;

use super::Proxy;
use super::report::{Outcome, Report};
use super::session::Session;

/// The largest number of calls; the one that broke longest ago counts as cancelled first.
const MOST: NonZeroUsize = match NonZeroUsize::new(4_096) {
    Some(most) => most,
    None => NonZeroUsize::MIN,
};
/// The time within which a stream of the session must be heard.
const WITHIN: Duration = Duration::from_secs(5 * 60);

/// A request of a session; its id as JSON.
type Of = (Session, String);

/// A call that may be heard of again.
#[derive(Debug)]
struct UnansweredCall {
    report: Report,
    /// The time when a stream was last heard on which its answer could come.
    heard_at: Instant,
}

/// The calls of all sessions that may be heard of again.
#[derive(Debug)]
pub(super) struct UnansweredCalls {
    calls: Mutex<LruCache<Of, UnansweredCall>>,
    /// The answers on another stream that came before it was noticed that the first one had broken.
    early: Mutex<LruCache<Of, Outcome>>,
    /// The number of streams of a session that are listened to here.
    streams: Mutex<HashMap<Session, usize>>,
}

impl Default for UnansweredCalls {
    fn default() -> Self {
        let (calls, early) = (LruCache::new(MOST), LruCache::new(MOST));
        Self { calls: Mutex::new(calls), early: Mutex::new(early), streams: Mutex::default() }
    }
}

impl UnansweredCalls {
    fn with<T>(&self, act: impl FnOnce(&mut LruCache<Of, UnansweredCall>) -> T) -> T {
        act(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn early(&self) -> MutexGuard<'_, LruCache<Of, Outcome>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports the call of this request of a session, whose answer came.
    pub(super) fn answered(&self, session: &Session, id: &Value, outcome: Outcome) {
        let of = (session.clone(), id.to_string());
        // Told outside of the lock.
        match self.with(|all| all.pop(&of)) {
            Some(call) => call.report.finish(outcome),
            None => {
                self.early().put(of, outcome);
            }
        }
    }

    /// Reports the call of this request as cancelled, as its client says, and waits for no answer any more.
    pub(super) fn cancelled(&self, session: &Session, id: &Value) {
        self.answered(session, id, Outcome::CANCELLED);
    }

    /// Ends the session, and with it all that it waits for.
    pub(super) fn ended(&self, session: &Session) {
        let gone: Vec<_> = self.with(|all| {
            let of_it = all.iter().filter(|((of, _), _)| of == session);
            let of_it: Vec<Of> = of_it.map(|(of, _)| of.clone()).collect();
            of_it.iter().filter_map(|of| all.pop(of)).collect()
        });
        drop(gone);
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<Session, usize>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether a stream of this session is listened to here.
    pub(super) fn is_listened_to(&self, session: &Session) -> bool {
        self.streams().contains_key(session)
    }

    /// Notes that a stream of this session is heard.
    pub(super) fn heard(&self, session: &Session) {
        self.with(|all| {
            for (_, call) in all.iter_mut().filter(|((of, _), _)| of == session) {
                call.heard_at = Instant::now();
            }
        });
    }

    /// Returns how long the answer to a request may still be waited for; `None` where it is not waited for.
    fn left(&self, of: &Of) -> Option<Duration> {
        self.with(|all| Some(WITHIN.saturating_sub(all.peek(of)?.heard_at.elapsed())))
    }
}

/// A stream of a session, for as long as it is listened to.
#[derive(Debug)]
pub(super) struct Listened {
    proxy: Arc<Proxy>,
    session: Session,
}

impl Listened {
    pub(super) fn begin(proxy: &Arc<Proxy>, session: &Session) -> Self {
        *proxy.unanswered.streams().entry(session.clone()).or_default() += 1;
        Self { proxy: Arc::clone(proxy), session: session.clone() }
    }
}

impl Drop for Listened {
    fn drop(&mut self) {
        let mut streams = self.proxy.unanswered.streams();
        if let Some(count) = streams.get_mut(&self.session) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.session);
            }
        }
    }
}

impl Proxy {
    /// Keeps the report of a call until its answer is heard on another stream of its session.
    pub(super) fn keep_unheard(self: &Arc<Self>, session: &Session, id: &Value, report: Report) {
        let of = (session.clone(), id.to_string());
        if let Some(outcome) = self.unanswered.early().pop(&of) {
            return report.finish(outcome);
        }
        let call = UnansweredCall { report, heard_at: Instant::now() };
        // One of the same id, and the oldest where there are too many, count as cancelled.
        drop(self.unanswered.with(|all| all.push(of.clone(), call)));
        let proxy = Arc::downgrade(self);
        background::spawn(async move {
            loop {
                let left = proxy.upgrade().and_then(|proxy| proxy.unanswered.left(&of));
                match left {
                    Some(left) if !left.is_zero() => background::sleep(left).await,
                    Some(_) => break,
                    None => return,
                }
            }
            if let Some(proxy) = proxy.upgrade() {
                drop(proxy.unanswered.with(|all| all.pop(&of)));
            }
        });
    }
}
