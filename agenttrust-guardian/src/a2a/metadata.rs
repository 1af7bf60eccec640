//! What a client of OAuth is told of an agent: where it is reached and described as a protected resource (RFC 9728), and
//! what a token needs.

use crate::domain::card::PATH;
use crate::domain::{Base, challenge};

/// The path below which agents are described.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource/a2a/agents/";

impl Base {
    /// The absolute URL of the agent of this id.
    pub(crate) fn agent_address(&self, agent_id: &str) -> String {
        self.below(PATH, agent_id)
    }

    /// What `WWW-Authenticate` says to a caller without a token that works for this agent. `error` is absent where there
    /// was none, and of an agent that is described to nobody it is not said where it is.
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

/// What covers whatever is asked of an agent.
pub(crate) fn asking(agent_id: &str) -> String {
    format!("a2a/{agent_id}")
}
