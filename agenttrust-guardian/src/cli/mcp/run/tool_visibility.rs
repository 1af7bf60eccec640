//! Which tools an agent is shown: those that it may call, as far as the Guardian that is asked tells. Each call is
//! checked all the same.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use agenttrust::model::CapabilitySet;
use agenttrust::{AgentTrustClient, Effect};

use crate::guardian::Guardian;

/// The time for which the answer of a served Guardian is used.
const FRESH: Duration = Duration::from_secs(5);
/// The time that the answer may take: a list waits for it.
const WITHIN: Duration = Duration::from_secs(2);

/// The source of what an agent may call.
#[derive(Debug)]
pub(super) enum ToolVisibility {
    /// The Guardian inside of this program, by everything that it decides by.
    Inside(Guardian),
    /// A served one, which tells the capabilities of its agents. What its policies would say, a floor or a token, no
    /// endpoint of it tells without a check.
    Served(AgentTrustClient, Mutex<CachedCapabilities>),
}

/// The capabilities that a served Guardian answered last.
#[derive(Debug, Default)]
pub(super) struct CachedCapabilities {
    capabilities: Option<CapabilitySet>,
    asked_at: Option<Instant>,
}

impl ToolVisibility {
    pub(super) fn served(client: AgentTrustClient) -> Self {
        Self::Served(client, Mutex::default())
    }

    /// Sees that what is known is of now.
    pub(super) async fn look(&self, agent: &str) {
        let Self::Served(client, cached) = self else { return };
        let asked_at = cached.lock().unwrap_or_else(PoisonError::into_inner).asked_at;
        if asked_at.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        let agents = client.agents();
        let found = tokio::time::timeout(WITHIN, agents.get(agent)).await;
        let found = found.ok().and_then(Result::ok);
        let mut cached = cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.asked_at = Some(Instant::now());
        // One that does not answer shows no more and no less than before.
        if let Some(agent) = found {
            cached.capabilities = CapabilitySet::parse(&agent.capabilities).ok();
        }
    }

    /// Returns whether this agent is shown this tool. Where nothing is known it is: a call of it is checked.
    pub(super) fn may_see(&self, agent: &str, tool: String, hint: Option<Effect>) -> bool {
        match self {
            Self::Inside(guardian) => guardian.may_see(agent, tool, hint),
            Self::Served(_, cached) => {
                let cached = cached.lock().unwrap_or_else(PoisonError::into_inner);
                cached.capabilities.as_ref().is_none_or(|capabilities| capabilities.covers(&tool))
            }
        }
    }
}
