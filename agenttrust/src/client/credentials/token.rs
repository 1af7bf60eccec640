//! The token of some credentials: issued once for however many calls need one, and again before it expires.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::Shared;
use tokio::sync::oneshot;

use super::signing;
use crate::background;
use crate::client::AgentTrustClient;
use crate::client::request::Failed;
use crate::client::wimse::proven;
use crate::error::AgentTrustError;
use crate::keys::KeyStore;
use crate::model::{IssueWimseTokenRequest, Timestamp, WimseToken};
use crate::suspend_aware_instant::SuspendAwareInstant;

/// The time before its end from which on a token is no longer used.
const MARGIN: Duration = Duration::from_secs(60);
/// No token is used for longer than this, whatever its gateway says.
const KEPT_MOST: Duration = Duration::from_secs(86_400);

/// A token, and for how long after it was asked for it is used.
#[derive(Clone)]
pub(super) struct Issued {
    token: Arc<str>,
    asked: SuspendAwareInstant,
    good_for: Duration,
}

/// The result of an issuance, for all callers that waited for it.
type Outcome = Result<Arc<str>, Arc<Failed>>;

#[derive(Default)]
struct State {
    kept: Option<Issued>,
    under_way: Option<Shared<oneshot::Receiver<Outcome>>>,
    /// The number of times that the token was forgotten: the result of an issuance that began before the last time is
    /// not kept.
    forgotten: u64,
}

/// The token, if there is one, and the issuance that is under way.
#[derive(Clone, Default)]
pub(super) struct BoundToken {
    state: Arc<Mutex<State>>,
}

impl BoundToken {
    /// Returns the token, or waits for the one that is being issued. Where no issuance is under way, it begins one on
    /// the background runtime, so that it goes on even if the waiting callers are dropped.
    pub(super) async fn get<F>(&self, issue: impl FnOnce() -> F) -> Result<Arc<str>, Failed>
    where
        F: Future<Output = Result<Issued, Failed>> + Send + 'static,
    {
        let outcome = {
            let mut state = self.lock();
            if let Some(kept) = state.kept.as_ref().filter(|kept| kept.is_fresh()) {
                return Ok(Arc::clone(&kept.token));
            }
            match &state.under_way {
                // One that came to nothing, and said so to nobody, is over too.
                Some(under_way) if under_way.peek().is_none() => under_way.clone(),
                _ => self.begin(&mut state, issue()),
            }
        };
        match outcome.await {
            Ok(Ok(token)) => Ok(token),
            Ok(Err(failed)) => Err(failed.copied()),
            Err(_) => Err(AgentTrustError::GuardianUnavailable {
                message: "no workload token was issued, because that panicked, which was printed where it happened"
                    .to_owned(),
            }
            .into()),
        }
    }

    fn begin<F>(&self, state: &mut State, issuing: F) -> Shared<oneshot::Receiver<Outcome>>
    where
        F: Future<Output = Result<Issued, Failed>> + Send + 'static,
    {
        let (done, outcome) = oneshot::channel();
        let (token, begun) = (self.clone(), state.forgotten);
        background::spawn(async move {
            let outcome = issuing.await;
            let mut state = token.lock();
            if state.forgotten == begun {
                state.under_way = None;
                state.kept = outcome.as_ref().ok().cloned();
            }
            drop(state);
            // All who waited may be gone.
            let _ = done.send(outcome.map(|issued| issued.token).map_err(Arc::new));
        });
        let outcome = outcome.shared();
        state.under_way = Some(outcome.clone());
        outcome
    }

    /// Forgets the token: this one, where one is named and it is still used.
    pub(super) fn forget(&self, token: Option<&str>) {
        let mut state = self.lock();
        let is_used = |kept: &Issued| token.is_none_or(|token| *kept.token == *token);
        if token.is_none() || state.kept.as_ref().is_some_and(is_used) {
            state.kept = None;
            state.under_way = None;
            state.forgotten += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Issued {
    fn is_fresh(&self) -> bool {
        self.asked.elapsed() < self.good_for
    }
}

/// Issues a token that is bound to the agent's key.
pub(super) fn issue(
    client: &AgentTrustClient,
    keys: &Arc<dyn KeyStore>,
    request: &IssueWimseTokenRequest,
) -> impl Future<Output = Result<Issued, Failed>> + Send + 'static {
    let (client, keys, request) = (client.clone(), Arc::clone(keys), request.clone());
    async move {
        let challenge = client.wimse().ask_challenge(&request.agent_id).await?;
        let request = signing(move || proven(&request, &challenge, &*keys)).await?;
        let asked = SuspendAwareInstant::now();
        let answer = client.wimse().ask_token(&request).await.map_err(reached)?;
        let token: WimseToken = answer.object("token_data")?;
        let is_one =
            !token.token.is_empty() && token.token.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_one {
            return Err(AgentTrustError::GuardianUnavailable {
                message: format!(
                    "no workload token for agent {:?}: the gateway answered without one; see that it issues such \
                     tokens",
                    request.agent_id
                ),
            }
            .into());
        }
        // A gateway in the same process says no date, and has our clock.
        let left = |end| answer.left_until(end).unwrap_or_else(|| Timestamp::now().until(end));
        let left = token.expires_at.map_or(Duration::ZERO, left);
        Ok(Issued { token: token.token.into(), asked, good_for: good_for(left) })
    }
}

/// Returns what came of a request to a Guardian that answered just before: it is there, so no call runs unchecked for
/// it.
fn reached(failed: Failed) -> Failed {
    if !failed.error.is_unreachable() {
        return failed;
    }
    AgentTrustError::GuardianUnavailable {
        message: format!(
            "no workload token was issued, though the Guardian answered a moment before: {}; call again",
            failed.error
        ),
    }
    .into()
}

/// Returns for how long a token is used of which so much is `left`.
fn good_for(left: Duration) -> Duration {
    let left = left.min(KEPT_MOST);
    left.saturating_sub(MARGIN).max(left / 2)
}

#[cfg(test)]
mod tests;
