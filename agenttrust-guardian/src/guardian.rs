//! The Guardian as a program holds it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[cfg(feature = "cli")]
use agenttrust::Effect;
use agenttrust::{AgentTrustClient, background};
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use tower::ServiceExt;

#[cfg(feature = "cli")]
use crate::domain::host::Hosts;
use crate::domain::names::check_name;
use crate::domain::{DEFAULT_ORG, GuardianError, Role, Secret};
use crate::engine::Engine;
use crate::http;
use crate::http::admit::InProcess;
#[cfg(feature = "cli")]
use crate::mcp;
#[cfg(feature = "cli")]
use crate::metrics::ConnectionNumbers;
use crate::services::keys::{self, Maker, NewKey};

/// The longest time that a Guardian that closes waits for its jobs to give destinations of events back.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(1);

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
    engine: Arc<Engine>,
    router: Router,
    client: AgentTrustClient,
}

impl Guardian {
    pub(crate) fn new(engine: Arc<Engine>, own: Secret) -> Result<Self, GuardianError> {
        let router = http::router(Arc::clone(&engine));
        let client = client_of(&router, own.expose(), &engine)?;
        Ok(Self { engine, router, client })
    }

    /// Returns a client with an admin key of this process, which speaks to the Guardian without a socket.
    #[must_use]
    pub fn client(&self) -> AgentTrustClient {
        self.client.clone()
    }

    /// Returns a client with this key, which speaks to the Guardian without a socket.
    ///
    /// # Errors
    ///
    /// [`GuardianError::Invalid`] for a key that no header can carry.
    pub fn client_with_key(&self, key: &str) -> Result<AgentTrustClient, GuardianError> {
        client_of(&self.router, key, &self.engine)
    }

    /// Returns the Guardian as an axum router, to serve it or to nest it.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Returns the same, which answers under these names alone.
    #[cfg(feature = "cli")]
    pub(crate) fn named_router(&self, hosts: Hosts) -> Router {
        http::named_router(self.router(), Arc::clone(&self.engine), hosts)
    }

    /// Returns the OpenAPI document.
    #[cfg(feature = "cli")]
    pub(crate) fn openapi() -> String {
        http::openapi::text()
    }

    /// Returns the router of this Guardian's metrics alone, for every caller that reaches it.
    #[cfg(feature = "cli")]
    pub(crate) fn metrics_router(&self) -> Router {
        http::metrics_router(Arc::clone(&self.engine))
    }

    /// Returns what is answered where there is no room for another connection.
    #[cfg(feature = "cli")]
    pub(crate) fn full_router() -> Router {
        http::full_router()
    }

    /// Returns the counters of connections, for the listener.
    #[cfg(feature = "cli")]
    pub(crate) fn connection_numbers(&self) -> ConnectionNumbers {
        self.engine.metrics.connections.clone()
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
    /// Dropped early, a key may have been made whose secret is lost with this future.
    pub async fn create_key(&self, role: Role, agents: &[&str]) -> Result<String, GuardianError> {
        self.create_key_in(DEFAULT_ORG, role, agents).await
    }

    /// Creates a key as [`create_key`](Self::create_key) does, for another organisation than `org_default`. An
    /// organisation has no record of its own: it begins with its first key, and its keys reach nothing of any other.
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
        check_name("org_id", org_id)?;
        let secret = Secret::random("sk_live_")?;
        let agents = agents.iter().map(|&agent| agent.to_owned()).collect();
        let new = NewKey { agents, ..NewKey::new(org_id, role, secret.fingerprint()) };
        keys::create(&self.engine, new, Maker::Program("owner")).await?;
        Ok(secret.expose().to_owned())
    }

    /// Returns whether this agent could call a tool of an MCP server at present, with an approval or without. Nothing
    /// is recorded: what is called is checked.
    #[cfg(feature = "cli")]
    pub(crate) fn may_see(&self, agent_id: &str, tool: String, hint: Option<Effect>) -> bool {
        let own = self.engine.registry.keys.own();
        own.is_some_and(|key| mcp::may_see(&self.engine, &key, agent_id, (tool, hint)))
    }

    /// Makes a key for the person who decides what this program asks for; returns its id and the secret. It is made by
    /// none of the keys that ask, which is what lets it decide.
    #[cfg(feature = "cli")]
    pub(crate) async fn create_approver(
        &self,
        owner: &str,
    ) -> Result<(String, Secret), GuardianError> {
        let secret = Secret::random("sk_live_")?;
        let mut new = NewKey::new(DEFAULT_ORG, Role::Operator, secret.fingerprint());
        new.owner = Some(owner.to_owned());
        let row = keys::create(&self.engine, new, Maker::Program("owner")).await?;
        Ok((row.id, secret))
    }

    /// Makes an admin key where the database holds none that works, and returns it. Of several Guardians that start on
    /// one database at once, one makes it.
    #[cfg(feature = "cli")]
    pub(crate) async fn create_first_admin_key(&self) -> Result<Option<Secret>, GuardianError> {
        let secret = Secret::random("sk_live_")?;
        let is_made = keys::create_first_admin(&self.engine, secret.fingerprint()).await?;
        Ok(is_made.then_some(secret))
    }

    /// Begins to shut the Guardian down: requests that wait are answered now.
    #[cfg(feature = "cli")]
    pub(crate) fn begin_shutdown(&self) {
        self.engine.closing.send_replace(true);
    }

    /// Keeps everything that is on its way to the database, then closes it. Afterwards every check is
    /// denied, and every other request is an error that says that the Guardian was closed.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, what was not kept yet is lost; decisions that were answered are kept already.
    pub async fn close(&self) {
        self.engine.closed.store(true, Ordering::Relaxed);
        self.engine.closing.send_replace(true);
        // What was taken back first: of all that is on its way, it matters most.
        self.engine.close_takings().await;
        self.engine.telemetry.close().await;
        self.engine.tell_of_refusals(true);
        if let Err(error) = self.engine.save_uses().await {
            tracing::warn!(%error, "when keys were last used could not be kept");
        }
        self.engine.audit.close().await;
        // So that other replicas deliver at once: what is not given back by now is theirs once its lease is over.
        let _ = background::timeout(GIVEN_BACK_WITHIN, self.engine.siem.all_left()).await;
        self.engine.reading_store.close().await;
        self.engine.control_store.close().await;
        self.engine.store.close().await;
    }

    #[cfg(test)]
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }
}

fn client_of(
    router: &Router,
    key: &str,
    engine: &Engine,
) -> Result<AgentTrustClient, GuardianError> {
    let service = router.clone().map_request(|mut request: axum::http::Request<Bytes>| {
        request.extensions_mut().insert(InProcess);
        request.map(Body::from)
    });
    AgentTrustClient::builder()
        .service(service)
        .api_key(key)
        .inputs_stay_here(engine.settings.is_private)
        .build()
        .map_err(|error| GuardianError::Invalid(error.to_string()))
}

impl fmt::Debug for Guardian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guardian").field("settings", &self.engine.settings).finish_non_exhaustive()
    }
}
