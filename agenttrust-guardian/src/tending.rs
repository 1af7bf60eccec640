//! What happens by itself, now and then: approvals lapse, policies and keys of other processes arrive,
//! old rows go. It ends with the Guardian.

use std::sync::{Arc, Weak};
use std::time::Duration;

use agenttrust::__private::background;
use agenttrust::Timestamp;

use crate::retention;
use crate::state::State;
use crate::store::StoreError;

/// How often approvals are looked through.
const BEAT: Duration = Duration::from_millis(500);
/// Every so many beats, old rows go.
const BEATS_BETWEEN_PRUNING: u64 = 1_200;
/// How long reports, ended sessions, approvals that are over and deliveries are kept in the database.
const HISTORY_KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How long a token or session that is over stays in memory, so that its end can be told from a wrong id.
const OVER_KEPT: Duration = Duration::from_secs(3_600);

/// Starts tending.
pub(crate) fn start(state: &Arc<State>) {
    let state = Arc::downgrade(state);
    background::spawn(tend(state));
}

async fn tend(state: Weak<State>) {
    let mut beats: u64 = 0;
    let mut troubled = false;
    loop {
        background::sleep(BEAT).await;
        // A guardian that nobody holds any more is not kept alive by its own tending.
        let Some(state) = state.upgrade() else { return };
        if *state.closing.borrow() {
            return;
        }
        beats += 1;
        // A trouble of the policies tells of itself.
        if let Err(error) = state.watch_policies().await {
            tracing::debug!(message = error.message(), "the policy folder could not be looked at");
        }
        if beats.is_multiple_of(BEATS_BETWEEN_PRUNING) {
            background::spawn(retention::let_go(Arc::clone(&state)));
        }
        match beat(&state, beats.is_multiple_of(BEATS_BETWEEN_PRUNING)).await {
            Ok(()) => troubled = false,
            // Once a trouble, not twice a second.
            Err(error) if !troubled => {
                tracing::warn!(%error, "the database could not be tended; trying again");
                troubled = true;
            }
            Err(_) => {}
        }
    }
}

async fn beat(state: &State, prune: bool) -> Result<(), StoreError> {
    let now = state.clock.now();
    state.expire_approvals(now).await?;
    state.save_uses().await?;
    if prune {
        let over = before(now, OVER_KEPT);
        state.registry.tokens.prune(over);
        state.registry.sessions.prune(over);
        crate::lists::sweep();
        state.store.prune_tokens(over).await?;
        state.store.prune_changes(over).await?;
        state.store.prune_denials(over).await?;
        state.prune_budgets().await?;
        let history = before(now, HISTORY_KEPT);
        state.store.prune_telemetry(history).await?;
        state.store.prune_sessions(history).await?;
        state.store.prune_deliveries(history).await?;
        while state.store.prune_approvals(history).await? > 0 {}
    }
    Ok(())
}

pub(crate) fn before(now: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_unix_micros(now.unix_micros().saturating_sub(by)).unwrap_or(now)
}
