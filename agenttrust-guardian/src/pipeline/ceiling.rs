//! How far the agent may go: its capabilities, then the ceilings of its session and floor.

use super::session::SessionContext;
use crate::registry::AgentEntry;

/// Why the tool, or a scope that it declares, is out of the agent's reach.
pub(super) fn outside(
    tool: &str,
    scopes: &[String],
    entry: &AgentEntry,
    session: &SessionContext,
) -> Option<String> {
    let agent = &entry.agent.id;
    if entry.capabilities.is_empty() {
        return Some(format!(
            "agent {agent:?} has no capabilities, so it may use no tool; \
             register it with one that covers {tool:?}"
        ));
    }
    if !entry.capabilities.covers(tool) {
        return Some(format!(
            "agent {agent:?} has no capability that covers tool {tool:?}; \
             register it with one that does"
        ));
    }
    if let Some(scope) = scopes.iter().find(|scope| !entry.capabilities.covers(scope)) {
        return Some(format!(
            "tool {tool:?} declares scope {scope:?}, which no capability of agent {agent:?} covers; \
             register it with one that does"
        ));
    }
    let names = || std::iter::once(tool).chain(scopes.iter().map(String::as_str));
    for limits in session.limits() {
        if let Some(name) = names().find(|name| !limits.covers(name)) {
            return Some(format!(
                "{name:?} is outside the scope ceiling {:?} of this {} session",
                limits.ceiling(),
                session.mode(),
            ));
        }
    }
    None
}
