//! [`TestGuardian`]: one Guardian, embedded or served, and the clients that come with it.

use agenttrust::{Agent, AgentTrustClient, AgentTrustGuard, CreateAgentRequest};
use agenttrust_guardian::{Guardian, Role};
use anyhow::Result;

use crate::admin::Admin;
use crate::served::{Serve, Served};

/// The admin key of an embedded Guardian.
const ADMIN_KEY: &str = "sk_live_admin_inside";

/// The form in which a Guardian runs.
#[derive(Clone, Copy, Debug)]
pub enum Deployment {
    /// A Guardian in this process, without a socket.
    Embedded,
    /// The program at this path, over a real socket.
    Served(&'static str),
}

/// The keys that the agent and its approver use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// The guide's form: one client asks and approves, and the Guardian lets it.
    OneClient,
    /// The agent asks with its own key, an operator decides, and no requester decides for itself.
    AgentAndOperator,
}

/// A Guardian under test.
#[derive(Debug)]
pub struct TestGuardian {
    home: Home,
    keys: Keys,
}

#[derive(Debug)]
enum Home {
    Embedded(Guardian),
    Served(Served),
}

/// An agent of a test, with the client that asks for it and the client that decides.
#[derive(Clone, Debug)]
pub struct TestAgent {
    /// The agent.
    pub agent: Agent,
    /// The client that asks for it.
    pub client: AgentTrustClient,
    /// The client that decides what was asked; the same one in the guide's form.
    pub approver: AgentTrustClient,
}

impl TestGuardian {
    /// Starts a Guardian.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start(deployment: Deployment, keys: Keys) -> Result<Self> {
        let allow = keys == Keys::OneClient;
        let home = match deployment {
            Deployment::Embedded => {
                let builder = Guardian::builder().admin_key(ADMIN_KEY).allow_self_approval(allow);
                Home::Embedded(builder.build_blocking()?)
            }
            Deployment::Served(program) => {
                Home::Served(Serve::new(program).allow_self_approval(allow).start()?)
            }
        };
        Ok(Self { home, keys })
    }

    /// Returns an admin of the Guardian.
    #[must_use]
    pub fn admin(&self) -> Admin {
        match &self.home {
            Home::Embedded(guardian) => Admin::inside(guardian.router(), ADMIN_KEY),
            Home::Served(served) => served.admin(),
        }
    }

    /// Returns a client with an admin's key.
    ///
    /// # Errors
    ///
    /// As for [`client_with_key`](Self::client_with_key).
    pub fn admin_client(&self) -> Result<AgentTrustClient> {
        match &self.home {
            Home::Embedded(_) => self.client_with_key(ADMIN_KEY),
            Home::Served(served) => self.client_with_key(served.admin_key()),
        }
    }

    /// Returns a client with this key, right or wrong.
    ///
    /// # Errors
    ///
    /// When no header can carry the key.
    pub fn client_with_key(&self, key: &str) -> Result<AgentTrustClient> {
        Ok(match &self.home {
            Home::Embedded(guardian) => guardian.client_with_key(key)?,
            Home::Served(served) => {
                AgentTrustClient::builder().base_url(served.url()).api_key(key).build()?
            }
        })
    }

    /// Registers an agent with these capabilities, and makes the keys that [`Keys`] says.
    ///
    /// # Errors
    ///
    /// When the Guardian refuses any of it.
    pub async fn test_agent(&self, capabilities: &[&str]) -> Result<TestAgent> {
        let admin = self.admin_client()?;
        let agent = admin.agents().create(&bot(capabilities)).await?;
        let (client, approver) = match self.keys {
            Keys::OneClient => (admin.clone(), admin),
            Keys::AgentAndOperator => {
                let own = self.admin().create_key(Role::Agent, &[&agent.id]).await?;
                let operator = self.admin().create_key(Role::Operator, &[]).await?;
                (self.client_with_key(&own)?, self.client_with_key(&operator)?)
            }
        };
        Ok(TestAgent { agent, client, approver })
    }
}

impl TestAgent {
    /// Returns a guard of the agent, with default settings.
    #[must_use]
    pub fn guard(&self) -> AgentTrustGuard {
        AgentTrustGuard::new(self.client.clone(), &self.agent.id)
    }
}

/// Returns the guide's agent, with these capabilities.
#[must_use]
pub fn bot(capabilities: &[&str]) -> CreateAgentRequest {
    CreateAgentRequest {
        name: "research-bot".to_string(),
        framework: "langchain".to_string(),
        capabilities: capabilities.iter().map(ToString::to_string).collect(),
        ..Default::default()
    }
}
