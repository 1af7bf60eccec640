//! Waiting for an approval, for as long as the operator lets held calls wait.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agenttrust::model::ApprovalStatus;
use serde_json::Value;

use super::Proxy;
use super::session::Session;
use super::subject::Subject;
use crate::domain::{Error, Permission};
use crate::services::approvals;

/// The time after which a caller hears again that its call still waits.
const BEAT: Duration = Duration::from_secs(2);

/// A request of a session; its id as JSON.
type Of = (Session, String);

/// The calls that were not handed on yet, of clients that can say that they want them no more. Such a client may leave
/// its request open, and what is approved from then on is for another call. Each Guardian knows its own: a client that
/// cancels at another replica is heard by the server alone.
#[derive(Debug, Default)]
pub(super) struct OpenCalls(Mutex<HashMap<Of, Arc<AtomicBool>>>);

/// A call until it is handed on.
#[derive(Debug)]
pub(super) struct OpenCall {
    proxy: Arc<Proxy>,
    of: Option<Of>,
    is_cancelled: Arc<AtomicBool>,
}

impl OpenCalls {
    /// Sees that a call is not made, if it is one of these.
    pub(super) fn cancel(&self, session: &Session, id: &Value) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.get(&(session.clone(), id.to_string()));
        open.inspect(|open| open.store(true, Ordering::SeqCst)).is_some()
    }
}

impl OpenCall {
    /// Returns the request of this id in this session, where there is one.
    pub(super) fn begin(proxy: &Arc<Proxy>, session: Option<&Session>, id: Option<&Value>) -> Self {
        let of = session.cloned().zip(id.map(Value::to_string));
        let is_cancelled = Arc::default();
        if let Some(of) = &of {
            let mut all = proxy.open_calls.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(of.clone(), Arc::clone(&is_cancelled));
        }
        Self { proxy: Arc::clone(proxy), of, is_cancelled }
    }

    /// Returns whether its client wants it no more.
    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::SeqCst)
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let Some(of) = &self.of else { return };
        let mut all = self.proxy.open_calls.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A client that uses an id twice has told of the later one.
        if all.get(of).is_some_and(|kept| Arc::ptr_eq(kept, &self.is_cancelled)) {
            all.remove(of);
        }
    }
}

/// Waits until the approval is decided, or the time is over; returns whether anything has come of it. `beat` is called
/// now and then, and says whether the caller still waits.
///
/// # Errors
///
/// Too many where as many wait as may.
pub(super) async fn decided(
    proxy: &Proxy,
    subject: &Subject,
    approval_id: &str,
    mut beat: impl FnMut(Duration) -> bool,
) -> Result<bool, Error> {
    let engine = &proxy.engine;
    let hold = engine.settings.mcp.hold;
    let begun = Instant::now();
    // It waits with others that do, and is counted as they are.
    let _waiting = engine.limits.waiting.take(&subject.counted, 1)?;
    while let Some(left) = hold.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
        if !beat(begun.elapsed()) {
            return Ok(false);
        }
        let reach = subject.reach(Permission::ReadApprovals);
        let wait = left.min(BEAT);
        let approval = approvals::wait_for(engine, reach, approval_id, wait, || Ok(())).await?;
        if approval.status != ApprovalStatus::Pending {
            return Ok(true);
        }
        if *engine.closing().borrow() {
            return Ok(false);
        }
    }
    Ok(false)
}
