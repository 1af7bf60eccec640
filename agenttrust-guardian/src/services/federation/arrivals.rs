//! Callers that come to a server or an agent here from outside, with a token that an issuer of its organisation has
//! signed for its address. They are checked as the gateway of their provider, in the session that the token opens.

use std::sync::Arc;

use super::providers::gateway;
use super::sessions::{begin, opened};
use super::verify::{Audiences, NO_SUCH_TOKEN, Verified, refused, verify_of_stranger};
use crate::domain::federation::rule_for;
use crate::domain::{Error, Key, Role};
use crate::engine::Engine;

/// An agent that has come from outside.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// The gateway key of its provider.
    pub(crate) key: Arc<Key>,
    /// The key that limits count the agent as: each agent by itself.
    pub(crate) counted: Arc<Key>,
    pub(crate) agent_id: String,
    pub(crate) session_id: String,
    /// The most that any token like this one may reach; `None` for as far as the agent.
    pub(crate) most: Option<Vec<String>>,
}

/// Returns the key that stands for all callers of an organisation that are not known yet: the audit records them as
/// one.
fn stranger(org_id: &str) -> Arc<Key> {
    Arc::new(Key {
        id: format!("strangers@{org_id}"),
        org_id: org_id.to_owned(),
        role: Role::Gateway,
        agents: Vec::new(),
        gateway: None,
        owner: None,
    })
}

/// Refuses a token for what is not there, in the words for every token that does not work.
pub(crate) fn nowhere() -> Error {
    Error::unauthenticated(NO_SUCH_TOKEN)
}

/// A caller that came to an organisation with a token that holds, and has no session there yet.
#[derive(Debug)]
pub(crate) struct Recognised {
    verified: Verified,
    /// The gateway key of its provider.
    key: Arc<Key>,
    /// The key that limits count the agent as: each agent by itself.
    pub(crate) counted: Arc<Key>,
}

/// Finds the agent that comes to what an organisation has at `address`, by the token alone. A refusal is recorded in
/// the audit.
///
/// # Errors
///
/// Unauthenticated for a token that does not work or is for others, and where the gateway key of its provider was
/// revoked; unavailable where the keys of its issuer cannot be read, or too many wait for them.
pub(crate) async fn recognise(
    engine: &Engine,
    org_id: &str,
    token: &str,
    address: &str,
) -> Result<Recognised, Error> {
    let verified = verify_of_stranger(engine, org_id, token, Audiences::Resource(address)).await;
    let verified = verified.map_err(|not| {
        // A token that only names a provider uses up nothing of it.
        let signed = not.provider_id.as_deref().filter(|_| not.is_signed());
        let key = signed.and_then(|id| gateway(engine, id).ok());
        let key = key.unwrap_or_else(|| stranger(org_id));
        refused(engine, &key, "arrive", not.provider_id.as_deref(), &not);
        Error::from(not)
    })?;
    let key = gateway(engine, &verified.provider_id)?;
    let agent_id = verified.agent_id.as_deref().unwrap_or_default();
    let counted = Arc::new(Key { id: format!("{} {agent_id}", key.id), ..(*key).clone() });
    Ok(Recognised { verified, key, counted })
}

impl Recognised {
    /// Opens the session with `server_id` that the token is good for, or finds it.
    ///
    /// # Errors
    ///
    /// Forbidden where no rule says which agent it is of, and for an agent that is not active; unauthenticated where
    /// the provider is gone.
    pub(crate) async fn enter(self, engine: &Engine, server_id: &str) -> Result<Arrived, Error> {
        let Self { verified, key, counted } = self;
        // It is looked up for each message: what a new session would cost is not paid twice.
        let (agent_id, session_id) = match opened(engine, &key, &verified, server_id) {
            Some(session) => (session.row.agent_id.clone(), session.row.id.clone()),
            None => {
                let begun = begin(engine, &key, &verified, server_id).await;
                let session = begun.inspect_err(|error| {
                    let why = error.message();
                    refused(engine, &key, "arrive", Some(&verified.provider_id), &why);
                })?;
                (session.agent_id, session.session_id)
            }
        };
        Ok(Arrived { most: most_of(&verified), key, counted, agent_id, session_id })
    }
}

/// Returns the scopes of the rule that a token falls under.
fn most_of(verified: &Verified) -> Option<Vec<String>> {
    let (rules, claims) = (&verified.provider.row.vouching.rules, &verified.claims);
    rule_for(rules, &claims.subject, &claims.all).and_then(|(_, rule)| rule.scopes.clone())
}
