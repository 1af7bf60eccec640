//! Introspection of a token of another issuer: the agent and the scopes that it stands for.

use agenttrust::model::FederatedIntrospection;

use super::sessions::planned;
use super::verify::Verified;
use crate::domain::Reach;
use crate::domain::role::Access;
use crate::engine::Engine;

/// Returns the agent and the scopes of a token that holds. A token for which there is no rule speaks for no agent.
///
/// # Errors
///
/// Why it is worth nothing to a caller of this reach: its agent is not active, or not within it.
pub(crate) fn introspect(
    engine: &Engine,
    reach: Reach<'_>,
    verified: &Verified,
) -> Result<FederatedIntrospection, String> {
    let mut shown = FederatedIntrospection::default();
    match &verified.agent_id {
        // A key of some agents is told only what is about these.
        None if reach.access != Access::Any => {
            return Err(
                "no rule says which agent it speaks for, so it is of none of the key's".to_owned()
            );
        }
        None => {}
        Some(agent_id) if !reach.covers(agent_id) => {
            return Err(format!("it speaks for agent {agent_id:?}, which the key does not reach"));
        }
        Some(_) => {
            let terms = planned(engine, verified, engine.clock.now());
            let terms = terms.map_err(|error| error.message().to_owned())?;
            shown.agent_id = Some(terms.agent.agent.id.clone());
            shown.scopes = terms.ceiling.unwrap_or_default();
        }
    }
    (shown.valid, shown.active) = (true, true);
    let (row, claims) = (&verified.provider.row, &verified.claims);
    shown.issuer = Some(row.issuer.clone());
    shown.expires_at = Some(claims.expires_at);
    shown.subject = Some(claims.subject.clone());
    shown.provider_id = Some(row.id.clone());
    shown.trust_level = Some(row.vouching.trust_level);
    shown.audience.clone_from(&claims.audiences);
    Ok(shown)
}
