//! The facts about an agent for a client of OAuth: where it is reached and described as a protected resource (RFC
//! 9728), and what a token needs.

use crate::domain::card::PATH;
use crate::domain::{Base, challenge};

/// The path below which agents are described.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource/a2a/agents/";

impl Base {
    /// Returns the absolute URL of the agent of this id.
    pub(crate) fn agent_address(&self, agent_id: &str) -> String {
        self.below(PATH, agent_id)
    }

    /// Returns what `WWW-Authenticate` says to a caller without a token that works for this agent. `error` is absent
    /// where no token came. The address of the description is left out for an agent that has no public one.
    pub(crate) fn not_let_to_agent(
        &self,
        agent_id: &str,
        error: Option<&str>,
        is_described: bool,
    ) -> String {
        let described = is_described.then(|| self.below(WELL_KNOWN, agent_id));
        let scope = asking(agent_id);
        challenge::unauthenticated(error, described.as_deref(), &[&scope])
    }
}

/// Returns what covers whatever is asked of an agent.
pub(crate) fn asking(agent_id: &str) -> String {
    format!("a2a/{agent_id}")
}
