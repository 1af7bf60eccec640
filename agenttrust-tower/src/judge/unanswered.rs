//! Calls whose stream ended before their answer came. In a session of MCP the answer may come on another stream, on
//! which a client listens or goes on from the last event that it heard. Such a call is reported then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agenttrust::{CallOutcome, Permit, background};
use http::HeaderMap;
use lru::LruCache;
use serde_json::Value;

/// The largest number of calls that are waited for; of more, the one that was there first counts as not answered.
const MOST: usize = 1_024;
/// The time for which a call is waited for while its session is listened to ...
const WITHIN: Duration = Duration::from_secs(60 * 60);
/// ... and until a client that went listens again. One that gave the call up never does.
const UNHEARD: Duration = Duration::from_secs(15);
const SESSION: &str = "mcp-session-id";

/// Calls of all sessions behind one layer.
#[derive(Clone, Debug)]
pub(crate) struct UnansweredCalls(Arc<Mutex<UnansweredState>>);

#[derive(Debug)]
struct UnansweredState {
    waiting: LruCache<Of, Permit>,
    /// The outcomes of answers that came on another stream before the first one had ended.
    early: LruCache<Of, CallOutcome>,
    /// The number of streams of a session that are listened to.
    streams: HashMap<Session, usize>,
}

type Session = Arc<[u8]>;
/// A session, and the id of a request as JSON.
type Of = (Session, String);

impl Default for UnansweredCalls {
    fn default() -> Self {
        let (waiting, early) = (LruCache::unbounded(), LruCache::unbounded());
        Self(Arc::new(Mutex::new(UnansweredState { waiting, early, streams: HashMap::new() })))
    }
}

impl UnansweredCalls {
    /// Returns the call of this id, in the session that the headers name, where they name one.
    pub(crate) fn call(&self, headers: &HeaderMap, id: &Value) -> Option<UnansweredCall> {
        Some(UnansweredCall { of: (session(headers)?, id.to_string()), among: self.clone() })
    }

    /// Returns a stream that the client listens to, in the session that the headers name.
    pub(crate) fn stream(&self, headers: &HeaderMap) -> Option<SessionStream> {
        let session = session(headers)?;
        *self.state().streams.entry(Arc::clone(&session)).or_default() += 1;
        Some(SessionStream { session, among: self.clone() })
    }

    fn state(&self) -> MutexGuard<'_, UnansweredState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn session(headers: &HeaderMap) -> Option<Session> {
    Some(headers.get(SESSION)?.as_bytes().into())
}

/// Returns the outcome of a call without an answer: the tool may have run, and said nothing.
pub(super) fn no_reply() -> CallOutcome {
    CallOutcome::failure("NoReply")
}

/// A call of a session.
#[derive(Clone, Debug)]
pub(crate) struct UnansweredCall {
    of: Of,
    among: UnansweredCalls,
}

impl UnansweredCall {
    /// Keeps the permit of a call whose stream has ended without an answer. `resumes` is whether a client can go on
    /// from an event of it.
    pub(super) fn ended(self, permit: Permit, resumes: bool) {
        let Self { of, among } = self;
        let mut state = among.state();
        if let Some(outcome) = state.early.pop(&of) {
            drop(state);
            return permit.finish_with(outcome);
        }
        if !resumes && !state.streams.contains_key(&of.0) {
            drop(state);
            return permit.finish_with(no_reply());
        }
        let gone = keep(&mut state.waiting, of.clone(), permit);
        drop(state);
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
fn lapse(of: Of, among: &UnansweredCalls) {
    let (among, begun) = (Arc::downgrade(&among.0), Instant::now());
    background::spawn(async move {
        loop {
            background::sleep(UNHEARD).await;
            let Some(state) = among.upgrade() else { return };
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            if !state.waiting.contains(&of) {
                return;
            }
            if !state.streams.contains_key(&of.0) || begun.elapsed() >= WITHIN {
                let permit = state.waiting.pop(&of);
                drop(state);
                return permit.into_iter().for_each(|permit| permit.finish_with(no_reply()));
            }
        }
    });
}

/// A stream of a session, for as long as it is listened to.
#[derive(Debug)]
pub(crate) struct SessionStream {
    session: Session,
    among: UnansweredCalls,
}

impl SessionStream {
    /// Reports the call whose answer, to the request of this id, passes on the stream.
    pub(super) fn answered(&self, id: &Value, outcome: CallOutcome) {
        let of = (Arc::clone(&self.session), id.to_string());
        let mut state = self.among.state();
        match state.waiting.pop(&of) {
            // Reported outside of the lock.
            Some(permit) => {
                drop(state);
                permit.finish_with(outcome);
            }
            None => drop(keep(&mut state.early, of, outcome)),
        }
    }
}

impl Drop for SessionStream {
    fn drop(&mut self) {
        let mut state = self.among.state();
        if let Some(count) = state.streams.get_mut(&self.session) {
            *count -= 1;
            if *count == 0 {
                state.streams.remove(&self.session);
            }
        }
    }
}
