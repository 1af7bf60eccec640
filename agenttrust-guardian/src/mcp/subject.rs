//! [`Subject`]: the agent that calls, by its token, by one of an issuer, or by a key that names it; and whether it
//! still may.

use std::sync::Arc;

use agenttrust::model::{AgentStatus, CapabilitySet};

use super::tools::check_of;
use crate::domain::ids::{DELEGATION_PREFIX, SESSION_PREFIX};
use crate::domain::names::check_name;
use crate::domain::{Error, Fingerprint, Key, Permission, Reach, Role};
use crate::engine::Engine;
use crate::pipeline;
use crate::registry::{McpServerEntry, TokenEntry};
use crate::services::agents::{active, known};
use crate::services::federation::Arrived;
use crate::services::sessions;

/// The beginning of an agent's token.
pub(crate) const TOKEN_PREFIX: &str = "at_";

/// The agent that calls, with the key that it is checked with and the proof of who it is.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// The key that is checked with: the caller's, or the one of the server's gateway.
    pub(super) key: Arc<Key>,
    /// The key that limits count the caller as: its own key, and each agent by itself where one key checks all that
    /// come with tokens.
    pub(crate) counted: Arc<Key>,
    pub(super) agent_id: String,
    pub(super) session_id: Option<String>,
    proof: Proof,
    /// The proof that the agent has its private key.
    pub(super) has_its_key: Option<pipeline::Proof>,
}

#[derive(Clone, Debug)]
enum Proof {
    /// The secret of the caller's key.
    Key(Fingerprint),
    Token(Arc<TokenEntry>),
    /// A token of an issuer outside: its session stands for it, and ends with it. Beside it, how far any token like it
    /// may reach.
    Outside(Option<Arc<[String]>>),
}

/// Returns the key of a server's gateway, as which the proxy asks for agents that come with a token.
///
/// # Errors
///
/// Unavailable where it was revoked.
pub(crate) fn gateway(engine: &Engine, server: &McpServerEntry) -> Result<Arc<Key>, Error> {
    engine.registry.keys.of_id(&server.row.key_id).ok_or_else(|| {
        Error::unavailable(format!(
            "the key of MCP server {:?} was revoked, so no agent comes to it with a token; remove the server and \
             register it again",
            server.row.name
        ))
    })
}

impl Subject {
    /// Returns the agent behind a token, in the session that the server's gateway opens with it. `address` is the
    /// absolute URL of the server here, which its audience may name.
    ///
    /// # Errors
    ///
    /// Unauthenticated for a token that does not work or is for others, forbidden for an agent that is not active.
    pub(crate) async fn of_token(
        engine: &Engine,
        server: &McpServerEntry,
        token: &str,
        address: &str,
    ) -> Result<Self, Error> {
        let key = gateway(engine, server)?;
        check_name("token", token)?;
        let token = sessions::token(engine, &key, token)?;
        let names = [&*server.row.name, &*server.row.id, address];
        let target = names.into_iter().find(|name| token.is_for(name));
        let now = engine.clock.now();
        let opened = engine.registry.open_from((&token.row.id, &key.id), now, |_| true);
        let session_id = match opened {
            // It is looked up for each message: what a new one would cost is not paid twice.
            Some(session) if target.is_some() => session.row.id.clone(),
            _ => sessions::begin_from_token(engine, &key, &token, target, None).await?.session_id,
        };
        let agent_id = token.row.agent_id.clone();
        active(&*known(engine, &key.org_id, &agent_id)?)?;
        let counted = format!("{} {agent_id}", key.id);
        let counted = Arc::new(Key { id: counted, ..(*key).clone() });
        let (session_id, proof) = (Some(session_id), Proof::Token(token));
        Ok(Self { key, counted, agent_id, session_id, proof, has_its_key: None })
    }

    /// Returns the agent that an issuer of the server's organisation vouches for, in the session that its token opened
    /// here.
    pub(crate) fn from_outside(arrived: Arrived) -> Self {
        let Arrived { key, counted, agent_id, session_id, most } = arrived;
        let (session_id, proof) = (Some(session_id), Proof::Outside(most.map(Into::into)));
        Self { key, counted, agent_id, session_id, proof, has_its_key: None }
    }

    /// Returns the agent that a key speaks for: the one that it names, or the only one that it is bound to.
    ///
    /// # Errors
    ///
    /// Forbidden for an agent that is not the key's, invalid where nothing says which agent it is, not found for one
    /// that is not there.
    pub(crate) fn of_key(
        engine: &Engine,
        (key, secret): (Arc<Key>, Fingerprint),
        named: Option<String>,
        session_id: Option<String>,
    ) -> Result<Self, Error> {
        let agent_id = match (named, key.agents.as_slice()) {
            (Some(named), _) => named,
            (None, [only]) => only.clone(),
            (None, _) => {
                return Err(Error::invalid(
                    "X-Agent-ID",
                    "is missing, and neither a token nor the key's only agent says who calls; name the agent in it",
                ));
            }
        };
        let session_id = session_id.filter(|id| !id.is_empty());
        session_id.as_deref().map_or(Ok(()), |id| check_name("X-Session-ID", id))?;
        let access = key.role.may(Permission::Check);
        Reach { access, key: &key, named: None }.need(&agent_id)?;
        active(&*known(engine, &key.org_id, &agent_id)?)?;
        let counted = Arc::clone(&key);
        Ok(Self {
            key,
            counted,
            agent_id,
            session_id,
            proof: Proof::Key(secret),
            has_its_key: None,
        })
    }

    /// Returns the same, with a proof that the agent has its private key.
    pub(crate) fn with_proof(self, has_its_key: Option<pipeline::Proof>) -> Self {
        Self { has_its_key, ..self }
    }

    /// Returns the agent that calls.
    pub(crate) fn agent_id(&self) -> &str {
        &self.agent_id
    }

    /// Refuses another agent than the one that the caller is.
    ///
    /// # Errors
    ///
    /// Forbidden.
    pub(crate) fn need_named(&self, named: &str) -> Result<(), Error> {
        match named == self.agent_id {
            true => Ok(()),
            false => Err(Error::not_named(named, &self.agent_id)),
        }
    }

    /// Returns whether what it came with reaches as far as these scopes; a key reaches as far as its agent does.
    pub(super) fn token_covers(&self, engine: &Engine, scopes: &[&str]) -> bool {
        match &self.proof {
            Proof::Key(_) => true,
            Proof::Token(token) => scopes.iter().all(|scope| token.scopes.covers(scope)),
            Proof::Outside(_) => {
                let id = self.session_id.as_deref().unwrap_or_default();
                let session = engine.registry.sessions.get(&self.key.org_id, id);
                session.is_some_and(|session| scopes.iter().all(|it| session.limits.covers(it)))
            }
        }
    }

    /// Returns whether another token of the kind that it came with may reach as far as these scopes, if its agent does.
    pub(super) fn token_may_cover(&self, scopes: &[&str]) -> bool {
        let Proof::Outside(Some(most)) = &self.proof else { return true };
        let most = CapabilitySet::share(Arc::clone(most));
        most.is_ok_and(|most| scopes.iter().all(|scope| most.covers(scope)))
    }

    /// Returns how far it may go with what it is checked with.
    pub(super) fn reach(&self, permission: Permission) -> Reach<'_> {
        let access = self.key.role.may(permission);
        Reach { key: &self.key, access, named: Some(&self.agent_id) }
    }

    /// Sees that it may act in the session that it names, where that is one that was issued.
    ///
    /// # Errors
    ///
    /// Forbidden in one that is over, not known or another agent's, and for a gateway outside of a token's.
    pub(super) fn need_session(&self, engine: &Engine) -> Result<(), Error> {
        let issued = [SESSION_PREFIX, DELEGATION_PREFIX];
        let named = self.session_id.as_deref();
        let is_issued = named.is_some_and(|id| issued.iter().any(|it| id.starts_with(it)));
        if !is_issued && self.key.role != Role::Gateway {
            return Ok(());
        }
        pipeline::need_session(engine, &check_of(self, String::new(), None))
    }

    /// Returns why it may call no more, if so.
    fn lapsed(&self, engine: &Engine) -> Option<&'static str> {
        let now = engine.clock.now();
        let works = match &self.proof {
            Proof::Key(secret) => engine.still_knows(secret),
            Proof::Token(token) => {
                engine.registry.tokens.by_id(&token.row.id).is_some()
                    && engine.registry.works(token, now)
                    && engine.registry.keys.has(&self.key.id)
            }
            Proof::Outside(_) => engine.registry.keys.has(&self.key.id),
        };
        if !works {
            return Some("what the caller came with was revoked or has expired; come with another");
        }
        let agent = engine.registry.agents.get(&self.key.org_id, &self.agent_id);
        if agent.is_none_or(|entry| entry.agent.status != AgentStatus::Active) {
            return Some("the agent was revoked or suspended; an operator can tell which");
        }
        let session = self.session_id.as_deref().filter(|id| id.starts_with(SESSION_PREFIX));
        let is_open = |id| sessions::open_session(engine, &self.key.org_id, id).is_some();
        if session.is_some_and(|id| !is_open(id)) {
            return Some("the session was revoked or has expired; begin another one");
        }
        None
    }
}

/// A call or a stream that goes on only as long as its caller may and its server is there.
#[derive(Clone, Debug)]
pub(super) struct Alive {
    pub(super) subject: Subject,
    pub(super) server_id: String,
}

impl Alive {
    /// Returns why it ends, if it does.
    pub(super) fn over(&self, engine: &Engine) -> Option<&'static str> {
        if engine.ended().is_some() {
            return Some("the Guardian is stopping; try again later");
        }
        if engine.registry.mcp_servers.get(&self.server_id).is_none() {
            return Some("the MCP server was removed");
        }
        self.subject.lapsed(engine)
    }
}
