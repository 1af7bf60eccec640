//! MCP servers of tower-mcp behind the guard: `cargo run --example tower_mcp_server`.
//!
//! `servers.rs` shows what it takes, over HTTP and over stdio; `tools.rs` has the tools. The rest of this
//! file is tower-mcp's client. The server over stdio is this program, run as a child with `stdio FOLDER`;
//! `AGENTTRUST_URL`, `AGENTTRUST_API_KEY` and `AGENTTRUST_AGENT_ID` say for whom.
//!
//! Everything that is printed has been checked a line above; the program fails when it is not so. It
//! works in the empty folder of its argument, or in a temporary one.

mod servers;
mod tools;

use std::path::Path;

use agenttrust::{AgentTrustClient, CreateAgentRequest, IssueTokenRequest};
use agenttrust_examples::transcript::{section, short, step};
use agenttrust_examples::{Served, asks_for_help, outcomes};
use agenttrust_guardian::{Guardian, Role};
use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tower_mcp::CallToolResult;
use tower_mcp::client::{HttpClientTransport, McpClient, StdioClientTransport};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if asks_for_help() {
        println!("{USE}");
        return Ok(());
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => story(TempDir::with_prefix("files-")?.path()).await,
        [folder] => story(Path::new(folder)).await,
        ["stdio", folder] => servers::over_stdio(Path::new(folder)).await,
        _ => bail!("{USE}"),
    }
}

const USE: &str = "use tower_mcp_server [FOLDER], or tower_mcp_server stdio FOLDER";

async fn story(folder: &Path) -> anyhow::Result<()> {
    for name in ["draft.md", "old.md", "plan.md"] {
        std::fs::write(folder.join(name), name)?;
    }
    let guardian = Guardian::in_memory().await?;
    let operator = guardian.client_with_key(&guardian.create_key(Role::Operator, &[]).await?)?;
    let writer = Agent::register(&guardian, "writer", &["files/*"]).await?;
    let reader = Agent::register(&guardian, "reader", &["files/list"]).await?;

    let gateway = guardian.client_with_key(&guardian.create_key(Role::Gateway, &[]).await?)?;
    let (router, guard) = servers::over_http(folder, gateway);
    let served = Served::on_loopback(router).await?;
    let url = format!("{}/mcp", served.url());
    nobody_comes_in_without_a_token(&url).await?;
    a_whole_server_is_guarded(&url, folder, &writer, &operator).await?;
    each_call_is_its_agents(&url, folder, &reader).await?;
    guard.close().await?;

    one_tool_is_guarded(&guardian, folder, &writer, &operator).await?;

    section("5. What was reported");
    for outcome in outcomes(&guardian).await? {
        let agent = [&writer, &reader].into_iter().find(|agent| agent.id == outcome.agent_id);
        ensure!(outcome.success, "a call failed: {outcome:?}");
        step(agent.context("a call of nobody")?.name, format!("{}: ok", outcome.tool));
    }
    guardian.close().await;
    Ok(())
}

async fn nobody_comes_in_without_a_token(url: &str) -> anyhow::Result<()> {
    section("1. Over HTTP, nobody comes in without a token");
    let refused = connect(url, None).await.err().context("it came in without a token")?;
    ensure!(format!("{refused:#}").contains("401"), "refused for another reason: {refused:#}");
    step("nobody connects", "401");
    Ok(())
}

async fn a_whole_server_is_guarded(
    url: &str,
    folder: &Path,
    writer: &Agent,
    operator: &AgentTrustClient,
) -> anyhow::Result<()> {
    section("2. A whole server behind the guard");
    let client = connect(url, Some(&writer.token)).await?;
    let tools = client.list_tools().await?.tools;
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
    step("writer asks for the tools", names.join(", "));

    let files = worked(&client.call_tool("list", json!({})).await?)?;
    ensure!(files == "draft.md, old.md, plan.md", "the folder holds {files}");
    step("writer lists the files", format!("allowed: {files}"));

    let arguments = json!({ "name": "summary.md", "text": "shelves first" });
    worked(&client.call_tool("write", arguments).await?)?;
    ensure!(std::fs::read_to_string(folder.join("summary.md"))? == "shelves first", "not that");
    step("writer writes summary.md", "allowed: the file is on the disk");

    let delete = async |name: &str| client.call_tool("delete", json!({ "name": name })).await;
    let approval_id = held(&delete("draft.md").await?)?;
    ensure!(folder.join("draft.md").is_file(), "draft.md was deleted unapproved");
    step("writer deletes draft.md", format!("held: {}", short(&approval_id)));

    operator.approvals().approve(&approval_id, "olga@files.example").await?;
    step("operator approves it", format!("{} is approved", short(&approval_id)));

    let other = held(&delete("plan.md").await?)?;
    ensure!(other != approval_id && folder.join("plan.md").is_file(), "it served plan.md");
    step(
        "writer deletes plan.md",
        format!("held: that is for draft.md only, {} is new", short(&other)),
    );

    worked(&delete("draft.md").await?)?;
    ensure!(!folder.join("draft.md").exists(), "draft.md is still there");
    step("writer deletes draft.md again", "allowed, as approved: the file is gone");
    client.shutdown().await?;
    Ok(())
}

async fn each_call_is_its_agents(url: &str, folder: &Path, reader: &Agent) -> anyhow::Result<()> {
    section("3. Each call is its agent's, and what the model reads of a denial");
    let client = connect(url, Some(&reader.token)).await?;
    let files = worked(&client.call_tool("list", json!({})).await?)?;
    step("reader lists the files", format!("allowed: {files}"));

    let arguments = json!({ "name": "summary.md", "text": "lamps first" });
    let denied = client.call_tool("write", arguments).await?;
    ensure!(code(&denied)? == "ACTION_DENIED", "not denied: {denied:?}");
    ensure!(std::fs::read_to_string(folder.join("summary.md"))? == "shelves first", "overwritten");
    step("reader writes summary.md", denied.all_text());
    client.shutdown().await?;
    Ok(())
}

async fn one_tool_is_guarded(
    guardian: &Guardian,
    folder: &Path,
    writer: &Agent,
    operator: &AgentTrustClient,
) -> anyhow::Result<()> {
    section("4. Over stdio, one tool behind a guard of its own");
    // The child is another process, so the Guardian has to be served.
    let served = Served::on_loopback(guardian.router()).await?;
    let mut child = Command::new(std::env::current_exe()?);
    child
        .arg("stdio")
        .arg(folder)
        .env("AGENTTRUST_URL", served.url())
        .env("AGENTTRUST_API_KEY", &writer.key)
        .env("AGENTTRUST_AGENT_ID", &writer.id);
    let client = McpClient::connect(StdioClientTransport::spawn_command(&mut child).await?).await?;
    client.initialize("tower_mcp_server", "1.0.0").await?;

    let files = worked(&client.call_tool("list", json!({})).await?)?;
    step("writer lists the files", format!("not asked about: {files}"));

    let delete = async || client.call_tool("delete", json!({ "name": "old.md" })).await;
    let approval_id = held(&delete().await?)?;
    ensure!(folder.join("old.md").is_file(), "old.md was deleted unapproved");
    step("writer deletes old.md", format!("held: {}", short(&approval_id)));

    operator.approvals().approve(&approval_id, "olga@files.example").await?;
    worked(&delete().await?)?;
    ensure!(!folder.join("old.md").exists(), "old.md is still there");
    step("operator approves, again", "allowed: the file is gone");

    // Closes its input, upon which the child reports and ends.
    client.shutdown().await?;
    served.stop().await
}

async fn connect(url: &str, token: Option<&str>) -> anyhow::Result<McpClient> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let transport = HttpClientTransport::with_client(url, client);
    let transport = match token {
        Some(token) => transport.bearer_token(token),
        None => transport,
    };
    let client = McpClient::connect(transport).await?;
    client.initialize("tower_mcp_server", "1.0.0").await?;
    Ok(client)
}

/// Returns the text of a call that worked.
fn worked(result: &CallToolResult) -> anyhow::Result<String> {
    ensure!(!result.is_error, "it failed: {}", result.all_text());
    Ok(result.all_text())
}

/// Returns the approval that a call is held for.
fn held(result: &CallToolResult) -> anyhow::Result<String> {
    ensure!(code(result)? == "ELEVATION_REQUIRED", "not held: {result:?}");
    let approval_id = denial(result)?["approval_id"].as_str().context("no approval is named")?;
    Ok(approval_id.to_owned())
}

fn code(result: &CallToolResult) -> anyhow::Result<&str> {
    denial(result)?["code"].as_str().context("a denial without a code")
}

/// Returns what a denial says to programs, beside what the model reads.
fn denial(result: &CallToolResult) -> anyhow::Result<&Value> {
    ensure!(result.is_error, "it was not denied: {}", result.all_text());
    let meta = result.meta.as_ref().context("a denial says nothing to programs")?;
    Ok(&meta["agenttrust/denial"])
}

/// An agent, its key, and a token for the server over HTTP.
struct Agent {
    name: &'static str,
    id: String,
    key: String,
    token: String,
}

impl Agent {
    async fn register(
        guardian: &Guardian,
        name: &'static str,
        capabilities: &[&str],
    ) -> anyhow::Result<Self> {
        let capabilities: Vec<String> = capabilities.iter().map(ToString::to_string).collect();
        let request = CreateAgentRequest {
            name: name.to_string(),
            capabilities: capabilities.clone(),
            ..Default::default()
        };
        let id = guardian.client().agents().create(&request).await?.id;
        let key = guardian.create_key(Role::Agent, &[&id]).await?;
        let request = IssueTokenRequest {
            agent_id: id.clone(),
            scope: capabilities,
            audience: vec!["files".to_string()],
            ttl: 300,
        };
        let token = guardian.client_with_key(&key)?.tokens().issue(&request).await?.token;
        Ok(Self { name, id, key, token })
    }
}
