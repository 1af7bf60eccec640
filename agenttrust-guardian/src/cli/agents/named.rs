//! An agent as a person names it: by its id, or by its name where only one has it.

use agenttrust::AgentTrustClient;
use agenttrust::model::{Agent, AgentStatus};

use super::super::out;
use super::super::remote::failed;
use crate::domain::GuardianError;
use crate::domain::ids::AGENT_PREFIX;

/// Returns the id of the agent with this id, or else with this name.
pub(in crate::cli) async fn id_of(
    client: &AgentTrustClient,
    named: &str,
) -> Result<String, GuardianError> {
    // An id is asked for as it is: keys that see few agents see fewer in a list.
    if named.starts_with(AGENT_PREFIX) {
        return Ok(named.to_owned());
    }
    let agents = client.agents().list().await.map_err(failed)?;
    let of_name = |agent: &&Agent| agent.name == named && agent.status != AgentStatus::Revoked;
    let found: Vec<&Agent> = agents.iter().filter(of_name).collect();
    let named = out::harmless(named);
    match found.as_slice() {
        [agent] => Ok(agent.id.clone()),
        [] => Err(GuardianError::Invalid(format!(
            "there is no agent {named:?} that this key may see; say its id (agt_…), or see `agenttrust agents list`"
        ))),
        several => {
            let ids: Vec<&str> = several.iter().take(5).map(|agent| agent.id.as_str()).collect();
            Err(GuardianError::Invalid(format!(
                "{} agents have the name {named:?}; give the id of one, such as {}",
                several.len(),
                out::harmless(&ids.join(", "))
            )))
        }
    }
}

/// Returns the same for what is for good: a name is no id, and the error says which id it means.
pub(super) async fn id_to_revoke(
    client: &AgentTrustClient,
    named: String,
) -> Result<String, GuardianError> {
    if named.starts_with(AGENT_PREFIX) {
        return Ok(named);
    }
    let id = id_of(client, &named).await?;
    Err(GuardianError::Invalid(format!(
        "{:?} is the name of agent {id}; revoking is for good, so say it with the id: agenttrust agents revoke {id}",
        out::harmless(&named)
    )))
}
