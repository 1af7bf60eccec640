//! MCP servers: registering them, calling their tools through the Guardian, and what is known of these tools (SDK
//! guide, section 10).

use serde::Serialize;
use serde_json::Value;

use super::AgentTrustClient;
use super::json_rpc::{Reply, Request};
use super::path::segment;
use crate::error::{AgentTrustError, Result};
use crate::model::{McpAuthorization, McpServer, McpTool, RegisterMcpServerRequest, headers};

/// See [`AgentTrustClient::mcp`].
#[derive(Clone, Copy, Debug)]
pub struct Mcp<'a> {
    client: &'a AgentTrustClient,
}

/// More to register an MCP server with: extensions of our Guardian.
///
/// ```
/// use agenttrust::client::RegisterMcpServerOptions;
///
/// let options = RegisterMcpServerOptions::default().authorization("Bearer S3cret");
/// assert!(!format!("{options:?}").contains("S3cret"));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RegisterMcpServerOptions {
    /// The value that the Guardian sends to the server as `Authorization`. It is kept encrypted and never shown.
    pub authorization: Option<McpAuthorization>,
}

impl RegisterMcpServerOptions {
    /// Has the Guardian send this to the server as `Authorization`, such as `Bearer …`.
    #[must_use]
    pub fn authorization(mut self, value: impl Into<McpAuthorization>) -> Self {
        self.authorization = Some(value.into());
        self
    }
}

/// The body of a registration.
#[derive(Serialize)]
struct Registration<'a> {
    #[serde(flatten)]
    request: &'a RegisterMcpServerRequest,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization: Option<&'a McpAuthorization>,
}

impl<'a> Mcp<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Registers an MCP server, so that its tools are called through the Guardian. Needs an admin's key.
    ///
    /// ```
    /// use agenttrust::RegisterMcpServerRequest;
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async {
    /// #         let said = r#"{"id": "mcp_1", "name": "code-tools"}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let server = client
    ///     .mcp()
    ///     .register_server(&RegisterMcpServerRequest {
    ///         name: "code-tools".to_string(),
    ///         url: "https://mcp-server.example.com".to_string(),
    ///         capabilities: Some(vec!["run_code".to_string(), "lint".to_string()]),
    ///     })
    ///     .await?;
    /// println!("Server ID: {}", server.id);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Validation`](AgentTrustError::Validation) for a URL that may not be called and for what cannot be a name,
    /// [`Authorization`](AgentTrustError::Authorization) for a key that may not do this, [`Api`](AgentTrustError::Api)
    /// with status 409 where there is a server of this name, and 429 where the organisation has as many as it may
    /// have.
    pub async fn register_server(&self, request: &RegisterMcpServerRequest) -> Result<McpServer> {
        self.register_server_with(request, &RegisterMcpServerOptions::default()).await
    }

    /// Does the same as [`register_server`](Self::register_server), with more that our Guardian knows.
    ///
    /// # Errors
    ///
    /// As for [`register_server`](Self::register_server).
    pub async fn register_server_with(
        &self,
        request: &RegisterMcpServerRequest,
        options: &RegisterMcpServerOptions,
    ) -> Result<McpServer> {
        let body = Registration { request, authorization: options.authorization.as_ref() };
        self.client.post("/mcp/servers").json(&body).send().await?.object("server")
    }

    /// Returns the MCP servers of the organisation, the oldest first.
    ///
    /// # Errors
    ///
    /// [`Authorization`](AgentTrustError::Authorization) for a key that may not do this.
    pub async fn list_servers(&self) -> Result<Vec<McpServer>> {
        self.client.get("/mcp/servers").send().await?.list("servers")
    }

    /// Returns the MCP server with this id.
    ///
    /// # Errors
    ///
    /// [`NotFound`](AgentTrustError::NotFound) when there is no such server.
    pub async fn get_server(&self, server_id: &str) -> Result<McpServer> {
        self.client.get(path(server_id)?).send().await?.object("server")
    }

    /// Removes an MCP server: none of its tools is called from then on. Needs an admin's key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](AgentTrustError::NotFound) when there is no such server.
    pub async fn remove_server(&self, server_id: &str) -> Result<()> {
        self.client.delete(path(server_id)?).send().await.map(drop)
    }

    /// Sends a request of MCP to a server through the Guardian, which checks it first, and returns its `result`.
    ///
    /// The agent is asked for in the session, where one is given. A tool that says that it failed, and a call that the
    /// Guardian denied or holds, is a result too: `isError` is true in it, and its text says why.
    ///
    /// ```
    /// use serde_json::json;
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |request: http::Request<bytes::Bytes>| async move {
    /// #         assert_eq!(request.headers()["x-agent-id"], "agt_1");
    /// #         let said = r#"{"jsonrpc": "2.0", "id": 1, "result": {"content": [], "isError": false}}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let params = json!({ "name": "run_code", "arguments": { "code": "print('hello')" } });
    /// let result = client.mcp().call_tool("mcp_1", "agt_1", "tools/call", Some(params), None).await?;
    /// assert_eq!(result["isError"], false);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Api`](AgentTrustError::Api) with the code `JSON_RPC_<code>` for an error of MCP, such as `JSON_RPC_-32602`
    /// for a tool that the server does not have; [`Authorization`](AgentTrustError::Authorization) for an agent that
    /// the key is not bound to; [`NotFound`](AgentTrustError::NotFound) when there is no such server.
    #[expect(
        clippy::too_many_arguments,
        reason = "a call is told these, as in the published clients"
    )]
    pub async fn call_tool(
        &self,
        server_id: &str,
        agent_id: &str,
        method: &str,
        params: Option<Value>,
        session_id: Option<&str>,
    ) -> Result<Value> {
        if agent_id.is_empty() {
            return Err(AgentTrustError::invalid(
                "agent id is empty; the Guardian asks whether this agent may call, so give its id",
            ));
        }
        let path = format!("/mcp/{}", segment("server id", server_id)?);
        let request = Request::new(method, params.as_ref());
        let mut call = self.client.post(path).json(&request).header(headers::AGENT_ID, agent_id);
        if let Some(session_id) = session_id.filter(|id| !id.is_empty()) {
            call = call.header(headers::SESSION_ID, session_id);
        }
        match Reply::of(call.send().await?.json()?) {
            Reply::Result(result) | Reply::Other(result) => Ok(result),
            Reply::Fault(fault) => Err(AgentTrustError::Api {
                message: fault.message("MCP"),
                code: format!("JSON_RPC_{}", fault.code),
                status: 200,
            }),
        }
    }

    /// Returns what the Guardian knows of the tools of a server, ordered by name: an extension of ours. A key of role
    /// agent sees those that its agents may use.
    ///
    /// # Errors
    ///
    /// [`NotFound`](AgentTrustError::NotFound) when there is no such server, or the gateway knows no tools.
    pub async fn tools(&self, server_id: &str) -> Result<Vec<McpTool>> {
        self.client.get(format!("{}/tools", path(server_id)?)).send().await?.list("tools")
    }

    /// Accepts what a tool is changed to, so that it may be called as it is now: an extension of ours. Needs an
    /// operator's or admin's key.
    ///
    /// The `digest` is that of the [change](McpTool::changed) that was looked at; a tool that is another one again by
    /// now is not accepted.
    ///
    /// # Errors
    ///
    /// [`Api`](AgentTrustError::Api) with status 409 where the tool is another one by now, or cannot be accepted;
    /// [`NotFound`](AgentTrustError::NotFound) when there is no such server or tool;
    /// [`Authorization`](AgentTrustError::Authorization) for a key that may not do this.
    pub async fn accept_tool(&self, server_id: &str, tool: &str, digest: &str) -> Result<McpTool> {
        #[derive(Serialize)]
        struct Accept<'a> {
            digest: &'a str,
        }
        let path = format!("{}/tools/{}/accept", path(server_id)?, segment("tool", tool)?);
        self.client.post(path).json(&Accept { digest }).send().await?.object("tool")
    }
}

fn path(server_id: &str) -> Result<String> {
    Ok(format!("/mcp/servers/{}", segment("server id", server_id)?))
}
