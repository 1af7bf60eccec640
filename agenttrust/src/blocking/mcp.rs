//! MCP servers without `.await`.

use serde_json::Value;

use super::resources::resources;
use super::wait;
use crate::client::{AgentTrustClient, RegisterMcpServerOptions};
use crate::error::Result;
use crate::model::{McpServer, McpTool, RegisterMcpServerRequest};

resources! {
    /// Registering MCP servers and calling their tools through the Guardian; the async one is [`crate::client::Mcp`].
    Mcp by mcp {
        /// Registers an MCP server, so that its tools are called through the Guardian.
        ///
        /// # Errors
        ///
        /// As for the async [`register_server`](crate::client::Mcp::register_server).
        fn register_server(&self, request: &RegisterMcpServerRequest) -> McpServer;

        /// Does the same as [`register_server`](Self::register_server), with more that our Guardian knows.
        ///
        /// # Errors
        ///
        /// As for the async [`register_server_with`](crate::client::Mcp::register_server_with).
        fn register_server_with(&self, request: &RegisterMcpServerRequest, options: &RegisterMcpServerOptions) -> McpServer;

        /// Returns the MCP servers of the organisation, the oldest first.
        ///
        /// # Errors
        ///
        /// As for the async [`list_servers`](crate::client::Mcp::list_servers).
        fn list_servers(&self) -> Vec<McpServer>;

        /// Returns the MCP server with this id.
        ///
        /// # Errors
        ///
        /// As for the async [`get_server`](crate::client::Mcp::get_server).
        fn get_server(&self, server_id: &str) -> McpServer;

        /// Removes an MCP server: none of its tools is called from then on.
        ///
        /// # Errors
        ///
        /// As for the async [`remove_server`](crate::client::Mcp::remove_server).
        fn remove_server(&self, server_id: &str) -> ();

        /// Returns what the Guardian knows of the tools of a server, ordered by name.
        ///
        /// # Errors
        ///
        /// As for the async [`tools`](crate::client::Mcp::tools).
        fn tools(&self, server_id: &str) -> Vec<McpTool>;

        /// Accepts what a tool is changed to, so that it may be called as it is now.
        ///
        /// # Errors
        ///
        /// As for the async [`accept_tool`](crate::client::Mcp::accept_tool).
        fn accept_tool(&self, server_id: &str, tool: &str, digest: &str) -> McpTool;
    }
}

impl Mcp<'_> {
    /// Sends a request of MCP to a server through the Guardian, which checks it first, and returns its `result`.
    ///
    /// # Errors
    ///
    /// As for the async [`call_tool`](crate::client::Mcp::call_tool).
    #[expect(
        clippy::too_many_arguments,
        reason = "a call is told these, as in the published clients"
    )]
    pub fn call_tool(
        &self,
        server_id: &str,
        agent_id: &str,
        method: &str,
        params: Option<Value>,
        session_id: Option<&str>,
    ) -> Result<Value> {
        let client = self.client.clone();
        let [server_id, agent_id, method] = [server_id, agent_id, method].map(str::to_owned);
        let session_id = session_id.map(str::to_owned);
        wait(async move {
            let session_id = session_id.as_deref();
            client.mcp().call_tool(&server_id, &agent_id, &method, params, session_id).await
        })
    }
}
