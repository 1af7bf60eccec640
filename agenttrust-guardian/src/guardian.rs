//! The Guardian as a program holds it.

use std::fmt;
use std::sync::Arc;

use agenttrust::AgentTrustClient;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use tower::ServiceExt;

use crate::builder::{GuardianBuilder, keep_key};
use crate::error::GuardianError;
use crate::http;
use crate::http::admit::InProcess;
#[cfg(feature = "cli")]
use crate::metrics::ConnectionNumbers;
use crate::names::{check_name, check_names};
use crate::role::Role;
use crate::secret::Secret;
use crate::state::{DEFAULT_ORG, State};
#[cfg(feature = "cli")]
use crate::store::KeyRow;

/// A running Guardian. Clones share it; it ends with the last of them and of their clients.
///
/// ```
/// use agenttrust_guardian::{Guardian, Role};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let guardian = Guardian::builder().database("memory").build().await?;
/// let operator = guardian.create_key(Role::Operator, &[]).await?;
/// let client = guardian.client_with_key(&operator)?;
/// assert!(client.agents().list().await?.is_empty());
/// guardian.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Guardian {
    state: Arc<State>,
    router: Router,
    client: AgentTrustClient,
}

impl Guardian {
    pub(crate) fn new(state: Arc<State>, own: Secret) -> Result<Self, GuardianError> {
        let router = http::router(Arc::clone(&state));
        let client = client_of(&router, own.expose())?;
        Ok(Self { state, router, client })
    }

    /// Settings of a new Guardian.
    pub fn builder() -> GuardianBuilder {
        GuardianBuilder::default()
    }

    /// A Guardian with the builder's defaults: in memory, and as strict as a served one.
    ///
    /// # Errors
    ///
    /// As for [`GuardianBuilder::build`].
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing runs.
    pub async fn in_memory() -> Result<Self, GuardianError> {
        Self::builder().build().await
    }

    /// A client with an admin key of this process, which speaks to the Guardian without a socket.
    #[must_use]
    pub fn client(&self) -> AgentTrustClient {
        self.client.clone()
    }

    /// A client with this key, which speaks to the Guardian without a socket.
    ///
    /// # Errors
    ///
    /// [`GuardianError::Invalid`] for a key that no header can carry.
    pub fn client_with_key(&self, key: &str) -> Result<AgentTrustClient, GuardianError> {
        client_of(&self.router, key)
    }

    /// The Guardian as an axum router, to serve it or to nest it.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// The numbers of this Guardian alone, for whoever can reach them.
    #[cfg(feature = "cli")]
    pub(crate) fn metrics_router(&self) -> Router {
        http::metrics_router(Arc::clone(&self.state))
    }

    /// What is answered where there is no room for another connection.
    #[cfg(feature = "cli")]
    pub(crate) fn full_router() -> Router {
        http::full_router()
    }

    /// The counters of connections, for the listener.
    #[cfg(feature = "cli")]
    pub(crate) fn connection_numbers(&self) -> ConnectionNumbers {
        self.state.metrics.connections.clone()
    }

    /// Makes an API key and returns it; only its hash is kept. A key of role [`Role::Agent`] is bound
    /// to `agents`; every other role takes none.
    ///
    /// # Errors
    ///
    /// [`GuardianError::Invalid`] for an agent key without agents or with unknown ones, and for
    /// agents with another role; [`GuardianError::Unavailable`] when the database does not answer.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, a key may have been made that nobody knows.
    pub async fn create_key(&self, role: Role, agents: &[&str]) -> Result<String, GuardianError> {
        self.create_key_in(DEFAULT_ORG, role, agents).await
    }

    /// [`create_key`](Self::create_key) for another organisation than `org_default`. There is nothing
    /// else to an organisation: it begins with its first key, and its keys reach nothing of any other.
    ///
    /// # Errors
    ///
    /// As for [`create_key`](Self::create_key), and for a name that cannot be an organisation's.
    ///
    /// # Cancel safety
    ///
    /// As for [`create_key`](Self::create_key).
    pub async fn create_key_in(
        &self,
        org_id: &str,
        role: Role,
        agents: &[&str],
    ) -> Result<String, GuardianError> {
        check_name("org_id", org_id)
            .map_err(|error| GuardianError::Invalid(error.message().to_owned()))?;
        let agents: Vec<String> = agents.iter().map(|&agent| agent.to_owned()).collect();
        check_key_agents(&self.state, org_id, role, &agents)?;
        let secret = Secret::random("sk_live_")?;
        keep_key(&self.state, org_id, role, agents, secret.fingerprint(), "owner").await?;
        Ok(secret.expose().to_owned())
    }

    /// Whether the database holds an admin key that works.
    #[cfg(feature = "cli")]
    pub(crate) async fn has_admin_key(&self) -> Result<bool, GuardianError> {
        let keys = self.state.store.keys().await?;
        let works = |key: &&KeyRow| key.org_id == DEFAULT_ORG && key.revoked_at.is_none();
        Ok(keys.iter().filter(works).any(|key| key.role == Role::Admin))
    }

    /// Tells requests that wait to answer now, because the Guardian is about to close.
    #[cfg(feature = "cli")]
    pub(crate) fn hurry(&self) {
        self.state.closing.send_replace(true);
    }

    /// Keeps everything that is on its way to the database, then closes it. Afterwards every check is
    /// denied.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, what was not kept yet is lost; decisions that were answered are kept already.
    pub async fn close(&self) {
        self.state.closing.send_replace(true);
        // What was taken back first: of all that is on its way, it matters most.
        self.state.close_takings().await;
        self.state.telemetry.close().await;
        if let Err(error) = self.state.save_uses().await {
            tracing::warn!(%error, "when keys were last used could not be kept");
        }
        self.state.audit.close().await;
        self.state.reading_store.close().await;
        self.state.control_store.close().await;
        self.state.store.close().await;
    }

    #[cfg(test)]
    pub(crate) fn state(&self) -> &Arc<State> {
        &self.state
    }
}

/// Refuses agents that a key of this role cannot be bound to.
pub(crate) fn check_key_agents(
    state: &State,
    org_id: &str,
    role: Role,
    agents: &[String],
) -> Result<(), GuardianError> {
    let refused = |reason: String| Err(GuardianError::Invalid(reason));
    match (role, agents) {
        (Role::Agent, []) => {
            refused("agents is empty; an agent key is bound to at least one agent".to_owned())
        }
        (Role::Agent, agents) => {
            check_names("agents", agents)
                .map_err(|error| GuardianError::Invalid(error.message().to_owned()))?;
            match agents.iter().find(|id| state.registry.agents.get(org_id, id).is_none()) {
                Some(unknown) => {
                    refused(format!("agents names {unknown:?}, and there is no such agent"))
                }
                None => Ok(()),
            }
        }
        (_, []) => Ok(()),
        (role, _) => refused(format!("agents is given, and a key of role {role} is bound to none")),
    }
}

fn client_of(router: &Router, key: &str) -> Result<AgentTrustClient, GuardianError> {
    let service = router.clone().map_request(|mut request: axum::http::Request<Bytes>| {
        request.extensions_mut().insert(InProcess);
        request.map(Body::from)
    });
    AgentTrustClient::builder()
        .service(service)
        .api_key(key)
        .build()
        .map_err(|error| GuardianError::Invalid(error.to_string()))
}

impl fmt::Debug for Guardian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guardian").field("settings", &self.state.settings).finish_non_exhaustive()
    }
}
