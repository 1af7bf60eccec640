//! What the call does, from what is known of its tool and what its caller hints.

use super::Check;
use crate::classify::Classification;
use crate::manifest::ToolFacts;
use crate::registry::Chain;

/// Returns the effect that the check is decided by: the strongest that the tool has for the agent and for those for
/// which it acts.
pub(super) fn classified(
    check: &Check,
    known: &ToolFacts,
    chain: Option<&Chain>,
) -> Classification {
    let classify = |agent: &str| known.classify(&check.tool, agent, check.hint);
    let givers = chain.into_iter().flat_map(Chain::givers);
    givers
        .map(|giver| classify(&giver.agent.id))
        .fold(classify(&check.agent_id), |all, one| if one.effect > all.effect { one } else { all })
}
