//! Calls whose stream ended before their answer came. In a session of MCP the answer may come on another stream, on which a
//! client listens or goes on from the last event that it heard: how such a call ended is reported then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agenttrust::{CallOutcome, Permit, background};
use http::HeaderMap;
use lru::LruCache;
use serde_json::Value;

/// How many are waited for; of more, the one that was there first counts as not answered.
const MOST: usize = 1_024;
/// How long one is waited for while its session is listened to ...
const WITHIN: Duration = Duration::from_secs(60 * 60);
/// ... and until a client that went listens again. One that gave the call up never does.
const UNHEARD: Duration = Duration::from_secs(15);
const SESSION: &str = "mcp-session-id";

/// Calls of all sessions behind one layer.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere(Arc<Mutex<Known>>);

#[derive(Debug)]
struct Known {
    waiting: LruCache<Of, Permit>,
    /// What was answered on another stream before the first one had ended.
    early: LruCache<Of, CallOutcome>,
    /// How many streams of a session are listened to.
    streams: HashMap<Session, usize>,
}

type Session = Arc<[u8]>;
/// A session, and the id of a request as JSON.
type Of = (Session, String);

impl Default for Elsewhere {
    fn default() -> Self {
        let (waiting, early) = (LruCache::unbounded(), LruCache::unbounded());
        Self(Arc::new(Mutex::new(Known { waiting, early, streams: HashMap::new() })))
    }
}

impl Elsewhere {
    /// The call of this id, in the session that the headers name, where they name one.
    pub(crate) fn call(&self, headers: &HeaderMap, id: &Value) -> Option<OfCall> {
        Some(OfCall { of: (session(headers)?, id.to_string()), among: self.clone() })
    }

    /// A stream that the client listens to, in the session that the headers name.
    pub(crate) fn stream(&self, headers: &HeaderMap) -> Option<OfStream> {
        let session = session(headers)?;
        *self.known().streams.entry(Arc::clone(&session)).or_default() += 1;
        Some(OfStream { session, among: self.clone() })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn session(headers: &HeaderMap) -> Option<Session> {
    Some(headers.get(SESSION)?.as_bytes().into())
}

/// The tool may have run, and said nothing.
pub(super) fn no_reply() -> CallOutcome {
    CallOutcome::failure("NoReply")
}

/// One call of a session.
#[derive(Clone, Debug)]
pub(crate) struct OfCall {
    of: Of,
    among: Elsewhere,
}

impl OfCall {
    /// The stream of the call has ended without an answer. `resumes` is whether a client can go on from an event of it.
    pub(super) fn ended(self, permit: Permit, resumes: bool) {
        let Self { of, among } = self;
        let mut known = among.known();
        if let Some(outcome) = known.early.pop(&of) {
            drop(known);
            return permit.finish_with(outcome);
        }
        if !resumes && !known.streams.contains_key(&of.0) {
            drop(known);
            return permit.finish_with(no_reply());
        }
        let gone = keep(&mut known.waiting, of.clone(), permit);
        drop(known);
        gone.into_iter().for_each(|permit| permit.finish_with(no_reply()));
        lapse(of, &among);
    }
}

/// Keeps something, and returns what goes for it.
fn keep<T>(all: &mut LruCache<Of, T>, of: Of, kept: T) -> Option<T> {
    let gone = all.push(of, kept).or_else(|| (all.len() > MOST).then(|| all.pop_lru())?);
    gone.map(|(_, gone)| gone)
}

/// Reports a call as not answered once it was waited for long enough.
fn lapse(of: Of, among: &Elsewhere) {
    let (among, begun) = (Arc::downgrade(&among.0), Instant::now());
    background::spawn(async move {
        loop {
            background::sleep(UNHEARD).await;
            let Some(known) = among.upgrade() else { return };
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if !known.waiting.contains(&of) {
                return;
            }
            if !known.streams.contains_key(&of.0) || begun.elapsed() >= WITHIN {
                let permit = known.waiting.pop(&of);
                drop(known);
                return permit.into_iter().for_each(|permit| permit.finish_with(no_reply()));
            }
        }
    });
}

/// One stream of a session, for as long as it is listened to.
#[derive(Debug)]
pub(crate) struct OfStream {
    session: Session,
    among: Elsewhere,
}

impl OfStream {
    /// The answer to the request of this id passes.
    pub(super) fn answered(&self, id: &Value, outcome: CallOutcome) {
        let of = (Arc::clone(&self.session), id.to_string());
        let mut known = self.among.known();
        match known.waiting.pop(&of) {
            // Reported outside of the lock.
            Some(permit) => {
                drop(known);
                permit.finish_with(outcome);
            }
            None => drop(keep(&mut known.early, of, outcome)),
        }
    }
}

impl Drop for OfStream {
    fn drop(&mut self) {
        let mut known = self.among.known();
        if let Some(count) = known.streams.get_mut(&self.session) {
            *count -= 1;
            if *count == 0 {
                known.streams.remove(&self.session);
            }
        }
    }
}
