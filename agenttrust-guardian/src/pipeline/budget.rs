//! What a call counts towards: the limits of the policies and delegations that let it through.
//!
//! It is used up before the answer, and stays used up should the answer not be recorded or not arrive.

use std::time::Duration;

use agenttrust::Timestamp;

use super::context::DecisionContext;
use crate::domain::{Decision, duration};
use crate::engine::Engine;
use crate::policy::{Limit, Per};
use crate::registry::{Chain, used_up};
use crate::store::{Charge, Spent};

/// The time that begun windows are kept: no limit has a longer one.
const KEPT: Duration = Duration::from_secs(31 * 24 * 3_600);

/// Returns what this call counts towards: limits of policies, and those of the delegations that it is made under.
///
/// A session counts apart only where the Guardian issued it. An id that the caller made up would be a budget
/// that the caller made up.
///
/// A call counts towards the limits of those too for which it is made.
pub(super) fn charges(context: &DecisionContext<'_>, limits: Vec<Limit>) -> Vec<Charge> {
    let charge = |limit: Limit| {
        let session = match limit.per {
            Per::Agent => None,
            Per::Session => context.evaluation.session.issued_id(),
        };
        Charge {
            policy: limit.policy,
            agent_id: limit.giver.unwrap_or_else(|| context.check.agent_id.clone()),
            session_id: session.unwrap_or_default().to_owned(),
            most: limit.max_calls,
            within: limit.window,
        }
    };
    let of_policies = limits.into_iter().map(charge);
    let of_delegations = context.evaluation.session.chain().map(Chain::charges);
    of_policies.chain(of_delegations.into_iter().flatten()).collect()
}

/// Uses up what the call counts towards; says why it may not run if something has no room.
pub(super) async fn take(engine: &Engine, charges: Vec<Charge>) -> Option<Decision> {
    if charges.is_empty() {
        return None;
    }
    match engine.store.take(charges, engine.clock.undisturbed()).await {
        Ok(None) => None,
        Ok(Some(spent)) => Some(exhausted(engine, spent)),
        Err(error) => {
            tracing::error!(%error, "a budget could not be counted, so the check is denied");
            Some(Decision::denied(
                "the action counts towards a limit, and the Guardian's database cannot count it at \
                 present; try again when it is back",
            ))
        }
    }
}

/// Returns the denial of a call for which a budget has no room.
pub(super) fn exhausted(engine: &Engine, spent: Spent) -> Decision {
    engine.metrics.budget_exhausted();
    let Spent { charge, opens_in } = spent;
    if let Some(id) = charge.delegation() {
        return Decision::denied(used_up(id, charge.most));
    }
    let Charge { policy, agent_id, session_id, most, within } = charge;
    let whose = if session_id.is_empty() {
        format!("agent {agent_id:?}")
    } else {
        format!("session {session_id:?}")
    };
    let set = engine.policies.load();
    let why = set
        .list()
        .iter()
        .find(|about| about.id == policy)
        .and_then(|about| about.reason.as_ref().map(|reason| format!(": {reason}")));
    let reason = format!(
        "denied by policy `{policy}`{}; it permits {most} calls in {} to {whose}, which are used up until {}",
        why.unwrap_or_default(),
        duration::spell(within),
        engine.clock.now().saturating_add(opens_in),
    );
    Decision::Denied { policies: vec![policy], reason, approval: None }
}

impl Engine {
    /// Forgets windows that are over, whatever limit they were of, one step; returns how many.
    pub(crate) async fn prune_budgets(&self) -> Result<u64, crate::store::StoreError> {
        let kept = i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX);
        let before = self.clock.undisturbed().unix_micros().saturating_sub(kept);
        match Timestamp::from_unix_micros(before) {
            Some(before) => self.background_store.prune_budgets(before).await,
            None => Ok(0),
        }
    }
}
