//! Which Guardian is asked, and as which agent: one that is served, or one inside of this process, which may be served
//! beside to a person.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard, CreateAgentRequest, Effect};

use super::Run;
use super::approval_server::{ApprovalServer, bind};
use super::pins::{Pin, Pins};
use super::tool_visibility::ToolVisibility;
use crate::cli::remote::failed;
use crate::domain::GuardianError;
use crate::guardian::Guardian;

/// The environment variable of a served Guardian's URL.
const URL: &str = "AGENTTRUST_URL";
const API_KEY: &str = "AGENTTRUST_API_KEY";
const AGENT_ID: &str = "AGENTTRUST_AGENT_ID";

/// The time that the last reports may take: a client that ends a server does not wait for long.
const LAST_REPORTS: Duration = Duration::from_secs(2);

/// The guard, and the Guardian behind it where that is in this process.
pub(super) struct GuardianClient {
    guard: AgentTrustGuard,
    agent: String,
    visibility: ToolVisibility,
    inside: Option<Inside>,
}

struct Inside {
    guardian: Guardian,
    /// Whether another Guardian can decide later, on the same file.
    kept: bool,
    /// The server where a person decides meanwhile.
    approval_server: Option<ApprovalServer>,
}

impl GuardianClient {
    /// Finds or starts the Guardian.
    pub(super) async fn open(run: &Run, server: &str) -> Result<Self, GuardianError> {
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        if run.database.is_none() && run.policies.is_none() && (is_set(URL) || is_set(API_KEY)) {
            if run.listen.is_some() {
                return Err(GuardianError::Invalid(format!(
                    "--listen serves the Guardian inside of this program, and {URL} or {API_KEY} names another; \
                     leave one of the two out"
                )));
            }
            return Self::served(run, server).await;
        }
        if run.hold.is_some() && run.listen.is_none() {
            return Err(GuardianError::Invalid(format!(
                "--hold waits for a person to approve a call, and none can while the Guardian is inside of \
                 this program; have it served with --listen 127.0.0.1:0, or serve one with `agenttrust serve`, \
                 and set {URL} and {API_KEY}"
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
        let visibility = ToolVisibility::served(client.clone());
        // Said either way: the guard else warns that nothing was, in words for programs.
        let builder = AgentTrustGuard::builder(client, &agent).disclose_on_elevation(run.disclose);
        tracing::info!(server, agent, "calls are checked by the Guardian that {URL} names");
        Ok(Self { guard: builder.build(), agent, visibility, inside: None })
    }

    async fn inside(run: &Run, server: &str) -> Result<Self, GuardianError> {
        let listening = run.listen.as_deref().map(bind).transpose()?;
        let guardian = guardian(run).await?;
        let client = guardian.client();
        let agent = match &run.agent {
            Some(agent) => agent.clone(),
            None => own_agent(&client, server).await?,
        };
        let mut builder = AgentTrustGuard::builder(client, &agent);
        if let Some(file) = &run.database {
            builder = builder.state_file(beside(file, server, "state"));
        }
        // An approver who is here sees what is decided.
        if listening.is_some() {
            builder = builder.disclose_on_elevation(true);
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
        let approval_server = match listening {
            Some(listening) => Some(ApprovalServer::open(listening, &guardian).await?),
            None => None,
        };
        let visibility = ToolVisibility::Inside(guardian.clone());
        let inside = Some(Inside { guardian, kept, approval_server });
        Ok(Self { guard: builder.build(), agent, visibility, inside })
    }

    /// Sees that what is known of what the agent may call is of now.
    pub(super) async fn look(&self) {
        self.visibility.look(&self.agent).await;
    }

    /// Returns whether the agent is shown this tool.
    pub(super) fn may_see(&self, tool: String, hint: Option<Effect>) -> bool {
        self.visibility.may_see(&self.agent, tool, hint)
    }

    pub(super) fn guard(&self) -> &AgentTrustGuard {
        &self.guard
    }

    /// Tells the caller of a held call how to go on; at a Guardian that no approver reaches, that it cannot.
    pub(super) fn explain(&self, tool: &str, denial: AgentTrustError) -> AgentTrustError {
        let AgentTrustError::ElevationRequired { message, approval_id } = denial else {
            return denial;
        };
        let message = by_flags(&message, self.inside.is_some());
        match &self.inside {
            None => AgentTrustError::ElevationRequired { message, approval_id },
            Some(Inside { approval_server: Some(approval_server), .. }) => {
                AgentTrustError::ElevationRequired {
                    message: format!(
                        "{message}. A person can approve it with `agenttrust approvals approve {approval_id}` at {}, \
                         with the key that this server's standard error shows; then call again",
                        approval_server.url
                    ),
                    approval_id,
                }
            }
            Some(Inside { kept: true, .. }) => AgentTrustError::ElevationRequired {
                message: format!(
                    "{message}. A person can approve it once this server has ended, with `agenttrust serve` \
                     on the same --database"
                ),
                approval_id,
            },
            Some(_) => AgentTrustError::ActionDenied {
                message: format!(
                    "tool {tool:?} needs an approval, and no person can give one here: the Guardian is inside of \
                     `agenttrust mcp run`, in memory. A person can have it served with --listen 127.0.0.1:0, or \
                     serve one with `agenttrust serve` and set {URL} and {API_KEY} for this server, or permit such \
                     calls with --policies"
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
        if let Some(Inside { guardian, approval_server, .. }) = &self.inside {
            if let Some(approval_server) = approval_server {
                approval_server.close(guardian).await;
            }
            guardian.close().await;
        }
    }
}

/// Returns the same advice for who starts this program: a guard gives it for who builds one in a program.
fn by_flags(message: &str, is_inside: bool) -> String {
    let keeps = match is_inside {
        true => "`agenttrust mcp run --database FILE` keeps one",
        false => "AGENTTRUST_STATE=FILE in the environment of `agenttrust mcp run` keeps one",
    };
    let shows = "`agenttrust mcp run --disclose` would show";
    message
        .replace("`state_file` or AGENTTRUST_STATE keeps one", keeps)
        .replace("`disclose_on_elevation(true)` on the guard would show", shows)
}

/// Returns what is pinned of the tools in earlier runs, and where it is kept: in the file that is named, else beside
/// the database.
pub(super) fn pins(run: &Run, server: &str) -> Result<Option<(Pins, Vec<Pin>)>, GuardianError> {
    let beside = run.database.as_deref().map(|database| beside(database, server, "pins"));
    run.pins.clone().or(beside).map(|path| Pins::open(&path)).transpose()
}

/// Returns the Guardian inside of this program.
async fn guardian(run: &Run) -> Result<Guardian, GuardianError> {
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
    builder.build().await
}

/// Returns the one agent of the key.
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

/// Returns the agent of this server, which may use all of it: as it was registered before, else a new one.
async fn own_agent(client: &AgentTrustClient, server: &str) -> Result<String, GuardianError> {
    let agents = client.agents().list().await.map_err(failed)?;
    let mut own: Vec<_> = agents.into_iter().filter(|agent| agent.name == server).collect();
    if let Some(at) = own.iter().position(|agent| agent.status == "active") {
        return Ok(own.swap_remove(at).id);
    }
    if let Some(agent) = own.first() {
        return Err(GuardianError::Invalid(format!(
            "the agent {server:?} is {} in this database, and what was taken back does not begin again by \
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

/// Returns where something of a server is kept from one run to the next: the session and the key of the guard, so that
/// an approval serves the next run, and what its tools were.
fn beside(database: &Path, server: &str, what: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(format!(".{server}.{what}"));
    name.into()
}
