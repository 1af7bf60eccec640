//! `mcp_rmcp_server`, as MCP clients use it: rmcp's own and the official TypeScript one, each over
//! stdio and over HTTP.
//!
//! The TypeScript client is that of `peers/`, after `npm ci` in there. Where it is not, or no `node`,
//! its tests skip and say so.

use std::path::Path;
use std::process::Stdio;

use agenttrust_examples::Served;
use agenttrust_guardian::{Guardian, Role};
use anyhow::{Context as _, Result, ensure};
use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{RmcpError, ServiceExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::running::{Running, example, in_time, node_with_the_peers};

type Client = RunningService<RoleClient, ()>;

/// Returns a folder with a plan and a draft.
fn folder() -> Result<TempDir> {
    let folder = TempDir::with_prefix("files-")?;
    std::fs::write(folder.path().join("plan.md"), "- order shelves\n")?;
    std::fs::write(folder.path().join("draft.md"), "superseded\n")?;
    Ok(folder)
}

/// Returns the server on this folder, with the Guardian that it brings along.
fn server(folder: &TempDir, flags: &[&str]) -> Command {
    let mut command = example("mcp_rmcp_server");
    command.args(flags).arg(folder.path());
    command
}

async fn over_stdio(running: &mut Running) -> Result<Client> {
    in_time("the handshake", ().serve(running.pipes()?)).await?.map_err(Into::into)
}

async fn call(client: &Client, tool: &'static str, given: Value) -> Result<CallToolResult> {
    let given = given.as_object().cloned().unwrap_or_default();
    let call = CallToolRequestParams::new(tool).with_arguments(given);
    Ok(in_time(tool, client.call_tool(call)).await?.map_err(RmcpError::Service)?)
}

async fn delete(client: &Client, name: &str) -> Result<CallToolResult> {
    call(client, "delete", json!({ "name": name })).await
}

fn text(result: &CallToolResult) -> &str {
    result.content.first().and_then(|content| content.as_text()).map_or("", |text| &text.text)
}

/// Returns the approval that a held call waits for.
fn held(result: &CallToolResult) -> Result<String> {
    ensure!(result.is_error == Some(true), "it ran: {}", text(result));
    let meta = result.meta.as_ref().context("a denial says more in `_meta`")?;
    let approval = meta.0["agenttrust/denial"]["approval_id"].as_str();
    Ok(approval.with_context(|| format!("it is not held: {}", text(result)))?.to_owned())
}

/// Returns what it does for everybody: lists its tools and reads; and what it does not: delete.
async fn serves_and_holds(client: &Client, folder: &TempDir) -> Result<String> {
    let tools = in_time("the tools", client.list_all_tools()).await??;
    let mut names: Vec<_> = tools.iter().map(|tool| &*tool.name).collect();
    names.sort_unstable();
    ensure!(names == ["delete", "list", "read", "write"], "{names:?}");
    let plan = call(client, "read", json!({ "name": "plan.md" })).await?;
    ensure!(text(&plan).contains("order shelves"), "{}", text(&plan));
    let listed = call(client, "list", json!({})).await?;
    ensure!(text(&listed) == "draft.md\nplan.md", "{}", text(&listed));
    let approval = held(&delete(client, "draft.md").await?)?;
    ensure!(folder.path().join("draft.md").exists(), "it was deleted before anybody approved that");
    Ok(approval)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_approved_with_the_command_that_the_log_shows() -> Result<()> {
    let folder = folder()?;
    let mut running = Running::start(&mut server(&folder, &[]))?;
    let client = over_stdio(&mut running).await?;
    let approval = serves_and_holds(&client, &folder).await?;

    running.said(r#"held: files/delete {"name":"draft.md"}"#).await?;
    let command = running.said("curl -X POST").await?;
    ensure!(command.contains(&approval), "{command}");
    // Not the key itself: who reads the log is not for us to say.
    ensure!(!command.contains("X-API-Key"), "{command}");
    let file = Path::new(between(&command, "-H '@", "'")?);
    ensure!(is_ours_alone(file)?, "others can read {}", file.display());
    let header = std::fs::read_to_string(file)?;
    let key = between(&header, "X-API-Key: ", "\n")?;
    let url = command.rsplit(' ').next().unwrap_or_default();
    let body = between(&command, "-d '", "'")?.to_owned();
    let request = reqwest::Client::new().post(url).header("X-API-Key", key);
    let answer = request.header("Content-Type", "application/json").body(body).send().await?;
    ensure!(answer.status().is_success(), "{}", answer.text().await?);

    held(&delete(&client, "plan.md").await?).context("the approval was for the draft")?;
    let gone = delete(&client, "draft.md").await?;
    ensure!(gone.is_error != Some(true), "{}", text(&gone));
    ensure!(!folder.path().join("draft.md").exists(), "it says that it ran, and did not");
    client.cancel().await?;
    running.ended_well().await?;
    ensure!(!file.exists(), "the key stays behind");
    Ok(())
}

#[cfg(unix)]
fn is_ours_alone(file: &Path) -> Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::metadata(file)?.permissions().mode() & 0o777 == 0o600)
}

#[cfg(not(unix))]
fn is_ours_alone(_: &Path) -> Result<bool> {
    Ok(true)
}

fn between<'a>(line: &'a str, before: &str, after: &str) -> Result<&'a str> {
    let (_, rest) = line.split_once(before).with_context(|| format!("no {before:?} in {line}"))?;
    Ok(rest.split_once(after).map_or(rest, |(inside, _)| inside))
}

#[tokio::test(flavor = "multi_thread")]
async fn with_approve_an_operator_approves_everything_once_it_was_shown() -> Result<()> {
    let folder = folder()?;
    let mut running = Running::start(&mut server(&folder, &["--http", "--approve"]))?;
    let url = running.said("listening on ").await?;
    let url = url.trim_start_matches("listening on ").to_owned();
    let transport = StreamableHttpClientTransport::from_uri(url);
    let client = in_time("the handshake", ().serve(transport)).await??;
    let approval = serves_and_holds(&client, &folder).await?;
    running.said(r#"held: files/delete {"name":"draft.md"}"#).await?;
    running.said(&format!("approved {approval}, because of --approve")).await?;
    let gone = delete(&client, "draft.md").await?;
    ensure!(gone.is_error != Some(true), "{}", text(&gone));
    ensure!(!folder.path().join("draft.md").exists(), "it says that it ran, and did not");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_what_was_asked_for_says_so_and_ends() -> Result<()> {
    let folder = folder()?;
    let with_a_guardian = |flags: &[&str]| {
        let mut command = server(&folder, flags);
        command.env("AGENTTRUST_URL", "http://127.0.0.1:9");
        command
    };
    for (mut command, complaint) in [
        (server(&folder, &["--htpp"]), "\"--htpp\" is not understood"),
        (with_a_guardian(&[]), "set AGENTTRUST_AGENT_ID"),
        (with_a_guardian(&["--approve"]), "approve where AGENTTRUST_URL points to"),
    ] {
        let output = in_time("its end", command.stdin(Stdio::null()).output()).await??;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success() && said.contains(complaint), "{complaint}: {said}");
    }
    Ok(())
}

/// A Guardian of its own, as it is where several programs share one.
struct ServedGuardian {
    guardian: Guardian,
    served: Served,
    agent_id: String,
    agent_key: String,
    operator_key: String,
}

impl ServedGuardian {
    async fn start() -> Result<Self> {
        let guardian = Guardian::in_memory().await?;
        let agent = agenttrust::CreateAgentRequest {
            name: "file-server".to_owned(),
            capabilities: vec!["files/*".to_owned()],
            ..Default::default()
        };
        let agent_id = guardian.client().agents().create(&agent).await?.id;
        let agent_key = guardian.create_key(Role::Agent, &[&agent_id]).await?;
        let operator_key = guardian.create_key(Role::Operator, &[]).await?;
        let served = Served::on_loopback(guardian.router()).await?;
        Ok(Self { guardian, served, agent_id, agent_key, operator_key })
    }

    /// Returns what tells the server whom to ask, and as whom.
    fn env(&self) -> [(&'static str, &str); 3] {
        [
            ("AGENTTRUST_URL", self.served.url()),
            ("AGENTTRUST_API_KEY", &self.agent_key),
            ("AGENTTRUST_AGENT_ID", &self.agent_id),
        ]
    }

    /// Returns what tells the script whom to ask for approval, and where the files are.
    fn env_of_the_peer<'a>(&'a self, folder: &'a TempDir) -> Result<[(&'static str, &'a str); 3]> {
        Ok([
            ("GUARDIAN_URL", self.served.url()),
            ("OPERATOR_KEY", &self.operator_key),
            ("FOLDER", folder.path().to_str().context("a path of text")?),
        ])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_asks_the_guardian_of_its_environment() -> Result<()> {
    let (guardian, folder) = (ServedGuardian::start().await?, folder()?);
    let mut running = Running::start(server(&folder, &[]).envs(guardian.env()))?;
    let client = over_stdio(&mut running).await?;
    let approval = serves_and_holds(&client, &folder).await?;
    let operator = guardian.guardian.client_with_key(&guardian.operator_key)?;
    operator.approvals().approve(&approval, "the test").await?;
    let gone = delete(&client, "draft.md").await?;
    ensure!(gone.is_error != Some(true), "{}", text(&gone));

    guardian.served.stop().await?;
    let blocked = call(&client, "read", json!({ "name": "plan.md" })).await?;
    ensure!(blocked.is_error == Some(true), "it was read with no Guardian: {}", text(&blocked));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_typescript_client_works_with_it_over_stdio() -> Result<()> {
    let Some(mut node) = node_with_the_peers("mcp_rmcp_server.mjs").await else { return Ok(()) };
    let (guardian, folder) = (ServedGuardian::start().await?, folder()?);
    // It starts the server itself, with the environment that it has.
    let server = server(&folder, &[]);
    node.arg("stdio").arg(server.as_std().get_program()).args(server.as_std().get_args());
    node.envs(guardian.env()).envs(guardian.env_of_the_peer(&folder)?);
    all_of_it(&mut node).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_typescript_client_works_with_it_over_http() -> Result<()> {
    let Some(mut node) = node_with_the_peers("mcp_rmcp_server.mjs").await else { return Ok(()) };
    let (guardian, folder) = (ServedGuardian::start().await?, folder()?);
    let mut running = Running::start(server(&folder, &["--http"]).envs(guardian.env()))?;
    let url = running.said("listening on ").await?;
    node.arg("http").arg(Path::new(url.trim_start_matches("listening on ")));
    node.envs(guardian.env_of_the_peer(&folder)?);
    all_of_it(&mut node).await
}

/// Runs the script; its assertions are the test.
async fn all_of_it(node: &mut Command) -> Result<()> {
    let output = in_time("the script", node.output()).await??;
    let printed = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success() && printed.trim_end().ends_with("all of it"),
        "{}\n{printed}\n{complained}",
        output.status
    );
    Ok(())
}
