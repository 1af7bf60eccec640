//! SDK guide, section 10: putting an MCP server behind the Guardian, and calling its tools through it.
//!
//! The server is in this process. It is at a private address, so a Guardian elsewhere does not call it, unless it was
//! started with `agenttrust serve --allow-outbound 127.0.0.0/8`.

use std::sync::Arc;

use agenttrust::{AgentTrustClient, AgentTrustError, RegisterMcpServerRequest, blocking};
use agenttrust_examples::{Served, bot};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::schemars::JsonSchema;
use rmcp::transport::streamable_http_server::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use serde::Deserialize;
use serde_json::{Value, json};

fn main() -> anyhow::Result<()> {
    // It has threads of its own, and answers while `blocking` holds this one.
    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(code_tools())?;
    let url = format!("{}/mcp", server.url());
    agenttrust_examples::run(
        async |client| asynchronous(client, &url).await,
        |client| blocking(client, &url),
    )
}

async fn asynchronous(client: AgentTrustClient, url: &str) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["code-tools/*"])).await?;

    // Register an MCP tool server
    let server = client.mcp().register_server(&code_tools_at(url)).await?;
    println!("  Server ID: {}", server.id);

    // Call a tool through the proxy (Guardian checks apply)
    let session = client.sessions().init_session(&agent.id, &server.id).await?;
    let session = Some(session.session_id.as_str());
    let mcp = client.mcp();
    let lint = mcp.call_tool(&server.id, &agent.id, "tools/call", lint(), session).await?;
    println!("  {}", text(&lint));
    assert_eq!(text(&lint), "no complaints");

    // What runs code waits for somebody who approves that, and then runs as it was approved
    let held = mcp.call_tool(&server.id, &agent.id, "tools/call", hello(), session).await?;
    let approval_id = held_for(&held);
    client.approvals().approve(&approval_id, "admin@company.com").await?;
    let ran = mcp.call_tool(&server.id, &agent.id, "tools/call", hello(), session).await?;
    println!("  held for {approval_id}, approved: {}", text(&ran));
    assert_eq!(text(&ran), "hello");

    // A tool that the server does not have opens no approval
    let missing = mcp.call_tool(&server.id, &agent.id, "tools/call", missing(), session).await;
    println!("  {}", missing.unwrap_err());

    // List registered servers, and what is known of the tools of one
    assert!(client.mcp().list_servers().await?.iter().any(|known| known.id == server.id));
    let tools = client.mcp().tools(&server.id).await?;
    assert_eq!(tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["lint", "run_code"]);

    // Remove a server
    client.mcp().remove_server(&server.id).await?;
    assert!(client.mcp().get_server(&server.id).await.is_err());
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient, url: &str) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["code-tools/*"]))?;

    // Register an MCP tool server
    let server = client.mcp().register_server(&code_tools_at(url))?;
    println!("  Server ID: {}", server.id);

    // Call a tool through the proxy (Guardian checks apply)
    let session = client.sessions().init_session(&agent.id, &server.id)?;
    let session = Some(session.session_id.as_str());
    let mcp = client.mcp();
    let lint = mcp.call_tool(&server.id, &agent.id, "tools/call", lint(), session)?;
    println!("  {}", text(&lint));
    assert_eq!(text(&lint), "no complaints");

    // What runs code waits for somebody who approves that, and then runs as it was approved
    let held = mcp.call_tool(&server.id, &agent.id, "tools/call", hello(), session)?;
    let approval_id = held_for(&held);
    client.approvals().approve(&approval_id, "admin@company.com")?;
    let ran = mcp.call_tool(&server.id, &agent.id, "tools/call", hello(), session)?;
    println!("  held for {approval_id}, approved: {}", text(&ran));
    assert_eq!(text(&ran), "hello");

    // A tool that the server does not have opens no approval
    let missing = mcp.call_tool(&server.id, &agent.id, "tools/call", missing(), session);
    println!("  {}", missing.unwrap_err());

    // List registered servers, and what is known of the tools of one
    assert!(client.mcp().list_servers()?.iter().any(|known| known.id == server.id));
    let tools = client.mcp().tools(&server.id)?;
    assert_eq!(tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["lint", "run_code"]);

    // Remove a server
    client.mcp().remove_server(&server.id)?;
    assert!(client.mcp().get_server(&server.id).is_err());
    Ok(())
}

fn code_tools_at(url: &str) -> RegisterMcpServerRequest {
    RegisterMcpServerRequest {
        name: "code-tools".to_string(),
        url: url.to_string(),
        capabilities: Some(vec!["run_code".to_string(), "lint".to_string()]),
    }
}

fn lint() -> Option<Value> {
    Some(json!({ "name": "lint", "arguments": { "language": "python", "code": "pass" } }))
}

fn hello() -> Option<Value> {
    let arguments = json!({ "language": "python", "code": "print('hello')" });
    Some(json!({ "name": "run_code", "arguments": arguments }))
}

fn missing() -> Option<Value> {
    Some(json!({ "name": "deploy", "arguments": {} }))
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_default()
}

/// Returns the approval that a call waits for.
fn held_for(result: &Value) -> String {
    assert_eq!(result["isError"], true, "it ran: {result}");
    result["_meta"]["agenttrust/denial"]["approval_id"].as_str().expect("it is held").to_string()
}

/// An MCP server with two tools, as another team might run it.
#[derive(Clone)]
struct CodeTools;

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Code {
    /// The programming language of the code.
    language: String,
    /// The code itself.
    code: String,
}

#[tool_router]
impl CodeTools {
    /// Runs code, as long as it prints a word.
    #[tool]
    fn run_code(&self, Parameters(Code { language, code }): Parameters<Code>) -> String {
        let word = code.split('\'').nth(1).unwrap_or("nothing");
        if language == "python" { word.to_string() } else { format!("no {language} here") }
    }

    /// Looks at code.
    #[tool]
    fn lint(&self, Parameters(Code { .. }): Parameters<Code>) -> String {
        "no complaints".to_string()
    }
}

#[tool_handler]
impl ServerHandler for CodeTools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

async fn code_tools() -> anyhow::Result<Served> {
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(|| Ok(CodeTools), sessions, Default::default());
    Served::on_loopback(axum::Router::new().route_service("/mcp", service)).await
}
