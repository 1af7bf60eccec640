//! The caller: an agent by a key that speaks for it, a gateway in a session of one, an operator's key itself, or an
//! agent from outside with a token of an issuer. And whether it still may.

use std::sync::Arc;

use agenttrust::model::AgentStatus;

use crate::domain::ids::SESSION_PREFIX;
use crate::domain::limits::Share;
use crate::domain::names::check_name;
use crate::domain::role::Access;
use crate::domain::{Error, Fingerprint, Key, Permission, Reach, Role, Trace};
use crate::engine::Engine;
use crate::services::agents::{active, known};
use crate::services::sessions;
use crate::services::tasks::Caller;

/// The facts that came with a request beside its body.
#[derive(Debug)]
pub(crate) struct RequestContext {
    pub(crate) key: Arc<Key>,
    /// The key that limits count the caller as: its own key, and each agent by itself where one key checks all that
    /// come with tokens of one issuer.
    pub(crate) counted: Arc<Key>,
    /// The secret by which the key was presented; none of one that comes with a token, whose session says whether it
    /// still may.
    pub(crate) secret: Option<Fingerprint>,
    /// The agent that `X-Agent-ID` names, or that the token is of.
    pub(crate) named: Option<String>,
    pub(crate) session_id: Option<String>,
    /// The trace that it is in.
    pub(crate) trace: Option<Trace>,
    /// Its place among the requests under way.
    pub(crate) place: Option<Arc<Share>>,
}

impl RequestContext {
    /// Returns the sender: the agent that the request says it is from, the key's only one, or the one that the header
    /// names; else the key itself, where it may.
    ///
    /// # Errors
    ///
    /// Forbidden for an agent that is not the key's, and for one that is not active; invalid where nothing names the
    /// sender.
    pub(super) fn sender(&self, engine: &Engine, said: Option<String>) -> Result<Caller, Error> {
        let access = self.key.need(Permission::SendTasks)?;
        if let (Some(said), Some(named)) = (&said, &self.named)
            && said != named
        {
            return Err(Error::not_named(named, said));
        }
        match said.or_else(|| self.only()).or_else(|| self.named.clone()) {
            // For whom it may not ask it may not send.
            Some(agent_id) => self.agent(engine, agent_id, self.key.role.may(Permission::Check)),
            None if access == Access::Any && self.key.role != Role::Gateway => {
                Ok(self.caller(None))
            }
            None => Err(unsaid()),
        }
    }

    /// Finds the caller that asks after tasks: the agent that is named, else every agent that the key speaks for.
    ///
    /// # Errors
    ///
    /// Those of [`sender`](Self::sender).
    pub(super) fn reader(&self, engine: &Engine) -> Result<Caller, Error> {
        let access = self.key.need(Permission::ReadTasks)?;
        match self.only().or_else(|| self.named.clone()) {
            Some(agent_id) if self.key.role == Role::Gateway => {
                self.agent(engine, agent_id, Access::Any)
            }
            Some(agent_id) => self.agent(engine, agent_id, access),
            None if self.key.role == Role::Gateway => Err(unsaid()),
            None => Ok(self.caller(None)),
        }
    }

    /// Returns the caller that has something done about a task. It is found as the sender is, but a key of several
    /// agents need not say which.
    ///
    /// # Errors
    ///
    /// Those of [`sender`](Self::sender).
    pub(super) fn owner(&self, engine: &Engine) -> Result<Caller, Error> {
        self.key.need(Permission::SendTasks)?;
        match self.only().or_else(|| self.named.clone()) {
            Some(agent_id) => self.agent(engine, agent_id, self.key.role.may(Permission::Check)),
            None if self.key.role == Role::Gateway => Err(unsaid()),
            None => Ok(self.caller(None)),
        }
    }

    /// Returns the only agent that a key of an agent is bound to.
    fn only(&self) -> Option<String> {
        match self.key.agents.as_slice() {
            [only] if self.key.role == Role::Agent => Some(only.clone()),
            _ => None,
        }
    }

    fn agent(&self, engine: &Engine, agent_id: String, access: Access) -> Result<Caller, Error> {
        Reach { access, key: &self.key, named: self.named.as_deref() }.need(&agent_id)?;
        if access == Access::No {
            return Err(Error::not_bound(&agent_id));
        }
        let entry = known(engine, &self.key.org_id, &agent_id)?;
        // Those who look after agents see what became of one.
        if matches!(self.key.role, Role::Agent | Role::Gateway) {
            active(&entry)?;
        }
        if self.key.role == Role::Gateway {
            self.need_session(engine, &agent_id)?;
        }
        Ok(self.caller(Some(agent_id)))
    }

    /// Refuses a gateway outside of a session that it has opened with a token of the agent.
    fn need_session(&self, engine: &Engine, agent_id: &str) -> Result<(), Error> {
        let session = self.session_id.as_deref();
        let open = session.and_then(|id| sessions::open_session(engine, &self.key.org_id, id));
        let fits = open.is_some_and(|session| {
            let row = &session.row;
            row.agent_id == agent_id
                && row.is_of_token()
                && self.key.has_opened(row.opened_by.as_deref(), row.gateway.as_deref())
        });
        if fits {
            return Ok(());
        }
        Err(Error::forbidden(
            "a gateway key speaks for an agent only inside a live session made from the agent's token; begin one with \
             /api/v1/agenttrust/api-sessions/init, and name it in X-Session-ID",
        ))
    }

    fn caller(&self, agent_id: Option<String>) -> Caller {
        Caller { key: Arc::clone(&self.key), agent_id, session_id: self.session_id.clone() }
    }

    /// Refuses a session id that could be none.
    ///
    /// # Errors
    ///
    /// Invalid.
    pub(crate) fn check_session(session_id: Option<&str>) -> Result<(), Error> {
        session_id.map_or(Ok(()), |id| check_name("X-Session-ID", id))
    }
}

fn unsaid() -> Error {
    Error::invalid(
        "X-Agent-ID",
        "is missing, and the key speaks for more agents than one; name the agent in it",
    )
}

/// A stream that goes on only as long as its caller may.
#[derive(Debug)]
pub(super) struct Alive {
    pub(super) caller: Caller,
    /// The key that limits count the caller as.
    pub(super) counted: Arc<Key>,
    secret: Option<Fingerprint>,
}

impl Alive {
    /// Creates a stream of this caller, as it came.
    pub(super) fn new(context: &RequestContext, caller: Caller) -> Self {
        Self { caller, counted: Arc::clone(&context.counted), secret: context.secret }
    }

    /// Returns why it ends, if it does.
    pub(super) fn over(&self, engine: &Engine) -> Option<&'static str> {
        if engine.ended().is_some() {
            return Some("the Guardian is stopping; try again later");
        }
        let is_known = match &self.secret {
            Some(secret) => engine.still_knows(secret),
            None => engine.registry.keys.has(&self.caller.key.id),
        };
        if !is_known {
            return Some("what the caller came with was revoked or has expired; come with another");
        }
        let Caller { key, agent_id, session_id } = &self.caller;
        let standing = |id: &String| {
            let entry = engine.registry.agents.get(&key.org_id, id);
            entry.is_some_and(|entry| entry.agent.status == AgentStatus::Active)
        };
        let looks_after = !matches!(key.role, Role::Agent | Role::Gateway);
        if !looks_after && agent_id.as_ref().is_some_and(|id| !standing(id)) {
            return Some("the agent was revoked or suspended; an operator can tell which");
        }
        let session = session_id.as_deref().filter(|id| id.starts_with(SESSION_PREFIX));
        let is_open = |id| sessions::open_session(engine, &key.org_id, id).is_some();
        if session.is_some_and(|id| !is_open(id)) {
            return Some("the session was revoked or has expired; begin another one");
        }
        None
    }
}
