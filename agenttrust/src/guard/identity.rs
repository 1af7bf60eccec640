//! [`AgentIdentity`]: for whom a call is, where one process serves many agents.

use std::sync::Arc;

use super::{AgentTrustGuard, Subject};
use crate::model::Timestamp;

/// An agent that was known by its token: who it is, and the session that its calls belong to.
///
/// A layer that authenticates puts it into a request; [`Action::principal`](crate::Action::principal)
/// asks as that agent. It holds no secret.
///
/// ```
/// use agenttrust::{Action, AgentIdentity};
///
/// let identity = AgentIdentity::new("agt_1", "ats_1").with_scopes(["files:read"]);
/// assert_eq!(identity.agent_id(), "agt_1");
/// let action = Action::new("files_read").on_behalf_of(identity);
/// # let _ = action;
/// ```
///
/// # Clone
///
/// Cheap: clones share what they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentIdentity {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    agent_id: String,
    session_id: String,
    org_id: Option<String>,
    scopes: Vec<String>,
    expires_at: Option<Timestamp>,
}

impl AgentIdentity {
    /// Creates an agent in a session. Say this only of an agent that has proven who it is.
    pub fn new(agent_id: impl Into<String>, session_id: impl Into<String>) -> Self {
        let inner = Inner {
            agent_id: agent_id.into(),
            session_id: session_id.into(),
            org_id: None,
            scopes: Vec::new(),
            expires_at: None,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Sets the agent's organisation.
    #[must_use]
    pub fn with_org_id(self, org_id: impl Into<String>) -> Self {
        self.with(|inner| inner.org_id = Some(org_id.into()))
    }

    /// Sets what its token may be used for.
    #[must_use]
    pub fn with_scopes<S: Into<String>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.with(|inner| inner.scopes = scopes.into_iter().map(Into::into).collect())
    }

    /// Sets when its token stops working.
    #[must_use]
    pub fn with_expiry(self, expires_at: Timestamp) -> Self {
        self.with(|inner| inner.expires_at = Some(expires_at))
    }

    /// Returns the agent's id.
    #[must_use]
    pub fn agent_id(&self) -> &str {
        &self.inner.agent_id
    }

    /// Returns the session that its calls belong to.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.inner.session_id
    }

    /// Returns the agent's organisation, where it is known.
    #[must_use]
    pub fn org_id(&self) -> Option<&str> {
        self.inner.org_id.as_deref()
    }

    /// Returns what its token may be used for.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.inner.scopes
    }

    /// Returns when its token stops working, where that is known.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.inner.expires_at
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.inner));
        self
    }
}

impl AgentTrustGuard {
    /// Returns this guard, asking for another agent in that agent's session: what a server does for the
    /// agents that come to it. Settings, connections and the queue of reports are the same.
    ///
    /// The guard's key must be one that may ask for that agent: of the role `gateway`, inside a session
    /// made from the agent's token.
    #[must_use]
    pub fn acting_for(&self, identity: &AgentIdentity) -> Self {
        let subject =
            Subject::new(identity.agent_id().to_owned(), identity.session_id().to_owned());
        Self { subject: Arc::new(subject), shared: Arc::clone(&self.shared) }
    }
}
