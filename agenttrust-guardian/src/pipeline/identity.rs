//! The first step: the key that asks, and the agent that it asks for.

use std::sync::Arc;

use agenttrust::model::AgentStatus;

use super::Check;
use crate::domain::role::Access;
use crate::domain::{Error, Permission};
use crate::engine::Engine;
use crate::registry::AgentEntry;

/// Returns the agent that the check is for, if its asker may ask for it.
pub(super) fn agent(engine: &Engine, check: &Check) -> Result<Arc<AgentEntry>, Error> {
    let access = check.key.role.may(Permission::Check);
    if access == Access::No || (access == Access::Own && !check.key.is_bound_to(&check.agent_id)) {
        return Err(Error::not_bound(&check.agent_id));
    }
    engine
        .registry
        .agents
        .get(&check.key.org_id, &check.agent_id)
        .ok_or_else(|| Error::unknown("agent", &check.agent_id))
}

/// Returns why this agent may do nothing at all at present.
pub(super) fn standing(entry: &AgentEntry) -> Option<String> {
    let id = &entry.agent.id;
    match entry.agent.status {
        AgentStatus::Active => None,
        AgentStatus::Suspended => {
            Some(format!("agent {id:?} is suspended; an operator can reactivate it"))
        }
        AgentStatus::Revoked => {
            Some(format!("agent {id:?} is revoked, which is for good; register another one"))
        }
        _ => Some(format!("agent {id:?} is not active")),
    }
}

#[cfg(test)]
mod tests {
    use agenttrust::model::{Agent, SessionMode};

    use super::*;
    use crate::domain::Versions;
    use crate::registry::Limits;
    use agenttrust::model::CapabilitySet;

    #[test]
    fn only_an_active_agent_may_do_anything() {
        for (status, may) in [
            (AgentStatus::Active, true),
            (AgentStatus::Suspended, false),
            (AgentStatus::Revoked, false),
            (AgentStatus::Unknown, false),
        ] {
            let mut agent = Agent::new("agt_1", "one");
            agent.status = status;
            let capabilities = CapabilitySet::default();
            let floor = Limits::new(SessionMode::Open, None).unwrap();
            let groups = Vec::new();
            let (facts, floor_facts, thumbprint) = (None, None, None);
            let versions = Versions::default();
            let entry = AgentEntry {
                agent,
                capabilities,
                versions,
                groups,
                floor,
                thumbprint,
                facts,
                floor_facts,
            };
            assert_eq!(standing(&entry).is_none(), may, "{status}");
        }
    }
}
