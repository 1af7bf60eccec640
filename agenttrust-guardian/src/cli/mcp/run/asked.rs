//! Which Guardian is asked, and as which agent: one that is served, or one inside of this process.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard, CreateAgentRequest};

use super::Run;
use crate::cli::remote::failed;
use crate::domain::GuardianError;
use crate::guardian::Guardian;

/// What the environment says of a Guardian that is served.
const URL: &str = "AGENTTRUST_URL";
const API_KEY: &str = "AGENTTRUST_API_KEY";
const AGENT_ID: &str = "AGENTTRUST_AGENT_ID";

/// How long the last reports may take: a client that ends a server does not wait for long.
const LAST_REPORTS: Duration = Duration::from_secs(2);

/// The guard, and the Guardian behind it where that is in this process.
pub(super) struct Asked {
    guard: AgentTrustGuard,
    inside: Option<Inside>,
}

struct Inside {
    guardian: Guardian,
    /// Whether another Guardian can decide later, on the same file.
    kept: bool,
}

impl Asked {
    /// Finds or starts the Guardian.
    pub(super) async fn open(run: &Run, server: &str) -> Result<Self, GuardianError> {
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        if run.database.is_none() && run.policies.is_none() && (is_set(URL) || is_set(API_KEY)) {
            return Self::served(run, server).await;
        }
        if run.hold.is_some() {
            return Err(GuardianError::Invalid(format!(
                "--hold waits for a person to approve a call, and none can while the Guardian is inside of \
                 this program; serve one with `agenttrust serve`, and set {URL} and {API_KEY}"
            )));
        }
        Self::inside(run, server).await
    }

    async fn served(run: &Run, server: &str) -> Result<Self, GuardianError> {
        let client = AgentTrustClient::from_env().map_err(failed)?;
        let named = run.agent.clone().or_else(|| env::var(AGENT_ID).ok());
        let agent = match named.filter(|agent| !agent.is_empty()) {
            Some(agent) => agent,
            None => only_agent(&client).await?,
        };
        let mut builder = AgentTrustGuard::builder(client, &agent);
        if run.disclose {
            builder = builder.disclose_on_elevation(true);
        }
        tracing::info!(server, agent, "calls are checked by the Guardian that {URL} names");
        Ok(Self { guard: builder.build(), inside: None })
    }

    async fn inside(run: &Run, server: &str) -> Result<Self, GuardianError> {
        let mut builder = Guardian::builder();
        if let Some(folder) = &run.policies {
            builder = builder.policies(folder);
        }
        if let Some(file) = &run.database {
            let file = file.to_str().ok_or_else(|| {
                GuardianError::Invalid("the path of --database is no text in UTF-8".to_owned())
            })?;
            builder = builder.database(format!("sqlite://{file}"));
        }
        let guardian = builder.build().await?;
        let client = guardian.client();
        let agent = match &run.agent {
            Some(agent) => agent.clone(),
            None => own_agent(&client, server).await?,
        };
        let mut builder = AgentTrustGuard::builder(client, &agent);
        if let Some(file) = &run.database {
            builder = builder.state_file(beside(file, server));
        }
        let policies = if run.policies.is_some() { "those of --policies" } else { "built in" };
        let kept = run.database.is_some();
        let database = if kept { "that of --database" } else { "in memory" };
        tracing::info!(
            server,
            agent,
            policies,
            database,
            "calls are checked by a Guardian inside of this program"
        );
        Ok(Self { guard: builder.build(), inside: Some(Inside { guardian, kept }) })
    }

    pub(super) fn guard(&self) -> &AgentTrustGuard {
        &self.guard
    }

    /// Tells the caller of a held call how to go on; at a Guardian that no approver reaches, that it cannot.
    pub(super) fn explain(&self, tool: &str, denial: AgentTrustError) -> AgentTrustError {
        let AgentTrustError::ElevationRequired { message, approval_id } = denial else {
            return denial;
        };
        match &self.inside {
            None => AgentTrustError::ElevationRequired { message, approval_id },
            Some(Inside { kept: true, .. }) => AgentTrustError::ElevationRequired {
                message: format!(
                    "{message}. A person can approve it once this server has ended, with `agenttrust serve` \
                     on the same --database"
                ),
                approval_id,
            },
            Some(_) => AgentTrustError::ActionDenied {
                message: format!(
                    "tool {tool:?} needs an approval, and nobody can give one here: the Guardian is inside of \
                     `agenttrust mcp run`, in memory. A person can serve one with `agenttrust serve` and set \
                     {URL} and {API_KEY} for this server, or permit such calls with --policies"
                ),
                check_id: None,
            },
        }
    }

    /// Sends what is still to be reported, and keeps it.
    pub(super) async fn close(&self) {
        let reported = tokio::time::timeout(LAST_REPORTS, self.guard.close()).await;
        if !matches!(reported, Ok(Ok(()))) {
            tracing::warn!("the last reports did not reach the Guardian");
        }
        if let Some(Inside { guardian, .. }) = &self.inside {
            guardian.close().await;
        }
    }
}

/// The one agent of the key.
async fn only_agent(client: &AgentTrustClient) -> Result<String, GuardianError> {
    let agents = client.agents().list().await.map_err(failed)?;
    let mut active = agents.into_iter().filter(|agent| agent.status == "active");
    match (active.next(), active.next()) {
        (Some(agent), None) => Ok(agent.id),
        (found, _) => Err(GuardianError::Invalid(format!(
            "{API_KEY} may ask for {}; say with --agent or {AGENT_ID} whose calls these are, or give \
             a key of one agent: `agenttrust agents create NAME --capability 'SERVER/*' --key`",
            if found.is_some() { "more than one agent" } else { "no agent" }
        ))),
    }
}

/// The agent of this server, which may use all of it: as it was registered before, else a new one.
async fn own_agent(client: &AgentTrustClient, server: &str) -> Result<String, GuardianError> {
    let agents = client.agents().list().await.map_err(failed)?;
    let mut own: Vec<_> = agents.into_iter().filter(|agent| agent.name == server).collect();
    if let Some(at) = own.iter().position(|agent| agent.status == "active") {
        return Ok(own.swap_remove(at).id);
    }
    if let Some(agent) = own.first() {
        return Err(GuardianError::Invalid(format!(
            "the agent {server:?} is {} in this database, and what was taken back does not begin anew by \
             itself; register another one, and name it with --agent",
            agent.status
        )));
    }
    let request = CreateAgentRequest {
        name: server.to_owned(),
        capabilities: vec![format!("{server}/*")],
        // Without a key pair: nothing here needs one.
        public_key: Some(String::new()),
        ..CreateAgentRequest::default()
    };
    client.agents().create(&request).await.map(|agent| agent.id).map_err(failed)
}

/// Where the session and the key of the guard are kept, so that an approval serves the next run.
fn beside(database: &Path, server: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(format!(".{server}.state"));
    name.into()
}
