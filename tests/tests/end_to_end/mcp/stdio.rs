//! `agenttrust mcp run` in front of a server that is started over stdio, as desktop and coding agents start theirs: in
//! one line of their configuration, and with the official clients of that.

use agenttrust_tests::bounded::in_a_runtime;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::guardian_with_agent::GuardianWithAgent;
use super::peers::{everything_script, folder, node, run};
use crate::AGENTTRUST;

/// Returns the command of such a line: the guard with its own Guardian in this folder, before the "everything" server.
fn guarded(node: &std::path::Path, home: &TempDir) -> Vec<String> {
    let database = home.path().join("guardian.db").display().to_string();
    let script = everything_script().display().to_string();
    let node = node.display().to_string();
    let run = [
        "mcp",
        "run",
        "--server",
        "everything",
        "--database",
        &database,
        "--",
        &node,
        &script,
        "stdio",
    ];
    [AGENTTRUST].iter().chain(&run).map(ToString::to_string).collect()
}

#[test]
fn the_typescript_sdk_calls_the_tools_of_a_local_server() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let home = TempDir::with_prefix("home-")?;
        let mut command = Command::new(&node);
        command.arg(folder().join("clients/stdio.mjs")).args(guarded(&node, &home));
        run(&mut command).await
    })
}

#[test]
fn it_asks_a_guardian_that_is_served_where_the_environment_names_one() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let guardian = GuardianWithAgent::start().await?;
        let home = TempDir::with_prefix("home-")?;
        let script = everything_script().display().to_string();
        let mut command = Command::new(&node);
        command.arg(folder().join("clients/stdio.mjs"));
        command.args([AGENTTRUST, "mcp", "run", "--server", "everything", "--"]);
        command.arg(&node).args([&script, "stdio"]).current_dir(home.path());
        command
            .env("AGENTTRUST_URL", guardian.served.url())
            .env("AGENTTRUST_API_KEY", &guardian.key)
            .env("AGENTTRUST_AGENT_ID", &guardian.agent_id);
        run(&mut command).await?;
        let audited = guardian.served.admin().audited(&guardian.agent_id, "decision").await?;
        ensure!(
            audited.iter().any(|row| row.to_string().contains("everything/echo")),
            "{audited:?}"
        );
        Ok(())
    })
}

#[test]
fn the_inspector_lists_and_calls_them() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let home = TempDir::with_prefix("home-")?;
        let inspector = folder().join("node_modules/.bin/mcp-inspector");
        // What a desktop or coding agent is configured with, too.
        let guarded = guarded(&node, &home);
        let (command, args) = guarded.split_first().context("a command")?;
        let servers = json!({ "everything": { "command": command, "args": args } });
        let config = home.path().join("mcp.json");
        std::fs::write(&config, json!({ "mcpServers": servers }).to_string())?;
        let asked = async |method: &[&str]| -> Result<Value> {
            let mut command = Command::new(&node);
            command.arg(&inspector).args(["--cli", "--server", "everything", "--config"]);
            command.arg(&config).arg("--method").args(method);
            let output = command.kill_on_drop(true).output().await.context("it starts")?;
            let log = String::from_utf8_lossy(&output.stderr);
            serde_json::from_slice(&output.stdout)
                .with_context(|| format!("{}: {log}", output.status))
        };
        let tools = asked(&["tools/list"]).await?;
        ensure!(tools.to_string().contains("\"echo\""), "{tools}");
        let given = ["--tool-arg", "a=2", "b=40"];
        let sum = asked(&[&["tools/call", "--tool-name", "get-sum"], &given[..]].concat()).await?;
        ensure!(sum.to_string().contains("42"), "{sum}");
        Ok(())
    })
}
